//! The flat listing of a bucket: page by page, and where keys come in order several pages at a time,
//! shown in order all the same. Holds as many pages as are asked for at once.

use std::collections::VecDeque;

use futures_util::future::join_all;

use super::{Level, from_bucket, not_text, split, unmovable};
use crate::{
    stream::Entries,
    types::{Entry, Error, Object},
};

/// Pages that are asked for one by one before several are: a small bucket costs no request more, and
/// the way its keys go is known by then.
const PAGES_BEFORE_SPLITTING: u32 = 4;

/// Pages that a range between two bounds is meant to have: the request that finds its end is then a
/// small part of it, and what is in memory is this many pages for each range.
const RANGE_PAGES: usize = 4;

/// A bucket that can be listed.
#[allow(async_fn_in_trait, reason = "a guest has one thread: no future needs Send")]
pub trait Listed {
    /// What a page has of each key.
    type Item;

    /// One page of keys with the prefix, as many as the store gives.
    ///
    /// # Errors
    /// What the store said instead.
    async fn page(&self, begin: Begin) -> Result<Page<Self::Item>, Error>;

    /// One page of what lies right below a prefix that ends with a slash.
    ///
    /// # Errors
    /// What the store said instead.
    async fn level(&self, prefix: &str, token: Option<String>) -> Result<Level<Self::Item>, Error>;

    /// What an item stands for, under a key without the prefix and the slash of a folder's marker.
    /// `full` is the key in the bucket.
    async fn entry(&self, key: String, full: &str, item: Self::Item) -> Entry;
}

/// Where a page begins.
#[derive(Debug)]
pub enum Begin {
    /// Behind a key of the bucket; none for the first of all.
    Behind(Option<String>),
    /// Where the page before said that it goes on.
    At(String),
}

/// A page of a listing.
#[derive(Debug)]
pub struct Page<T> {
    /// Keys of the bucket as [`super::decoded`] gives them.
    pub items: Vec<(Result<String, String>, T)>,
    /// Where the next one begins; none if this is the last.
    pub next: Option<String>,
}

/// How a bucket is listed.
#[derive(Debug)]
pub struct Terms {
    pub prefix: String,
    /// What the listing fails with where a key isn't greater than the one before; none where the store
    /// keeps no order.
    pub disorder: Option<Error>,
    /// Most pages that are asked for at one time. Where the store keeps no order it's one.
    pub at_once: usize,
}

/// A listing under way.
struct Flat<'a, B: Listed> {
    bucket: &'a B,
    terms: Terms,
    entries: &'a mut Entries,
    marker: Option<Marker>,
    /// The key before this one, in the bucket.
    before: Option<String>,
    /// The key that was shown last.
    last: Option<String>,
}

/// A folder's marker that is shown only if nothing below it follows.
struct Marker {
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

/// Lists what lies behind a key of the bucket.
///
/// # Errors
/// Those of [`Listed::page`], [`Terms::disorder`], or `cancelled` once the engine has stopped reading.
pub async fn list<B: Listed>(
    bucket: &B,
    terms: Terms,
    behind: Option<String>,
    entries: &mut Entries,
) -> Result<(), Error> {
    let last = behind.as_deref().map(|full| from_bucket(&terms.prefix, full).0.to_owned());
    let mut flat = Flat { bucket, terms, entries, marker: None, before: behind, last };
    flat.run().await?;
    flat.show_marker(None).await
}

// === impl Flat ===

impl<B: Listed> Flat<'_, B> {
    async fn run(&mut self) -> Result<(), Error> {
        let mut pages = 0;
        // The first page begins behind a key, the next ones where the store says.
        let mut begin = Begin::Behind(self.before.clone());
        loop {
            let began = self.before.clone();
            let page = self.bucket.page(begin).await?;
            let next = page.next.clone();
            self.show_page(page, None).await?;
            let Some(next) = next else { return Ok(()) };
            begin = Begin::At(next);
            pages += 1;
            if pages < PAGES_BEFORE_SPLITTING || self.terms.disorder.is_none() {
                continue;
            }
            match self.run_ahead(began).await? {
                Ahead::Nowhere => {}
                Ahead::Somewhere => begin = Begin::Behind(self.before.clone()),
                Ahead::Ended => return Ok(()),
            }
        }
    }

