//! The transform that encrypts files in the age format (age-encryption.org/v1), and decrypts them: to X25519
//! recipients, or with a passphrase. Every file has a key of its own, and each 64 KiB of it is
//! authenticated, its end too. Reaches nothing but random numbers, which the host has for every connector.

mod config;
mod decrypt;
mod encrypt;
mod passphrase;
mod pipe;

use std::rc::Rc;

use culvert_sdk::{
    StreamReader,
    connector::{self, Description, Role},
    error,
    instance::Configured,
    transform::{self, Effect, Made},
    types::{Attribute, Error, Object},
};

use crate::config::{Keys, Settings};

struct Age;

culvert_sdk::export_transform!(Age);

thread_local! {
    static SETTINGS: Configured<Settings> = const { Configured::new() };
}

/// What the bytes are.
const CONTENT_TYPE: &str = "content-type";
/// That of bytes of which nobody can tell.
const MEDIA_TYPE: &str = "application/octet-stream";

impl connector::Guest for Age {
    fn describe() -> Description {
        Description {
            name: "age".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_schema: String::new(),
            sink_schema: String::new(),
            capabilities: Vec::new(),
        }
    }

    async fn configure(_: Role, _: String, _: String) -> Result<(), Error> {
        Err(error::unsupported("age is a transform: write it as [[transform]]"))
    }

    async fn check() -> Result<(), Error> {
        Ok(())
    }
}

impl transform::Guest for Age {
    fn schema() -> String {
        config::SCHEMA.to_owned()
    }

    async fn configure(config: String) -> Result<Effect, Error> {
        let settings = config::settings(&config)?;
        let effect = effect(&settings);
        SETTINGS.with(|place| place.set(settings))?;
        Ok(effect)
    }

    async fn apply(_: Object, data: StreamReader<u8>) -> Result<Made, Error> {
        let settings: Rc<Settings> = SETTINGS.with(Configured::get)?;
        Ok(match settings.keys {
            Keys::Recipients(_) | Keys::NewPassphrase(_) => {
                transform::make(data, async move |input, output| encrypt::encrypt(&settings.keys, input, output).await)
            }
            Keys::Identities(_) => {
                transform::make(data, async move |input, output| decrypt::decrypt(&settings.keys, input, output).await)
            }
        })
    }
}

fn effect(settings: &Settings) -> Effect {
    let suffix = settings.suffix.clone();
    match settings.keys {
        Keys::Recipients(_) | Keys::NewPassphrase(_) => {
            let set = vec![Attribute { name: CONTENT_TYPE.to_owned(), value: MEDIA_TYPE.to_owned() }];
            Effect { strip: String::new(), append: suffix, drop: Vec::new(), set }
        }
        Keys::Identities(_) => {
            Effect { strip: suffix, append: String::new(), drop: vec![CONTENT_TYPE.to_owned()], set: Vec::new() }
        }
    }
}
