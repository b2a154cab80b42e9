//! The source: a tree of objects, listed level by level, or by a script.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::sleep;

use super::{Faults, MemorySink, content, error, object};
use crate::{
    body::Chunk,
    error::{Code, Error},
    object::{Capabilities, Entry, Key, Kind, Object, Range},
    source::{Data, Form, Listing, OpenSource, Reading, Source, Wanted},
    sync::lock,
};

pub(crate) struct MemorySource {
    pub(crate) capabilities: Capabilities,
    pub(crate) items: Mutex<BTreeMap<Key, (Object, Bytes)>>,
    /// Listings that aren't the tree's, by folder; each used once.
    scripts: Mutex<HashMap<String, VecDeque<Script>>>,
    faults: Faults<SourceFault>,
    pub(crate) opened: AtomicUsize,
    /// What every `list` was asked for: folder and `after`.
    pub(crate) lists: Mutex<Vec<(String, Option<String>)>>,
    /// What was opened, and from where on.
    pub(crate) reads: Mutex<Vec<(String, u64)>>,
    /// Objects and bytes of each batch.
    pub(crate) batches: Mutex<Vec<(usize, u64)>>,
    /// How long each chunk takes.
    pub(crate) chunk_time: Duration,
    /// Instances can't be opened.
    pub(crate) refuses: Option<Error>,
}

type Script = Vec<Result<Entry, Error>>;

#[derive(Debug, Clone)]
pub(crate) enum SourceFault {
    Fail(Error),
    /// Breaks after so many chunks.
    Break(usize, Error),
    /// Ends after so many bytes as if it were whole.
    Truncate(usize),
    /// Has a byte more than announced.
    Longer,
    /// Sends a byte more than asked for.
    Oversized,
    /// The object has become another one just before it's opened.
    Change,
    /// A bit flips on the way.
    Flip,
}

pub(crate) struct Instance(Arc<MemorySource>, Option<Arc<MemorySink>>);

pub(crate) struct MemoryListing(VecDeque<Result<Entry, Error>>);

pub(crate) struct MemoryData {
    rest: Bytes,
    fault: Option<SourceFault>,
    chunks: usize,
    chunk_time: Duration,
}

// === impl MemorySource ===

impl MemorySource {
    pub(crate) fn new(words: &[&str]) -> Self {
        Self {
            capabilities: super::capabilities(words),
            items: Mutex::default(),
            scripts: Mutex::default(),
            faults: Faults::default(),
            opened: AtomicUsize::new(0),
            lists: Mutex::default(),
            reads: Mutex::default(),
            batches: Mutex::default(),
            chunk_time: Duration::ZERO,
            refuses: None,
        }
    }

    pub(crate) fn file(&self, text: &str, length: usize) {
        let mut object = object(text, Kind::File, Some(length as u64));
        object.version = Some(format!("{text}-1").into());
        self.add(object, content(text, length));
    }

    pub(crate) fn folder(&self, text: &str) {
        let mut object = object(text, Kind::Directory, None);
        object.attributes.insert("posix.mode".into(), "0755".into());
        self.add(object, Bytes::new());
    }

    pub(crate) fn link(&self, text: &str, target: &str) {
        let mut object = object(text, Kind::Symlink, Some(target.len() as u64));
        object.attributes.insert("posix.target".into(), target.into());
        self.add(object, Bytes::new());
    }

    pub(crate) fn add(&self, object: Object, bytes: Bytes) {
        lock(&self.items).insert(object.key.clone(), (object, bytes));
    }

    pub(crate) fn script(&self, folder: &str, entries: Script) {
        lock(&self.scripts).entry(folder.to_owned()).or_default().push_back(entries);
    }

    pub(crate) fn fault(&self, operation: &'static str, text: &str, faults: impl IntoIterator<Item = SourceFault>) {
        self.faults.add(operation, text, faults);
    }

    /// How often an object, or a part of one, was opened since this was asked last.
    pub(crate) fn take_reads(&self) -> usize {
        std::mem::take(&mut *lock(&self.reads)).len()
    }

    /// Another content under the same name.
    pub(crate) fn change(&self, text: &str, length: usize) {
        let mut object = object(text, Kind::File, Some(length as u64));
        object.version = Some(format!("{text}-{length}").into());
        self.add(object, content(text, length));
    }

    pub(crate) fn remove(&self, text: &str) {
        lock(&self.items).remove(&super::key(text));
    }

    fn children(&self, folder: &str, after: Option<&Key>) -> VecDeque<Result<Entry, Error>> {
        let items = lock(&self.items);
        let inside = |key: &Key| {
            let rest = match folder {
                "" => Some(key.as_str()),
                folder => key.as_str().strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            rest.is_some_and(|rest| !rest.contains('/'))
        };
        let begin = if folder.is_empty() { Bound::Unbounded } else { Bound::Excluded(super::key(folder)) };
        let below = items.range((begin, Bound::Unbounded)).take_while(|(key, _)| key.as_str().starts_with(folder));
        let wanted = below.filter(|(key, _)| inside(key) && after.is_none_or(|after| *key > after));
        let entry = |object: &Object| match object.kind {
            Kind::Directory => Entry::Folder(object.clone()),
            _ => Entry::Object(object.clone()),
        };
        wanted.map(|(_, (object, _))| Ok(entry(object))).collect()
    }

    fn fail(&self, operation: &'static str, text: &str) -> Result<Option<SourceFault>, Error> {
        match self.faults.next(operation, text) {
            Some(SourceFault::Fail(error)) => Err(error),
            Some(SourceFault::Change) => {
                if let Some((object, bytes)) = lock(&self.items).get_mut(&super::key(text)) {
                    *bytes = content("another", bytes.len() + 1);
                    object.size = Some(bytes.len() as u64);
                    object.version = Some(format!("{text}-2").into());
                }
                Ok(None)
            }
            fault => Ok(fault),
        }
    }
}

impl OpenSource for Arc<MemorySource> {
    type Source = Instance;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn open_source(&self) -> Result<Instance, Error> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        match &self.refuses {
            Some(error) => Err(error.clone()),
            None => Ok(Instance(Arc::clone(self), None)),
        }
    }
}

