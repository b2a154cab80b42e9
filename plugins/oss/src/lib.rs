//! The connector for Alibaba Cloud's Object Storage Service, as source and as sink, by its own API
//! rather than the dialect of S3 that it also speaks. Signs and parses; the bytes of objects go around
//! it, from the engine to the service and back.
//!
//! Objects are put in one request or as a multi-part upload: either way the service shows all of it or
//! nothing, and this connector never retries by itself.

// In the order in which the data flows.
mod address;
mod client;
mod config;
mod error;
mod key;
mod link;
mod object;
mod request;
mod signature;
mod sink;
mod source;

use culvert_sdk::{
    connector::{self, Description, Role},
    instance::Configured,
    types::Error,
};

use crate::client::Store;

struct Oss;

culvert_sdk::export_storage!(Oss);
culvert_sdk::export_copying_and_resuming!(Oss);

thread_local! {
    static STORE: Configured<Store> = const { Configured::new() };
}

impl connector::Guest for Oss {
    fn describe() -> Description {
        let capabilities = [
            "range-read",
            "ordered-listing",
            "parts",
            "conditional-put",
            "read-back",
            "symlinks",
            "copy",
            "list-parts",
            "stat-tells-more",
            "checksum:crc64-xz",
        ];
        Description {
            name: "oss".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_schema: config::source_schema(),
            sink_schema: config::sink_schema(),
            capabilities: capabilities.map(str::to_owned).to_vec(),
        }
    }

    async fn configure(role: Role, config: String, _owner: String) -> Result<(), Error> {
        let store = Store::new(config::parse(&config)?, role)?;
        STORE.with(|place| place.set(store))
    }

    async fn check() -> Result<(), Error> {
        STORE.with(Configured::get)?.check().await
    }
}
