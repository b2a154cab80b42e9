//! Copies inside the service: `CopyObject` and `UploadPartCopy`. No byte comes this way; the CRCs that the
//! service keeps of both objects say whether the copy is the source's.

use culvert_sdk::{
    bucket::quoted,
    connector::Role,
    copying::{Copied, Guest},
    error::{self, quote},
    http,
    instance::Configured,
    sink::Replace,
    types::{Error, Object, Range},
};

use super::{
    conditional, forbid,
    upload::{Stored, Token, read, written},
};
use crate::{
    Oss, STORE,
    client::{Content, Store, told},
    config::{self, Symlinks},
    error::Attempt,
    key::escaped_path,
    object,
    request::Draft,
};

impl Guest for Oss {
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
    /// The same endpoint in the same region, and nothing that the copy is to have and its source
    /// hasn't. Not where symlinks are followed: the service copies the symlink. Whether the sink's key
    /// may read there is for the service to say.
    fn accept(&self, source: &str) -> Result<bool, Error> {
        let source = Self::new(config::parse(source)?, Role::Source)?;
        let same = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
        let accepts = same(&source.config.endpoint) == same(&self.config.endpoint)
            && source.config.region == self.config.region
            && source.config.symlinks == Symlinks::Keep
            && self.config.metadata.is_empty();
        if accepts {
            self.copied_from.set(Box::new(source)).map_err(|_| error::internal("the source was told twice"))?;
        }
        Ok(accepts)
    }

    async fn copy(&self, object: Object, only_new: bool) -> Result<Copied, Error> {
        let full = self.key(&object.key)?;
        // Looked up before and copied as it was then, so what's compared is of the same bytes.
        let found = self.source()?.stat(object.key.clone()).await?;
        if object.version.is_some() && found.version != object.version {
            return Err(error::changed(format!("{} was changed since it was listed", quote(&object.key))));
        }
        let tagging = self.tagging();
        let draft = self.stored_as(self.copying(Draft::of_object("PUT", &full), &found)?);
        let draft = draft.maybe_header("x-oss-tagging-directive", tagging.is_some().then_some("Replace"));
        let draft = draft.maybe_header("x-oss-tagging", tagging);
        let draft = self.with_acl(forbid(draft, if only_new { Replace::Never } else { Replace::Always }));
        let (etag, crc) = self.copied(draft, self.attempt("copy", Some(&object.key)), &object.key).await?;
        let stored = match crc {
            Some(crc) if !found.checksums.is_empty() => {
                let checksums = vec![object::checksum(crc)];
                let (version, attributes) = (Some(etag), Vec::new());
                Object { size: found.size, modified: None, version, checksums, attributes, ..object.clone() }
            }
            // Its size at least has to be right.
            _ => self.stat(object.key.clone()).await?,
        };
        self.verified(&object, &full, &stored.checksums, &found.checksums).await?;
        Ok(Copied { stored, source: found.checksums })
    }

    async fn copy_part(&self, upload: &str, object: &Object, number: u32, bytes: &Range) -> Result<String, Error> {
        let token: Token = read(upload)?;
        let (Some(length), range) = (bytes.length, http::range(bytes)?) else {
            return Err(error::internal("a part without a length can't be copied"));
        };
        let draft = Draft::of_object("PUT", &token.key).query("partNumber", number.to_string());
        let draft = self.copying(draft.query("uploadId", &token.id), object)?;
        let draft = draft.maybe_header("x-oss-copy-source-range", range);
        let (etag, crc) = self.copied(draft, self.attempt("copy a part of", Some(&object.key)), &object.key).await?;
        written(&Stored { etag, crc, length })
    }

    fn source(&self) -> Result<&Self, Error> {
        self.copied_from.get().map(AsRef::as_ref).ok_or_else(|| error::internal("no source was accepted"))
    }

    /// Names what is copied, and which version of it.
    fn copying(&self, draft: Draft, object: &Object) -> Result<Draft, Error> {
        let source = self.source()?;
        let full = source.key(&object.key)?;
        let draft = draft.header("x-oss-copy-source", format!("/{}/{}", source.config.bucket, escaped_path(&full)));
        Ok(draft.maybe_header("x-oss-copy-source-if-match", object.version.as_deref()))
    }

    /// The copy's ETag, and its CRC where the service tells it.
    async fn copied(&self, draft: Draft, attempt: Attempt<'_>, key: &str) -> Result<(String, Option<u64>), Error> {
        let sent = self.send(draft, Content::Empty, attempt).await;
        let answer = sent.map_err(|error| match error.code.as_str() {
            // The condition is about the source.
            "precondition-failed" => error::changed(format!("{} was changed since it was listed", quote(key))),
            _ => conditional(error, key),
        })?;
        let crc = object::crc(&answer);
        let etag = told(answer, attempt).await?.text("ETag").map(quoted);
        Ok((etag.ok_or_else(|| attempt.malformed("the answer has no ETag"))?, crc))
    }
}
