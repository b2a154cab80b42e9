//! What the sink doesn't have, found out by listing instead of asking object by object. Only that: what
//! a store tells in a listing isn't all that it tells when it's asked, so whatever is there is asked for.
//!
//! A folder of the sink is listed once several objects of one batch would go there, and at most
//! [`MAX_KEYS`] of it; where a listing fails, or is too long, the workers ask as if there were no view.

use std::collections::{HashMap, HashSet, VecDeque};

use super::queue::Listed;
use crate::{
    error::Code,
    object::{Entry, Key},
    sink::{OpenSink, READ_BACK},
    source::{Listing, Source},
};

/// Most keys in memory, of all folders together: some 10 MiB of long ones.
const MAX_KEYS: usize = 65_536;
/// Most folders in memory.
const MAX_FOLDERS: usize = 1024;
/// Fewer objects of a folder than this are asked for one by one.
const WORTH_LISTING: usize = 8;

/// The sink's folders that were listed last.
pub(super) struct View<Si: OpenSink> {
    /// None before the first use and after the instance was lost.
    sink: Option<Si::ReadBack>,
    /// The root is none.
    folders: HashMap<Option<Key>, Folder>,
    /// The same, the oldest first.
    order: VecDeque<Option<Key>>,
    keys: usize,
    /// The sink can't be listed.
    disabled: bool,
}

enum Folder {
    /// Everything in it.
    Listed(HashSet<Key>),
    Absent,
    Unknown,
}

// === impl View ===

impl<Si: OpenSink> View<Si> {
    pub(super) fn new(sinks: &Si) -> Self {
        let disabled = !sinks.capabilities().has(READ_BACK);
        Self { sink: None, folders: HashMap::new(), order: VecDeque::new(), keys: 0, disabled }
    }

    /// Marks the objects of a batch that the sink doesn't have.
    pub(super) async fn mark(&mut self, sinks: &Si, batch: &mut [Listed]) {
        if self.disabled || batch.len() < WORTH_LISTING {
            return;
        }
        let mut sizes = HashMap::<Option<Key>, usize>::new();
        for listed in &*batch {
            *sizes.entry(parent(&listed.object.key)).or_default() += 1;
        }
        for (folder, objects) in sizes {
            if objects >= WORTH_LISTING && !self.folders.contains_key(&folder) && !self.is_below_absent(folder.as_ref())
            {
                let listed = self.list(sinks, folder.as_ref()).await;
                self.keep(folder, listed);
            }
        }
        for listed in batch {
            listed.absent = self.lacks(&listed.object.key);
        }
    }

    fn lacks(&self, key: &Key) -> bool {
        let folder = parent(key);
        match self.folders.get(&folder) {
            Some(Folder::Listed(keys)) => !keys.contains(key),
            Some(Folder::Absent) => true,
            Some(Folder::Unknown) => false,
            None => self.is_below_absent(folder.as_ref()),
        }
    }

    /// A folder in one that isn't there isn't there either.
    fn is_below_absent(&self, folder: Option<&Key>) -> bool {
        let mut above = folder.map(parent);
        while let Some(folder) = above {
            if matches!(self.folders.get(&folder), Some(Folder::Absent)) {
                return true;
            }
            above = folder.as_ref().map(parent);
        }
        false
    }

    async fn list(&mut self, sinks: &Si, folder: Option<&Key>) -> Folder {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            lost => match sinks.open_read_back().await {
                Ok(sink) => lost.insert(sink),
                Err(error) => {
                    tracing::debug!(%error, "the sink can't be listed: its objects are asked for one by one");
                    self.disabled = true;
                    return Folder::Unknown;
                }
            },
        };
        match collect(sink, folder).await {
            Ok(Some(keys)) => Folder::Listed(keys),
            Ok(None) => Folder::Unknown,
            Err(error) if error.code == Code::NOT_FOUND && folder.is_some() => Folder::Absent,
            Err(error) => {
                if error.instance_lost {
                    self.sink = None;
                }
                Folder::Unknown
            }
        }
    }

    fn keep(&mut self, folder: Option<Key>, listed: Folder) {
        self.keys += listed.keys();
        self.order.push_back(folder.clone());
        self.folders.insert(folder, listed);
        while self.keys > MAX_KEYS || self.folders.len() > MAX_FOLDERS {
            let Some(oldest) = self.order.pop_front() else { break };
            self.keys -= self.folders.remove(&oldest).map_or(0, |folder| folder.keys());
        }
    }
}

/// The keys in a folder; none if there are too many, or some that can't be told.
async fn collect<S: Source>(sink: &mut S, folder: Option<&Key>) -> Result<Option<HashSet<Key>>, crate::error::Error> {
    let mut listing = sink.list(folder, None).await?;
    let mut keys = HashSet::new();
    while let Some(entry) = listing.next().await? {
        match entry {
            Entry::Object(object) | Entry::Folder(object) => keys.insert(object.key),
            Entry::Unreadable { .. } => return Ok(None),
        };
        if keys.len() > MAX_KEYS {
            return Ok(None);
        }
    }
    Ok(Some(keys))
}

fn parent(key: &Key) -> Option<Key> {
    let (folder, _) = key.as_str().rsplit_once('/')?;
    Key::parse(folder).ok()
}

// === impl Folder ===

impl Folder {
    fn keys(&self) -> usize {
        match self {
            Self::Listed(keys) => keys.len(),
            Self::Absent | Self::Unknown => 0,
        }
    }
}
