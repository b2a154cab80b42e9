//! The connector for a folder of this machine, as source and as sink. Steers only: the bytes of
//! files stay in the host, and everything it reaches is below the one folder that was granted.
//!
//! A file is written under a temporary name in its own folder, `.culvert-<16 hex digits>.part`, of
//! which the first 8 are its pipeline's owner mark, and renamed when it's whole. A listing leaves such names out, so a folder that is a sink today can be
//! a source tomorrow, whatever a run that was killed has left in it.

// In the order in which the data flows.
mod attributes;
mod config;
mod error;
mod sink;
mod source;
mod token;

use culvert_sdk::{
    connector::{self, Description, Role},
    instance::Configured,
    temporary::Names,
    types::Error,
    wasi::filesystem::{preopens, types::Descriptor},
};

use crate::{sink::Sink, source::Source};

struct Local;

culvert_sdk::export_storage!(Local);
culvert_sdk::export_batches!(Local);

thread_local! {
    static SOURCE: Configured<Source> = const { Configured::new() };
    static SINK: Configured<Sink> = const { Configured::new() };
}

impl connector::Guest for Local {
    fn describe() -> Description {
        let capabilities = [
            "range-read",
            "read-back",
            "parts",
            "put-without-size",
            "directories",
            "symlinks",
            "conditional-put",
            "modified",
            "read-batch",
            "put-batch",
            "checksum:crc64-nvme",
        ];
        Description {
            name: "local".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_schema: config::SOURCE_SCHEMA.to_owned(),
            sink_schema: config::SINK_SCHEMA.to_owned(),
            capabilities: capabilities.map(str::to_owned).to_vec(),
        }
    }

    async fn configure(role: Role, config: String, owner: String) -> Result<(), Error> {
        match role {
            Role::Source => {
                let source = Source::new(config::source(&config)?, granted_folder()?);
                SOURCE.with(|place| place.set(source))
            }
            Role::Sink => {
                let config = config::sink(&config)?;
                let read_back = Source::new(config.read_back(), granted_folder()?);
                SOURCE.with(|place| place.set(read_back))?;
                SINK.with(|place| place.set(Sink::new(config, granted_folder()?, Names::new(&owner)?)))
            }
        }
    }

    async fn check() -> Result<(), Error> {
        match SINK.with(Configured::get) {
            Ok(sink) => sink.check().await,
            Err(_) => SOURCE.with(Configured::get)?.check().await,
        }
    }
}

fn granted_folder() -> Result<Descriptor, Error> {
    match preopens::get_directories().into_iter().next() {
        Some((folder, _)) => Ok(folder),
        None => Err(culvert_sdk::error::invalid_config("path: the engine granted no folder for it")),
    }
}
