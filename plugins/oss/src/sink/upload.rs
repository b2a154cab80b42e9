//! An object in parts. The token is the key and the service's id of the upload: all that another
//! instance, process or machine needs to go on. A part's receipt has its CRC, so that the whole's is
//! known, and compared, before anything becomes visible.

use crc_fast::{CrcAlgorithm, checksum_combine};
use culvert_sdk::{
    StreamReader,
    bucket::quoted,
    error::{self, quote},
    sink::{Part, Receipt, Replace},
    types::{Checksum, Error, Object},
    xml,
};
use serde::{Deserialize, Serialize};

use super::{conditional, forbid};
use crate::{
    client::{Content, Store},
    object::{self, CRC},
    request::Draft,
};

/// What an upload is known by.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// In the bucket, with the prefix.
    pub(super) key: String,
    pub(super) id: String,
}

/// What a part is known by.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// With its quotes.
    pub(super) etag: String,
    /// CRC-64/XZ by the service's word; none where it says nothing.
    pub(super) crc: Option<u64>,
    /// In bytes.
    pub(super) length: u64,
}

// === impl Store ===

impl Store {
    pub(super) async fn begin(&self, object: &Object) -> Result<String, Error> {
        let full = self.key(&object.key)?;
        let draft = self.described(Draft::of_object("POST", &full), object)?;
        let id = self.initiate(draft, self.attempt("begin the upload of", Some(&object.key))).await?;
        written(&Token { key: full, id })
    }

    pub(super) async fn write_part(&self, upload: &str, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        let token: Token = read(upload)?;
        let attempt = self.attempt("write a part of", Some(&token.key));
        let draft = Draft::of_object("PUT", &token.key).query("partNumber", part.number.to_string());
        let draft = self.limited(draft.query("uploadId", &token.id));
        // A part with fewer bytes than announced is refused by the service.
        let answer = self.send(draft, Content::Stream { data, length: part.length }, attempt).await?;
        let etag = answer.header("etag").map(quoted).ok_or_else(|| attempt.malformed("the answer has no ETag"))?;
        let stored = Stored { etag, crc: object::crc(&answer), length: part.length };
        Ok(Receipt { part: part.number, token: written(&stored)? })
    }

    pub(super) async fn commit(
        &self,
        upload: &str,
        object: Object,
        receipts: Vec<Receipt>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let token: Token = read(upload)?;
        if token.key != self.key(&object.key)? {
            return Err(error::internal("the upload belongs to another object"));
        }
        let parts: Vec<(u32, Stored)> =
            receipts.iter().map(|it| Ok((it.part, read(&it.token)?))).collect::<Result<_, Error>>()?;
        agrees(&object, &parts)?;
        let ours = self.known(&object).await;
        let attempt = self.attempt("complete the upload of", Some(&object.key));
        let draft = Draft::of_object("POST", &token.key).query("uploadId", &token.id);
        let draft = self.with_acl(forbid(draft.header("content-type", "application/xml"), replace));
        let body = completion(&parts);
        let sent = self.send(draft, Content::Bytes(body.as_bytes()), attempt).await;
        let answer = sent.map_err(|error| conditional(error, &object.key))?;
        let crc = object::crc(&answer);
        let version = answer.header("etag").map(str::to_owned);
        let stored = match crc {
            Some(crc) => {
                let size = parts.iter().map(|(_, part)| part.length).sum();
                let (checksums, attributes) = (vec![object::checksum(crc)], Vec::new());
                Object { size: Some(size), modified: None, version, checksums, attributes, ..object.clone() }
            }
            None => self.stat(object.key.clone()).await?,
        };
        self.verified(&object, &token.key, &stored.checksums, &ours).await?;
        Ok(stored)
    }

    /// What the whole is held against: the engine's figures, or those that the service keeps of the
    /// source where the parts were copied and nobody has computed any.
    async fn known(&self, object: &Object) -> Vec<Checksum> {
        match self.copied_from.get().filter(|_| object.checksums.is_empty()) {
            Some(source) => match source.stat(object.key.clone()).await {
                Ok(told) if told.version == object.version => told.checksums,
                _ => Vec::new(),
            },
            None => object.checksums.clone(),
        }
    }

