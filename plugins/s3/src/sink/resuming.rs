//! What the store holds of an upload (`ListParts`), for a journal to be held against. Changes nothing.

use culvert_sdk::{
    bucket::quoted,
    instance::Configured,
    resuming::{Guest, Held},
    types::Error,
};

use super::upload::Token;
use crate::{
    S3, STORE,
    client::{Content, Store},
    request::Draft,
};

impl Guest for S3 {
    async fn parts(upload: String) -> Result<Vec<Held>, Error> {
        STORE.with(Configured::get)?.parts(&upload).await
    }
}

// === impl Store ===

impl Store {
    async fn parts(&self, upload: &str) -> Result<Vec<Held>, Error> {
        let token = Token::parse(upload)?;
        let attempt = self.attempt("list the parts of", Some(token.key()));
        let mut held = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let draft = Draft::new("GET", token.key()).query("uploadId", token.id());
            let draft = draft.maybe_query("part-number-marker", marker.take());
            let page = self.ask(draft, Content::Empty, attempt).await?;
            if page.name != "ListPartsResult" {
                return Err(attempt.malformed("the answer isn't a list of parts"));
            }
            held.extend(page.all("Part").filter_map(|part| {
                let number = part.text("PartNumber")?.parse().ok()?;
                Some(Held { number, token: part.text("ETag").map(quoted) })
            }));
            match page.text("NextPartNumberMarker") {
                Some(next) if page.text("IsTruncated") == Some("true") => marker = Some(next.to_owned()),
                _ => return Ok(held),
            }
        }
    }
}
