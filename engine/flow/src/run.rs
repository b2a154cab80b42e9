//! One run of a pipeline: a lister, workers, and the summary of what they did. Moves nothing itself;
//! what it keeps for the next run is in the journal, if it has one.
//!
//! The lister walks the source with an instance of its own and fills a bounded queue; each worker
//! owns one source and one sink instance, compares, and moves objects or parts of them.

mod book;
mod clean;
mod context;
mod crew;
mod event;
mod lister;
mod mirror;
mod queue;
mod shared;
mod spawn;
#[cfg(test)]
mod tests;
mod view;
mod worker;

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, atomic::Ordering},
};

use tokio::time::Instant;
use tracing::{
    Span,
    instrument::{Instrument, Instrumented},
};

pub(crate) use self::spawn::everybody;
use self::{
    book::Book,
    context::{Context, NextAttempt, Tallies, content_bytes},
    lister::Lister,
    shared::{Leader, Shared, Taker},
    worker::Worker,
};
pub use self::{
    event::{Event, Plan, State, Summary, Tally},
    spawn::{LocalFuture, Lost, Spawn, ThreadPerWorker, Work},
};
pub use crate::transfer::Grade;
use crate::{
    error::{Code, Error},
    journal::Journal,
    meter::Meter,
    object::{Algorithm, Capabilities},
    recast::Recast,
    rules::{DeleteExtra, Selection, Transfer, Verify},
    share::Share,
    sink::{OpenSink, READ_BACK},
    source::OpenSource,
    sync::{Cancel, lock},
    tunnel::Tunnel,
};

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
    /// Computed over every object besides what verification needs, for the manifest. Objects that move
    /// in parts have only those of them that combine: CRCs.
    pub checksums: Vec<Algorithm>,
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
    run_as(job, None, sources, sinks, spawn).await.0
}

/// The same as one of several agents: what this one did, and what all did where it has ended the run. Needs a
/// journal. Neither sweeps before it nor deletes behind it.
pub async fn run_shared<So: OpenSource, Si: OpenSink>(
    job: Job,
    share: Arc<dyn Share>,
    sources: Arc<So>,
    sinks: Arc<Si>,
    spawn: &impl Spawn,
) -> (Summary, Option<Summary>) {
    run_as(job, Some(share), sources, sinks, spawn).await
}

async fn run_as<So: OpenSource, Si: OpenSink>(
    job: Job,
    share: Option<Arc<dyn Share>>,
    sources: Arc<So>,
    sinks: Arc<Si>,
    spawn: &impl Spawn,
) -> (Summary, Option<Summary>) {
    let begin = Instant::now();
    let overwrite = job.transfer.overwrite;
    let refused = refusal(&job, sinks.capabilities(), &sources.recast());
    let journal = job.journal.as_ref().filter(|_| refused.is_none());
    let opened = journal.map(|journal| Book::begin(journal, job.round, &job.meter, overwrite));
    let (book, refused) = opened.transpose().map_or_else(|error| (None, Some(error)), |book| (book, refused));
    let delete_extra = job.delete_extra.clone();
    let book = if share.is_some() { book.map(Book::shared) } else { book };
    let shared = share.map(|share| Arc::new(Shared::new(share)));
    let context = Context::new(job, None, sources.capabilities(), &*sinks);
    let context = Arc::new(Context { book, shared, recast: sources.recast(), ..context });
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
    let totals = context.shared.as_ref().and_then(|shared| lock(&shared.totals).take());
    if let Some(book) = &context.book
        && let Err(error) = book.end(totals.as_ref().unwrap_or(&summary), context.queue.is_finished(), totals.is_some())
    {
        summary.state = State::Failed(error);
    }
    context.tell(Event::RunFinished(summary.clone()));
    (summary, totals)
}

/// Work that's part of a span, whatever thread does it.
fn within<T>(span: Span, work: impl Future<Output = T>) -> Instrumented<impl Future<Output = T>> {
    work.instrument(span)
}

