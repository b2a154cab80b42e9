//! The connector for S3 and the stores that speak its protocol, as source and as sink. Signs and
//! parses; the bytes of objects go around it, from the engine to the store and back. The SDK speaks of
//! listings, uploads and copies.
//!
//! Objects are put in one request or as a multi-part upload: either way the store shows all of it or
//! nothing, and this connector never retries by itself.

// In the order in which the data flows.
mod address;
mod client;
mod config;
mod error;
mod key;
mod object;
mod request;
mod signature;
mod sink;
mod source;
mod transport;

use culvert_sdk::{
    connector::{self, Description, Role},
    instance::Configured,
    types::Error,
};

use crate::client::Store;

struct S3;

culvert_sdk::export_storage!(S3);
culvert_sdk::export_copying_and_resuming!(S3);

thread_local! {
    static STORE: Configured<Store> = const { Configured::new() };
}

impl connector::Guest for S3 {
    fn describe() -> Description {
        let capabilities = [
            "range-read",
            "ordered-listing",
            "parts",
            "conditional-put",
            "read-back",
            "directories",
            "copy",
            "list-parts",
            "stat-tells-more",
            "checksum:crc64-nvme",
            "checksum:md5",
        ];
        Description {
            name: "s3".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_schema: config::source_schema(),
            sink_schema: config::sink_schema(),
            capabilities: capabilities.map(str::to_owned).to_vec(),
        }
    }

    async fn configure(role: Role, config: String, _owner: String) -> Result<(), Error> {
        let store = Store::new(config::parse(&config)?, role);
        STORE.with(|place| place.set(store))
    }

    async fn check() -> Result<(), Error> {
        STORE.with(Configured::get)?.check().await
    }
}
