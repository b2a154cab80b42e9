//! The arguments of `engine address`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

#[derive(Debug, Subcommand)]
pub(crate) enum Address {
    /// Give a source's or sink's table a name; its secrets must be references
    Create {
        /// The address: lower-case letters, digits and "-"
        name: String,
        /// Which end it can be
        #[arg(long, value_enum)]
        role: Role,
        /// A TOML file with the keys of a [source] or [sink] table, without the heading
        file: PathBuf,
    },
    /// Reach it, and prove the permissions; leave nothing behind
    Check {
        /// The address
        name: String,
    },
    /// Show one address, with its secrets as references
    Show {
        /// The address
        name: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the addresses
    List {
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete an address; pipelines that name it are refused from then on
    Delete {
        /// The address
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Source,
    Sink,
}
