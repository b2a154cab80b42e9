//! The transform that compresses files into Zstandard frames (RFC 8878), and decompresses them. Reaches
//! nothing, and holds a block and a window.

mod compress;
mod config;
mod decompress;

use culvert_sdk::{
    StreamReader,
    connector::{self, Description, Role},
    error,
    instance::Configured,
    transform::{self, Effect, Made},
    types::{Attribute, Error, Object},
};

use crate::config::{Config, Mode};

struct Zstd;

culvert_sdk::export_transform!(Zstd);

thread_local! {
    static CONFIG: Configured<Config> = const { Configured::new() };
}

/// What the bytes are.
const CONTENT_TYPE: &str = "content-type";
/// That of RFC 8878.
const MEDIA_TYPE: &str = "application/zstd";

impl connector::Guest for Zstd {
    fn describe() -> Description {
        Description {
            name: "zstd".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_schema: String::new(),
            sink_schema: String::new(),
            capabilities: Vec::new(),
        }
    }

    async fn configure(_: Role, _: String, _: String) -> Result<(), Error> {
        Err(error::unsupported("zstd is a transform: write it as [[transform]]"))
    }

    async fn check() -> Result<(), Error> {
        Ok(())
    }
}

impl transform::Guest for Zstd {
    fn schema() -> String {
        config::SCHEMA.to_owned()
    }

    async fn configure(config: String) -> Result<Effect, Error> {
        let config: Config = culvert_sdk::config::parse(&config)?;
        let effect = effect(&config);
        CONFIG.with(|place| place.set(config))?;
        Ok(effect)
    }

    async fn apply(_: Object, data: StreamReader<u8>) -> Result<Made, Error> {
        Ok(match CONFIG.with(Configured::get)?.mode {
            Mode::Compress => transform::make(data, compress::compress),
            Mode::Decompress => transform::make(data, decompress::decompress),
        })
    }
}

fn effect(config: &Config) -> Effect {
    let suffix = config.suffix.clone();
    match config.mode {
        Mode::Compress => {
            let set = vec![Attribute { name: CONTENT_TYPE.to_owned(), value: MEDIA_TYPE.to_owned() }];
            Effect { strip: String::new(), append: suffix, drop: Vec::new(), set }
        }
        // What it was before, nobody wrote down.
        Mode::Decompress => {
            Effect { strip: suffix, append: String::new(), drop: vec![CONTENT_TYPE.to_owned()], set: Vec::new() }
        }
    }
}
