//! The sink: what was put, in which order, and what was left behind.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{Faults, error};
use crate::{
    body::{BodyReader, Chunk, Chunks, MAX_CHUNK_BYTES},
    error::{Code, Error},
    hash::Hasher,
    object::{Capabilities, Key, Kind, Object},
    sink::{OpenSink, Packed, Part, Receipt, Replace, Sink, Stored},
    sync::lock,
};

pub(crate) struct MemorySink {
    pub(crate) capabilities: Capabilities,
    pub(crate) objects: Mutex<BTreeMap<Key, (Object, Vec<u8>)>>,
    /// Open ones, by token.
    pub(crate) uploads: Mutex<BTreeMap<String, BTreeMap<u32, Vec<u8>>>>,
    faults: Faults<SinkFault>,
    /// Faults and figures of being read.
    pub(crate) read_back: Arc<super::MemorySource>,
    /// `<operation> <key>`, in the order in which they ended well.
    pub(crate) log: Mutex<Vec<String>>,
    /// Upload and number of each part, in the order in which they were stored.
    pub(crate) part_log: Mutex<Vec<(String, u32)>>,
    pub(crate) arrivals: Mutex<Vec<(Instant, usize)>>,
    pub(crate) stats: AtomicUsize,
    pub(crate) opened: AtomicUsize,
    /// Temporary files: calls that have begun and neither ended nor cleaned up.
    pub(crate) left_behind: AtomicUsize,
    parts_in_flight: AtomicUsize,
    pub(crate) most_parts_in_flight: AtomicUsize,
    tokens: AtomicUsize,
    /// How long `put` takes once it has everything, and to clean up where it hasn't.
    pub(crate) put_time: Duration,
    pub(crate) clean_time: Duration,
    pub(crate) refuses: Option<Error>,
}

#[derive(Debug, Clone)]
pub(crate) enum SinkFault {
    Fail(Error),
    /// Fails after the first chunk without taking more.
    FailEarly(Error),
    /// Stops taking bytes after the first chunk, and repeats what the engine says to that.
    Echo,
    /// Stores something else.
    Corrupt,
    /// Stores something else and doesn't know it.
    Rot,
    /// Says that it stored something else.
    Misname,
    /// Says that it's done without having waited for the end.
    Hasty,
    /// Never ends.
    Hang,
    /// Answers about one object less than it was asked about.
    Miscount,
}

pub(crate) struct Instance(Arc<MemorySink>);

// === impl MemorySink ===

impl MemorySink {
    pub(crate) fn new(words: &[&str]) -> Self {
        Self {
            capabilities: super::capabilities(words),
            objects: Mutex::default(),
            uploads: Mutex::default(),
            faults: Faults::default(),
            read_back: Arc::new(super::MemorySource::new(words)),
            log: Mutex::default(),
            part_log: Mutex::default(),
            arrivals: Mutex::default(),
            stats: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            left_behind: AtomicUsize::new(0),
            parts_in_flight: AtomicUsize::new(0),
            most_parts_in_flight: AtomicUsize::new(0),
            tokens: AtomicUsize::new(0),
            put_time: Duration::ZERO,
            clean_time: Duration::ZERO,
            refuses: None,
        }
    }

    pub(crate) fn fault(&self, operation: &'static str, text: &str, faults: impl IntoIterator<Item = SinkFault>) {
        self.faults.add(operation, text, faults);
    }

    pub(crate) fn bytes(&self, text: &str) -> Option<Vec<u8>> {
        lock(&self.objects).get(&super::key(text)).map(|(_, bytes)| bytes.clone())
    }

    pub(crate) fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    async fn next_fault(&self, operation: &'static str, text: &str) -> Result<Option<SinkFault>, Error> {
        match self.faults.next(operation, text) {
            Some(SinkFault::Fail(error)) => Err(error),
            Some(SinkFault::Hang) => {
                std::future::pending::<()>().await;
                Ok(None)
            }
            fault => Ok(fault),
        }
    }

