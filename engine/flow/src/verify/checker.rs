//! One worker of a verification: looks at one object after the other with its own instances, again
//! where that may help.

use std::sync::Arc;

use super::{Checked, Context, Verdict};
use crate::{
    error::Code,
    journal::Record,
    meter::Slot,
    object::{Algorithm, Checksums, Key, Kind, Object},
    retry::{Jitter, Policy, Retry},
    run::Grade,
    sink::{OpenSink, Sink},
    source::{OpenSource, Source},
    transfer::{Failure, Gauge, read_back},
};

/// What's computed where the journal has no checksum and both ends are read.
const ALGORITHM: Algorithm = Algorithm::Crc64Nvme;

pub(super) struct Checker<So: OpenSource, Si: OpenSink> {
    context: Arc<Context>,
    sources: Option<Arc<So>>,
    sinks: Arc<Si>,
    /// None before the first use and after the instance was lost.
    source: Option<So::Source>,
    sink: Option<Si::Sink>,
    read_back: Option<Si::ReadBack>,
    jitter: Jitter,
    number: usize,
}

/// What speaks for an object that's all right.
#[derive(Default)]
struct Proof {
    grade: Option<Grade>,
    checksums: Checksums,
}

/// A verdict before the last word, or that there's more to look at.
type Step = Result<Option<Verdict>, Failure>;

// === impl Checker ===

impl<So: OpenSource, Si: OpenSink> Checker<So, Si> {
    pub(super) fn new(context: Arc<Context>, sources: Option<Arc<So>>, sinks: Arc<Si>, number: usize) -> Self {
        let seed = context.asked.seed.wrapping_add(number as u64);
        let jitter = Jitter::new(seed);
        Self { context, sources, sinks, source: None, sink: None, read_back: None, jitter, number }
    }

    pub(super) async fn run(mut self) {
        let context = Arc::clone(&self.context);
        let stop = &context.stop;
        loop {
            let next = async { context.records.lock().await.recv().await };
            let Ok(Some(record)) = stop.or(next).await else { return };
            // A name that isn't a key was never at the sink.
            let Ok(key) = Key::parse(&record.name) else { continue };
            let slot = context.asked.meter.slot(self.number);
            slot.begin(&key, record.size.unwrap_or(0));
            let checked = stop.or(self.object(&key, &record, slot)).await;
            slot.end();
            match checked {
                Ok((verdict, proof)) => {
                    let Proof { grade, checksums } = proof;
                    context.tell(Checked { key, verdict, grade, checksums });
                }
                Err(_) => return,
            }
        }
    }

