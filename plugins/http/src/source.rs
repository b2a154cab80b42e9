//! What is listed and read. A listing asks for the head of each object, some at a time; a reading hands
//! the answer's body on.

use culvert_sdk::{http, prelude::*, stream};
use futures_util::{StreamExt, stream as futures};

use crate::{
    config::{Config, Names, SCHEMA},
    error::{answered, changed},
    fetch::{Fetched, Fetcher},
    index,
    lines::{Column, Lines},
    object::{condition, content_range, length, object},
    place::Places,
};

/// Largest index page in bytes: some 100,000 names.
const MAX_PAGE_BYTES: usize = 16 << 20;
/// Heads that are asked for at the same time.
const HEADS_AT_ONCE: usize = 16;

/// What another attempt doesn't mend.
const LASTING: [&str; 5] = ["not-found", "permission-denied", "unauthenticated", "invalid-key", "unsupported"];

pub(crate) struct Http {
    names: Names,
    column: Option<String>,
    places: Places,
    fetcher: Fetcher,
}

/// What a page or a list has.
enum Found {
    /// A folder's URL, with its slash.
    Folder(String),
    File(String),
    Unreadable(Unreadable),
}

impl Source for Http {
    type Config = Config;
    const SCHEMA: &'static str = SCHEMA;

    fn open(config: Config) -> Result<Self, Error> {
        let names = config.names()?;
        let base = config.index.as_deref().or(config.base.as_deref());
        let servers = config.servers.iter().chain(&config.list_url).cloned();
        let places = Places::new(base, servers)?;
        Ok(Self { names, column: config.column, places, fetcher: Fetcher { authorization: config.authorization } })
    }

    async fn check(&self) -> Result<(), Error> {
        let url = match &self.names {
            Names::Index(url) | Names::Url(url) => url.clone(),
            Names::Text(text) => {
                let mut lines = Lines::of_text(text);
                match self.next(&mut lines, &mut Column::new(self.column.as_deref())).await? {
                    Some(Found::File(url)) => url,
                    Some(Found::Unreadable(it)) => return Err(it.error),
                    _ => return Err(error::invalid_config("list: has no URL")),
                }
            }
        };
        self.head(&url).await.map(drop)
    }

    async fn list(&self, folder: &str, _: Option<&str>, entries: &mut Entries) -> Result<(), Error> {
        match &self.names {
            Names::Index(_) => {
                let mut url = self.places.url(folder)?;
                if !url.ends_with('/') {
                    url.push('/');
                }
                let found = self.page(&url).await?;
                self.push_all(found, entries).await
            }
            Names::Text(text) => self.list_lines(Lines::of_text(text), entries).await,
            Names::Url(url) => {
                let Fetched { response, .. } = self.fetcher.fetch("GET", url, &[]).await?;
                if response.status != 200 {
                    return Err(answered(url, &response));
                }
                let (data, ended) = response.into_body();
                self.list_lines(Lines::of_stream(data, ended), entries).await
            }
        }
    }

    async fn stat(&self, key: &str) -> Result<Object, Error> {
        let response = self.head(&self.places.url(key)?).await?;
        let size = content_range(&response).1.or_else(|| length(&response));
        Ok(object(key, &response, size))
    }

    async fn read(&self, key: &str, range: Range, version: Option<&str>) -> Result<Reading, Error> {
        let is_this = |object: &Object| version.is_none() || object.version.as_deref() == version;
        let nothing = |object: Object| match is_this(&object) {
            true => Ok(Reading { object, data: stream::empty(), outcome: stream::outcome(async { Ok(()) }) }),
            false => Err(changed(key)),
        };
        if range.length == Some(0) {
            return nothing(self.stat(key).await?);
        }
        let mut headers: Vec<_> = version.and_then(condition).into_iter().collect();
        if let Some(range) = http::range(&range)? {
            headers.push(("range".to_owned(), range.into_bytes()));
        }
        let url = self.places.url(key)?;
        let Fetched { response, .. } = self.fetcher.fetch("GET", &url, &headers).await?;
        let size = match response.status {
            200 if range.offset == 0 => length(&response),
            206 if content_range(&response).0 == Some(range.offset) => content_range(&response).1,
            // It begins where the object ends.
            416 => return nothing(self.stat(key).await?),
            200 | 206 => {
                return Err(error::unsupported(format!(
                    "{}: the server doesn't send the range that was asked for",
                    quote(key)
                )));
            }
            _ => return Err(answered(key, &response)),
        };
        let object = object(key, &response, size);
        if !is_this(&object) {
            return Err(changed(key));
        }
        let (data, outcome) = response.into_body();
        Ok(Reading { object, data, outcome })
    }
}

