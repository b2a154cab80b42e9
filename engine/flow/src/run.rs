//! One run of a pipeline: a lister, workers, and the summary of what they did. Moves nothing itself;
//! what it keeps for the next run is in the journal, if it has one.
//!
//! The lister walks the source with an instance of its own and fills a bounded queue; each worker
//! owns one source and one sink instance, compares, and moves objects or parts of them.

mod book;
mod clean;
mod crew;
mod event;
mod lister;
mod mirror;
mod queue;
mod spawn;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    fmt,
    sync::{Arc, Mutex, atomic::Ordering},
    task::Poll,
};

use tokio::time::Instant;

use self::{book::Book, lister::Lister, queue::Queue, worker::Worker};
pub use self::{
    event::{Event, Plan, State, Summary, Tally},
    spawn::{LocalFuture, Lost, Spawn, ThreadPerWorker, Work},
};
pub use crate::transfer::Grade;
use crate::{
    compare::SkipReason,
    error::{Code, Error},
    journal::Journal,
    meter::Meter,
    object::{Capabilities, Key, Kind, Object},
    retry::{Jitter, Policy},
    rules::{DeleteExtra, Overwrite, Selection, Transfer, Verify},
    sink::{OpenSink, READ_BACK, Replace},
    source::OpenSource,
    sync::{Cancel, lock},
    transfer::{Failure, Moved, Terms},
    tunnel::Tunnel,
};

/// After so many objects in a row that failed for the same of [`SYSTEMIC_CODES`], the rest would
/// too: enough to tell a full disk from a few quotas, and quickly said.
const MAX_SYSTEMIC_FAILURES: u32 = 20;
/// Failures that concern a store rather than an object.
const SYSTEMIC_CODES: [Code; 3] = [Code::NO_SPACE, Code::READ_ONLY, Code::UNAUTHENTICATED];

/// What a run is told. [`Meter::new`] must be given as many workers as `transfer` has.
#[derive(Clone)]
pub struct Job {
    pub selection: Selection,
    pub transfer: Transfer,
    pub tunnel: Tunnel,
    pub meter: Arc<Meter>,
    /// Called from the workers' threads; it must be quick.
    pub events: Arc<dyn Fn(Event) + Send + Sync>,
    /// Stops the run within twice two seconds, cleaning up what is in flight.
    pub cancel: Cancel,
    /// The run before this one didn't end in order: what it left at the sink is removed first.
    pub sweep: bool,
    /// What is done is written down here, and what was done before isn't done again.
    pub journal: Option<Arc<Journal>>,
    /// The round that this is, from 1; where the journal's last run didn't end in order, this one is
    /// the rest of it.
    pub round: u32,
    /// What the source doesn't have is removed from the sink after a run without failures; needs a
    /// journal.
    pub delete_extra: Option<DeleteExtra>,
    /// Spreads the pauses between attempts.
    pub seed: u64,
}

/// Moves what the job says.
pub async fn run<So: OpenSource, Si: OpenSink>(
    job: Job,
    sources: Arc<So>,
    sinks: Arc<Si>,
    spawn: &impl Spawn,
) -> Summary {
    let begin = Instant::now();
    let overwrite = job.transfer.overwrite;
    let opened = job.journal.as_ref().map(|journal| Book::begin(journal, job.round, &job.meter, overwrite));
    let (book, refused) = opened.transpose().map_or_else(|error| (None, Some(error)), |book| (book, None));
    let delete_extra = job.delete_extra;
    let refused = refused.or_else(|| refusal(&job, sinks.capabilities()));
    let context = Arc::new(Context { book, ..Context::new(job, None, sources.capabilities(), &*sinks) });
    context.tell(Event::RunStarted);
    let state = match refused {
        None => context.work(&sources, &sinks, spawn).await,
        Some(error) => State::Failed(error),
    };
    let state = match state {
        State::Finished => context.end(&sinks, spawn, delete_extra).await,
        state => state,
    };
    let mut summary = Summary::of(&context.meter, begin.elapsed(), state);
    if let Some(book) = &context.book
        && let Err(error) = book.end(&summary)
    {
        summary.state = State::Failed(error);
    }
    context.tell(Event::RunFinished(summary.clone()));
    summary
}

/// Why a run can't begin at all.
fn refusal(job: &Job, sink: &Capabilities) -> Option<Error> {
    let readable = sink.has(READ_BACK);
    if job.transfer.verify == Verify::Reread && !readable {
        let message = "the sink can't be read back: write verify = \"checksum\" or \"size\" instead of \"reread\"";
        return Some(Error::new(Code::UNSUPPORTED, "verify", message));
    }
    if job.delete_extra.is_some() && !readable {
        let message = "the sink can't be listed, so delete_extra can't find what is to be deleted";
        return Some(Error::new(Code::UNSUPPORTED, "delete", message));
    }
    if job.delete_extra.is_some() && job.journal.is_none() {
        let message = "delete_extra needs a journal: it says what the source has";
        return Some(Error::new(Code::INVALID_CONFIG, "delete", message));
    }
    None
}

