//! An object in one request: the engine's stream is its body, and the engine holds the last bytes back
//! until it knows that all were right, so the service never completes a wrong object.

use base64::{Engine, engine::general_purpose::STANDARD};
use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    sink::Replace,
    types::{Checksum, Error, Object},
};

use super::{conditional, forbid};
use crate::{
    client::{Content, Store},
    key::escaped_path,
    link,
    object::{self, TARGET},
    request::Draft,
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
        let size = size(&object)?;
        let full = self.key(&object.key)?;
        let attempt = self.attempt("put", Some(&object.key));
        // What the source knows of its bytes, the service compares before it shows anything.
        let md5 = object.checksums.iter().find(|it| it.algorithm == "md5").map(|it| STANDARD.encode(&it.value));
        let draft = self.described(Draft::of_object("PUT", &full), &object)?.maybe_header("content-md5", md5);
        let draft = self.limited(self.with_acl(forbid(draft, replace)));
        let refused = |error| conditional(error, &object.key);
        let (answer, ours) = if size == 0 {
            // There is no last byte to hold back.
            let ours = whole.await?;
            drop(data);
            (self.send(draft, Content::Empty, attempt).await.map_err(refused)?, ours)
        } else {
            let content = Content::Stream { data, length: size };
            let answer = self.send(draft, content, attempt).await.map_err(refused)?;
            (answer, whole.await?)
        };
        let checksums: Vec<_> = object::crc(&answer).map(object::checksum).into_iter().collect();
        self.verified(&object, &full, &checksums, &ours).await?;
        let version = answer.header("etag").map(str::to_owned);
        Ok(Object { size: Some(size), modified: None, version, checksums, attributes: Vec::new(), ..object })
    }

    /// A symlink object, whose target is a key of the bucket.
    pub(super) async fn put_symlink(&self, object: Object, replace: Replace) -> Result<Object, Error> {
        let full = self.key(&object.key)?;
        let target = object::value(&object, TARGET).unwrap_or_default();
        let Some(inside) = link::resolved(&object.key, target) else {
            let (key, target) = (quote(&object.key), quote(target));
            let message = format!("the symlink {key} points to {target}: a bucket's point to keys below its prefix");
            return Err(error::unsupported(message));
        };
        let target = self.key(&inside)?;
        let attempt = self.attempt("put the symlink", Some(&object.key));
        let draft = Draft::of_object("PUT", full).query("symlink", "");
        let draft = draft.header("x-oss-symlink-target", escaped_path(&target));
        let draft = self.with_acl(forbid(draft, replace));
        let sent = self.send(draft, Content::Empty, attempt).await;
        let answer = sent.map_err(|error| conditional(error, &object.key))?;
        let version = answer.header("etag").map(str::to_owned);
        Ok(Object { size: Some(0), modified: None, version, checksums: Vec::new(), ..object })
    }
}

fn size(object: &Object) -> Result<u64, Error> {
    let key = quote(&object.key);
    match object.size {
        Some(size) if size <= MAX_PUT_BYTES => Ok(size),
        Some(size) => {
            Err(error::too_large(format!("{key} has {size} bytes: OSS takes {MAX_PUT_BYTES} in one request")))
        }
        None => {
            let message = format!("the size of {key} isn't known: OSS wants it before the first byte");
            Err(error::unsupported(message))
        }
    }
}
