//! A connector that breaks the rule that `behaviour` names, and keeps all others. As a source it has
//! five good objects and a bad one; as a sink it takes everything and keeps nothing.

mod crime;
mod sink;
mod source;

use culvert_sdk::{
    connector::{self, Description, Role},
    instance::Configured,
    types::{Error, Object},
};
use serde::Deserialize;

struct Hostile;

culvert_sdk::export_storage!(Hostile);

/// Either table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    behaviour: String,
    /// The folder, for the behaviours that want to leave it.
    #[serde(default, rename = "path")]
    _path: String,
}

thread_local! {
    static CONFIG: Configured<Config> = const { Configured::new() };
}

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false, "required": ["behaviour"], "properties": {
    "behaviour": {"type": "string", "title": "Behaviour", "description": "The rule to break."},
    "path": {"type": "string", "title": "Folder", "description": "A folder to leave.", "x-grant": "folder"}
}}"#;

/// Bytes of a good object.
const SIZE: u64 = 10;

impl connector::Guest for Hostile {
    fn describe() -> Description {
        Description {
            name: "hostile".to_owned(),
            version: "0.1.0".to_owned(),
            source_schema: SCHEMA.to_owned(),
            sink_schema: SCHEMA.to_owned(),
            capabilities: ["range-read", "parts", "checksum:crc64-nvme"].map(str::to_owned).to_vec(),
        }
    }

    async fn configure(_role: Role, config: String, _owner: String) -> Result<(), Error> {
        CONFIG.with(|place| place.set(culvert_sdk::config::parse(&config)?))?;
        crime::commit("configure");
        Ok(())
    }

    async fn check() -> Result<(), Error> {
        crime::commit("check");
        Ok(())
    }
}

/// What the pipeline asked for.
fn behaviour() -> String {
    CONFIG.with(Configured::get).map_or_else(|_| String::new(), |config| config.behaviour.clone())
}

fn is(behaviour: &str) -> bool {
    self::behaviour() == behaviour
}

fn object(key: &str, size: Option<u64>) -> Object {
    let (modified, version, checksums, attributes) = (None, None, vec![], vec![]);
    Object { key: key.to_owned(), kind: "file".to_owned(), size, modified, version, checksums, attributes }
}