    async fn collect(&self, chunks: &mut Chunks, fault: Option<&SinkFault>) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let Chunk::Bytes(bytes) = chunk else { panic!("an extent") };
            lock(&self.arrivals).push((Instant::now(), bytes.len()));
            all.extend_from_slice(&bytes);
            match fault {
                Some(SinkFault::FailEarly(error)) => return Err(error.clone()),
                Some(SinkFault::Hasty | SinkFault::Echo) => break,
                _ => {}
            }
        }
        if matches!(fault, Some(SinkFault::Corrupt)) {
            all[0] ^= 1;
        }
        Ok(all)
    }

    fn rot(&self, key: &Key, fault: Option<&SinkFault>) {
        if matches!(fault, Some(SinkFault::Rot))
            && let Some((_, bytes)) = lock(&self.objects).get_mut(key)
        {
            bytes[0] ^= 1;
        }
    }

    fn store(&self, operation: &str, object: &Object, bytes: Vec<u8>, replace: Replace) -> Result<Object, Error> {
        let mut objects = lock(&self.objects);
        if replace == Replace::Never && objects.contains_key(&object.key) {
            return Err(error(Code::ALREADY_EXISTS));
        }
        let mut stored = object.clone();
        let mut hasher = Hasher::new(self.capabilities.checksums());
        hasher.update(&bytes);
        stored.checksums = hasher.finish();
        if object.kind == Kind::File {
            stored.size = Some(bytes.len() as u64);
        }
        objects.insert(object.key.clone(), (stored.clone(), bytes));
        lock(&self.log).push(format!("{operation} {}", object.key));
        Ok(stored)
    }
}

impl OpenSink for Arc<MemorySink> {
    type Sink = Instance;
    type ReadBack = super::source::Instance;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn takes_extents(&self) -> bool {
        false
    }

    async fn open_sink(&self) -> Result<Instance, Error> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        match &self.refuses {
            Some(error) => Err(error.clone()),
            None => Ok(Instance(Arc::clone(self))),
        }
    }

    /// What the sink holds now, as a source; faults of the sink as it's read are those of
    /// `read_back`.
    async fn open_read_back(&self) -> Result<Self::ReadBack, Error> {
        Ok(super::source::Instance::of_sink(self))
    }
}

// === impl Instance ===

