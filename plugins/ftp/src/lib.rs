//! The connector for FTP and FTPS servers, as source and as sink. Steers only: it speaks on the
//! control connection; what comes and goes on data connections stays in the host.
//!
//! A file is written under a temporary name in its own folder, `.culvert-<16 hex digits>.part`, of
//! which the first 8 are its pipeline's owner mark, and renamed when it's whole. A listing leaves
//! such names out.

// In the order in which a transfer meets them.
mod config;
mod control;
mod error;
mod features;
mod listing;
mod object;
mod path;
mod reply;
mod schema;
mod session;
mod sink;
mod source;
mod time;

use std::rc::Rc;

use culvert_sdk::{
    connector::{self, Description, Role},
    instance::Configured,
    temporary::Names,
    types::Error,
};

use crate::{session::Session, sink::Sink};

struct Ftp;

culvert_sdk::export_storage!(Ftp);

thread_local! {
    static SOURCE: Configured<Rc<Session>> = const { Configured::new() };
    static SINK: Configured<Sink> = const { Configured::new() };
}

impl connector::Guest for Ftp {
    fn describe() -> Description {
        let capabilities = [
            "range-read",
            "long-ranges",
            "read-back",
            "parts",
            "ordered-parts",
            "put-without-size",
            "directories",
            "modified",
            "checksum:sha256",
            "checksum:md5",
            "checksum:crc32",
        ];
        Description {
            name: "ftp".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_schema: schema::source(),
            sink_schema: schema::sink(),
            capabilities: capabilities.map(str::to_owned).to_vec(),
        }
    }

    async fn configure(role: Role, config: String, owner: String) -> Result<(), Error> {
        let session = Rc::new(Session::new(config::parse(&config)?));
        match role {
            Role::Source => SOURCE.with(|place| place.set(session)),
            Role::Sink => {
                let sink = Sink::new(session, Names::new(&owner)?);
                SINK.with(|place| place.set(sink))
            }
        }
    }

    async fn check() -> Result<(), Error> {
        match SOURCE.with(Configured::get) {
            Ok(session) => source::check(&session).await,
            Err(_) => SINK.with(Configured::get)?.check().await,
        }
    }
}

/// The session of either role: a sink reads back what it wrote.
fn session_of_instance() -> Result<Rc<Session>, Error> {
    match SOURCE.with(Configured::get) {
        Ok(session) => Ok(Rc::clone(&session)),
        Err(_) => Ok(SINK.with(Configured::get)?.session()),
    }
}
