//! The arguments of `engine connector`. Does nothing with them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use culvert_manifest::units::parse_size;

/// Least and most bytes of a bench's large object: shorter ones are over before they're measured, longer
/// ones don't fit into memory.
const LARGE_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=4 << 30;

#[derive(Debug, Subcommand)]
pub(crate) enum Connector {
    /// Make a folder with a connector's project, which builds and passes its tests as it is
    New(New),
    /// Take a connector out of an OCI registry, or all that a pipeline names, and write down in its lock which they are
    Pull(Pull),
    /// Put a connector into an OCI registry, under a tag
    Push(Push),
    /// Hold a connector against the contract, on a real store: it works below a random folder of its own, and removes it
    Test(Test),
    /// Measure a connector beside another: one large object, many small ones, CPU time and memory
    Bench(Bench),
    /// The built-in connectors
    List {
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// What a connector is and imports, and what it may reach under a pipeline, in words for a reviewer
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// oci://registry/name:tag, oci://registry/name@sha256:..., or a pipeline's TOML file
    pub(crate) what: String,
    /// Take what a tag stands for now, where the lock has another digest
    #[arg(long)]
    pub(crate) update: bool,
    /// Talk to a registry on another machine without TLS
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Write the component to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The component's .wasm file
    pub(crate) file: PathBuf,
    /// oci://registry/name:tag
    pub(crate) to: String,
    /// Talk to a registry on another machine without TLS
    #[arg(long)]
    pub(crate) insecure: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A built-in's name, the path of a .wasm file, or oci:// and its place in a registry
    pub(crate) connector: String,
    /// A pipeline that uses it: what its tables let it reach is said, too
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The connector's name, which the folder gets too: a-z, 0-9 and -, a letter first
    pub(crate) name: String,
    /// The language
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub(crate) lang: Language,
    /// Whether it's read, written or both
    #[arg(long, value_enum, default_value_t = Role::Both)]
    pub(crate) role: Role,
    /// The folder to make [default: the name]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The SDK's folder, plugins/sdk of a checkout of Culvert for instance; otherwise the project gets a copy of this engine's
    #[arg(long, value_name = "FOLDER")]
    pub(crate) sdk: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// A built-in's name, the path of a .wasm file, or oci:// and its place in a registry
    pub(crate) connector: String,
    /// A TOML file with [source], [sink] or both, as for `test`; both at the same place measure most
    pub(crate) file: PathBuf,
    /// The connector that it's measured beside
    #[arg(long, value_name = "CONNECTOR", default_value = "local")]
    pub(crate) against: String,
    /// The other one's tables [default: FILE, where it suits the other one too; for `local` otherwise a temporary folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) against_file: Option<PathBuf>,
    /// How often each is measured, in turns; the medians count
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,
    /// The large object, which is held in memory: at least 1 MiB, at most 4 GiB
    #[arg(long, value_name = "SIZE", default_value = "256 MiB", value_parser = size)]
    pub(crate) large: usize,
    /// How many small objects, of 4 KiB each
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) objects: u32,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Source,
    Sink,
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// A built-in's name, the path of a .wasm file, or oci:// and its place in a registry
    pub(crate) connector: String,
    /// A TOML file with [source], [sink] or both as in a pipeline, and [limits] if wanted; both at the same place test most
    pub(crate) file: PathBuf,
    /// The same tables with credentials that are wrong: their check must fail with the right code
    #[arg(long, value_name = "FILE")]
    pub(crate) denied: Option<PathBuf>,
    /// Only the cases whose name begins with this; may be given again
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,
    /// How the report looks
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Where the report goes, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Makes the bytes and the folder of an earlier run again
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: a line for each case, as it ends
    Table,
    /// One JSON object
    Json,
    /// JUnit's XML, for build servers
    Junit,
}

fn size(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text).map_err(|invalid| invalid.to_string())?.0;
    let within = LARGE_BYTES.contains(&bytes).then(|| usize::try_from(bytes).ok()).flatten();
    within.ok_or_else(|| "at least 1 MiB and at most 4 GiB".to_owned())
}