impl Sink for Instance {
    async fn put(&mut self, object: &Object, body: BodyReader, replace: Replace) -> Result<Object, Error> {
        let BodyReader { mut chunks, end } = body;
        let sink = &self.0;
        sink.left_behind.fetch_add(1, Ordering::Relaxed);
        let result = async {
            let fault = sink.next_fault("put", object.key.as_str()).await?;
            let bytes = sink.collect(&mut chunks, fault.as_ref()).await?;
            if matches!(fault, Some(SinkFault::Echo)) {
                drop(chunks);
            }
            if !matches!(fault, Some(SinkFault::Hasty)) {
                end.whole().await?;
            }
            sleep(sink.put_time).await;
            let mut stored = sink.store("put", object, bytes, replace)?;
            sink.rot(&object.key, fault.as_ref());
            if matches!(fault, Some(SinkFault::Misname)) {
                stored.key = super::key("another");
            }
            Ok(stored)
        };
        let result = result.await;
        if result.is_err() {
            sleep(sink.clean_time).await;
        }
        sink.left_behind.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Faults of the whole batch are those of the key "", which shows them before anything is stored;
    /// a trap of one object comes after those before it are.
    async fn put_batch(
        &mut self,
        objects: &[Packed<'_>],
        mut chunks: Chunks,
        replace: Replace,
    ) -> Result<Vec<Result<Stored, Error>>, Error> {
        let sink = &self.0;
        let fault = sink.next_fault("put-batch", "").await?;
        let mut rest = match fault {
            Some(SinkFault::Hasty) => vec![0; MAX_CHUNK_BYTES],
            _ => sink.collect(&mut chunks, None).await?,
        };
        sleep(sink.put_time).await;
        let mut results = Vec::new();
        for Packed { object, size, .. } in objects {
            let behind = rest.split_off(usize::try_from(*size).expect("fits").min(rest.len()));
            let mut bytes = std::mem::replace(&mut rest, behind);
            let fault = match sink.next_fault("put-batch", object.key.as_str()).await {
                Err(error) if error.instance_lost => return Err(error),
                Err(error) => {
                    results.push(Err(error));
                    continue;
                }
                Ok(fault) => fault,
            };
            if matches!(fault, Some(SinkFault::Corrupt)) {
                bytes[0] ^= 1;
            }
            let stored = sink.store("put-batch", object, bytes, replace);
            results.push(stored.map(|it| Stored { size: it.size.expect("a file"), checksums: it.checksums }));
        }
        if matches!(fault, Some(SinkFault::Miscount)) {
            results.pop();
        }
        Ok(results)
    }

    async fn begin(&mut self, object: &Object) -> Result<String, Error> {
        self.0.next_fault("begin", object.key.as_str()).await?;
        let token = format!("{}#{}", object.key, self.0.tokens.fetch_add(1, Ordering::Relaxed));
        lock(&self.0.uploads).insert(token.clone(), BTreeMap::new());
        Ok(token)
    }

    async fn write_part(&mut self, upload: &str, part: Part, mut chunks: Chunks) -> Result<Receipt, Error> {
        let sink = &self.0;
        let now = sink.parts_in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        sink.most_parts_in_flight.fetch_max(now, Ordering::Relaxed);
        let result = async {
            let fault = sink.next_fault("write-part", &format!("{}", part.number)).await?;
            let bytes = sink.collect(&mut chunks, fault.as_ref()).await?;
            if bytes.len() as u64 != part.length {
                return Err(error(Code::TRUNCATED));
            }
            sleep(sink.put_time).await;
            let mut uploads = lock(&sink.uploads);
            uploads.get_mut(upload).ok_or_else(|| error(Code::NOT_FOUND))?.insert(part.number, bytes);
            lock(&sink.part_log).push((upload.to_owned(), part.number));
            Ok(Receipt { part: part.number, token: format!("etag-{}", part.number) })
        };
        let result = result.await;
        sink.parts_in_flight.fetch_sub(1, Ordering::Relaxed);
        result
    }

    async fn commit(
        &mut self,
        upload: &str,
        object: &Object,
        receipts: &[Receipt],
        replace: Replace,
    ) -> Result<Object, Error> {
        let fault = self.0.next_fault("commit", object.key.as_str()).await?;
        let parts = lock(&self.0.uploads).remove(upload).ok_or_else(|| error(Code::NOT_FOUND))?;
        assert!(
            receipts.iter().map(|receipt| receipt.part).eq(parts.keys().copied()),
            "receipts of all parts in order"
        );
        let mut bytes = parts.into_values().collect::<Vec<_>>().concat();
        if matches!(fault, Some(SinkFault::Corrupt)) {
            bytes[0] ^= 1;
        }
        let stored = self.0.store("commit", object, bytes, replace)?;
        self.0.rot(&object.key, fault.as_ref());
        Ok(stored)
    }

    async fn abort(&mut self, upload: &str) -> Result<(), Error> {
        self.0.next_fault("abort", upload).await?;
        lock(&self.0.uploads).remove(upload);
        lock(&self.0.log).push(format!("abort {upload}"));
        Ok(())
    }

    async fn sweep(&mut self, keep: &[String]) -> Result<u64, Error> {
        self.0.next_fault("sweep", "").await?;
        let mut uploads = lock(&self.0.uploads);
        let before = uploads.len();
        uploads.retain(|token, _| keep.contains(token));
        lock(&self.0.log).push("sweep".to_owned());
        Ok((before - uploads.len()) as u64)
    }

    async fn stat(&mut self, key: &Key) -> Result<Object, Error> {
        self.0.stats.fetch_add(1, Ordering::Relaxed);
        self.0.next_fault("stat", key.as_str()).await?;
        let found = lock(&self.0.objects).get(key).map(|(object, _)| object.clone());
        found.ok_or_else(|| error(Code::NOT_FOUND))
    }

    async fn delete(&mut self, key: &Key) -> Result<(), Error> {
        lock(&self.0.objects).remove(key);
        lock(&self.0.log).push(format!("delete {key}"));
        Ok(())
    }
}