/// Lists and compares as [`run`] does, and writes nothing: says what would be moved, overwritten and
/// skipped, by [`Event::ObjectPlanned`] and [`Event::ObjectSkipped`] and in all.
pub async fn plan<So: OpenSource, Si: OpenSink>(
    job: Job,
    sources: Arc<So>,
    sinks: Arc<Si>,
    spawn: &impl Spawn,
) -> Plan {
    let tallies = Some(Mutex::new(Tallies::default()));
    let context = Arc::new(Context::new(job, tallies, sources.capabilities(), &*sinks));
    let state = context.work(&sources, &sinks, spawn).await;
    let tallies = context.tallies.as_ref().map(|tallies| *lock(tallies)).unwrap_or_default();
    Plan {
        listed: context.meter.listed.get(),
        moves: tallies.moves,
        overwrites: tallies.overwrites,
        skips: tallies.skips,
        failed: context.meter.failed.get(),
        state,
    }
}

/// What lister and workers share.
struct Context {
    selection: Selection,
    transfer: Transfer,
    policy: Policy,
    seed: u64,
    sweep: bool,
    terms: Terms,
    source: Capabilities,
    queue: Arc<Queue>,
    crew: crew::Crew,
    /// None without a journal, and of a plan.
    book: Option<Book>,
    meter: Arc<Meter>,
    events: Arc<dyn Fn(Event) + Send + Sync>,
    cancel: Cancel,
    /// Set by whoever finds that the run can't go on, or can't be whole; the first one counts.
    fatal: Mutex<Option<Error>>,
    systemic: Mutex<Streak>,
    /// Only of a plan.
    tallies: Option<Mutex<Tallies>>,
}

/// Failures in a row for the same systemic code.
#[derive(Debug, Default)]
struct Streak {
    code: Option<Code>,
    length: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tallies {
    moves: Tally,
    overwrites: Tally,
    skips: Tally,
}

// === impl Job ===

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selection, transfer, tunnel, seed, .. } = self;
        let mut debug = formatter.debug_struct("Job");
        debug.field("selection", selection).field("transfer", transfer);
        debug.field("tunnel", tunnel).field("seed", seed).finish_non_exhaustive()
    }
}

// === impl Context ===

impl Context {
    fn new(job: Job, tallies: Option<Mutex<Tallies>>, source: &Capabilities, sinks: &impl OpenSink) -> Self {
        let Job { selection, transfer, tunnel, meter, events, cancel, sweep, seed, .. } = job;
        let terms = Terms {
            tunnel,
            stop: Cancel::new(),
            verify: transfer.verify,
            replace: if transfer.overwrite == Overwrite::Never { Replace::Never } else { Replace::Always },
            sink: sinks.capabilities().clone(),
            takes_extents: sinks.takes_extents(),
        };
        Self {
            policy: Policy { attempts: transfer.attempts, max_pause: transfer.max_backoff },
            crew: crew::Crew::new(transfer.workers.get()),
            selection,
            transfer,
            seed,
            sweep,
            terms,
            source: source.clone(),
            queue: Arc::default(),
            book: None,
            meter,
            events,
            cancel,
            fatal: Mutex::default(),
            systemic: Mutex::default(),
            tallies,
        }
    }

