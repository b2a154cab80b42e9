//! The bucket as a source: a flat listing in the order of its keys, and objects whose bytes go from
//! the store to the engine. Follows no version history and restores nothing from an archive.

use aws_sdk_s3::{
    operation::list_objects_v2::ListObjectsV2Output,
    types::{EncodingType, Object as ListedObject},
};
use culvert_sdk::{
    FutureReader, StreamReader,
    bucket::{self, Begin, Listed, Terms, decoded},
    error::{self, quote},
    http::{self, Body},
    instance::Configured,
    source::{Guest, Reading},
    stream::{self, Entries},
    types::{Entry, Error, Object, Range},
};

use crate::{
    S3, STORE,
    client::{CHECKSUM_MODE, Store},
    error::Attempt,
    object,
    request::Draft,
};

/// How often a page is asked for where the engine can't go on behind the last key.
const PAGE_ATTEMPTS: u32 = 4;
/// What may be gone at the next attempt.
const PASSING: [&str; 5] = ["throttled", "unavailable", "timeout", "connection-failed", "protocol"];

/// Which page of a listing.
#[derive(Debug, Clone, Default)]
struct Page {
    prefix: String,
    /// Only one level is listed, and what lies deeper by its folders.
    by_folder: bool,
    /// The bucket's key behind which it begins.
    after: Option<String>,
    token: Option<String>,
}

impl Guest for S3 {
    async fn list(
        folder: String,
        after: Option<String>,
    ) -> Result<(StreamReader<Entry>, FutureReader<Result<(), Error>>), Error> {
        let store = STORE.with(Configured::get)?;
        if !folder.is_empty() {
            return Ok(stream::listing(async move |entries| store.list_folder(&folder, after, entries).await));
        }
        Ok(stream::listing(async move |entries| store.list(after, entries).await))
    }

    async fn stat(key: String) -> Result<Object, Error> {
        STORE.with(Configured::get)?.stat(key).await
    }

    async fn read(key: String, range: Range, version: Option<String>) -> Result<Reading, Error> {
        STORE.with(Configured::get)?.read(key, range, version).await
    }
}

impl Listed for Store {
    type Item = ListedObject;

    async fn page(&self, begin: Begin) -> Result<bucket::Page<ListedObject>, Error> {
        let (after, token) = match begin {
            Begin::Behind(after) => (after, None),
            Begin::At(token) => (None, Some(token)),
        };
        let page = self.ask_page(Page { prefix: self.config.prefix.clone(), by_folder: false, after, token }).await?;
        let next = next(&page);
        Ok(bucket::Page { items: keyed(page.contents), next })
    }

    async fn level(&self, prefix: &str, token: Option<String>) -> Result<bucket::Level<ListedObject>, Error> {
        let page = self.ask_page(Page { prefix: prefix.to_owned(), by_folder: true, after: None, token }).await?;
        let next = next(&page);
        let folders = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|common| common.prefix).collect();
        Ok(bucket::Level { items: keyed(page.contents), folders, next })
    }

    async fn entry(&self, key: String, _: &str, listed: ListedObject) -> Entry {
        Entry::Object(object::listed(key, &listed))
    }
}

fn keyed(listed: Option<Vec<ListedObject>>) -> Vec<(Result<String, String>, ListedObject)> {
    let listed = listed.unwrap_or_default().into_iter();
    listed.filter_map(|listed| Some((decoded(listed.key.as_deref()?), listed))).collect()
}

/// Where the listing goes on behind a page.
fn next(page: &ListObjectsV2Output) -> Option<String> {
    page.next_continuation_token.clone().filter(|_| page.is_truncated == Some(true))
}

// === impl Store ===

impl Store {
    async fn list(&self, after: Option<String>, entries: &mut Entries) -> Result<(), Error> {
        let behind = after.map(|key| self.key(&key)).transpose()?;
        let what = self.attempt("list", None).what();
        let disorder = error::invalid_config(format!(
            "{what}: the store doesn't list keys in the order of their bytes; set ordered_listing = false for it"
        ));
        let config = &self.config;
        let terms = Terms {
            prefix: config.prefix.clone(),
            disorder: config.ordered_listing.then_some(disorder),
            at_once: config.parallel_listing.into(),
        };
        bucket::list(self, terms, behind, entries).await
    }

