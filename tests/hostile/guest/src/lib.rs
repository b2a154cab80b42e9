//! A connector that breaks the rules that its table names, and keeps all others. As a source it has
//! five good objects and one for each crime in `objects`; as a sink it takes everything and keeps
//! nothing. Reaches for nothing but what a crime is about.

mod batch;
mod crime;
mod describe;
mod flip;
mod listing;
mod sandbox;
mod sink;
mod source;

use culvert_sdk::{
    connector::{self, Description, Role},
    instance::Configured,
    types::{Error, Object},
};
use serde::Deserialize;

use crate::crime::Crime;

struct Hostile;

culvert_sdk::export_storage!(Hostile);
culvert_sdk::export_batches!(Hostile);

/// Either table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The crime of the instance itself.
    behaviour: String,
    /// Crimes that are each committed on the object `bad-<crime>`.
    #[serde(default)]
    objects: Vec<String>,
    /// The granted folder, as the host calls it.
    #[serde(default)]
    path: String,
}

thread_local! {
    static CONFIG: Configured<Config> = const { Configured::new() };
}

/// Bytes of a good object.
const SIZE: u64 = 10;

impl connector::Guest for Hostile {
    fn describe() -> Description {
        describe::description()
    }

    async fn configure(_role: Role, config: String, _owner: String) -> Result<(), Error> {
        CONFIG.with(|place| place.set(culvert_sdk::config::parse(&config)?))?;
        Crime::of_instance().commit("configure").await;
        Ok(())
    }

    async fn check() -> Result<(), Error> {
        Crime::of_instance().commit("check").await;
        Ok(())
    }
}

fn object(key: &str, size: Option<u64>) -> Object {
    let (modified, version, checksums, attributes) = (None, None, vec![], vec![]);
    Object { key: key.to_owned(), kind: "file".to_owned(), size, modified, version, checksums, attributes }
}
