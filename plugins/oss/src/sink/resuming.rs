//! What the service holds of an upload (`ListParts`), for a journal to be held against. Changes nothing.

use culvert_sdk::{
    bucket::quoted,
    instance::Configured,
    resuming::{Guest, Held},
    types::Error,
    xml::Element,
};

use super::upload::{Stored, Token, read, written};
use crate::{
    Oss, STORE,
    client::{Content, Store},
    request::Draft,
};

impl Guest for Oss {
    async fn parts(upload: String) -> Result<Vec<Held>, Error> {
        STORE.with(Configured::get)?.parts(&upload).await
    }
}

// === impl Store ===

impl Store {
    async fn parts(&self, upload: &str) -> Result<Vec<Held>, Error> {
        let token: Token = read(upload)?;
        let attempt = self.attempt("list the parts of", Some(&token.key));
        let listing = Draft::of_object("GET", &token.key).query("uploadId", &token.id);
        let (mut held, mut draft) = (Vec::new(), listing.clone());
        loop {
            let page = self.ask(draft, Content::Empty, attempt).await?;
            if page.name != "ListPartsResult" {
                return Err(attempt.malformed("the answer isn't a list of parts"));
            }
            for part in page.all("Part") {
                held.extend(listed(part)?);
            }
            match page.text("NextPartNumberMarker") {
                Some(next) if page.text("IsTruncated") == Some("true") => {
                    draft = listing.clone().query("part-number-marker", next);
                }
                _ => return Ok(held),
            }
        }
    }
}

/// A part with the token that its receipt has; none where it isn't one.
fn listed(part: &Element) -> Result<Option<Held>, Error> {
    let Some(number) = part.text("PartNumber").and_then(|text| text.parse().ok()) else { return Ok(None) };
    let crc = part.text("HashCrc64ecma").and_then(|text| text.parse().ok());
    let length = part.text("Size").and_then(|text| text.parse().ok());
    let token = match (part.text("ETag"), length) {
        (Some(etag), Some(length)) => Some(written(&Stored { etag: quoted(etag), crc, length })?),
        _ => None,
    };
    Ok(Some(Held { number, token }))
}
