//! The bucket as a source: a flat listing in the order of its keys, and objects whose bytes go from
//! the service to the engine. Follows no version history and restores nothing from an archive.

use culvert_sdk::{
    FutureReader, StreamReader,
    bucket::{self, Begin, Level, Listed, Page, Terms, decoded, from_bucket},
    error::{self, quote},
    http,
    instance::Configured,
    source::{Guest, Reading},
    stream::{self, Entries},
    types::{Entry, Error, Object, Range, Unreadable},
    xml::Element,
};

use crate::{
    Oss, STORE,
    client::{Content, Store},
    config::Symlinks,
    link, object,
    request::Draft,
};

/// Most keys of a page, as many as the service gives.
const PAGE_KEYS: &str = "1000";

impl Guest for Oss {
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
    type Item = Element;

    async fn page(&self, begin: Begin) -> Result<Page<Element>, Error> {
        let draft = match begin {
            Begin::Behind(None) => listing(&self.config.prefix),
            Begin::Behind(Some(key)) => listing(&self.config.prefix).query("start-after", key),
            Begin::At(token) => listing(&self.config.prefix).query("continuation-token", token),
        };
        let page = self.ask_page(draft).await?;
        let next = next(&page);
        Ok(Page { items: keyed(page), next })
    }

    async fn level(&self, prefix: &str, token: Option<String>) -> Result<Level<Element>, Error> {
        let mut draft = listing(prefix).query("delimiter", "/");
        if let Some(token) = token {
            draft = draft.query("continuation-token", token);
        }
        let page = self.ask_page(draft).await?;
        let next = next(&page);
        let folders = page.all("CommonPrefixes").filter_map(|it| it.text("Prefix").map(str::to_owned)).collect();
        Ok(Level { items: keyed(page), folders, next })
    }

    /// A listing tells that an object is a symlink, but not where it leads.
    async fn entry(&self, key: String, full: &str, listed: Element) -> Entry {
        let object = object::listed(key, &listed);
        if listed.text("Type") != Some("Symlink") {
            return Entry::Object(object);
        }
        let key = object.key.clone();
        let found = match self.config.symlinks {
            Symlinks::Keep => self.symlink(object, full).await,
            Symlinks::Follow => self.look(key.clone(), full).await,
        };
        match found {
            Ok(object) => Entry::Object(object),
            Err(error) => Entry::Unreadable(Unreadable { key, error }),
        }
    }
}

/// The request for a page of keys with a prefix.
fn listing(prefix: &str) -> Draft {
    let draft = Draft::of_bucket("GET").query("list-type", "2").query("encoding-type", "url");
    draft.query("max-keys", PAGE_KEYS).query("prefix", prefix)
}

fn keyed(page: Element) -> Vec<(Result<String, String>, Element)> {
    page.into_all("Contents").map(|it| (decoded(it.text("Key").unwrap_or_default()), it)).collect()
}

/// Where the listing goes on behind a page.
fn next(page: &Element) -> Option<String> {
    page.text("NextContinuationToken").filter(|_| page.text("IsTruncated") == Some("true")).map(str::to_owned)
}

// === impl Store ===

impl Store {
    async fn list_folder(&self, folder: &str, after: Option<String>, entries: &mut Entries) -> Result<(), Error> {
        let folder = self.key(folder)?;
        bucket::list_folder(self, &self.config.prefix, &folder, after.as_deref(), entries).await
    }

    async fn ask_page(&self, draft: Draft) -> Result<Element, Error> {
        let attempt = self.attempt("list", None);
        let page = self.ask(draft, Content::Empty, attempt).await?;
        match page.name.as_str() {
            "ListBucketResult" => Ok(page),
            _ => Err(attempt.malformed("the answer isn't a listing")),
        }
    }

    async fn list(&self, after: Option<String>, entries: &mut Entries) -> Result<(), Error> {
        let behind = after.map(|key| self.key(&key)).transpose()?;
        let disorder = self.attempt("list", None).malformed("keys aren't in the order of their bytes");
        let (prefix, at_once) = (self.config.prefix.clone(), self.config.parallel_listing.into());
        bucket::list(self, Terms { prefix, disorder: Some(disorder), at_once }, behind, entries).await
    }

    pub(crate) async fn stat(&self, key: String) -> Result<Object, Error> {
        let full = self.key(&key)?;
        self.look(key, &full).await
    }

    /// What is at a key of the bucket, the symlink itself where there is one to be kept.
    async fn look(&self, key: String, full: &str) -> Result<Object, Error> {
        let attempt = self.attempt("look up", Some(&key));
        let answer = self.send(Draft::of_object("HEAD", full), Content::Empty, attempt).await?;
        let is_symlink = answer.header("x-oss-object-type") == Some("Symlink");
        let object = object::answered(key.clone(), &answer);
        if is_symlink && self.config.symlinks == Symlinks::Keep {
            return self.symlink(object, full).await;
        }
        Ok(object)
    }

    /// A symlink with the way to its target.
    async fn symlink(&self, object: Object, full: &str) -> Result<Object, Error> {
        let key = object.key.clone();
        let attempt = self.attempt("look up the symlink", Some(&key));
        let answer = self.send(Draft::of_object("GET", full).query("symlink", ""), Content::Empty, attempt).await?;
        let target = answer.header("x-oss-symlink-target").map(decoded);
        let target = target.and_then(Result::ok).ok_or_else(|| attempt.malformed("the answer names no target"))?;
        let prefix = &self.config.prefix;
        if !target.starts_with(prefix.as_str()) {
            let (key, target) = (quote(&key), quote(&target));
            return Err(error::unsupported(format!("the symlink {key} points to {target}, outside of the prefix")));
        }
        let version = answer.header("etag").map(str::to_owned).or(object.version.clone());
        let way = link::relative(&key, from_bucket(prefix, &target).0);
        Ok(object::symlink(Object { version, ..object }, way))
    }

    async fn read(&self, key: String, range: Range, version: Option<String>) -> Result<Reading, Error> {
        let full = self.key(&key)?;
        let attempt = self.attempt("read", Some(&key));
        let part = http::range(&range)?;
        let is_part = part.is_some();
        // Without the second header, a range behind the end brings the whole object.
        let behavior = is_part.then_some("standard");
        let draft = Draft::of_object("GET", full).maybe_header("if-match", version).maybe_header("range", part);
        let draft = self.limited(draft.maybe_header("x-oss-range-behavior", behavior));
        let answer = self.send(draft, Content::Empty, attempt).await.map_err(|error| match error.code.as_str() {
            "precondition-failed" => error::changed(format!("{} was changed since it was listed", quote(&key))),
            _ => error,
        })?;
        if is_part != (answer.status == 206) {
            return Err(attempt.malformed("it's another range than was asked for"));
        }
        let object = object::answered(key, &answer);
        let (data, outcome) = answer.into_body();
        Ok(Reading { object, data, outcome })
    }
}
