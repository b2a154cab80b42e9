//! A transform that breaks the rules: on the object `bad-<crime>` it commits that crime, of all others it
//! makes what they are. Reaches for nothing, since it's granted nothing.

use std::{future::pending, hint::black_box, task::Poll};

use culvert_sdk::{
    StreamReader,
    connector::{self, Description, Role},
    error,
    stream::Data,
    transform::{self, Effect, Guest, Input, Made},
    types::{Error, Object},
};
use serde::Deserialize;

struct Hostile;

culvert_sdk::export_transform!(Hostile);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What it says that it does to keys.
    #[serde(default)]
    append: String,
    #[serde(default)]
    strip: String,
    /// The crime of `configure`.
    #[serde(default)]
    behaviour: String,
}

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false, "properties": {
    "append": {"type": "string"}, "strip": {"type": "string"}, "behaviour": {"type": "string"}
}}"#;

impl connector::Guest for Hostile {
    fn describe() -> Description {
        Description {
            name: "hostile-transform".to_owned(),
            version: "0.1.0".to_owned(),
            source_schema: String::new(),
            sink_schema: String::new(),
            capabilities: Vec::new(),
        }
    }

    async fn configure(_: Role, _: String, _: String) -> Result<(), Error> {
        Err(error::unsupported("it's a transform"))
    }

    async fn check() -> Result<(), Error> {
        Ok(())
    }
}

impl Guest for Hostile {
    fn schema() -> String {
        SCHEMA.to_owned()
    }

    async fn configure(config: String) -> Result<Effect, Error> {
        let Config { append, strip, behaviour } = culvert_sdk::config::parse(&config)?;
        commit(&behaviour).await;
        Ok(Effect { append, strip, drop: Vec::new(), set: Vec::new() })
    }

    async fn apply(object: Object, data: StreamReader<u8>) -> Result<Made, Error> {
        let crime = object.key.strip_prefix("bad-").unwrap_or_default().to_owned();
        match crime.strip_prefix("apply-") {
            Some("refuse") => return Err(error::new("corrupt", "it doesn't like it")),
            Some(way) => commit(way).await,
            None => {}
        }
        Ok(transform::make(data, async move |input, output| work(&crime, input, output).await))
    }
}

async fn work(crime: &str, input: &mut Input, output: &mut Data) -> Result<(), Error> {
    match crime {
        // Whether anything comes in or not.
        "endless" => loop {
            output.write(vec![7; 1 << 16]).await?;
        },
        "empty" => loop {
            // What this writes is nothing, and it's always ready to write more of it.
            output.write(Vec::new()).await?;
            turn().await;
        },
        "short" => {
            let bytes = input.block(100).await.unwrap_or_default().to_vec();
            return output.write(bytes).await;
        }
        "deaf" => pending().await,
        _ => {}
    }
    let mut hoard = Vec::new();
    while let Some(bytes) = input.some().await {
        match crime {
            "hoard" => hoard.push(vec![1_u8; 1 << 25]),
            _ => {
                let bytes = bytes.to_vec();
                output.write(bytes).await?;
            }
        }
        black_box(&hoard);
        commit(crime).await;
    }
    match crime {
        "false" => Err(error::io("it wasn't whole after all")),
        "silent" => pending().await,
        "more" => loop {
            output.write(vec![7; 1 << 16]).await?;
        },
        _ => Ok(()),
    }
}

/// What can go wrong anywhere.
async fn commit(way: &str) {
    match way {
        "loop" => loop {
            black_box(());
        },
        "allocate" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "trap" => std::process::abort(),
        "spin" => loop {
            turn().await;
        },
        _ => {}
    }
}

/// Gives the engine its turn once.
async fn turn() {
    let mut given = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
