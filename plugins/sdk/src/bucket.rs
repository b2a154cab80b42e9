//! What flat listings of buckets have in common: a prefix that's taken off, keys that end with a slash
//! and stand for folders, an order that's held to. Asks no store and keeps no list.

use crate::{
    error::{self, quote},
    stream::Entries,
    types::{Entry, Error, Object, Unreadable},
};

/// A listing under way.
#[derive(Debug)]
pub struct Flat {
    prefix: String,
    /// What's said of a store that doesn't list keys in the order of their bytes; none where it needn't.
    disorder: Option<Error>,
    /// The key before this one, in the bucket.
    before: Option<String>,
    /// The last key that was shown.
    last: Option<String>,
    marker: Option<Marker>,
}

/// A folder's marker that is shown only if nothing below it follows.
#[derive(Debug)]
struct Marker {
    /// With its slash.
    full: String,
    object: Object,
}

/// The object that a key of the bucket stands for, and whether it's the marker of a folder: a key
/// that ends with a slash.
pub fn from_bucket<'a>(prefix: &str, full: &'a str) -> (&'a str, bool) {
    let key = full.strip_prefix(prefix).unwrap_or(full);
    match key.strip_suffix('/') {
        Some(folder) => (folder, true),
        None => (key, false),
    }
}

// === impl Flat ===

impl Flat {
    /// Of the keys that begin with `prefix`, behind a key of the bucket. `disorder`: what the listing
    /// fails with where a key isn't greater than the one before; none where the store keeps no order.
    pub fn new(prefix: &str, behind: Option<&str>, disorder: Option<Error>) -> Self {
        let last = behind.map(|full| from_bucket(prefix, full).0.to_owned());
        Self { prefix: prefix.to_owned(), disorder, before: behind.map(str::to_owned), last, marker: None }
    }

    /// Takes the next key of the bucket and shows what it stands for. `entry` makes that of a key
    /// without the prefix.
    ///
    /// # Errors
    /// `disorder`, or `cancelled` once the engine has stopped reading.
    pub async fn add(
        &mut self,
        full: &str,
        entry: impl AsyncFnOnce(String) -> Entry,
        entries: &mut Entries,
    ) -> Result<(), Error> {
        self.show(Some(full), entries).await?;
        if let Some(disorder) = &self.disorder
            && self.before.as_deref().is_some_and(|before| before >= full)
        {
            return Err(disorder.clone());
        }
        self.before = Some(full.to_owned());
        match from_bucket(&self.prefix, full) {
            // The prefix's own marker.
            ("", true) => Ok(()),
            (key, false) => {
                self.last = Some(key.to_owned());
                entries.push(entry(key.to_owned()).await).await
            }
            (key, true) => match entry(key.to_owned()).await {
                Entry::Object(object) if object.size == Some(0) => {
                    let object = Object { kind: "directory".to_owned(), ..object };
                    self.marker = Some(Marker { full: full.to_owned(), object });
                    Ok(())
                }
                _ => entries.push(unmovable(full, "ends with a slash and has data")).await,
            },
        }
    }

    /// Shows what was kept for the end.
    ///
    /// # Errors
    /// `cancelled` once the engine has stopped reading.
    pub async fn end(mut self, entries: &mut Entries) -> Result<(), Error> {
        self.show(None, entries).await
    }

    /// Shows a marker, unless the next key lies in its folder: the folder then comes with what's in
    /// it. Its key is without the slash, and so may belong before keys that have gone already.
    async fn show(&mut self, next: Option<&str>, entries: &mut Entries) -> Result<(), Error> {
        let Some(Marker { full, object }) = self.marker.take() else { return Ok(()) };
        if next.is_some_and(|next| next.starts_with(&full)) {
            return Ok(());
        }
        if self.disorder.is_some() && self.last.as_ref().is_some_and(|last| *last >= object.key) {
            return entries.push(unmovable(&full, "marks an empty folder behind keys that sort after it")).await;
        }
        self.last = Some(object.key.clone());
        entries.push(Entry::Object(object)).await
    }
}

fn unmovable(full: &str, why: &str) -> Entry {
    let error = error::invalid_key(format!("the key {} {why}: it can't be moved", quote(full)));
    Entry::Unreadable(Unreadable { key: full.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_taken_off_and_markers_are_known() {
        assert_eq!(from_bucket("nas/", "nas/a/b"), ("a/b", false));
        assert_eq!(from_bucket("nas/", "nas/a/"), ("a", true));
        assert_eq!(from_bucket("", "a//b"), ("a//b", false));
    }
}