/// Why a run can't begin at all.
fn refusal(job: &Job, sink: &Capabilities, recast: &Recast) -> Option<Error> {
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
    let by_size = job.selection.min_size.is_some() || job.selection.max_size.is_some();
    if job.delete_extra.is_some() && by_size && !recast.is_empty() {
        let message = "the sizes at the sink are those of transformed objects, so delete_extra can't tell which of \
            them min_size and max_size would have taken; leave one or the other out";
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
    let context = Context::new(job, tallies, sources.capabilities(), &*sinks);
    let context = Arc::new(Context { recast: sources.recast(), ..context });
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

// === impl Job ===

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selection, transfer, tunnel, seed, .. } = self;
        let mut debug = formatter.debug_struct("Job");
        debug.field("selection", selection).field("transfer", transfer);
        debug.field("tunnel", tunnel).field("seed", seed).finish_non_exhaustive()
    }
}

// === impl Context: who does what ===

impl Context {
    /// Starts everybody, waits for them, and says how it ended.
    async fn work<So: OpenSource, Si: OpenSink>(
        self: &Arc<Self>,
        sources: &Arc<So>,
        sinks: &Arc<Si>,
        spawn: &impl Spawn,
    ) -> State {
        let is_resumed = self.book.as_ref().is_some_and(Book::is_resumed);
        if self.shared.is_none() && (self.sweep || is_resumed) {
            let (context, sinks) = (Arc::clone(self), Arc::clone(sinks));
            // Its own failure is told; a thread that dies is no reason not to move.
            let _ = spawn
                .spawn(
                    "sweeper".into(),
                    Box::new(|| Box::pin(within(context.span.clone(), clean::sweep(context, sinks)))),
                )
                .await;
        }
        let mut crew = Vec::with_capacity(self.transfer.workers.get() + 1);
        let (context, source, sink) = (Arc::clone(self), Arc::clone(sources), Arc::clone(sinks));
        if let Some(shared) = &self.shared {
            let taker = Taker::new(Arc::clone(self), Arc::clone(shared));
            crew.push(spawn.spawn("taker".into(), Box::new(|| Box::pin(taker.run()))));
            let leader = Leader::new(context, Arc::clone(shared), source, sink);
            let span = self.span.clone();
            crew.push(spawn.spawn("lister".into(), Box::new(|| Box::pin(within(span, leader.run())))));
        } else {
            let list = || -> LocalFuture<()> {
                let span = context.span.clone();
                Box::pin(within(span, Lister::new(context, source, sink).run()))
            };
            crew.push(spawn.spawn("lister".into(), Box::new(list)));
        }
        for number in 0..self.transfer.workers.get() {
            let (context, sources, sinks) = (Arc::clone(self), Arc::clone(sources), Arc::clone(sinks));
            let work = move || -> LocalFuture<()> {
                let span = context.span.clone();
                Box::pin(within(span, Worker::new(context, sources, sinks, number).run()))
            };
            crew.push(spawn.spawn(format!("worker-{number}"), Box::new(work)));
        }
        let mut everybody = pin!(everybody(crew, || {
            self.stop_for(Error::new(Code::INTERNAL, "open", "a worker's thread ended before its work did"));
        }));
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
        let deletes = delete_extra.is_some();
        let cleaning = async move || {
            clean::end_orphans(&context, &*sinks).await;
            if context.littered.load(Ordering::Relaxed) {
                clean::sweep(Arc::clone(&context), Arc::clone(&sinks)).await;
            }
            let Some(rules) = delete_extra else { return };
            let mirroring = mirror::mirror(&context, &*sinks, &rules);
            // What is deleted is deleted; the rest is the next run's.
            if let Ok(Err(error)) = context.cancel.or(mirroring).await {
                context.fail_run(error);
            }
        };
        let span = self.span.clone();
        // A thread that dies leaves work for the next run.
        let died = spawn
            .spawn("sweeper".into(), Box::new(|| Box::pin(within(span, async move { cleaning().await }))))
            .await
            .is_err();
        match lock(&self.fatal).take() {
            Some(error) => State::Failed(error),
            None if died || deletes && self.cancel.is_cancelled() => State::Interrupted,
            None => State::Finished,
        }
    }
}
