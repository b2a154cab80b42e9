//! The arguments of `engine task`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Register a pipeline file under a name
    Create {
        /// The task: lower-case letters, digits and "-"
        name: String,
        /// The pipeline's TOML file
        file: PathBuf,
        /// The agent that it runs as
        #[arg(long)]
        agent: Option<String>,
    },
    /// Run it in the background, from where its journal stands
    Start {
        /// The task
        name: String,
    },
    /// End its run in order, to be resumed
    Pause {
        /// The task
        name: String,
    },
    /// Go on with a paused task
    Resume {
        /// The task
        name: String,
    },
    /// End its run in order
    Stop {
        /// The task
        name: String,
    },
    /// Show one task and how its last run stands
    Show {
        /// The task
        name: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the tasks
    List {
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Forget a task that isn't running; its file and its journal stay
    Delete {
        /// The task
        name: String,
    },
}
