//! Listings of the store in memory: flat and in order, unless a crime says otherwise.

use std::{cell::Cell, rc::Rc};

use culvert_flow::{
    error::{Code, Error},
    object::{Entry, Key},
    source::Listing,
};

use crate::store::{Shared, error};

pub(crate) struct MemoryListing {
    pub(crate) entries: std::vec::IntoIter<Entry>,
    pub(crate) shared: Rc<Shared>,
    /// Of the instance: which listing is the newest, and whether one was dropped.
    pub(crate) newest: Rc<Cell<u64>>,
    pub(crate) blocked: Rc<Cell<bool>>,
    pub(crate) number: u64,
    pub(crate) crime: &'static str,
    pub(crate) ended: bool,
}

impl Listing for MemoryListing {
    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        if self.crime == "one-listing-at-a-time" && self.newest.get() != self.number {
            self.ended = true;
            return Ok(None);
        }
        let next = self.entries.next();
        self.ended |= next.is_none();
        Ok(next)
    }
}

impl Drop for MemoryListing {
    fn drop(&mut self) {
        // What the suite itself leaves, it leaves behind its folder; that's no crime to be caught.
        let is_early = !self.ended && self.entries.len() > 0;
        if is_early && self.crime == "dropped-listing-breaks-the-store" {
            self.shared.broken_listing.set(true);
        }
        if is_early && self.crime == "dropped-listing-blocks" {
            self.blocked.set(true);
        }
    }
}

/// What there is below a folder and behind a key.
pub(crate) fn entries(
    shared: &Shared,
    folder: Option<&Key>,
    after: Option<&Key>,
    crime: &'static str,
) -> Result<Vec<Entry>, Error> {
    let below = |key: &str| match folder {
        None => true,
        Some(folder) if crime == "folder-leaks" => key.starts_with(folder.as_str()) && key != folder.as_str(),
        Some(folder) => key.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/')),
    };
    let behind = |key: &str| match (after, crime) {
        (None, _) | (Some(_), "ignores-after") => true,
        (Some(after), "includes-after") => key >= after.as_str(),
        (Some(after), _) => key > after.as_str(),
    };
    let objects = shared.objects.borrow();
    let found = objects.iter().filter(|(key, _)| below(key) && behind(key));
    let mut entries: Vec<Entry> = found
        .map(|(key, stored)| {
            let mut object = stored.object(&Key::parse(key).unwrap());
            if crime == "lists-wrong-checksums" {
                object.checksums = crate::store::flipped(object.checksums);
            }
            Entry::Object(object)
        })
        .collect();
    if entries.is_empty() && folder.is_some() && crime == "nothing-is-an-error" {
        return Err(error(Code::INTERNAL, "list"));
    }
    let is_key =
        |entry: &Entry, name: &str| matches!(entry, Entry::Object(object) if object.key.as_str().ends_with(name));
    match crime {
        "loses-an-entry" => entries.retain(|entry| !is_key(entry, "listing-complete/file-149")),
        "doubles-an-entry" => {
            if let Some(at) = entries.iter().position(|entry| is_key(entry, "listing-complete/file-149")) {
                entries.insert(at, entries[at].clone());
            }
        }
        "swaps-two-entries" => {
            if let Some(at) = entries.iter().position(|entry| is_key(entry, "listing-ordered/file-049")) {
                entries.swap(at, at + 1);
            }
        }
        "dropped-listing-breaks-the-store" if shared.broken_listing.get() => {
            entries.retain(|entry| !is_key(entry, "listing-restartable/file-149"));
        }
        _ => {}
    }
    Ok(entries)
}
