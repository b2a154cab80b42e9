//! What lister and workers of a run share: its terms, its figures, its word to stop, and the one place
//! where the end of an object is counted, told and written down. Moves nothing.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tracing::Span;

use super::{Event, Job, Tally, book::Book, crew::Crew, queue::Queue, shared::Shared};
use crate::{
    compare::SkipReason,
    error::{Code, Error},
    journal::told::Told,
    meter::Meter,
    object::{Capabilities, Key, Kind, Object},
    recast::Recast,
    retry::{Jitter, Policy},
    rules::{Overwrite, Selection, Transfer, Verify},
    select::refusal,
    sink::{OpenSink, PUT_BATCH, Replace},
    source::READ_BATCH,
    sync::{Cancel, lock},
    transfer::{Failure, Moved, Terms, Together},
};

/// After so many objects in a row that failed for the same of [`SYSTEMIC_CODES`], the rest would
/// too: enough to tell a full disk from a few quotas, and quickly said.
const MAX_SYSTEMIC_FAILURES: u32 = 20;
/// Failures that concern a store rather than an object.
const SYSTEMIC_CODES: [Code; 3] = [Code::NO_SPACE, Code::READ_ONLY, Code::UNAUTHENTICATED];

/// What lister and workers share.
pub(super) struct Context {
    pub(super) selection: Selection,
    pub(super) transfer: Transfer,
    pub(super) policy: Policy,
    pub(super) seed: u64,
    pub(super) sweep: bool,
    /// Something of this run may have been left at the sink, unfinished.
    pub(super) littered: AtomicBool,
    pub(super) terms: Terms,
    pub(super) source: Capabilities,
    pub(super) queue: Arc<Queue>,
    pub(super) crew: Crew,
    /// At which ends small objects are moved together, if at any.
    pub(super) batches: Option<Together>,
    /// None without a journal, and of a plan.
    pub(super) book: Option<Book>,
    pub(super) meter: Arc<Meter>,
    pub(super) events: Arc<dyn Fn(Event) + Send + Sync>,
    pub(super) cancel: Cancel,
    /// Set by whoever finds that the run can't go on, or can't be whole; the first one counts.
    pub(super) fatal: Mutex<Option<Error>>,
    pub(super) systemic: Mutex<Streak>,
    /// Only of a plan.
    pub(super) tallies: Option<Mutex<Tallies>>,
    /// What everybody works within, where somebody wants traces.
    pub(super) span: Span,
    /// Only of a run of several agents.
    pub(super) shared: Option<Arc<Shared>>,
    /// What the transforms make of what is listed.
    pub(super) recast: Recast,
}

/// Failures in a row for the same systemic code.
#[derive(Debug, Default)]
pub(super) struct Streak {
    pub(super) code: Option<Code>,
    pub(super) length: u32,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tallies {
    pub(super) moves: Tally,
    pub(super) overwrites: Tally,
    pub(super) skips: Tally,
}

// === impl Context ===

impl Context {
    pub(super) fn new(job: Job, tallies: Option<Mutex<Tallies>>, source: &Capabilities, sinks: &impl OpenSink) -> Self {
        let Job { selection, transfer, tunnel, meter, events, cancel, sweep, checksums, seed, .. } = job;
        let terms = Terms {
            tunnel,
            stop: Cancel::new(),
            verify: transfer.verify,
            also: checksums,
            replace: if transfer.overwrite == Overwrite::Never { Replace::Never } else { Replace::Always },
            sink: sinks.capabilities().clone(),
            takes_extents: sinks.takes_extents(),
            part_size: transfer.part_size,
        };
        let crew = Crew::new(transfer.workers.get());
        let batches = match (source.has(READ_BATCH), terms.sink.has(PUT_BATCH)) {
            // What is read back afterwards is read back one by one.
            _ if terms.verify == Verify::Reread => None,
            (true, true) => Some(Together::Both),
            (true, false) => Some(Together::Source),
            (false, true) => Some(Together::Sink),
            (false, false) => None,
        };
        Self {
            policy: Policy { attempts: transfer.attempts, max_pause: transfer.max_backoff },
            selection,
            transfer,
            seed,
            sweep,
            littered: AtomicBool::new(false),
            terms,
            source: source.clone(),
            queue: Arc::default(),
            crew,
            batches: batches.filter(|_| tallies.is_none()),
            book: None,
            meter,
            events,
            cancel,
            fatal: Mutex::default(),
            systemic: Mutex::default(),
            tallies,
            span: Span::current(),
            shared: None,
            recast: Recast::default(),
        }
    }

    pub(super) fn stop(&self) {
        self.queue.stop(&self.terms.stop);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.terms.stop.is_cancelled()
    }

    /// The run can't go on.
    pub(super) fn stop_for(&self, error: Error) {
        self.fail_run(error);
        self.stop();
    }

    /// The run goes on, but it won't have been whole.
    pub(super) fn fail_run(&self, error: Error) {
        lock(&self.fatal).get_or_insert(error);
    }

