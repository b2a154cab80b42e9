//! Whole runs between a source and a sink in memory, all workers on one thread with a paused clock.

mod batching;
mod crowded;
mod failing;
mod folders;
mod hostile;
mod journaled;
mod mirroring;
mod moving;
mod parts;
mod reread;
mod resuming;
mod shared;
mod stopping;
mod transforming;
mod verifying;
mod viewing;

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::atomic::Ordering,
    time::Duration,
};

use tokio::task::{LocalSet, spawn_local};

use super::*;
use crate::{
    memory::{MemorySink, MemorySource},
    object::{Key, Kind},
    rules::{ByteSize, Limits, Overwrite, Verify},
};

/// What a local folder can do.
const SOURCE: [&str; 1] = ["range-read"];
const SINK: [&str; 6] = ["parts", "put-without-size", "directories", "symlinks", "modified", "checksum:crc64-nvme"];

/// Puts workers on the test's thread.
struct Here;

impl Spawn for Here {
    fn spawn(&self, _: String, work: Work) -> LocalFuture<Result<(), Lost>> {
        let task = spawn_local(async move { work().await });
        Box::pin(async move { task.await.map_err(|_| Lost) })
    }
}

/// A run, its ends, and what it told.
struct Stage {
    source: Arc<MemorySource>,
    sink: Arc<MemorySink>,
    job: Job,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Stage {
    /// Three workers, parts of 10,000 bytes.
    fn new(source: MemorySource, sink: MemorySink) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        let transfer = Transfer {
            overwrite: Overwrite::IfDifferent,
            verify: Verify::Checksum,
            workers: NonZeroUsize::new(3).expect("three"),
            part_size: ByteSize(10_000),
            attempts: NonZeroU32::new(4).expect("four"),
            max_backoff: Duration::from_secs(5),
        };
        let job = Job {
            selection: Selection::default(),
            transfer,
            tunnel: Tunnel::new(Limits::default()),
            meter: Arc::new(Meter::new(3)),
            events: Arc::new(move |event| lock(&told).push(event)),
            cancel: Cancel::new(),
            sweep: false,
            journal: None,
            round: 1,
            checksums: Vec::new(),
            delete_extra: None,
            seed: 1,
        };
        Self { source: Arc::new(source), sink: Arc::new(sink), job, events }
    }

    /// One run; the next one counts anew.
    async fn run(&mut self) -> Summary {
        lock(&self.events).clear();
        self.job.meter = Arc::new(Meter::new(3));
        let (source, sink) = (Arc::new(Arc::clone(&self.source)), Arc::new(Arc::clone(&self.sink)));
        let summary = LocalSet::new().run_until(run(self.job.clone(), source, sink, &Here)).await;
        if summary.state == State::Finished {
            assert_eq!(summary.listed, summary.moved + summary.skipped + summary.failed, "everything is accounted for");
            assert_eq!(self.job.meter.bytes_expected.get(), summary.bytes_moved);
            assert!(lock(&self.sink.uploads).is_empty(), "no upload is left");
        }
        assert_eq!(self.job.meter.in_flight().count(), 0);
        let usage = self.job.tunnel.usage();
        assert_eq!(usage.granted_bytes, usage.spent_bytes, "every credit is spent or given back");
        summary
    }

    async fn plan(&self) -> Plan {
        let (source, sink) = (Arc::new(Arc::clone(&self.source)), Arc::new(Arc::clone(&self.sink)));
        LocalSet::new().run_until(plan(self.job.clone(), source, sink, &Here)).await
    }

    /// `<what> <key> <why>` of every object, sorted.
    fn told(&self) -> Vec<String> {
        let line = |event: &Event| match event {
            Event::ObjectMoved { key, attempts, .. } => Some(format!("moved {key} {attempts}")),
            Event::ObjectSkipped { key, reason } => Some(format!("skipped {key} {}", reason.as_str())),
            Event::ObjectFailed { name, error, attempts } => Some(format!("failed {name} {} {attempts}", error.code)),
            Event::ObjectPlanned { key, overwrites, reason, .. } => {
                Some(format!("planned {key} {} {overwrites}", reason.as_str()))
            }
            Event::ListingFailed { folder, error } => {
                Some(format!("unlisted {} {}", folder.as_ref().map_or("", Key::as_str), error.code))
            }
            Event::Swept { removed } => Some(format!("swept {removed}")),
            Event::ObjectDeleted { key } => Some(format!("deleted {key}")),
            Event::NothingDeleted { reason } => Some(format!("kept {reason}")),
            Event::RunStarted | Event::Retry { .. } | Event::RunFinished(_) => None,
        };
        let mut told: Vec<_> = lock(&self.events).iter().filter_map(line).collect();
        told.sort();
        told
    }

    /// The objects at the sink are those of the source, byte by byte.
    fn assert_identical(&self) {
        let (source, sink) = (lock(&self.source.items), lock(&self.sink.objects));
        assert!(source.keys().eq(sink.keys()), "{:?} != {:?}", source.keys(), sink.keys());
        for (key, (object, bytes)) in &*source {
            let (stored, written) = &sink[key];
            assert_eq!((&object.kind, &object.attributes), (&stored.kind, &stored.attributes), "{key}");
            assert!(bytes == written, "{key}");
        }
    }
}
