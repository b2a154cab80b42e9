//! The sink: takes everything and keeps nothing, but for what the crimes say.

use std::future::pending;

use culvert_sdk::{
    FutureReader, StreamReader, StreamResult, error,
    sink::{Guest, Part, Receipt, Replace},
    types::{Attribute, Checksum, Error, Object},
};

use crate::{
    Hostile,
    crime::{self, Crime},
    flip, sandbox,
};

impl Guest for Hostile {
    async fn put(
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        _replace: Replace,
    ) -> Result<Object, Error> {
        let crime = Crime::of(&object.key);
        crime.commit("put").await;
        match crime.name() {
            "stuck-put" => pending().await,
            "hasty-put" => return Ok(object),
            "half-put" => {
                take(data, 100_000).await;
                return Ok(object);
            }
            "late-trap" => {
                take(data, 100_000).await;
                crime::commit("trap");
                return Ok(object);
            }
            "deaf-put" => {
                let checksums = whole.await?;
                drop(data);
                return Ok(Object { checksums, ..object });
            }
            "leave-sink" => sandbox::leave_sink().await?,
            "flip-put" => return flip::put(object, data, whole).await,
            _ => {}
        }
        let size = take(data, u64::MAX).await;
        let checksums = whole.await?;
        let mut stored = Object { size: Some(size), checksums, ..object };
        match crime.name() {
            "tired-put" => pending().await,
            "false-put" => return Err(error::no_space("it was too much after all")),
            "misname-put" => stored.key = "another".to_owned(),
            "missize-put" | "loop-delete" | "trap-delete" => stored.size = Some(size + 1),
            "mischeck-put" => {
                stored.checksums = vec![Checksum { algorithm: "crc64-nvme".to_owned(), value: vec![1; 8] }];
            }
            "oversized-put" => {
                stored.attributes = vec![Attribute { name: "n".repeat(1000), value: "v".repeat(1000) }; 1000];
            }
            _ => {}
        }
        Ok(stored)
    }

    async fn begin(object: Object) -> Result<String, Error> {
        let crime = Crime::of(&object.key);
        crime.commit("begin").await;
        if crime.is("huge-token") {
            return Ok("t".repeat(1 << 20));
        }
        Ok(object.key)
    }

    async fn write_part(upload: String, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        let crime = Crime::of(&upload);
        crime.commit("write-part").await;
        let mut receipt = Receipt { part: part.number, token: String::new() };
        match crime.name() {
            "stuck-part" => pending().await,
            "hasty-part" => return Ok(receipt),
            "loop-abort" | "trap-abort" | "sleep-abort" => return Err(error::too_large("so it has to be aborted")),
            "wrong-receipt" => receipt.part += 1,
            "huge-receipt" => receipt.token = "t".repeat(1 << 20),
            _ => {}
        }
        take(data, u64::MAX).await;
        Ok(receipt)
    }

    async fn commit(
        upload: String,
        object: Object,
        _receipts: Vec<Receipt>,
        _replace: Replace,
    ) -> Result<Object, Error> {
        let crime = Crime::of(&upload);
        crime.commit("commit").await;
        if crime.is("missize-commit") {
            return Ok(Object { size: Some(1), ..object });
        }
        Ok(object)
    }

    async fn abort(upload: String) -> Result<(), Error> {
        Crime::of(&upload).commit("abort").await;
        Ok(())
    }

    async fn sweep(_keep: Vec<String>) -> Result<u64, Error> {
        Crime::of_instance().commit("sweep").await;
        Ok(0)
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let crime = Crime::of(&key);
        crime.commit("stat").await;
        if crime.is("misname-stat") {
            return Ok(crate::object("another", Some(1)));
        }
        Err(error::not_found(key))
    }

    async fn delete(key: String) -> Result<(), Error> {
        let crime = Crime::of(&key);
        crime.commit("delete").await;
        if crime.is("flip-put") { flip::delete(key).await } else { Ok(()) }
    }
}

/// Takes that many bytes or all, and says how many there were.
pub(crate) async fn take(mut data: StreamReader<u8>, most: u64) -> u64 {
    let mut total = 0;
    let mut buffer = Vec::with_capacity(1 << 16);
    loop {
        let result;
        (result, buffer) = data.read(buffer).await;
        total += buffer.len() as u64;
        buffer.clear();
        if result == StreamResult::Dropped || total >= most {
            return total;
        }
    }
}