    /// Starts everybody, waits for them, and says how it ended.
    async fn work<So: OpenSource, Si: OpenSink>(
        self: &Arc<Self>,
        sources: &Arc<So>,
        sinks: &Arc<Si>,
        spawn: &impl Spawn,
    ) -> State {
        if self.sweep || self.book.as_ref().is_some_and(Book::is_resumed) {
            let (context, sinks) = (Arc::clone(self), Arc::clone(sinks));
            // Its own failure is told; a thread that dies is no reason not to move.
            let _ = spawn.spawn("sweeper".into(), Box::new(|| Box::pin(clean::sweep(context, sinks)))).await;
        }
        let mut crew = Vec::with_capacity(self.transfer.workers.get() + 1);
        let (context, opener) = (Arc::clone(self), Arc::clone(sources));
        crew.push(spawn.spawn("lister".into(), Box::new(|| Box::pin(Lister::new(context, opener).run()))));
        for number in 0..self.transfer.workers.get() {
            let (context, sources, sinks) = (Arc::clone(self), Arc::clone(sources), Arc::clone(sinks));
            let work = move || -> LocalFuture<()> { Box::pin(Worker::new(context, sources, sinks, number).run()) };
            crew.push(spawn.spawn(format!("worker-{number}"), Box::new(work)));
        }
        // All at once: whoever waits for a worker that died must hear of it.
        let mut everybody = std::future::poll_fn(|task| {
            crew.retain_mut(|member| match member.as_mut().poll(task) {
                Poll::Ready(Err(Lost)) => {
                    self.stop_for(Error::new(Code::INTERNAL, "open", "a worker's thread ended before its work did"));
                    false
                }
                Poll::Ready(Ok(())) => false,
                Poll::Pending => true,
            });
            if crew.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            () = &mut everybody => {}
            () = self.cancel.cancelled() => {
                self.stop();
                everybody.await;
            }
        }
        match lock(&self.fatal).take() {
            Some(error) => State::Failed(error),
            None if self.queue.is_finished() => State::Finished,
            None => State::Interrupted,
        }
    }

    /// What's left to do once everything has been moved.
    async fn end<Si: OpenSink>(
        self: &Arc<Self>,
        sinks: &Arc<Si>,
        spawn: &impl Spawn,
        delete_extra: Option<DeleteExtra>,
    ) -> State {
        let (context, sinks) = (Arc::clone(self), Arc::clone(sinks));
        let cleaning = async move || {
            clean::end_orphans(&context, &*sinks).await;
            let Some(DeleteExtra { max_percent }) = delete_extra else { return };
            let mirroring = mirror::mirror(&context, &*sinks, max_percent);
            // What is deleted is deleted; the rest is the next run's.
            if let Ok(Err(error)) = context.cancel.or(mirroring).await {
                context.fail_run(error);
            }
        };
        // A thread that dies leaves work for the next run.
        let died = spawn.spawn("sweeper".into(), Box::new(|| Box::pin(async move { cleaning().await }))).await.is_err();
        match lock(&self.fatal).take() {
            Some(error) => State::Failed(error),
            None if died || delete_extra.is_some() && self.cancel.is_cancelled() => State::Interrupted,
            None => State::Finished,
        }
    }

    fn stop(&self) {
        self.queue.stop(&self.terms.stop);
    }

    fn is_stopped(&self) -> bool {
        self.terms.stop.is_cancelled()
    }

    /// The run can't go on.
    fn stop_for(&self, error: Error) {
        self.fail_run(error);
        self.stop();
    }

    /// The run goes on, but it won't have been whole.
    fn fail_run(&self, error: Error) {
        lock(&self.fatal).get_or_insert(error);
    }

    fn jitter(&self, member: usize) -> Jitter {
        Jitter::new(self.seed.wrapping_add(member as u64).wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn tell(&self, event: Event) {
        (self.events)(event);
    }

    /// Writes something down; a run whose journal breaks can't go on.
    fn note(&self, write: impl FnOnce(&Book) -> Result<(), Error>) {
        if let Some(book) = &self.book
            && let Err(error) = write(book)
            && !self.is_stopped()
        {
            self.stop_for(error);
        }
    }

    /// Something that a worker needs to know of the journal; a run whose journal breaks can't go on.
    fn ask<T>(&self, asked: Result<T, Error>) -> Result<T, Failure> {
        asked.map_err(|error| {
            self.stop_for(error);
            Failure::abandoned()
        })
    }

    /// An object is whole at the sink; `repaired` if an attempt before this one wasn't.
    fn moved(&self, object: &Object, moved: &Moved, attempts: u32, repaired: bool) {
        let Moved { bytes, grade, .. } = *moved;
        self.note(|book| book.moved(object, moved, attempts));
        self.meter.moved.add(1);
        self.meter.repaired.add(u64::from(repaired));
        self.meter.bytes_moved.add(bytes);
        self.expect_instead(object, bytes);
        *lock(&self.systemic) = Streak::default();
        self.tell(Event::ObjectMoved { key: object.key.clone(), bytes, grade, attempts });
    }

    fn skipped(&self, object: &Object, reason: SkipReason) {
        self.note(|book| book.skipped(object, &reason));
        self.tell_skipped(object, reason);
    }

    /// The same of what needs no writing down.
    fn tell_skipped(&self, object: &Object, reason: SkipReason) {
        self.meter.skipped.add(1);
        if let Some(tallies) = &self.tallies {
            lock(tallies).skips.count(content_bytes(object));
        }
        self.tell(Event::ObjectSkipped { key: object.key.clone(), reason });
    }

    /// What an object was expected to add to the bytes is no longer true.
    fn expect_instead(&self, object: &Object, bytes: u64) {
        let expected = content_bytes(object);
        if bytes != expected {
            self.meter.bytes_expected.add(bytes);
            self.meter.bytes_expected.subtract(expected);
        }
    }

    /// An object is given up. Where that says more about a store than about the object, and goes on
    /// saying it, the run is.
    fn failed(&self, name: String, error: Error, attempts: u32) {
        self.note(|book| book.failed(&name, &error, attempts));
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

    fn listing_is_done(&self) {
        self.meter.listing_done.store(true, Ordering::Relaxed);
        self.queue.end_listing();
    }

    /// Tells of another attempt and pauses before it; false if the run is stopped meanwhile.
    async fn pause(&self, key: Option<Key>, part: Option<u32>, error: Error, retry: NextAttempt) -> bool {
        self.meter.retries.add(1);
        let NextAttempt { failed, pause } = retry;
        self.tell(Event::Retry { key, part, error, attempt: failed, pause });
        self.terms.stop.or(tokio::time::sleep(pause)).await.is_ok()
    }
}

/// The bytes that moving an object moves, as far as its listing tells.
fn content_bytes(object: &Object) -> u64 {
    if object.kind == Kind::File { object.size.unwrap_or(0) } else { 0 }
}

/// Another attempt, behind a pause.
struct NextAttempt {
    /// The one that failed, from 1.
    failed: u32,
    pause: std::time::Duration,
}
