//! Small objects by the batch, good and bad: every batch commits the crime of its instance.

use std::future::pending;

use culvert_sdk::{
    FutureReader, StreamReader, error,
    sink_batch::{self, Stored},
    source_batch::{self, Wanted},
    stream::{self, Data},
    types::{Checksum, Error, Object},
};

use crate::{Hostile, crime::Crime, sink::take};

impl source_batch::Guest for Hostile {
    async fn read_batch(objects: Vec<Wanted>) -> Result<(StreamReader<u8>, FutureReader<Result<(), Error>>), Error> {
        let crime = Crime::of_instance();
        crime.commit("read-batch").await;
        let size: u64 = objects.iter().map(|object| object.size).sum();
        let size = match crime.name() {
            "shorter-batch" => size - 1,
            "longer-batch" => size + 1,
            "refused-batch" => return Err(error::internal("no batch today")),
            _ => size,
        };
        let name = crime.name().to_owned();
        let (data, outcome) = stream::produce(async move |data: &mut Data| {
            if name == "stuck-batch" {
                pending::<()>().await;
            }
            data.write(vec![7; usize::try_from(size).unwrap_or(0)]).await
        });
        let outcome = match crime.name() {
            "silent-batch" => stream::outcome(pending()),
            "false-batch" => stream::outcome(async { Err(error::changed("one of them isn't what it was")) }),
            _ => outcome,
        };
        Ok((data, outcome))
    }
}

impl sink_batch::Guest for Hostile {
    async fn put_batch(
        objects: Vec<Object>,
        data: StreamReader<u8>,
        _replace: bool,
    ) -> Result<Vec<Result<Stored, Error>>, Error> {
        let crime = Crime::of_instance();
        crime.commit("put-batch").await;
        let store =
            |object: &Object| Ok(Stored { size: object.size.unwrap_or(0), checksums: object.checksums.clone() });
        let mut stored: Vec<Result<Stored, Error>> = objects.iter().map(store).collect();
        match crime.name() {
            "hasty-batch" => return Ok(stored),
            "half-batch" => {
                crate::sink::take(data, 1).await;
                crate::crime::commit("trap");
                return Ok(stored);
            }
            "fewer-batch" => drop(stored.pop()),
            "more-batch" => stored.push(stored[0].clone()),
            "no-batch" => stored.clear(),
            "huge-batch" => stored = vec![stored[0].clone(); 1 << 20],
            "missize-batch" => stored[0] = Ok(Stored { size: 1, checksums: vec![] }),
            "mischeck-batch" => {
                let wrong = Checksum { algorithm: "crc64-nvme".to_owned(), value: vec![1; 8] };
                stored[0] = Ok(Stored { size: objects[0].size.unwrap_or(0), checksums: vec![wrong] });
            }
            "missum-batch" => {
                let short = Checksum { algorithm: "crc64-nvme".to_owned(), value: vec![1] };
                stored[0] = Ok(Stored { size: objects[0].size.unwrap_or(0), checksums: vec![short] });
            }
            "failed-batch" => stored[0] = Err(error::no_space("for the first of them")),
            _ => {}
        }
        take(data, u64::MAX).await;
        Ok(stored)
    }
}