// === impl Http ===

impl Http {
    /// An object's head, also from a server that answers GET alone.
    async fn head(&self, url: &str) -> Result<http::Response, Error> {
        let Fetched { response, .. } = self.fetcher.fetch("HEAD", url, &[]).await?;
        match response.status {
            200 => Ok(response),
            405 | 501 => {
                let first = [("range".to_owned(), b"bytes=0-0".to_vec())];
                let Fetched { response, .. } = self.fetcher.fetch("GET", url, &first).await?;
                if [200, 206].contains(&response.status) { Ok(response) } else { Err(answered(url, &response)) }
            }
            _ => Err(answered(url, &response)),
        }
    }

    async fn page(&self, url: &str) -> Result<Vec<Found>, Error> {
        let Fetched { url: page, response } = self.fetcher.fetch("GET", url, &[]).await?;
        if response.status != 200 {
            return Err(answered(url, &response));
        }
        let html = response.collect(MAX_PAGE_BYTES).await?;
        let links = index::links(&page, &String::from_utf8_lossy(&html)).into_iter();
        // A page that was redirected is still listed below the index.
        let below = links.map(|link| link.replacen(page.as_str(), url, 1));
        Ok(below.map(|link| if link.ends_with('/') { Found::Folder(link) } else { Found::File(link) }).collect())
    }

    async fn list_lines(&self, mut lines: Lines, entries: &mut Entries) -> Result<(), Error> {
        let mut column = Column::new(self.column.as_deref());
        let mut some = Vec::with_capacity(HEADS_AT_ONCE);
        while let Some(found) = self.next(&mut lines, &mut column).await? {
            some.push(found);
            if some.len() == HEADS_AT_ONCE {
                self.push_all(std::mem::take(&mut some), entries).await?;
            }
        }
        self.push_all(some, entries).await
    }

    /// The next entry of a list.
    async fn next(&self, lines: &mut Lines, column: &mut Column) -> Result<Option<Found>, Error> {
        while let Some(line) = lines.next().await? {
            let Some(entry) = column.entry(&line)? else { continue };
            return Ok(Some(match self.places.absolute(&entry).and_then(|url| self.places.key(&url).map(|_| url)) {
                Ok(url) => Found::File(url),
                Err(error) => Found::Unreadable(Unreadable { key: entry, error }),
            }));
        }
        Ok(None)
    }

    /// Looks each up, some at a time, and hands them over in their order.
    async fn push_all(&self, found: Vec<Found>, entries: &mut Entries) -> Result<(), Error> {
        let mut looked_up = futures::iter(found).map(|found| self.entry(found)).buffered(HEADS_AT_ONCE);
        while let Some(entry) = looked_up.next().await {
            entries.push(entry).await?;
        }
        Ok(())
    }

    async fn entry(&self, found: Found) -> Entry {
        match found {
            Found::Folder(url) => match self.places.key(url.trim_end_matches('/')) {
                Ok(key) => Entry::Folder(Object { kind: "directory".to_owned(), ..Object::file(&key, 0) }),
                Err(error) => Entry::Unreadable(Unreadable { key: url, error }),
            },
            Found::File(url) => {
                let key = match self.places.key(&url) {
                    Ok(key) => key,
                    Err(error) => return Entry::Unreadable(Unreadable { key: url, error }),
                };
                match self.stat(&key).await {
                    Ok(object) => Entry::Object(object),
                    Err(error) if LASTING.contains(&error.code.as_str()) => {
                        Entry::Unreadable(Unreadable { key, error })
                    }
                    // The reading will say what's the matter, and is tried again.
                    Err(_) => Entry::Object(Object { size: None, ..Object::file(&key, 0) }),
                }
            }
            Found::Unreadable(unreadable) => Entry::Unreadable(unreadable),
        }
    }
}