    async fn list_folder(&self, folder: &str, after: Option<String>, entries: &mut Entries) -> Result<(), Error> {
        let folder = self.key(folder)?;
        bucket::list_folder(self, &self.config.prefix, &folder, after.as_deref(), entries).await
    }

    /// One page. The engine goes on behind the last key where keys are in order; where they aren't it
    /// would have to start over, so a page that failed is then asked for again right here.
    async fn ask_page(&self, asked: Page) -> Result<ListObjectsV2Output, Error> {
        let attempt = self.attempt("list", None);
        let mut left = if self.config.ordered_listing { 1 } else { PAGE_ATTEMPTS };
        loop {
            let Page { prefix, by_folder, after, token } = asked.clone();
            let request = self.client().list_objects_v2().bucket(&self.config.bucket).prefix(prefix);
            let request = request.set_delimiter(by_folder.then(|| "/".to_owned())).encoding_type(EncodingType::Url);
            let request = request.set_start_after(after).set_continuation_token(token);
            let error = match request.send().await {
                Ok(page) => return Ok(page),
                Err(failure) => attempt.failed(&failure),
            };
            left -= 1;
            if left == 0 || !PASSING.contains(&error.code.as_str()) {
                return Err(error);
            }
        }
    }

    pub(crate) async fn stat(&self, key: String) -> Result<Object, Error> {
        let full = self.key(&key)?;
        let attempt = self.attempt("look up", Some(&key));
        let head = match self.send(Draft::new("HEAD", &full), Body::Empty, attempt).await {
            Ok(head) => head,
            Err(error) if error.code == "not-found" && self.config.directory_markers => {
                self.send(Draft::new("HEAD", &format!("{full}/")), Body::Empty, attempt).await?;
                return Ok(bucket::folder_object(&key));
            }
            Err(error) if matches!(error.code.as_str(), "permission-denied" | "refused") => {
                return Err(self.explained(&full, attempt).await.unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        Ok(object::looked_up(key, &head, self.config.etag_is_md5))
    }

    /// Why a look was refused: its answer has no body that could say it, that of a reading has.
    async fn explained(&self, full: &str, attempt: Attempt<'_>) -> Option<Error> {
        let draft = Draft::new("GET", full).header("range", "bytes=0-0");
        self.send(draft, Body::Empty, attempt).await.err()
    }

    async fn read(&self, key: String, range: Range, version: Option<String>) -> Result<Reading, Error> {
        let full = self.key(&key)?;
        let attempt = self.attempt("read", Some(&key));
        let part = http::range(&range)?;
        let is_part = part.is_some();
        // The checksum that the store keeps is of the whole object.
        let draft = Draft::new("GET", &full)
            .maybe_header(CHECKSUM_MODE, (!is_part).then_some("ENABLED"))
            .maybe_header("range", part)
            .maybe_header("if-match", version.clone());
        let answer = self.send(draft, Body::Empty, attempt).await.map_err(|error| match error.code.as_str() {
            "precondition-failed" => changed(&key),
            _ => error,
        })?;
        if is_part != (answer.status == 206) {
            let message = format!("{}: the store answered with another range than it was asked for", attempt.what());
            return Err(error::protocol(message));
        }
        let total = match answer.header("content-range") {
            Some(range) => range.rsplit_once('/').map(|(_, total)| total),
            None => answer.header("content-length"),
        };
        let size = total.and_then(|text| text.parse().ok());
        let object = object::opened(key, size, &answer, self.config.etag_is_md5);
        // Some stores don't know the condition.
        if let (Some(wanted), Some(has)) = (&version, &object.version)
            && wanted != has
        {
            return Err(changed(&object.key));
        }
        let (data, outcome) = answer.into_body();
        Ok(Reading { object, data, outcome })
    }
}

fn changed(key: &str) -> Error {
    error::changed(format!("{} was changed since it was listed", quote(key)))
}
