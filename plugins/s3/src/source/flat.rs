//! The flat listing of a bucket: page by page, and where keys come in order several pages at a time,
//! shown in order all the same. Holds as many pages as are asked for at once.

use aws_sdk_s3::{operation::list_objects_v2::ListObjectsV2Output, types::Object as Listed};
use culvert_sdk::{
    error,
    stream::Entries,
    types::{Entry, Error, Object},
};
use futures_util::future::join_all;

use super::{Page, not_text, split, unmovable};
use crate::{client::Store, key, object};

/// Pages that are asked for one by one before several are: a small bucket costs no request more, and
/// the way its keys go is known by then.
const PAGES_BEFORE_SPLITTING: u32 = 4;

/// Pages that a range between two bounds is meant to have: the request that finds its end is then a
/// small part of it, and what is in memory is this many pages for each range.
const RANGE_PAGES: usize = 4;

/// A listing under way.
struct Flat<'a> {
    store: &'a Store,
    entries: &'a mut Entries,
    marker: Option<Marker>,
    /// The key before this one, in the bucket.
    before: Option<String>,
    /// The key that was shown last.
    last: Option<String>,
}

/// A folder's marker that is shown only if nothing below it follows.
struct Marker {
    key: String,
    /// With its slash.
    full: String,
    object: Object,
}

/// How a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// There may be more of what was asked for.
    More,
    /// All that was asked for is shown.
    Enough,
    /// There is nothing behind it in the bucket.
    Everything,
}

/// How far several pages at a time went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Nowhere,
    /// What comes next begins behind a key.
    Somewhere,
    /// To the end of the bucket.
    Ended,
}

/// Lists what lies behind `after`.
pub(super) async fn list(store: &Store, after: Option<String>, entries: &mut Entries) -> Result<(), Error> {
    let after = after.map(|key| store.key(&key)).transpose()?;
    let last = after.as_deref().map(|full| key::from_bucket(&store.config.prefix, full).0.to_owned());
    let mut flat = Flat { store, entries, marker: None, before: after, last };
    flat.run().await?;
    flat.show_marker(None).await
}

// === impl Flat ===

