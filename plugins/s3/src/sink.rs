//! The bucket as a sink: whole objects in one request, large ones in parts. The store shows nothing
//! before it has everything; what turns out to be wrong is deleted again.

mod condition;
mod copying;
mod properties;
mod put;
mod resuming;
mod upload;

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    http::Body,
    instance::Configured,
    sink::{Guest, Part, Receipt, Replace},
    types::{Checksum, Error, Object},
};

use crate::{
    S3, STORE,
    client::{CHECKSUM_MODE, Store},
    object,
    request::Draft,
};

impl Guest for S3 {
    async fn put(
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        replace: Replace,
    ) -> Result<Object, Error> {
        STORE.with(Configured::get)?.put(object, data, whole, replace).await
    }

    async fn begin(object: Object) -> Result<String, Error> {
        STORE.with(Configured::get)?.begin(&object).await
    }

    async fn write_part(upload: String, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        STORE.with(Configured::get)?.write_part(&upload, part, data).await
    }

    async fn commit(upload: String, object: Object, receipts: Vec<Receipt>, replace: Replace) -> Result<Object, Error> {
        STORE.with(Configured::get)?.commit(&upload, object, receipts, replace).await
    }

    async fn abort(upload: String) -> Result<(), Error> {
        STORE.with(Configured::get)?.abort(&upload).await
    }

    /// Nothing: a store doesn't tell whose an upload is, so only uploads that the engine itself knows
    /// of are dropped, by `abort`. A put that was cut off leaves nothing.
    async fn sweep(_keep: Vec<String>) -> Result<u64, Error> {
        Ok(0)
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let store = STORE.with(Configured::get)?;
        let found = store.stat(key.clone()).await;
        store.remember(key, &found);
        found
    }

    async fn delete(key: String) -> Result<(), Error> {
        let store = STORE.with(Configured::get)?;
        let full = store.key(&key)?;
        if store.config.directory_markers {
            store.delete(&key, format!("{full}/")).await?;
        }
        store.delete(&key, full).await
    }
}

// === impl Store ===

impl Store {
    async fn delete(&self, key: &str, full: String) -> Result<(), Error> {
        let attempt = self.attempt("delete", Some(key));
        match self.send(Draft::new("DELETE", &full), Body::Empty, attempt).await {
            Err(error) if error.code == "not-found" => Ok(()),
            other => other.map(drop),
        }
    }

    /// What became of an object whose answer didn't say it, with the checksum that the store keeps.
    async fn stored(&self, key: String, full: &str) -> Result<Object, Error> {
        let attempt = self.attempt("look up", Some(&key));
        let draft = Draft::new("HEAD", full).header(CHECKSUM_MODE, "ENABLED");
        let head = self.send(draft, Body::Empty, attempt).await?;
        Ok(object::looked_up(key, &head, self.config.etag_is_md5))
    }

    /// Looks before a put whether something is there, for stores that can't do it themselves.
    async fn refuse_existing(&self, key: &str, replace: Replace) -> Result<(), Error> {
        if replace == Replace::Always || self.config.conditional_writes {
            return Ok(());
        }
        match self.stat(key.to_owned()).await {
            Ok(_) => Err(exists(key)),
            Err(error) if error.code == "not-found" => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Holds what the store computed against the engine's. What differs is deleted: a reader may have
    /// seen it, but it doesn't stay.
    async fn verified(
        &self,
        object: &Object,
        full: String,
        stored: &[Checksum],
        ours: &[Checksum],
    ) -> Result<(), Error> {
        for theirs in stored {
            let same = |ours: &&Checksum| ours.algorithm == theirs.algorithm;
            if ours.iter().find(same).is_none_or(|ours| ours.value == theirs.value) {
                continue;
            }
            let deleted = self.delete(&object.key, full).await;
            let rest = if deleted.is_ok() { "it was deleted" } else { "and it could not be deleted" };
            let (key, algorithm) = (quote(&object.key), &theirs.algorithm);
            let advice = "if this store's ETags aren't MD5s, set etag_is_md5 = false";
            return Err(error::checksum_mismatch(format!(
                "the store's {algorithm} of {key} differs, {rest}; {advice}"
            )));
        }
        Ok(())
    }
}

fn exists(key: &str) -> Error {
    error::already_exists(format!("{} is there already", quote(key)))
}
