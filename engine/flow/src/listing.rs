//! Walks a source depth first and yields what it lists as one flat sequence. What a connector lists
//! is checked here: a key outside the folder that was asked for never leaves. Retries nothing,
//! selects nothing, and doesn't remember keys, so a duplicate isn't noticed.

mod folder;

use std::sync::Arc;

pub(crate) use self::folder::{Due, Folder, Mark, TakeDue};
use crate::{
    error::{Code, Error},
    object::{Entry, Key, Kind, Object},
    source::{Listing, Source},
};

/// Most folders open at once, one in the other. Each holds a listing of the connector, that is an
/// open directory of a process that may have 1024 files open.
const MAX_DEPTH: usize = 512;

/// A walk under way: the root's listing and one for each folder on the way down.
pub(crate) struct Walk<L> {
    levels: Vec<Level<L>>,
    /// Keys ascend within a listing, and a listing that broke off can be resumed.
    ordered: bool,
    /// No folder was come across.
    flat: bool,
    /// Where directories go when they're due; none if they aren't put.
    take_due: Option<TakeDue>,
    passes: Option<Passes>,
}

/// Says of a folder what is in it where all of that is done, so that it needn't be listed.
pub(crate) type Passes = Box<dyn Fn(&Object) -> Option<Mark>>;

struct Level<L> {
    /// The folder that's listed here; none for the root.
    folder: Option<Object>,
    guard: Option<Arc<Folder>>,
    /// None until it's begun, and after it was lost.
    listing: Option<L>,
    /// The last key that was yielded.
    last: Option<Key>,
    entries: u64,
}

/// What the walk came across.
#[derive(Debug)]
pub(crate) enum Found {
    Object {
        object: Object,
        folder: Option<Arc<Folder>>,
    },
    /// A folder in which there is nothing: an object of its own.
    EmptyFolder {
        object: Object,
        folder: Option<Arc<Folder>>,
    },
    /// Something that's there but can't be moved.
    Unreadable {
        name: String,
        error: Error,
    },
}

/// A folder couldn't be listed, or not to its end.
#[derive(Debug)]
pub(crate) struct Interruption {
    /// None: the root.
    pub(crate) folder: Option<Key>,
    pub(crate) error: Error,
    /// Nothing of the folder was yielded so far.
    pub(crate) at_start: bool,
    /// Going on repeats nothing that was yielded.
    pub(crate) resumable: bool,
}

// === impl Walk ===

impl<L: Listing> Walk<L> {
    /// A walk of everything, or of what is behind `after` in a flat listing whose keys ascend.
    pub(crate) fn new(ordered: bool, after: Option<Key>, take_due: Option<TakeDue>) -> Self {
        let root = Level { last: after, ..Level::new(None, None) };
        Self { levels: vec![root], ordered, flat: true, take_due, passes: None }
    }

    /// The same without the folders that are done.
    pub(crate) fn passing_over(mut self, passes: Option<Passes>) -> Self {
        self.passes = passes;
        self
    }

    /// Whether there was no folder so far.
    pub(crate) fn is_flat(&self) -> bool {
        self.flat
    }

