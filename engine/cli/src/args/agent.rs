//! The arguments of `engine agent`.

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::tracing::Tracing;

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Make an agent on a tunnel, for `engine run --agent`
    Create {
        /// The agent: lower-case letters, digits and "-"
        name: String,
        /// The tunnel that everything it moves goes through
        #[arg(long)]
        tunnel: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change an agent that isn't running, or move it to another tunnel
    Set {
        /// The agent
        name: String,
        /// The tunnel to move it to
        #[arg(long)]
        tunnel: Option<String>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Work as this agent: take the tasks that are started for it, one after the other, until SIGTERM
    Start {
        /// The agent
        name: String,
        #[command(flatten)]
        tracing: Tracing,
    },
    /// Show one agent and whether it's online, busy or offline
    Show {
        /// The agent
        name: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the agents
    List {
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete an agent that isn't running; what its tunnel's floor kept for it is free
    Delete {
        /// The agent
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// Which network it's on: picks a service's own endpoint where a pipeline names only a region [default: public]
    #[arg(long, value_enum)]
    pub(crate) network: Option<Network>,
    /// Local address or interface that its HTTP connections start from; "none": the system's choice
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    /// Inside of the provider's private network
    Vpc,
    /// The public network
    #[default]
    Public,
}

// === impl Network ===

impl Network {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Vpc => "vpc",
            Self::Public => "public",
        }
    }
}