    pub(super) fn jitter(&self, member: usize) -> Jitter {
        Jitter::new(self.seed.wrapping_add(member as u64).wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(super) fn tell(&self, event: Event) {
        (self.events)(event);
    }

    /// Writes something down; a run whose journal breaks can't go on.
    pub(super) fn note(&self, write: impl FnOnce(&Book) -> Result<(), Error>) {
        if let Some(book) = &self.book
            && let Err(error) = write(book)
            && !self.is_stopped()
        {
            self.stop_for(error);
        }
    }

    /// Something that a worker needs to know of the journal; a run whose journal breaks can't go on.
    pub(super) fn ask<T>(&self, asked: Result<T, Error>) -> Result<T, Failure> {
        asked.map_err(|error| {
            self.stop_for(error);
            Failure::abandoned()
        })
    }

    /// Whether an object of the sink is none of this pipeline's, whatever the source has.
    pub(super) fn is_foreign(&self, object: &Object) -> bool {
        let seen = self.recast.seen_from_source(object);
        seen.is_none_or(|object| refusal(&object, &self.selection).is_some())
    }

    /// An object is whole at the sink; `repaired` if an attempt before this one wasn't.
    pub(super) fn moved(&self, object: &Object, moved: &Moved, attempts: u32, repaired: bool) {
        let Moved { bytes, grade, .. } = *moved;
        // What nobody knew before is known now; it's no mark of the source's object where that has a version.
        let sized = (object.size.is_none() && object.version.is_some() && object.kind == Kind::File)
            .then(|| Object { size: Some(bytes), ..object.clone() });
        let written = sized.as_ref().unwrap_or(object);
        self.note(|book| book.moved(written, moved, attempts));
        self.settle(object.key.as_str(), || Told::moved(written, moved, attempts));
        self.meter.moved.add(1);
        self.meter.repaired.add(u64::from(repaired));
        self.meter.bytes_moved.add(bytes);
        self.expect_instead(object, bytes);
        *lock(&self.systemic) = Streak::default();
        self.tell(Event::ObjectMoved { key: object.key.clone(), bytes, grade, attempts });
    }

    pub(super) fn skipped(&self, object: &Object, reason: SkipReason) {
        self.note(|book| book.skipped(object, &reason));
        self.tell_skipped(object, reason);
    }

    /// The same of what needs no writing down.
    pub(super) fn tell_skipped(&self, object: &Object, reason: SkipReason) {
        self.settle(object.key.as_str(), || Told::skipped(object, &reason));
        self.meter.skipped.add(1);
        if let Some(tallies) = &self.tallies {
            lock(tallies).skips.count(content_bytes(object));
        }
        self.tell(Event::ObjectSkipped { key: object.key.clone(), reason });
    }

    /// What an object was expected to add to the bytes is no longer true.
    pub(super) fn expect_instead(&self, object: &Object, bytes: u64) {
        let expected = content_bytes(object);
        if bytes != expected {
            self.meter.bytes_expected.add(bytes);
            self.meter.bytes_expected.subtract(expected);
        }
    }

    /// An object is given up. Where that says more about a store than about the object, and goes on
    /// saying it, the run is.
    pub(super) fn failed(&self, name: String, error: Error, attempts: u32) {
        self.note(|book| book.failed(&name, &error, attempts));
        self.settle(&name, || Told::failed(&name, &error, attempts));
        self.meter.failed.add(1);
        let mut streak = lock(&self.systemic);
        if !SYSTEMIC_CODES.contains(&error.code) {
            *streak = Streak::default();
        } else if streak.code.as_ref() == Some(&error.code) {
            streak.length += 1;
        } else {
            *streak = Streak { code: Some(error.code.clone()), length: 1 };
        }
        let hopeless = streak.length >= MAX_SYSTEMIC_FAILURES;
        drop(streak);
        self.tell(Event::ObjectFailed { name, error: error.clone(), attempts });
        if hopeless && !self.is_stopped() {
            self.stop_for(error);
        }
    }

    /// A directory's own attributes are as they are to be, or there are none.
    pub(super) fn folder_is_done(&self, object: &Object) {
        self.settle(object.key.as_str(), || Told::folder(object));
    }

    fn settle(&self, key: &str, told: impl Fn() -> Told) {
        if let Some(shared) = &self.shared {
            shared.settle(key, told);
        }
    }

    pub(super) fn listing_is_done(&self) {
        self.meter.listing_done.store(true, Ordering::Relaxed);
        self.queue.end_listing();
    }

    /// Tells of another attempt and pauses before it; false if the run is stopped meanwhile.
    pub(super) async fn pause(&self, key: Option<Key>, part: Option<u32>, error: Error, retry: NextAttempt) -> bool {
        self.meter.retries.add(1);
        let NextAttempt { failed, pause } = retry;
        self.tell(Event::Retry { key, part, error, attempt: failed, pause });
        self.terms.stop.or(tokio::time::sleep(pause)).await.is_ok()
    }
}

/// The bytes that moving an object moves, as far as its listing tells.
pub(super) fn content_bytes(object: &Object) -> u64 {
    if object.kind == Kind::File { object.size.unwrap_or(0) } else { 0 }
}

/// Another attempt, behind a pause.
pub(super) struct NextAttempt {
    /// The one that failed, from 1.
    pub(super) failed: u32,
    pub(super) pause: std::time::Duration,
}
