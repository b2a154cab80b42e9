//! An object in one request: the engine's stream is its body, and the engine holds the last bytes back
//! until it knows that all were right, so a store never completes a wrong object.

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    http::Body,
    sink::Replace,
    types::{Checksum, Error, Object},
};

use crate::{
    client::Store,
    object::{self, METADATA},
    request::Draft,
};

/// Largest object of one request in bytes (5 GiB); larger ones come in parts.
const MAX_PUT_BYTES: u64 = 5 << 30;
/// The type of what has none.
const BYTES: &str = "application/octet-stream";

// === impl Store ===

impl Store {
    pub(super) async fn put(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let size = size(&object)?;
        let mut full = self.key(&object.key)?;
        if object.kind == "directory" {
            full.push('/');
        }
        self.refuse_existing(&object.key, replace).await?;
        let condition = self.condition(&object.key, replace);
        let attempt = self.attempt("put", Some(&object.key));
        let config = &self.config;
        let mut draft = Draft::new("PUT", &full)
            .header("content-length", size.to_string())
            .header("content-type", self.content_type(&object).unwrap_or(BYTES))
            .maybe_header("x-amz-tagging", self.tagging())
            .maybe_header("x-amz-storage-class", config.storage_class.as_deref())
            .maybe_header("x-amz-acl", config.acl.as_deref())
            .maybe_header("x-amz-server-side-encryption", config.encryption.as_deref())
            .maybe_header("x-amz-server-side-encryption-aws-kms-key-id", config.kms_key_id.as_deref())
            .maybe_header("if-none-match", condition.if_none_match())
            .maybe_header("if-match", condition.if_match());
        for (name, value) in self.metadata(&object)?.unwrap_or_default() {
            draft = draft.header(format!("{METADATA}{name}"), value);
        }
        let refused = |error| self.conditional(error, &object.key, &condition);
        let (answer, ours) = if size == 0 {
            // There is no last byte to hold back.
            let ours = whole.await?;
            drop(data);
            (self.send(draft, Body::Empty, attempt).await.map_err(refused)?, ours)
        } else {
            let answer = self.send(draft, Body::Stream(data), attempt).await.map_err(refused)?;
            (answer, whole.await?)
        };
        let checksums = object::checksums_of(&answer, config.etag_is_md5);
        self.verified(&object, full, &checksums, &ours).await?;
        let version = answer.header("etag").map(str::to_owned);
        Ok(Object { size: Some(size), modified: None, version, checksums, attributes: Vec::new(), ..object })
    }
}

/// An object's size in bytes, if it's one that S3 takes in one request.
fn size(object: &Object) -> Result<u64, Error> {
    let key = quote(&object.key);
    if object.kind == "directory" {
        return Ok(0);
    }
    if object.kind != "file" {
        return Err(error::unsupported(format!("{key} is a {}: a bucket holds files", quote(&object.kind))));
    }
    match object.size {
        Some(size) if size <= MAX_PUT_BYTES => Ok(size),
        Some(size) => Err(error::too_large(format!("{key} has {size} bytes: S3 takes {MAX_PUT_BYTES} in one request"))),
        None => {
            let message = format!("the size of {key} isn't known: S3 wants it before the first byte");
            Err(error::unsupported(message))
        }
    }
}
