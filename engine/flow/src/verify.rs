//! Holds a sink, and if wanted its source, against what the journal says was moved: `engine verify`.
//! Writes nothing, moves nothing, and repairs nothing; bytes that are read take credit from the tunnel.
//!
//! What a run only left alone at the sink (`exists`, `not-newer`) isn't the journal's to vouch for, and
//! what the sink has besides isn't looked at.

mod checker;

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use self::checker::Checker;
use crate::{
    error::{Code, Error},
    journal::{Reader, Record, Wanted},
    meter::Meter,
    object::{Algorithm, Capabilities, Checksums, InvalidKey, Key},
    run::{Grade, LocalFuture, Spawn, State, everybody},
    sink::{NoReadBack, OpenSink, READ_BACK},
    source::OpenSource,
    sync::{Cancel, lock},
    tunnel::Tunnel,
};

/// Records between the journal and those who check them: some 100 KiB.
const WAITING_RECORDS: usize = 256;

/// What a verification is told. [`Meter::new`] must be given as many workers as there are here.
#[derive(Clone)]
pub struct Verification {
    /// Also while a run writes it.
    pub journal: PathBuf,
    /// Reads every object back; without it, what the store tells without reading must do.
    pub reread: bool,
    /// Computed besides over what is read back, and told with the verdict: SHA-256 for `sha256sum -c`.
    pub checksums: Vec<Algorithm>,
    pub workers: NonZeroUsize,
    /// How often one object is tried in all.
    pub attempts: NonZeroU32,
    /// Longest pause between two attempts.
    pub max_backoff: Duration,
    pub tunnel: Tunnel,
    pub meter: Arc<Meter>,
    /// Called for every object from the workers' threads; it must be quick.
    pub events: Arc<dyn Fn(Checked) + Send + Sync>,
    pub cancel: Cancel,
    /// Spreads the pauses between attempts.
    pub seed: u64,
}

/// One object that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub key: Key,
    pub verdict: Verdict,
    /// What an object that's all right was proven by; none for what has no bytes.
    pub grade: Option<Grade>,
    /// Of the sink's bytes, where they were read and are what was moved.
    pub checksums: Checksums,
}

/// How an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// The sink doesn't have it.
    Missing,
    /// The sink has something else under its name: a directory, for instance.
    Kind,
    Size,
    Checksum,
    /// The source has changed since it was moved; the sink has what was moved.
    Changed,
    /// The source doesn't have it any more; the sink has what was moved.
    Gone,
    /// A store couldn't tell.
    Failed(Error),
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    pub checked: u64,
    pub ok: u64,
    pub missing: u64,
    pub kind: u64,
    pub size: u64,
    pub checksum: u64,
    pub changed: u64,
    pub gone: u64,
    pub failed: u64,
    /// Of both ends.
    pub bytes_read: u64,
    pub seconds: f64,
    pub state: State,
}

/// Holds the sink against the journal.
pub async fn verify_sink<Si: OpenSink>(asked: Verification, sinks: Arc<Si>, spawn: &impl Spawn) -> Findings {
    verify::<NoSource, Si>(asked, None, sinks, spawn).await
}

/// Holds both ends against the journal, and so against each other.
pub async fn verify_both<So: OpenSource, Si: OpenSink>(
    asked: Verification,
    sources: Arc<So>,
    sinks: Arc<Si>,
    spawn: &impl Spawn,
) -> Findings {
    verify(asked, Some(sources), sinks, spawn).await
}

/// Stands where no source is looked at.
enum NoSource {}

/// What the workers share.
struct Context {
    asked: Verification,
    records: tokio::sync::Mutex<mpsc::Receiver<Record>>,
    counts: Mutex<[u64; 8]>,
    fatal: Mutex<Option<Error>>,
    stop: Cancel,
}

