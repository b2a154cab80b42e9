//! An object in parts. The token is the key and the store's id of the upload: all that another
//! instance, process or machine needs to go on.

use base64::{Engine, engine::general_purpose::STANDARD};
use culvert_sdk::{
    StreamReader,
    bucket::quoted,
    error,
    sink::{Part, Receipt, Replace},
    types::{Error, Object},
    xml,
};
use serde::{Deserialize, Serialize};

use super::{condition::Condition, properties::TAGGING};
use crate::{
    client::{Content, Store},
    request::Draft,
};

/// What the checksum of an upload is of.
const CHECKSUM_TYPE: (&str, &str) = ("x-amz-checksum-type", "FULL_OBJECT");

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
        let draft = Draft::new("POST", full)
            .maybe_header("content-type", self.content_type(object))
            .maybe_header("x-amz-checksum-algorithm", crc.then_some("CRC64NVME"))
            .maybe_header(CHECKSUM_TYPE.0, crc.then_some(CHECKSUM_TYPE.1));
        let draft = self.kept_as(self.with_metadata(draft, object)?).maybe_header(TAGGING, self.tagging());
        self.initiate(draft, attempt).await
    }

    pub(super) async fn write_part(&self, upload: &str, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        let token = Token::parse(upload)?;
        let attempt = self.attempt("write a part of", Some(&token.key));
        let draft = Draft::new("PUT", &token.key)
            .query("partNumber", part.number.to_string())
            .query("uploadId", token.id.as_str())
            .header("content-length", part.length.to_string());
        // A part with fewer bytes than announced is refused by the store.
        let answer = self.send(draft, Content::Stream(data), attempt).await?;
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
        let draft = Draft::new("POST", &token.key)
            .query("uploadId", token.id.as_str())
            .header("content-type", "application/xml")
            .maybe_header("x-amz-checksum-crc64nvme", crc.map(|it| STANDARD.encode(&it.value)))
            .maybe_header(CHECKSUM_TYPE.0, crc.map(|_| CHECKSUM_TYPE.1))
            .maybe_header("if-none-match", condition.if_none_match())
            .maybe_header("if-match", condition.if_match());
        let body = completion(&receipts);
        let completed = self.ask(draft, Content::Bytes(body.as_bytes()), attempt).await;
        completed.map_err(|error| self.conditional(error, &object.key, &condition))?;
        let stored = self.stored(object.key.clone(), &token.key).await?;
        self.verified(&object, token.key, &stored.checksums, &object.checksums).await?;
        Ok(stored)
    }

    pub(super) async fn abort(&self, upload: &str) -> Result<(), Error> {
        let token = Token::parse(upload)?;
        let attempt = self.attempt("abort the upload of", Some(&token.key));
        let draft = Draft::new("DELETE", &token.key).query("uploadId", token.id.as_str());
        match self.send(draft, Content::Empty, attempt).await {
            Err(error) if error.code == "not-found" => Ok(()),
            other => other.map(drop),
        }
    }
}

/// What completes an upload. An ETag comes from the store by way of a journal: it's escaped.
fn completion(receipts: &[Receipt]) -> String {
    let mut body = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for Receipt { part, token } in receipts {
        let etag = xml::escaped(token);
        body.push_str(&format!("<Part><ETag>{etag}</ETag><PartNumber>{part}</PartNumber></Part>"));
    }
    body.push_str("</CompleteMultipartUpload>");
    body
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_names_every_part() {
        let receipt = |part| Receipt { part, token: "\"A&B\"".to_owned() };
        let part = |number| format!("<Part><ETag>&quot;A&amp;B&quot;</ETag><PartNumber>{number}</PartNumber></Part>");
        let body = completion(&[receipt(1), receipt(2)]);
        assert!(body.contains(&format!(">{}{}</CompleteMultipartUpload>", part(1), part(2))), "{body}");
    }
}
