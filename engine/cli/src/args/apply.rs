//! The arguments of `engine apply`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A folder, of which every *.toml file is read and no folder below it; or one file
    #[arg(short = 'f', long = "file", value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Carry the plan out without asking; without it, and without a terminal to ask on, nothing is changed
    #[arg(long)]
    pub(crate) yes: bool,
    /// Delete what no file names, where nobody uses it; what engine.toml defines stays
    #[arg(long)]
    pub(crate) prune: bool,
    /// One JSON object; nothing is asked
    #[arg(long)]
    pub(crate) json: bool,
}
