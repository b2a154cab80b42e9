//! An object in parts. The token is the key and the store's id of the upload: all that another
//! instance, process or machine needs to go on.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use base64::{Engine, engine::general_purpose::STANDARD};
use culvert_sdk::{
    StreamReader,
    bucket::quoted,
    error,
    http::Body,
    sink::{Part, Receipt, Replace},
    types::{Error, Object},
};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use crate::{client::Store, request::Draft};

/// What an upload is known by.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// In the bucket, with the prefix.
    key: String,
    id: String,
    /// Whether the store computes the CRC-64/NVME of the whole object.
    crc: bool,
    /// What was there when the object was compared; without it, nobody looked.
    #[serde(default)]
    condition: Condition,
}

// === impl Store ===

impl Store {
    /// Asks for a checksum of the whole object, unless the store has refused that once.
    pub(super) async fn begin(&self, object: &Object) -> Result<String, Error> {
        let full = self.key(&object.key)?;
        // What the engine asked last may be years ago for whoever completes it: never is for then.
        let condition = self.condition(&object.key, Replace::Always);
        let crc = self.knows_checksums.get();
        let begun = match self.create(object, &full, crc).await {
            Err(error) if crc && matches!(error.code.as_str(), "unsupported" | "refused") => {
                let begun = self.create(object, &full, false).await?;
                self.knows_checksums.set(false);
                (begun, false)
            }
            begun => (begun?, crc),
        };
        let token = Token { key: full, id: begun.0, crc: begun.1, condition };
        serde_json::to_string(&token).map_err(|_| error::internal("a token that can't be written"))
    }

    /// The store's id of a new upload.
    async fn create(&self, object: &Object, full: &str, crc: bool) -> Result<String, Error> {
        let attempt = self.attempt("begin the upload of", Some(&object.key));
        let config = &self.config;
        let begun = self
            .client()
            .create_multipart_upload()
            .bucket(&config.bucket)
            .key(full)
            .set_checksum_algorithm(crc.then_some(ChecksumAlgorithm::Crc64Nvme))
            .set_checksum_type(crc.then_some(ChecksumType::FullObject))
            .set_content_type(self.content_type(object).map(str::to_owned))
            .set_metadata(self.metadata(object)?)
            .set_tagging(self.tagging())
            .set_storage_class(config.storage_class.as_deref().map(Into::into))
            .set_acl(config.acl.as_deref().map(Into::into))
            .set_server_side_encryption(config.encryption.as_deref().map(Into::into))
            .set_ssekms_key_id(config.kms_key_id.clone())
            .send()
            .await
            .map_err(|failure| attempt.failed(&failure))?;
        let id = begun.upload_id.filter(|id| !id.is_empty());
        id.ok_or_else(|| attempt.malformed("the answer has no id of an upload"))
    }

    pub(super) async fn write_part(&self, upload: &str, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        let token = Token::parse(upload)?;
        let attempt = self.attempt("write a part of", Some(&token.key));
        let draft = Draft::new("PUT", &token.key)
            .query("partNumber", part.number.to_string())
            .query("uploadId", token.id.as_str())
            .header("content-length", part.length.to_string());
        // A part with fewer bytes than announced is refused by the store.
        let answer = self.send(draft, Body::Stream(data), attempt).await?;
        let etag = answer.header("etag").map(str::to_owned);
        let etag = etag.ok_or_else(|| error::protocol(format!("{}: the answer has no ETag", attempt.what())))?;
        Ok(Receipt { part: part.number, token: quoted(&etag) })
    }

    pub(super) async fn commit(
        &self,
        upload: &str,
        object: Object,
        receipts: Vec<Receipt>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let token = Token::parse(upload)?;
        if token.key != self.key(&object.key)? {
            return Err(error::internal("the upload belongs to another object"));
        }
        self.refuse_existing(&object.key, replace).await?;
        let attempt = self.attempt("complete the upload of", Some(&object.key));
        // The store then compares before it shows anything.
        let crc = object.checksums.iter().find(|it| token.crc && it.algorithm == "crc64-nvme");
        let condition = match self.condition(&object.key, replace) {
            Condition::None if self.config.conditional_writes && self.knows_conditions.get() => token.condition,
            other => other,
        };
        let parts = receipts.into_iter().map(|receipt| {
            let number = i32::try_from(receipt.part).ok();
            CompletedPart::builder().set_part_number(number).e_tag(receipt.token).build()
        });
        let completed = self
            .client()
            .complete_multipart_upload()
            .bucket(&self.config.bucket)
            .key(&token.key)
            .upload_id(&token.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build())
            .set_checksum_crc64_nvme(crc.map(|it| STANDARD.encode(&it.value)))
            .set_checksum_type(crc.map(|_| ChecksumType::FullObject))
            .set_if_none_match(condition.if_none_match())
            .set_if_match(condition.if_match())
            .send()
            .await;
        completed.map_err(|failure| self.conditional(attempt.failed(&failure), &object.key, &condition))?;
        let stored = self.stored(object.key.clone(), &token.key).await?;
        self.verified(&object, token.key, &stored.checksums, &object.checksums).await?;
        Ok(stored)
    }

    pub(super) async fn abort(&self, upload: &str) -> Result<(), Error> {
        let token = Token::parse(upload)?;
        let attempt = self.attempt("abort the upload of", Some(&token.key));
        let request = self.client().abort_multipart_upload().bucket(&self.config.bucket).key(&token.key);
        match request.upload_id(&token.id).send().await.map_err(|failure| attempt.failed(&failure)) {
            Err(error) if error.code == "not-found" => Ok(()),
            other => other.map(drop),
        }
    }
}

// === impl Token ===

impl Token {
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|_| error::internal("the upload's token isn't one of this connector"))
    }
}
