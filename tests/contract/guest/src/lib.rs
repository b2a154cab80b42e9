//! One object, by the contract 0.1.0 as it was released and none of its optional interfaces. Neither `wit/` nor
//! the SDK is part of it: it stays what it was when they move on.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, reason = "generated")]
#![allow(unsafe_code, reason = "generated: exports are called by address")]

wit_bindgen::generate!({
    path: "../released/0.1.0",
    inline: "
        package test:frozen;
        world frozen {
            export culvert:connector/connector@0.1.0;
            export culvert:connector/source@0.1.0;
        }
    ",
    world: "test:frozen/frozen",
    generate_all,
});

use culvert::connector::types::{Entry, Error, Object, Range};
use exports::culvert::connector::{
    connector::{self, Description, Role},
    source::{self, Reading},
};
use wit_bindgen::{FutureReader, StreamReader, spawn_local};

struct Frozen;

export!(Frozen);

const KEY: &str = "frozen.txt";
const CONTENT: &str = "built against 0.1.0\n";
const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false}"#;

impl connector::Guest for Frozen {
    fn describe() -> Description {
        Description {
            name: "frozen".to_owned(),
            version: "0.1.0".to_owned(),
            source_schema: SCHEMA.to_owned(),
            sink_schema: String::new(),
            capabilities: Vec::new(),
        }
    }

    async fn configure(_role: Role, _config: String, _owner: String) -> Result<(), Error> {
        Ok(())
    }

    async fn check() -> Result<(), Error> {
        Ok(())
    }
}

impl source::Guest for Frozen {
    async fn list(
        _folder: String,
        _after: Option<String>,
    ) -> Result<(StreamReader<Entry>, FutureReader<Result<(), Error>>), Error> {
        let (mut entries, reader) = wit_stream::new::<Entry>();
        Ok((reader, outcome(async move { drop(entries.write_all(vec![Entry::Object(object())]).await) })))
    }

    async fn stat(_key: String) -> Result<Object, Error> {
        Ok(object())
    }

    async fn read(_key: String, _range: Range, _version: Option<String>) -> Result<Reading, Error> {
        let (mut data, reader) = wit_stream::new::<u8>();
        let outcome = outcome(async move { drop(data.write_all(CONTENT.as_bytes().to_vec()).await) });
        Ok(Reading { object: object(), data: reader, outcome })
    }
}

fn object() -> Object {
    let (modified, version, checksums, attributes) = (None, None, Vec::new(), Vec::new());
    let size = Some(CONTENT.len() as u64);
    Object { key: KEY.to_owned(), kind: "file".to_owned(), size, modified, version, checksums, attributes }
}

/// Whole, once the work is done.
fn outcome(work: impl Future<Output = ()> + 'static) -> FutureReader<Result<(), Error>> {
    let (writer, reader) = wit_future::new::<Result<(), Error>>(|| Ok(()));
    spawn_local(async move {
        work.await;
        drop(writer.write(Ok(())).await);
    });
    reader
}
