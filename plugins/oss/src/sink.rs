//! The bucket as a sink: whole objects in one request, large ones in parts. The service shows nothing
//! before it has everything; what turns out to be wrong is deleted again.

mod copying;
mod properties;
mod put;
mod resuming;
mod upload;

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    instance::Configured,
    sink::{Guest, Part, Receipt, Replace},
    types::{Checksum, Error, Object},
};

use crate::{
    Oss, STORE,
    client::{Content, Store},
    object::CRC,
    request::Draft,
};

impl Guest for Oss {
    async fn put(
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let store = STORE.with(Configured::get)?;
        match object.kind.as_str() {
            "file" => store.put(object, data, whole, replace).await,
            "symlink" => {
                whole.await?;
                store.put_symlink(object, replace).await
            }
            kind => Err(error::unsupported(format!(
                "{} is a {}: a bucket holds files and symlinks",
                quote(&object.key),
                quote(kind)
            ))),
        }
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

    /// Nothing: the service doesn't tell whose an upload is, so only uploads that the engine itself
    /// knows of are dropped, by `abort`. A put that was cut off leaves nothing.
    async fn sweep(_keep: Vec<String>) -> Result<u64, Error> {
        Ok(0)
    }

    async fn stat(key: String) -> Result<Object, Error> {
        STORE.with(Configured::get)?.stat(key).await
    }

    async fn delete(key: String) -> Result<(), Error> {
        let store = STORE.with(Configured::get)?;
        let full = store.key(&key)?;
        store.delete(&key, &full).await
    }
}

// === impl Store ===

impl Store {
    async fn delete(&self, key: &str, full: &str) -> Result<(), Error> {
        let attempt = self.attempt("delete", Some(key));
        match self.send(Draft::of_object("DELETE", full), Content::Empty, attempt).await {
            Err(error) if error.code == "not-found" => Ok(()),
            other => other.map(drop),
        }
    }

    /// Holds the CRC that the service computed against the engine's. What differs is deleted: a reader
    /// may have seen it, but it doesn't stay.
    async fn verified(&self, object: &Object, full: &str, theirs: &[Checksum], ours: &[Checksum]) -> Result<(), Error> {
        let of = |all: &[Checksum]| all.iter().find(|it| it.algorithm == CRC).map(|it| it.value.clone());
        let (Some(theirs), Some(ours)) = (of(theirs), of(ours)) else { return Ok(()) };
        if theirs == ours {
            return Ok(());
        }
        let deleted = self.delete(&object.key, full).await;
        let rest = if deleted.is_ok() { "it was deleted" } else { "and it could not be deleted" };
        Err(error::checksum_mismatch(format!("the service's {CRC} of {} differs, {rest}", quote(&object.key))))
    }
}

/// What keeps an object that's there from being replaced, whatever appears in between. A bucket with
/// versions ignores it.
fn forbid(draft: Draft, replace: Replace) -> Draft {
    match replace {
        Replace::Always => draft,
        Replace::Never => draft.header("x-oss-forbid-overwrite", "true"),
    }
}

/// The refusal of [`forbid`], in words that name the object alone.
fn conditional(error: Error, key: &str) -> Error {
    if error.code == "already-exists" {
        return error::already_exists(format!("{} is there already", quote(key)));
    }
    error
}
