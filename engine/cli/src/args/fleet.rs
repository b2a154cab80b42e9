//! The arguments that say which fleet a command is about.

use std::path::PathBuf;

use clap::Args;

use crate::fleet::Connection;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Fleet")]
pub(crate) struct Fleet {
    /// NATS servers of the fleet whose tunnels, agents, addresses, tasks and runs are meant, instead of this machine's: nats://HOST:4222 or tls://HOST:4222, several with commas
    #[arg(long = "fleet", global = true, env = "CULVERT_FLEET", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Who one is there; the password is in CULVERT_FLEET_PASSWORD or in a file
    #[arg(long = "fleet-user", global = true, env = "CULVERT_FLEET_USER", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// File with that user's password
    #[arg(long = "fleet-password-file", global = true, env = "CULVERT_FLEET_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// NATS credentials file (*.creds)
    #[arg(long = "fleet-credentials", global = true, env = "CULVERT_FLEET_CREDENTIALS", value_name = "FILE")]
    pub(crate) credentials: Option<PathBuf>,
    /// File with the seed of an NKey
    #[arg(long = "fleet-nkey", global = true, env = "CULVERT_FLEET_NKEY", value_name = "FILE")]
    pub(crate) nkey: Option<PathBuf>,
    /// PEM file of certificate authorities for it, beside the system's; TLS is required then
    #[arg(long = "fleet-ca", global = true, env = "CULVERT_FLEET_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Made when it's first needed, once for a process.
    #[arg(skip)]
    pub(crate) connection: Connection,
}