    pub(super) async fn abort(&self, upload: &str) -> Result<(), Error> {
        let token: Token = read(upload)?;
        let attempt = self.attempt("abort the upload of", Some(&token.key));
        let draft = Draft::of_object("DELETE", &token.key).query("uploadId", &token.id);
        match self.send(draft, Content::Empty, attempt).await {
            Err(error) if error.code == "not-found" => Ok(()),
            other => other.map(drop),
        }
    }
}

/// Holds what the parts' CRCs add up to against the engine's of the whole object.
fn agrees(object: &Object, parts: &[(u32, Stored)]) -> Result<(), Error> {
    let ours = object.checksums.iter().find(|it| it.algorithm == CRC).map(|it| &it.value);
    match (ours, combined(parts)) {
        (Some(ours), Some(theirs)) if theirs.to_be_bytes() != ours.as_slice() => {
            let key = quote(&object.key);
            Err(error::checksum_mismatch(format!("the {CRC} of the parts of {key} isn't that of what was sent")))
        }
        _ => Ok(()),
    }
}

/// The whole's CRC from those of its parts; none unless all are known.
fn combined(parts: &[(u32, Stored)]) -> Option<u64> {
    let mut parts = parts.iter().map(|(_, part)| Some((part.crc?, part.length)));
    let (first, _) = parts.next()??;
    parts.try_fold(first, |whole, part| {
        let (crc, length) = part?;
        Some(checksum_combine(CrcAlgorithm::Crc64Xz, whole, crc, length))
    })
}

/// What completes an upload. An ETag comes from the service by way of a journal: it's escaped.
fn completion(parts: &[(u32, Stored)]) -> String {
    let mut body = String::from("<CompleteMultipartUpload>");
    for (number, part) in parts {
        let etag = xml::escaped(&part.etag);
        body.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"));
    }
    body.push_str("</CompleteMultipartUpload>");
    body
}

pub(super) fn written(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| error::internal("a token that can't be written"))
}

pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| error::internal("the upload's token isn't one of this connector"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-64/XZ of `12345`, `6789` and both in a row.
    const PARTS: [(u64, u64); 2] = [(0x5da7_46ff_a504_5ce9, 5), (0x8ea5_eb02_ad6e_7911, 4)];
    const WHOLE: u64 = 0x995d_c9bb_df19_39fa;

    fn parts() -> Vec<(u32, Stored)> {
        let stored = |(crc, length)| Stored { etag: "\"A&B\"".to_owned(), crc: Some(crc), length };
        PARTS.into_iter().zip(1..).map(|(part, number)| (number, stored(part))).collect()
    }

    fn object(crc: u64) -> Object {
        let checksums = vec![Checksum { algorithm: CRC.to_owned(), value: crc.to_be_bytes().to_vec() }];
        let (key, kind) = ("a".to_owned(), "file".to_owned());
        Object { key, kind, size: Some(9), modified: None, version: None, checksums, attributes: Vec::new() }
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        assert_eq!(combined(&parts()), Some(WHOLE));
        assert_eq!(agrees(&object(WHOLE), &parts()), Ok(()));
        assert_eq!(agrees(&object(1), &parts()).map_err(|it| it.code), Err("checksum-mismatch".to_owned()));
        let mut silent = parts();
        silent[1].1.crc = None;
        assert_eq!((combined(&silent), combined(&[])), (None, None));
    }

    #[test]
    fn a_completion_names_every_part() {
        let part = |number| format!("<Part><PartNumber>{number}</PartNumber><ETag>&quot;A&amp;B&quot;</ETag></Part>");
        let expected = format!("<CompleteMultipartUpload>{}{}</CompleteMultipartUpload>", part(1), part(2));
        assert_eq!(completion(&parts()), expected);
    }

    #[test]
    fn tokens_come_back_and_others_are_refused() {
        let token = Token { key: "a \"b\"".to_owned(), id: "1".to_owned() };
        let text = written(&token);
        assert_eq!(text.as_deref().map_err(Clone::clone).and_then(read::<Token>), Ok(token));
        assert_eq!(read::<Token>("{}").map_err(|it| it.code), Err("internal".to_owned()));
    }
}