    async fn object(&mut self, key: &Key, record: &Record, slot: &Slot) -> (Verdict, Proof) {
        let policy = Policy { attempts: self.context.asked.attempts, max_pause: self.context.asked.max_backoff };
        let mut retry = Retry::new(policy, 0);
        loop {
            let mut proof = Proof::default();
            let failure = match self.check(key, record, slot, &mut proof).await {
                Ok(None) => return (Verdict::Ok, proof),
                Ok(Some(verdict)) => return (verdict, Proof::default()),
                Err(failure) => failure,
            };
            if failure.source_lost {
                self.source = None;
                self.read_back = None;
            }
            if failure.sink_lost {
                self.sink = None;
            }
            let Some(pause) = retry.after(&failure.error, &mut self.jitter) else {
                return (Verdict::Failed(failure.error.with_key(key)), Proof::default());
            };
            self.context.asked.meter.retries.add(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// The sink by what it tells, the source by what it tells, then the bytes.
    async fn check(&mut self, key: &Key, record: &Record, slot: &Slot, proof: &mut Proof) -> Step {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            lost => lost.insert(self.sinks.open_sink().await.map_err(Failure::sink)?),
        };
        let there = match sink.stat(key).await {
            Ok(there) => there,
            Err(error) if error.code == Code::NOT_FOUND => return Ok(Some(Verdict::Missing)),
            Err(error) => return Err(Failure::sink(error)),
        };
        if there.kind != record.kind {
            return Ok(Some(Verdict::Kind));
        }
        let is_file = record.kind == Kind::File;
        if is_file && let Some(verdict) = told(record, &there, &mut proof.grade) {
            return Ok(Some(verdict));
        }
        let (bytes, theirs) = if is_file && self.context.asked.reread {
            match self.reread(key, record, slot, proof).await? {
                Ok(read) => read,
                Err(verdict) => return Ok(Some(verdict)),
            }
        } else {
            (0, Checksums::new())
        };
        self.source(key, record, slot, (bytes, &theirs)).await
    }

    /// The sink's own bytes against the journal.
    async fn reread(
        &mut self,
        key: &Key,
        record: &Record,
        slot: &Slot,
        proof: &mut Proof,
    ) -> Result<Result<(u64, Checksums), Verdict>, Failure> {
        let context = Arc::clone(&self.context);
        let asked = &context.asked;
        let store = match &mut self.read_back {
            Some(store) => store,
            lost => lost.insert(self.sinks.open_read_back().await.map_err(Failure::source)?),
        };
        let known = record.checksums.keys().next().copied();
        let gauge = Gauge { meter: &asked.meter, slot };
        let algorithm = known.unwrap_or(ALGORITHM);
        let mut algorithms = vec![algorithm];
        algorithms.extend(asked.checksums.iter().copied().filter(|also| *also != algorithm));
        let read = read_back(store, key, &algorithms, &asked.tunnel, &context.stop, gauge).await;
        let (bytes, theirs) = match read {
            Ok(read) => read,
            Err(failure) if failure.error.code == Code::NOT_FOUND => return Ok(Err(Verdict::Missing)),
            Err(failure) => return Err(failure),
        };
        if record.size.is_some_and(|size| size != bytes) {
            return Ok(Err(Verdict::Size));
        }
        if known.is_some() {
            if record.checksums.get(&algorithm) != theirs.get(&algorithm) {
                return Ok(Err(Verdict::Checksum));
            }
            proof.grade = Some(Grade::Reread(algorithm));
        }
        proof.checksums.clone_from(&theirs);
        let theirs = theirs.into_iter().filter(|(each, _)| *each == algorithm).collect();
        Ok(Ok((bytes, theirs)))
    }

    /// The source against the journal, and its bytes against the sink's where those were read.
    async fn source(&mut self, key: &Key, record: &Record, slot: &Slot, read: (u64, &Checksums)) -> Step {
        let context = Arc::clone(&self.context);
        let asked = &context.asked;
        let Some(sources) = &self.sources else { return Ok(None) };
        let source = match &mut self.source {
            Some(source) => source,
            lost => lost.insert(sources.open_source().await.map_err(Failure::source)?),
        };
        let object = match source.stat(key).await {
            Ok(object) => object,
            Err(error) if error.code == Code::NOT_FOUND => return Ok(Some(Verdict::Gone)),
            Err(error) => return Err(Failure::source(error)),
        };
        if !record.is_of(&object) {
            return Ok(Some(Verdict::Changed));
        }
        // What would come out of transforms now need not be what came out then: a cipher draws new keys.
        if !sources.recast().is_empty() {
            return Ok(None);
        }
        let Some((algorithm, theirs)) = read.1.iter().next() else { return Ok(None) };
        let gauge = Gauge { meter: &asked.meter, slot };
        let ours = read_back(source, key, &[*algorithm], &asked.tunnel, &context.stop, gauge).await?;
        let differs = ours.0 != read.0 || ours.1.get(algorithm) != Some(theirs);
        // Without a checksum of what was moved, nobody knows which end it is.
        let verdict = if record.checksums.is_empty() { Verdict::Checksum } else { Verdict::Changed };
        Ok(differs.then_some(verdict))
    }
}

/// What the sink tells without being read.
fn told(record: &Record, there: &Object, grade: &mut Option<Grade>) -> Option<Verdict> {
    if let Some((ours, theirs)) = record.size.zip(there.size) {
        if ours != theirs {
            return Some(Verdict::Size);
        }
        *grade = Some(Grade::Size);
    }
    for (algorithm, ours) in &record.checksums {
        match there.checksums.get(algorithm) {
            None => {}
            Some(theirs) if theirs == ours => *grade = Some(Grade::Checksum(*algorithm)),
            Some(_) => return Some(Verdict::Checksum),
        }
    }
    None
}
