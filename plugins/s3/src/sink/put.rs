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
    client::{Store, presigning},
    object,
};

/// Largest object of one request in bytes (5 GiB); larger ones come in parts.
const MAX_PUT_BYTES: u64 = 5 << 30;

// === impl Store ===

impl Store {
    pub(super) async fn put(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let (size, length) = self.size(&object)?;
        let mut full = self.key(&object.key)?;
        if object.kind == "directory" {
            full.push('/');
        }
        self.refuse_existing(&object.key, replace).await?;
        let condition = self.condition(&object.key, replace);
        let attempt = self.attempt("put", Some(&object.key));
        let config = &self.config;
        let request = self
            .client
            .put_object()
            .bucket(&config.bucket)
            .key(&full)
            .content_length(length)
            .set_content_type(self.content_type(&object))
            .set_metadata(self.metadata(&object)?)
            .set_tagging(self.tagging())
            .set_storage_class(config.storage_class.as_deref().map(Into::into))
            .set_acl(config.acl.as_deref().map(Into::into))
            .set_server_side_encryption(config.encryption.as_deref().map(Into::into))
            .set_ssekms_key_id(config.kms_key_id.clone())
            .set_if_none_match(condition.if_none_match())
            .set_if_match(condition.if_match());
        let presigned = request.presigned(presigning()?).await.map_err(|failure| attempt.failed(&failure))?;
        let refused = |error| self.conditional(error, &object.key, &condition);
        let (answer, ours) = if size == 0 {
            // There is no last byte to hold back.
            let ours = whole.await?;
            drop(data);
            (self.send(presigned, Body::Empty, attempt).await.map_err(refused)?, ours)
        } else {
            let answer = self.send(presigned, Body::Stream(data), attempt).await.map_err(refused)?;
            (answer, whole.await?)
        };
        let checksums = object::checksums_of(&answer, config.etag_is_md5);
        self.verified(&object, full, &checksums, &ours).await?;
        let version = answer.header("etag").map(str::to_owned);
        Ok(Object { size: Some(size), modified: None, version, checksums, attributes: Vec::new(), ..object })
    }

    /// An object's size, twice: as it is and as the SDK wants it.
    fn size(&self, object: &Object) -> Result<(u64, i64), Error> {
        let key = quote(&object.key);
        if object.kind == "directory" {
            return Ok((0, 0));
        }
        if object.kind != "file" {
            return Err(error::unsupported(format!("{key} is a {}: a bucket holds files", quote(&object.kind))));
        }
        let Some(size) = object.size else {
            let message = format!("the size of {key} isn't known: S3 wants it before the first byte");
            return Err(error::unsupported(message));
        };
        match i64::try_from(size) {
            Ok(length) if size <= MAX_PUT_BYTES => Ok((size, length)),
            _ => Err(error::too_large(format!("{key} has {size} bytes: S3 takes {MAX_PUT_BYTES} in one request"))),
        }
    }
}
