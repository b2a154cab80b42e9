//! The arguments of `engine tunnel`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Tunnel {
    /// Make a tunnel that every run of this state folder can name
    Create(Terms),
    /// Change a tunnel, in force within a second
    Set(Terms),
    /// Show one tunnel, and who is on it
    Show {
        /// The tunnel
        name: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the tunnels
    List {
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete a tunnel that nobody is on
    Delete {
        /// The tunnel
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// The tunnel: lower-case letters, digits and "-"
    pub(crate) name: String,
    /// Most payload bytes per second of all agents together, as in "80 MiB/s"; "none": no limit
    #[arg(long, value_name = "RATE")]
    pub(crate) max_bandwidth: Option<String>,
    /// Most requests per second of all agents together; "none": no limit
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_requests_per_second: Option<String>,
    /// What a named agent keeps if it can't reach the others, as in "1 MiB/s"; "none": it stops
    #[arg(long, value_name = "RATE")]
    pub(crate) floor: Option<String>,
    /// Other limits at some times, as in "mon-fri 08:00-18:00 10 MiB/s"; several may be given, the first that's open counts; "none": no schedule
    #[arg(long, value_name = "HOURS")]
    pub(crate) schedule: Vec<String>,
    /// Where the schedule's clock hangs [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// An agent's weight when shares are made, as in "nas=3"; several may be given [default: 1 each]
    #[arg(long, value_name = "AGENT=NUMBER")]
    pub(crate) weight: Vec<String>,
}
