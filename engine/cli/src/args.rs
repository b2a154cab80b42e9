//! The command line, as clap reads it. Does nothing with it.

pub(crate) mod address;
pub(crate) mod agent;
pub(crate) mod apply;
pub(crate) mod connector;
pub(crate) mod fleet;
pub(crate) mod task;
pub(crate) mod tracing;
pub(crate) mod tunnel;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use culvert_flow::select::only::Column;

/// Moves objects between stores, through a tunnel that meters them
#[derive(Debug, Parser)]
#[command(name = "engine", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logging: Logging,
    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// How log lines look on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Least important level that is logged: error, warn, info, debug, trace, or a filter such as "culvert_host=debug"
    #[arg(long, global = true, default_value = "warn", env = "CULVERT_LOG")]
    pub(crate) log_level: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Places {
    /// Folder of journals, tunnels and compiled connectors; the processes that use it share its tunnels [default: $XDG_STATE_HOME/culvert or ~/.local/state/culvert]
    #[arg(long, global = true, env = "CULVERT_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// File that defines tunnels [default: $XDG_CONFIG_HOME/culvert/engine.toml or ~/.config/culvert/engine.toml]
    #[arg(long, global = true, env = "CULVERT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fleet: fleet::Fleet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Move what a pipeline selects
    Run(Run),
    /// Say what a run would move, overwrite and skip; write nothing
    Plan(Plan),
    /// Show what a pipeline's last run did, also while it runs
    Report(Report),
    /// Show every pipeline of this machine, and how its last run stands
    Status(Status),
    /// Watch tunnels, agents, tasks and runs; q ends it
    Top(Top),
    /// Hold a sink against what the journal says was moved
    Verify(Verify),
    /// Check a pipeline file and its connectors' tables; reach no store
    Validate(File),
    /// Reach both ends of a pipeline and prove the permissions; leave nothing behind
    Check(Pipeline),
    /// Print the JSON Schema of pipeline files, for editors
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Look at connectors
    #[command(subcommand)]
    Connector(connector::Connector),
    /// Make, change, show and delete tunnels that runs share
    #[command(subcommand)]
    Tunnel(tunnel::Tunnel),
    /// Make, change, show and delete agents: runs with a name, on one tunnel
    #[command(subcommand)]
    Agent(agent::Agent),
    /// Give sources and sinks names, for pipelines to use
    #[command(subcommand)]
    Address(address::Address),
    /// Make tunnels, agents, addresses and tasks what the files of a folder say
    Apply(apply::Apply),
    /// Register pipelines under names, and run them in the background
    #[command(subcommand)]
    Task(task::Task),
}

// === impl Command ===

impl Command {
    /// What it says about traces; none where nothing moves.
    pub(crate) fn tracing(&self) -> Option<&tracing::Tracing> {
        match self {
            Self::Run(run) => Some(&run.tracing),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct File {
    /// The pipeline's TOML file
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Pipeline {
    #[command(flatten)]
    pub(crate) pipeline: File,
    /// One JSON object per event on standard output, the summary last
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    #[command(flatten)]
    pub(crate) only: Only,
    /// Forget what earlier runs did, and start over
    #[arg(long)]
    pub(crate) restart: bool,
    /// In a fleet: leave the run to no other machine; only the tunnel is shared
    #[arg(long)]
    pub(crate) alone: bool,
    /// For which time of its task's start
    #[arg(long, hide = true)]
    pub(crate) started: Option<u64>,
    /// Run as this agent: on its tunnel, from its local address
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Answer Prometheus there while it runs, at /metrics and to whoever can reach it, as in 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) tracing: tracing::Tracing,
}

#[derive(Debug, Args)]
pub(crate) struct Only {
    /// Move only these of the selected objects: a file with one key per line, a CSV (a name that ends in .csv, such as a report's failed.csv), or "-" for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) only: Option<PathBuf>,
    /// The list is a CSV and has its keys in this column: its name in the first row, or its number from 1 [default for *.csv: key]
    #[arg(long, value_name = "COLUMN", requires = "only")]
    pub(crate) only_column: Option<Column>,
    /// The CSV's keys are URL-encoded, as in an S3 inventory
    #[arg(long, requires = "only")]
    pub(crate) only_url_encoded: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The pipeline's TOML file, or its name
    pub(crate) pipeline: PathBuf,
    #[command(flatten)]
    pub(crate) list: Lists,
    /// How it looks; the summary is a table or JSON
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Without any: the summary.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Lists {
    /// What was given up, with code, message and attempts
    #[arg(long)]
    pub(crate) failed: bool,
    /// What was skipped, and why
    #[arg(long)]
    pub(crate) skipped: bool,
    /// What was moved
    #[arg(long)]
    pub(crate) moved: bool,
    /// What was deleted from the sink
    #[arg(long)]
    pub(crate) deleted: bool,
    /// What is at the sink, whichever run moved it
    #[arg(long)]
    pub(crate) manifest: bool,
    /// Lines for `sha256sum -c`, of the objects whose SHA-256 is known
    #[arg(long, conflicts_with = "format")]
    pub(crate) sha256sums: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Table,
    /// RFC 4180, with a first row of names
    Csv,
    /// One JSON object per row
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// One JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Print it once, as where there is no terminal
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Look at the source too: what changed or went there since
    #[arg(long)]
    pub(crate) source: bool,
    /// Read every object back, instead of what the sink tells without reading
    #[arg(long)]
    pub(crate) reread: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// One line for each object, too
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) only: Only,
}
