//! What a journal costs: whole runs over many small objects from a source that makes them up to a sink
//! that drops them, first and second round, with and without a journal, keys ascending and scattered.
//! `cargo bench -p culvert-flow`; `CULVERT_BENCH_OBJECTS` (default 1,000,000) and `CULVERT_BENCH_DIR`
//! (default `/dev/shm`) are its settings. Asserts only that everything is accounted for: times belong
//! to the reader.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops at the first surprise and prints")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::{
    fs,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use culvert_flow::{
    body::{BodyReader, Chunk, Chunks},
    error::{Code, Error},
    journal::{Identity, Journal},
    meter::Meter,
    object::{Capabilities, Checksums, Entry, Key, Kind, Object, Range},
    rules::{ByteSize, Limits, Overwrite, Selection, Transfer, Verify},
    run::{Job, State, Summary, ThreadPerWorker, run},
    sink::{NoReadBack, OpenSink, Part, Receipt, Replace, Sink},
    source::{Data, Form, Listing, OpenSource, Reading, Source},
    sync::Cancel,
    tunnel::Tunnel,
};

const SIZE: u64 = 16;

struct Made {
    objects: u64,
    scattered: bool,
    capabilities: Capabilities,
}

struct Maker(Arc<Made>);

struct MadeListing(Arc<Made>, u64);

struct MadeSource(Arc<Made>);

struct MadeData(bool);

struct Dropped(Capabilities);

struct DroppedSink;

impl Made {
    /// A path of a usual length, and a version as long as a local file's.
    fn object(&self, number: u64) -> Object {
        // An odd factor visits every number below a power of two once; the rest is folded behind it.
        let shown = if self.scattered { number.wrapping_mul(0x9e37_79b9_7f4a_7c15) } else { number };
        let key = format!("archive/2026/{:05x}/{:016x}.dat", (shown >> 44) & 0xf_ffff, shown);
        Object {
            key: Key::parse(&key).unwrap(),
            kind: Kind::File,
            size: Some(SIZE),
            modified: Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789 + number)),
            version: Some(format!("fd00-{number:x}-17979cfe3ad5f515-17979cfe3ad5f515").into()),
            checksums: Checksums::new(),
            attributes: [("posix.mode".to_owned(), "0644".to_owned())].into(),
        }
    }
}

impl OpenSource for Maker {
    type Source = MadeSource;

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn open_source(&self) -> Result<MadeSource, Error> {
        Ok(MadeSource(Arc::clone(&self.0)))
    }
}

impl Source for MadeSource {
    type Listing = MadeListing;
    type Data = MadeData;

    async fn list(&mut self, _: Option<&Key>, _: Option<&Key>) -> Result<MadeListing, Error> {
        Ok(MadeListing(Arc::clone(&self.0), 0))
    }

    async fn stat(&mut self, _: &Key) -> Result<Object, Error> {
        Err(Error::new(Code::NOT_FOUND, "stat", "nothing is ever looked up"))
    }

    async fn read(&mut self, key: &Key, _: Range, version: Option<&str>) -> Result<Reading<MadeData>, Error> {
        let mut object = self.0.object(0);
        object.key = key.clone();
        object.version = version.map(Into::into);
        Ok(Reading { object, data: MadeData(false) })
    }
}

impl Listing for MadeListing {
    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        self.1 += 1;
        Ok((self.1 <= self.0.objects).then(|| Entry::Object(self.0.object(self.1))))
    }
}