async fn verify<So: OpenSource, Si: OpenSink>(
    asked: Verification,
    sources: Option<Arc<So>>,
    sinks: Arc<Si>,
    spawn: &impl Spawn,
) -> Findings {
    let begin = Instant::now();
    let (sender, receiver) = mpsc::channel(WAITING_RECORDS);
    let context = Arc::new(Context {
        records: tokio::sync::Mutex::new(receiver),
        counts: Mutex::default(),
        fatal: Mutex::default(),
        stop: Cancel::new(),
        asked,
    });
    let state = if context.asked.reread && !sinks.capabilities().has(READ_BACK) {
        let message = "the sink can't be read back; what it tells without that is checked without --reread";
        State::Failed(Error::new(Code::UNSUPPORTED, "verify", message))
    } else {
        context.work(sender, sources, sinks, spawn).await
    };
    let [ok, missing, kind, size, checksum, changed, gone, failed] = *lock(&context.counts);
    Findings {
        checked: ok + missing + kind + size + checksum + changed + gone + failed,
        ok,
        missing,
        kind,
        size,
        checksum,
        changed,
        gone,
        failed,
        bytes_read: context.asked.meter.bytes_read_back.get(),
        seconds: begin.elapsed().as_secs_f64(),
        state,
    }
}

/// Hands the journal's manifest over, in the order of its keys.
async fn feed(context: Arc<Context>, sender: mpsc::Sender<Record>) {
    let feeding = async {
        let reader = Reader::open(&context.asked.journal)?;
        for record in reader.records(Wanted::Manifest) {
            let record = record?;
            Key::parse(&record.name).map_err(|invalid| damaged(&context.asked.journal, &record.name, invalid))?;
            if sender.send(record).await.is_err() {
                break;
            }
        }
        Ok::<_, Error>(())
    };
    if let Ok(Err(error)) = context.stop.or(feeding).await {
        context.stop_for(error);
    }
}

/// What can't have been moved stands in the journal as moved.
fn damaged(journal: &Path, name: &str, invalid: InvalidKey) -> Error {
    let message = format!("the journal {} says that {name:?} was moved: {invalid}", journal.display());
    Error::new(Code::CORRUPT, "verify", message)
}

// === impl Context ===

impl Context {
    async fn work<So: OpenSource, Si: OpenSink>(
        self: &Arc<Self>,
        sender: mpsc::Sender<Record>,
        sources: Option<Arc<So>>,
        sinks: Arc<Si>,
        spawn: &impl Spawn,
    ) -> State {
        let context = Arc::clone(self);
        let mut crew = vec![spawn.spawn("lister".into(), Box::new(|| Box::pin(feed(context, sender))))];
        for number in 0..self.asked.workers.get() {
            let (context, sources, sinks) = (Arc::clone(self), sources.clone(), Arc::clone(&sinks));
            let work = move || -> LocalFuture<()> { Box::pin(Checker::new(context, sources, sinks, number).run()) };
            crew.push(spawn.spawn(format!("worker-{number}"), Box::new(work)));
        }
        let mut everybody = pin!(everybody(crew, || {
            self.stop_for(Error::new(Code::INTERNAL, "verify", "a worker's thread ended before its work did"));
        }));
        tokio::select! {
            () = &mut everybody => {}
            () = self.asked.cancel.cancelled() => {
                self.stop.cancel();
                everybody.await;
            }
        }
        match lock(&self.fatal).take() {
            Some(error) => State::Failed(error),
            None if self.stop.is_cancelled() => State::Interrupted,
            None => State::Finished,
        }
    }

    fn stop_for(&self, error: Error) {
        lock(&self.fatal).get_or_insert(error);
        self.stop.cancel();
    }

    fn tell(&self, checked: Checked) {
        lock(&self.counts)[checked.verdict.place()] += 1;
        self.asked.meter.listed.add(1);
        (self.asked.events)(checked);
    }
}

// === impl Verification ===

impl fmt::Debug for Verification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { journal, reread, workers, .. } = self;
        let mut debug = formatter.debug_struct("Verification");
        debug.field("journal", journal).field("reread", reread).field("workers", workers).finish_non_exhaustive()
    }
}

// === impl Verdict ===

impl Verdict {
    fn place(&self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Missing => 1,
            Self::Kind => 2,
            Self::Size => 3,
            Self::Checksum => 4,
            Self::Changed => 5,
            Self::Gone => 6,
            Self::Failed(_) => 7,
        }
    }

    /// One word for each verdict.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Kind => "kind",
            Self::Size => "size",
            Self::Checksum => "checksum",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether the sink has what was moved.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Ok | Self::Changed | Self::Gone)
    }
}

// === impl NoSource ===

impl OpenSource for NoSource {
    type Source = NoReadBack;

    fn capabilities(&self) -> &Capabilities {
        match *self {}
    }

    async fn open_source(&self) -> Result<NoReadBack, Error> {
        match *self {}
    }
}