// === impl Instance ===

impl Instance {
    /// Reads what a sink holds, each time as it is then.
    pub(crate) fn of_sink(sink: &Arc<MemorySink>) -> Self {
        Self(Arc::clone(&sink.read_back), Some(Arc::clone(sink)))
    }

    fn look(&self) {
        if let Some(sink) = &self.1 {
            let objects = lock(&sink.objects);
            let items = objects
                .iter()
                .map(|(key, (object, bytes))| (key.clone(), (object.clone(), Bytes::from(bytes.clone()))));
            *lock(&self.0.items) = items.collect();
        }
    }
}

impl Source for Instance {
    type Listing = MemoryListing;
    type Data = MemoryData;

    async fn list(&mut self, folder: Option<&Key>, after: Option<&Key>) -> Result<MemoryListing, Error> {
        self.look();
        let folder = folder.map_or("", Key::as_str);
        lock(&self.0.lists).push((folder.to_owned(), after.map(|after| after.as_str().to_owned())));
        self.0.fail("list", folder)?;
        let script = lock(&self.0.scripts).get_mut(folder).and_then(VecDeque::pop_front);
        Ok(MemoryListing(script.map_or_else(|| self.0.children(folder, after), Into::into)))
    }

    async fn stat(&mut self, key: &Key) -> Result<Object, Error> {
        self.look();
        self.0.fail("stat", key.as_str())?;
        let found = lock(&self.0.items).get(key).map(|(object, _)| object.clone());
        found.ok_or_else(|| error(Code::NOT_FOUND))
    }

    async fn read(&mut self, key: &Key, range: Range, _: Option<&str>) -> Result<Reading<MemoryData>, Error> {
        self.look();
        lock(&self.0.reads).push((key.as_str().to_owned(), range.offset));
        let fault = self.0.fail("read", key.as_str())?;
        let found = lock(&self.0.items).get(key).cloned();
        let (object, bytes) = found.ok_or_else(|| error(Code::NOT_FOUND))?;
        let begin = usize::try_from(range.offset).expect("fits");
        let length = range.length.map_or(bytes.len() - begin, |length| usize::try_from(length).expect("fits"));
        let data = MemoryData::new(bytes.slice(begin..begin + length), fault, self.0.chunk_time);
        Ok(Reading { object, data })
    }

    /// The fault of one object is that of the whole batch.
    async fn read_batch(&mut self, objects: &[Wanted<'_>]) -> Result<MemoryData, Error> {
        lock(&self.0.batches).push((objects.len(), objects.iter().map(|wanted| wanted.size).sum()));
        let (mut all, mut found) = (Vec::new(), None);
        for Wanted { key, size, version } in objects {
            let fault = self.0.fail("read-batch", key.as_str())?;
            found = found.or(fault);
            let (object, bytes) = lock(&self.0.items).get(key).cloned().ok_or_else(|| error(Code::NOT_FOUND))?;
            if object.version.as_deref() != Some(*version) || object.size != Some(*size) {
                return Err(error(Code::CHANGED));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(MemoryData::new(all.into(), found, self.0.chunk_time))
    }
}

impl Listing for MemoryListing {
    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        self.0.pop_front().transpose()
    }
}

impl MemoryData {
    fn new(mut rest: Bytes, fault: Option<SourceFault>, chunk_time: Duration) -> Self {
        match &fault {
            Some(SourceFault::Truncate(at)) => rest.truncate(*at),
            Some(SourceFault::Longer) => rest = [&rest[..], b"!"].concat().into(),
            Some(SourceFault::Flip) => {
                let mut flipped = rest.to_vec();
                flipped[0] ^= 1;
                rest = flipped.into();
            }
            _ => {}
        }
        Self { rest, fault, chunks: 0, chunk_time }
    }
}

impl Data for MemoryData {
    async fn read(&mut self, max: usize, form: Form) -> Result<Option<Chunk>, Error> {
        assert_eq!(form, Form::Bytes, "the sink in memory takes no extents");
        if !self.chunk_time.is_zero() {
            sleep(self.chunk_time).await;
        }
        if let Some(SourceFault::Break(after, error)) = &self.fault
            && self.chunks == *after
        {
            return Err(error.clone());
        }
        self.chunks += 1;
        if matches!(self.fault, Some(SourceFault::Oversized)) {
            return Ok(Some(Chunk::Bytes(vec![0; max + 1].into())));
        }
        let length = self.rest.len().min(max);
        Ok((length > 0).then(|| Chunk::Bytes(self.rest.split_to(length))))
    }

    async fn finish(&mut self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(error(Code::CHANGED)) }
    }
}
