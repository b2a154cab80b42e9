//! A store's listing as the engine takes it: from the root, level by level, or flat. Remembers what came
//! twice and out of order; judges nothing.

use std::collections::BTreeMap;

use culvert_flow::{
    error::{Code, Error},
    object::{Entry, Key, Object},
    source::{Listing, Source},
};

use super::{ROOT_PREFIX, parsed};

/// Most entries that are looked at: a store with more is no place for the suite.
const MAX_ENTRIES: usize = 200_000;

/// What a walk came across below the folder that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By key; folders too.
    pub(crate) objects: BTreeMap<String, Object>,
    /// Those that were levels to be listed.
    pub(crate) folders: Vec<String>,
    pub(crate) unreadable: Vec<(String, Error)>,
    /// What was listed more than once.
    pub(crate) twice: Vec<String>,
    /// Keys that came behind a larger one of the same level.
    pub(crate) disordered: Vec<String>,
    /// Keys outside the folder of which they were listed.
    pub(crate) astray: Vec<String>,
}

/// Lists what is below `below`, or everything. Listings in order begin just before it and end behind it.
pub(crate) async fn walk<R: Source>(source: &mut R, below: Option<&str>, ordered: bool) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let mut due: Vec<Option<Key>> = vec![None];
    let mut count = 0;
    while let Some(folder) = due.pop() {
        let after = (ordered && folder.is_none() && below.is_some()).then(|| parsed(ROOT_PREFIX));
        let mut listing = source.list(folder.as_ref(), after.as_ref()).await?;
        let mut last: Option<Key> = None;
        while let Some(entry) = listing.next().await? {
            count += 1;
            if count > MAX_ENTRIES {
                let message =
                    format!("the store has more than {MAX_ENTRIES} entries; give the suite a place of its own");
                return Err(Error::new(Code::TOO_LARGE, "list", message));
            }
            let (object, is_folder) = match entry {
                Entry::Object(object) => (object, false),
                Entry::Folder(object) => (object, true),
                Entry::Unreadable { name, error } => {
                    if below.is_none_or(|below| is_below(&name, below)) {
                        seen.unreadable.push((name, error));
                    }
                    continue;
                }
            };
            let key = object.key.clone();
            if last.as_ref().is_some_and(|last| *last >= key) {
                seen.disordered.push(key.as_str().to_owned());
            }
            let is_behind = below.is_some_and(|below| key.as_str() > below && !is_in(key.as_str(), below));
            last = Some(key.clone());
            if ordered && is_behind {
                break;
            }
            if folder.as_ref().is_some_and(|folder| !is_below(key.as_str(), folder.as_str())) {
                seen.astray.push(key.as_str().to_owned());
                continue;
            }
            let (wanted, on_the_way) = match below {
                None => (true, true),
                Some(below) => (is_below(key.as_str(), below), is_in(key.as_str(), below)),
            };
            if is_folder && on_the_way {
                due.push(Some(key.clone()));
            }
            if wanted {
                if is_folder {
                    seen.folders.push(key.as_str().to_owned());
                }
                if seen.objects.insert(key.as_str().to_owned(), object).is_some() {
                    seen.twice.push(key.as_str().to_owned());
                }
            }
        }
    }
    Ok(seen)
}

/// One level, or all that a flat store has there.
pub(crate) async fn level<R: Source>(
    source: &mut R,
    folder: Option<&Key>,
    after: Option<&Key>,
) -> Result<Vec<Object>, Error> {
    let mut listing = source.list(folder, after).await?;
    let mut objects = Vec::new();
    while let Some(entry) = listing.next().await? {
        if let Entry::Object(object) | Entry::Folder(object) = entry {
            objects.push(object);
        }
        if objects.len() > MAX_ENTRIES {
            let message = format!("the store has more than {MAX_ENTRIES} entries; give the suite a place of its own");
            return Err(Error::new(Code::TOO_LARGE, "list", message));
        }
    }
    Ok(objects)
}

/// The folder itself, or below it.
fn is_in(key: &str, folder: &str) -> bool {
    key == folder || is_below(key, folder)
}

pub(crate) fn is_below(key: &str, folder: &str) -> bool {
    key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
}