impl Flat<'_> {
    async fn run(&mut self) -> Result<(), Error> {
        let (mut token, mut pages) = (None, 0);
        // The first page begins behind a key, the next ones where the store says.
        let mut after = self.before.clone();
        loop {
            let began = self.before.clone();
            let page = self.store.page(self.page(after.take(), token.take())).await?;
            if self.show_page(&page, None).await? == Shown::Everything {
                return Ok(());
            }
            token = page.next_continuation_token;
            pages += 1;
            if pages < PAGES_BEFORE_SPLITTING || !self.store.config.ordered_listing {
                continue;
            }
            match self.run_ahead(began).await? {
                Ahead::Nowhere => {}
                Ahead::Somewhere => (token, after) = (None, self.before.clone()),
                Ahead::Ended => return Ok(()),
            }
        }
    }

    /// Several pages at a time, as long as the way the keys go can be told. `from`: where the last page
    /// began.
    async fn run_ahead(&mut self, mut from: Option<String>) -> Result<Ahead, Error> {
        let at_once = usize::from(self.store.config.parallel_listing);
        let mut ahead = Ahead::Nowhere;
        while let (Some(began), Some(ended)) = (&from, &self.before) {
            let bounds = split::bounds(began, ended, at_once, RANGE_PAGES);
            if bounds.len() < 2 {
                break;
            }
            ahead = Ahead::Somewhere;
            match self.ranges(&bounds).await? {
                None => return Ok(Ahead::Ended),
                Some(passed) => from = Some(passed),
            }
        }
        Ok(ahead)
    }

    /// Shows the keys up to the last of these bounds; the ranges between them are read side by side.
    /// Returns where the last page began; none if the bucket has ended.
    async fn ranges(&mut self, bounds: &[String]) -> Result<Option<String>, Error> {
        let starts = self.before.iter().chain(bounds).cloned();
        let ranges = join_all(starts.zip(bounds).map(|(start, bound)| self.range(start, bound))).await;
        let mut began = self.before.clone().unwrap_or_default();
        for (pages, bound) in ranges.into_iter().zip(bounds) {
            let mut pages = std::collections::VecDeque::from(pages?);
            while let Some(page) = pages.pop_front() {
                began = self.before.clone().unwrap_or(began);
                let shown = self.show_page(&page, Some(bound)).await?;
                match shown {
                    Shown::Everything => return Ok(None),
                    Shown::Enough => break,
                    // The range has more pages than were meant.
                    Shown::More if pages.is_empty() => {
                        pages.push_back(self.store.page(self.page(None, page.next_continuation_token)).await?);
                    }
                    Shown::More => {}
                }
            }
            // Up to there everything is shown, whether a key is at the bound or not.
            self.before = Some(bound.clone());
        }
        Ok(Some(began))
    }

    /// The first pages behind a key, until one reaches the bound.
    async fn range(&self, start: String, bound: &str) -> Result<Vec<ListObjectsV2Output>, Error> {
        let mut pages = vec![self.store.page(self.page(Some(start), None)).await?];
        while let Some(page) = pages.last().filter(|_| pages.len() < RANGE_PAGES) {
            let last = page.contents().last().and_then(|listed| key::decoded(listed.key.as_deref()?).ok());
            let Some(next) = page.next_continuation_token.clone().filter(|_| page.is_truncated == Some(true)) else {
                break;
            };
            if last.is_some_and(|last| last.as_str() > bound) {
                break;
            }
            pages.push(self.store.page(self.page(None, Some(next))).await?);
        }
        Ok(pages)
    }

    fn page(&self, after: Option<String>, token: Option<String>) -> Page {
        Page { prefix: self.store.config.prefix.clone(), by_folder: false, after, token }
    }

    /// Shows what a page has, up to a bound.
    async fn show_page(&mut self, page: &ListObjectsV2Output, bound: Option<&String>) -> Result<Shown, Error> {
        for listed in page.contents() {
            let Some(encoded) = &listed.key else { continue };
            match key::decoded(encoded) {
                Ok(full) if bound.is_some_and(|bound| full > *bound) => return Ok(Shown::Enough),
                Ok(full) => self.show(listed, full).await?,
                Err(lossy) => self.entries.push(not_text(lossy)).await?,
            }
        }
        // The next page may take its time.
        self.entries.flush().await?;
        let is_truncated = page.is_truncated == Some(true) && page.next_continuation_token.is_some();
        Ok(if is_truncated { Shown::More } else { Shown::Everything })
    }

    async fn show(&mut self, listed: &Listed, full: String) -> Result<(), Error> {
        self.show_marker(Some(&full)).await?;
        let config = &self.store.config;
        if config.ordered_listing && self.before.as_ref().is_some_and(|before| *before >= full) {
            return Err(self.disorder());
        }
        match key::from_bucket(&config.prefix, &full) {
            // The prefix's own marker.
            ("", true) => {}
            (key, true) if listed.size == Some(0) => self.marker = Some(Marker::new(key, &full, listed)),
            (_, true) => self.entries.push(unmovable(&full, "ends with a slash and has data")).await?,
            (key, false) => {
                self.entries.push(Entry::Object(object::listed(key.to_owned(), listed))).await?;
                self.last = Some(key.to_owned());
            }
        }
        self.before = Some(full);
        Ok(())
    }

    /// Shows a marker, unless the next key lies in its folder: the folder then comes with what's in it.
    /// Its key is without the slash, and so may belong before keys that have gone already.
    async fn show_marker(&mut self, next: Option<&str>) -> Result<(), Error> {
        let Some(marker) = self.marker.take() else { return Ok(()) };
        if next.is_some_and(|next| next.starts_with(&marker.full)) {
            return Ok(());
        }
        if self.store.config.ordered_listing && self.last.as_ref().is_some_and(|last| *last >= marker.key) {
            let why = "marks an empty folder behind keys that sort after it";
            return self.entries.push(unmovable(&marker.full, why)).await;
        }
        self.last = Some(marker.key);
        self.entries.push(Entry::Object(marker.object)).await
    }

    fn disorder(&self) -> Error {
        let what = self.store.attempt("list", None).what();
        error::invalid_config(format!(
            "{what}: the store doesn't list keys in the order of their bytes; set ordered_listing = false for it"
        ))
    }
}

// === impl Marker ===

impl Marker {
    fn new(key: &str, full: &str, listed: &Listed) -> Self {
        let object = Object { kind: "directory".to_owned(), ..object::listed(key.to_owned(), listed) };
        Self { key: key.to_owned(), full: full.to_owned(), object }
    }
}
