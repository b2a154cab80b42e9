//! Copies inside the store: `CopyObject` and `UploadPartCopy`. No byte comes this way; the store's own
//! figures say whether the copy is the source's object.

use aws_sdk_s3::types::TaggingDirective;
use culvert_sdk::{
    bucket::quoted,
    copying::{Copied, Guest},
    error::{self, quote},
    http,
    instance::Configured,
    types::{Checksum, Error, Object, Range},
};

use super::{exists, upload::Token};
use crate::{
    S3, STORE,
    client::{Place, Store},
    config, key, object,
};

impl Guest for S3 {
    async fn accept(source: String) -> Result<bool, Error> {
        STORE.with(Configured::get)?.accept(&source)
    }

    async fn copy(object: Object, only_new: bool) -> Result<Copied, Error> {
        STORE.with(Configured::get)?.copy(object, only_new).await
    }

    async fn copy_part(upload: String, object: Object, number: u32, bytes: Range) -> Result<String, Error> {
        STORE.with(Configured::get)?.copy_part(&upload, &object, number, &bytes).await
    }
}

// === impl Store ===

impl Store {
    /// The same endpoint, and nothing that the copy is to have and its source hasn't. Whether the
    /// sink's key may read there is for the store to say.
    fn accept(&self, source: &str) -> Result<bool, Error> {
        let source = config::parse(source)?;
        let same = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
        let accepts = same(&source.endpoint) == same(&self.config.endpoint)
            && source.region == self.config.region
            && self.config.metadata.is_empty();
        if accepts {
            let place = Place { bucket: source.bucket, prefix: source.prefix };
            self.copied_from.set(place).map_err(|_| error::internal("the source was told twice"))?;
        }
        Ok(accepts)
    }

    async fn copy(&self, object: Object, only_new: bool) -> Result<Copied, Error> {
        let full = self.key(&object.key)?;
        if only_new {
            match self.stat(object.key.clone()).await {
                Ok(_) => return Err(exists(&object.key)),
                Err(error) if error.code == "not-found" => {}
                Err(error) => return Err(error),
            }
        }
        let attempt = self.attempt("copy", Some(&object.key));
        let (config, tagging) = (&self.config, self.tagging());
        let copied = self
            .client()
            .copy_object()
            .bucket(&config.bucket)
            .key(&full)
            .copy_source(self.source_of(&object.key)?)
            .set_copy_source_if_match(object.version.clone())
            .set_tagging_directive(tagging.is_some().then_some(TaggingDirective::Replace))
            .set_tagging(tagging)
            .set_storage_class(config.storage_class.as_deref().map(Into::into))
            .set_acl(config.acl.as_deref().map(Into::into))
            .set_server_side_encryption(config.encryption.as_deref().map(Into::into))
            .set_ssekms_key_id(config.kms_key_id.clone())
            .send()
            .await
            .map_err(|failure| changed(attempt.failed(&failure), &object.key))?;
        let etag = copied.copy_object_result.and_then(|result| result.e_tag).map(|etag| quoted(&etag));
        if let (Some(etag), Some(md5)) = (&etag, self.common_md5(&object, etag.as_deref())) {
            let (version, checksums) = (Some(etag.clone()), vec![md5.clone()]);
            let stored = Object { modified: None, version, checksums, attributes: vec![], ..object };
            return Ok(Copied { stored, source: vec![md5] });
        }
        // Its size at least has to be right.
        let stored = self.stored(object.key, &full).await?;
        Ok(Copied { stored, source: Vec::new() })
    }

    /// The MD5 of both, where both ETags are that one: an ETag that isn't an MD5 is another for each
    /// object.
    fn common_md5(&self, source: &Object, copy: Option<&str>) -> Option<Checksum> {
        let version = source.version.as_deref().filter(|_| self.config.etag_is_md5)?;
        let value = object::md5(&quoted(version))?;
        (object::md5(copy?)? == value).then(|| Checksum { algorithm: "md5".to_owned(), value })
    }

    async fn copy_part(&self, upload: &str, object: &Object, number: u32, bytes: &Range) -> Result<String, Error> {
        let token = Token::parse(upload)?;
        let attempt = self.attempt("copy a part of", Some(&object.key));
        let (Some(_), range) = (bytes.length, http::range(bytes)?) else {
            return Err(error::internal("a part without a length can't be copied"));
        };
        let number = i32::try_from(number).map_err(|_| error::internal("a part's number is out of range"))?;
        let copied = self
            .client()
            .upload_part_copy()
            .bucket(&self.config.bucket)
            .key(token.key())
            .upload_id(token.id())
            .part_number(number)
            .copy_source(self.source_of(&object.key)?)
            .set_copy_source_if_match(object.version.clone())
            .set_copy_source_range(range)
            .send()
            .await
            .map_err(|failure| changed(attempt.failed(&failure), &object.key))?;
        let etag = copied.copy_part_result.and_then(|result| result.e_tag);
        etag.map(|etag| quoted(&etag)).ok_or_else(|| attempt.malformed("the answer has no ETag"))
    }

    /// The header's value for an object of the source.
    fn source_of(&self, key: &str) -> Result<String, Error> {
        let place = self.copied_from.get().ok_or_else(|| error::internal("no source was accepted"))?;
        let full = key::to_bucket(&place.prefix, key)?;
        Ok(format!("{}/{}", place.bucket, key::escaped_path(&full)))
    }
}

/// The condition of a copy is about the source.
fn changed(error: Error, key: &str) -> Error {
    match error.code.as_str() {
        "precondition-failed" => error::changed(format!("{} was changed since it was listed", quote(key))),
        _ => error,
    }
}