    /// The next thing found; none at the end. After an interruption the next call tries again from
    /// where it stopped.
    pub(crate) async fn next<S>(&mut self, source: &mut S) -> Result<Option<Found>, Interruption>
    where
        S: Source<Listing = L>,
    {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            match level.next(source, self.ordered).await {
                Ok(Some(entry)) => {
                    if let Some(found) = self.take(entry) {
                        return Ok(Some(found));
                    }
                }
                Ok(None) => {
                    if let Some(found) = self.leave() {
                        return Ok(Some(found));
                    }
                }
                Err(error) => {
                    level.listing = None;
                    return Err(level.interruption(error, self.ordered));
                }
            }
        }
    }

    /// The source's instance is gone and all its open listings with it.
    pub(crate) fn lose_listings(&mut self) {
        for level in &mut self.levels {
            level.listing = None;
        }
    }

    /// Gives up the folder that was interrupted; the walk goes on with the next one.
    pub(crate) fn abandon(&mut self) {
        self.levels.pop();
    }

    /// Checks an entry; none if it's a folder, which is entered.
    fn take(&mut self, entry: Entry) -> Option<Found> {
        let (too_deep, ordered) = (self.levels.len() > MAX_DEPTH, self.ordered);
        let level = self.levels.last_mut()?;
        level.entries += 1;
        if let Some(guard) = &level.guard {
            guard.expect();
        }
        self.flat &= !matches!(entry, Entry::Folder(_));
        let (object, is_folder) = match entry {
            Entry::Object(object) => (object, false),
            Entry::Folder(object) => (object, true),
            Entry::Unreadable { name, error } => return Some(Found::Unreadable { name, error }),
        };
        let checked = level.check(&object, ordered).and_then(|()| match (is_folder, too_deep) {
            (true, _) if object.kind != Kind::Directory => {
                Err(Error::new(Code::PROTOCOL, "list", "the source listed a folder that isn't a directory"))
            }
            (true, true) => {
                Err(Error::new(Code::LIMIT, "list", format!("folders are listed down to a depth of {MAX_DEPTH}")))
            }
            _ => Ok(()),
        });
        if let Err(error) = checked {
            return Some(Found::Unreadable {
                name: object.key.as_str().to_owned(),
                error: error.with_key(&object.key),
            });
        }
        level.last = Some(object.key.clone());
        if !is_folder {
            return Some(Found::Object { object, folder: level.guard.clone() });
        }
        if let Some(mark) = self.passes.as_ref().and_then(|passes| passes(&object)) {
            if let Some(guard) = &level.guard {
                guard.mark(mark);
                guard.settle();
            }
            return None;
        }
        let guard =
            self.take_due.as_ref().map(|take| Folder::open(object.clone(), level.guard.clone(), Arc::clone(take)));
        self.levels.push(Level::new(Some(object), guard));
        None
    }

    /// The innermost folder has been listed.
    fn leave(&mut self) -> Option<Found> {
        let level = self.levels.pop()?;
        if let (Some(guard), 1..) = (&level.guard, level.entries) {
            guard.end();
        }
        let object = level.folder.filter(|_| level.entries == 0)?;
        let folder = self.levels.last().and_then(|parent| parent.guard.clone());
        Some(Found::EmptyFolder { object, folder })
    }
}

// === impl Level ===

impl<L: Listing> Level<L> {
    fn new(folder: Option<Object>, guard: Option<Arc<Folder>>) -> Self {
        Self { folder, guard, listing: None, last: None, entries: 0 }
    }

    fn key(&self) -> Option<&Key> {
        self.folder.as_ref().map(|folder| &folder.key)
    }

    async fn next<S>(&mut self, source: &mut S, ordered: bool) -> Result<Option<Entry>, Error>
    where
        S: Source<Listing = L>,
    {
        if self.listing.is_none() {
            if self.entries > 0 && !ordered {
                let message = "the listing was lost half-way and the source can't resume it";
                return Err(Error::new(Code::UNSUPPORTED, "list", message));
            }
            let after = self.last.as_ref().filter(|_| ordered);
            self.listing = Some(source.list(self.key(), after).await?);
        }
        match &mut self.listing {
            Some(listing) => listing.next().await,
            None => Ok(None),
        }
    }

    fn interruption(&self, error: Error, ordered: bool) -> Interruption {
        let folder = self.key().cloned();
        let error = match &folder {
            Some(key) => error.with_key(key),
            None => error,
        };
        Interruption { folder, error, at_start: self.entries == 0, resumable: ordered || self.entries == 0 }
    }

    /// A key must be below the folder that was asked for, and behind the one before where the source
    /// says that its keys ascend.
    fn check(&self, object: &Object, ordered: bool) -> Result<(), Error> {
        let key = object.key.as_str();
        let inside = self.key().is_none_or(|folder| {
            key.strip_prefix(folder.as_str()).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
        });
        if !inside {
            let message = "the source listed a key outside the folder that it was asked for";
            return Err(Error::new(Code::INVALID_KEY, "list", message));
        }
        if ordered && self.last.as_ref().is_some_and(|last| *last >= object.key) {
            let message = "the source says that its keys ascend, and this one doesn't";
            return Err(Error::new(Code::PROTOCOL, "list", message));
        }
        Ok(())
    }
}
