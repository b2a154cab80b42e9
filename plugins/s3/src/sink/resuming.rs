//! What the store holds of an upload (`ListParts`), for a journal to be held against. Changes nothing.

use culvert_sdk::{
    bucket::quoted,
    instance::Configured,
    resuming::{Guest, Held},
    types::Error,
};

use super::upload::Token;
use crate::{S3, STORE, client::Store};

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
        let mut marker = None;
        loop {
            let request = self.client().list_parts().bucket(&self.config.bucket).key(token.key()).upload_id(token.id());
            let page = request.set_part_number_marker(marker.take()).send().await;
            let page = page.map_err(|failure| attempt.failed(&failure))?;
            held.extend(page.parts().iter().filter_map(|part| {
                let number = u32::try_from(part.part_number?).ok()?;
                Some(Held { number, token: part.e_tag.as_deref().map(quoted) })
            }));
            match page.next_part_number_marker {
                Some(next) if page.is_truncated == Some(true) => marker = Some(next),
                _ => return Ok(held),
            }
        }
    }
}