    /// Several pages at a time, as long as the way the keys go can be told. `from`: where the last page
    /// began.
    async fn run_ahead(&mut self, mut from: Option<String>) -> Result<Ahead, Error> {
        let mut ahead = Ahead::Nowhere;
        while let (Some(began), Some(ended)) = (&from, &self.before) {
            let bounds = split::bounds(began, ended, self.terms.at_once, RANGE_PAGES);
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
        let bucket = self.bucket;
        let ranges = join_all(starts.zip(bounds).map(|(start, bound)| range(bucket, start, bound))).await;
        let mut began = self.before.clone().unwrap_or_default();
        for (pages, bound) in ranges.into_iter().zip(bounds) {
            let mut pages = VecDeque::from(pages?);
            while let Some(page) = pages.pop_front() {
                began = self.before.clone().unwrap_or(began);
                let next = page.next.clone();
                match (self.show_page(page, Some(bound)).await?, next) {
                    (Shown::Enough, _) => break,
                    // The range has more pages than were meant.
                    (Shown::More, Some(next)) if pages.is_empty() => {
                        pages.push_back(self.bucket.page(Begin::At(next)).await?);
                    }
                    (Shown::More, Some(_)) => {}
                    (Shown::Everything, _) | (Shown::More, None) => return Ok(None),
                }
            }
            // Up to there everything is shown, whether a key is at the bound or not.
            self.before = Some(bound.clone());
        }
        Ok(Some(began))
    }

    /// Shows what a page has, up to a bound.
    async fn show_page(&mut self, page: Page<B::Item>, bound: Option<&String>) -> Result<Shown, Error> {
        for (key, item) in page.items {
            match key {
                Ok(full) if bound.is_some_and(|bound| full > *bound) => return Ok(Shown::Enough),
                Ok(full) => self.show(full, item).await?,
                Err(lossy) => self.entries.push(not_text(lossy)).await?,
            }
        }
        // The next page may take its time.
        self.entries.flush().await?;
        Ok(if page.next.is_some() { Shown::More } else { Shown::Everything })
    }

    async fn show(&mut self, full: String, item: B::Item) -> Result<(), Error> {
        self.show_marker(Some(&full)).await?;
        if let Some(disorder) = &self.terms.disorder
            && self.before.as_ref().is_some_and(|before| *before >= full)
        {
            return Err(disorder.clone());
        }
        match from_bucket(&self.terms.prefix, &full) {
            // The prefix's own marker.
            ("", true) => {}
            (key, false) => {
                let entry = self.bucket.entry(key.to_owned(), &full, item).await;
                self.entries.push(entry).await?;
                self.last = Some(key.to_owned());
            }
            (key, true) => match self.bucket.entry(key.to_owned(), &full, item).await {
                Entry::Object(object) if object.size == Some(0) => {
                    let object = Object { kind: "directory".to_owned(), ..object };
                    self.marker = Some(Marker { full: full.clone(), object });
                }
                _ => self.entries.push(unmovable(&full, "ends with a slash and has data")).await?,
            },
        }
        self.before = Some(full);
        Ok(())
    }

    /// Shows a marker, unless the next key lies in its folder: the folder then comes with what's in it.
    /// Its key is without the slash, and so may belong before keys that have gone already.
    async fn show_marker(&mut self, next: Option<&str>) -> Result<(), Error> {
        let Some(Marker { full, object }) = self.marker.take() else { return Ok(()) };
        if next.is_some_and(|next| next.starts_with(&full)) {
            return Ok(());
        }
        if self.terms.disorder.is_some() && self.last.as_ref().is_some_and(|last| *last >= object.key) {
            let why = "marks an empty folder behind keys that sort after it";
            return self.entries.push(unmovable(&full, why)).await;
        }
        self.last = Some(object.key.clone());
        self.entries.push(Entry::Object(object)).await
    }
}

/// The first pages behind a key, until one reaches the bound.
async fn range<B: Listed>(bucket: &B, start: String, bound: &str) -> Result<Vec<Page<B::Item>>, Error> {
    let mut pages = vec![bucket.page(Begin::Behind(Some(start))).await?];
    while let Some(page) = pages.last().filter(|_| pages.len() < RANGE_PAGES) {
        let last = page.items.last().and_then(|(key, _)| key.as_deref().ok());
        let Some(next) = page.next.clone().filter(|_| last.is_none_or(|last| last <= bound)) else { break };
        pages.push(bucket.page(Begin::At(next)).await?);
    }
    Ok(pages)
}