impl Data for MadeData {
    async fn read(&mut self, _: usize, _: Form) -> Result<Option<Chunk>, Error> {
        Ok((!std::mem::replace(&mut self.0, true)).then(|| Chunk::Bytes(Bytes::from_static(&[7; 16]))))
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl OpenSink for Dropped {
    type Sink = DroppedSink;
    type ReadBack = NoReadBack;

    fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    fn takes_extents(&self) -> bool {
        false
    }

    async fn open_sink(&self) -> Result<DroppedSink, Error> {
        Ok(DroppedSink)
    }

    async fn open_read_back(&self) -> Result<NoReadBack, Error> {
        Err(Error::new(Code::UNSUPPORTED, "open", "nothing is kept"))
    }
}

impl Sink for DroppedSink {
    async fn put(&mut self, object: &Object, mut body: BodyReader, _: Replace) -> Result<Object, Error> {
        while body.chunks.next().await.is_some() {}
        let checksums = body.end.whole().await?;
        Ok(Object { checksums, ..object.clone() })
    }

    async fn begin(&mut self, _: &Object) -> Result<String, Error> {
        unreachable!("all objects are small")
    }

    async fn write_part(&mut self, _: &str, _: Part, _: Chunks) -> Result<Receipt, Error> {
        unreachable!("all objects are small")
    }

    async fn commit(&mut self, _: &str, _: &Object, _: &[Receipt], _: Replace) -> Result<Object, Error> {
        unreachable!("all objects are small")
    }

    async fn abort(&mut self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn sweep(&mut self, _: &[String]) -> Result<u64, Error> {
        Ok(0)
    }

    async fn stat(&mut self, _: &Key) -> Result<Object, Error> {
        Err(Error::new(Code::NOT_FOUND, "stat", "nothing is kept"))
    }

    async fn delete(&mut self, _: &Key) -> Result<(), Error> {
        Ok(())
    }
}

fn round(objects: u64, scattered: bool, journal: Option<Arc<Journal>>) -> Summary {
    let words = |words: &[&str]| Capabilities::new(words.iter().map(|word| (*word).to_owned()));
    let source_words: &[&str] = if scattered { &[] } else { &["ordered-listing"] };
    let source = Made { objects, scattered, capabilities: words(source_words) };
    let transfer = Transfer {
        overwrite: Overwrite::IfDifferent,
        verify: Verify::Checksum,
        workers: NonZeroUsize::new(2).unwrap(),
        part_size: ByteSize(16 << 20),
        attempts: NonZeroU32::MIN,
        max_backoff: Duration::from_secs(1),
    };
    let job = Job {
        selection: Selection::default(),
        transfer,
        tunnel: Tunnel::new(Limits::default()),
        meter: Arc::new(Meter::new(2)),
        events: Arc::new(|_| {}),
        cancel: Cancel::new(),
        sweep: false,
        journal,
        round: 1,
        checksums: Vec::new(),
        delete_extra: None,
        seed: 1,
    };
    let sink = Dropped(words(&["modified", "checksum:crc64-nvme"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(job, Arc::new(Maker(Arc::new(source))), Arc::new(sink), &ThreadPerWorker))
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    /// Of `/proc`, on every Linux.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_PER_SECOND
}

fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn measure(name: &str, objects: u64, path: Option<&Path>, work: impl FnOnce() -> Summary) -> Summary {
    let (begin, before) = (Instant::now(), cpu());
    let summary = work();
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu() - before);
    assert_eq!(summary.state, State::Finished);
    assert_eq!(summary.listed, objects);
    let bytes = path.and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.len());
    println!(
        "{name:40} {wall:7.2} s  {cpu:7.2} CPU s  {:6.2} µs/object  {:9.0} objects/s  {:4} bytes/object  peak {} MiB",
        wall * 1e6 / objects as f64,
        objects as f64 / wall,
        bytes / objects,
        peak_mib(),
    );
    summary
}

fn main() {
    let objects = std::env::var("CULVERT_BENCH_OBJECTS").map_or(1_000_000, |objects| objects.parse().unwrap());
    let folder = PathBuf::from(std::env::var("CULVERT_BENCH_DIR").unwrap_or_else(|_| "/dev/shm".to_owned()));
    let folder = tempfile::tempdir_in(folder).unwrap();
    let identity = Identity { source: "made".into(), sink: "dropped".into(), selection: "all".into() };
    measure("without a journal", objects, None, || round(objects, false, None));
    for scattered in [false, true] {
        let path = folder.path().join(format!("{scattered}.sqlite"));
        let order = if scattered { "scattered" } else { "ascending" };
        for turn in ["first", "second"] {
            let summary = measure(&format!("{turn} round, keys {order}"), objects, Some(&path), || {
                let journal = Arc::new(Journal::open(&path, &identity).unwrap());
                round(objects, scattered, Some(journal))
            });
            assert_eq!(if turn == "first" { summary.moved } else { summary.skipped }, objects);
        }
    }
}
