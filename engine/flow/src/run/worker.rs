//! One worker: takes things from the queue and does them with its own source and sink instance,
//! again where that may help. Never touches bytes.

mod batch;
mod copies;
mod proof;
mod uploads;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span};

use super::{
    Context, Event, NextAttempt, content_bytes,
    crew::{Manners, is_crowded},
    queue::{Listed, Place, Work},
};
use crate::{
    compare::{Decision, MoveReason, SkipReason, decide},
    error::{Code, Error},
    listing::{Due, Folder},
    meter::Slot,
    object::{Key, Kind, Object},
    retry::{Jitter, Retry},
    rules::Overwrite,
    sink::{OpenSink, Replace, Sink},
    source::{OpenSource, Source},
    sync::lock,
    trace,
    transfer::{self, Failure, GRACE, Gauge, Moved},
};

/// How long an abort or a deletion may take while the run goes on: what it leaves costs space, not
/// truth.
const CLEANING_TIMEOUT: Duration = Duration::from_secs(30);

/// After these a sink may not have been able to remove what it had begun.
const LITTERING_CODES: [Code; 3] = [Code::CONNECTION_FAILED, Code::TIMEOUT, Code::UNAVAILABLE];

pub(super) struct Worker<So: OpenSource, Si: OpenSink> {
    context: Arc<Context>,
    sources: Arc<So>,
    sinks: Arc<Si>,
    /// None before the first use and after the instance was lost.
    source: Option<So::Source>,
    sink: Option<Si::Sink>,
    /// Opened when it's first needed.
    read_back: Option<Si::ReadBack>,
    jitter: Jitter,
    manners: Manners,
    number: usize,
    /// The store refused to copy by itself: the bytes go through here then.
    copies_refused: bool,
    /// When cleaning up after a stop must be over.
    clean_until: Option<Instant>,
}

/// An object in hand.
struct Task {
    object: Object,
    folder: Option<Arc<Folder>>,
    /// The object must be looked up again before it's read again.
    stale: bool,
    /// The sink doesn't have it, and needn't be asked.
    absent: bool,
    /// It has been compared and is to be moved.
    decided: bool,
    /// An attempt failed verification.
    mismatched: bool,
    /// Its own, where somebody wants traces.
    span: Span,
}

enum Outcome {
    Moved(Moved),
    Skipped(SkipReason),
    Planned {
        reason: MoveReason,
        overwrites: bool,
    },
    /// Its parts are in the queue.
    Uploading,
}

// === impl Worker ===

impl<So: OpenSource, Si: OpenSink> Worker<So, Si> {
    pub(super) fn new(context: Arc<Context>, sources: Arc<So>, sinks: Arc<Si>, number: usize) -> Self {
        let jitter = context.jitter(number);
        Self {
            context,
            sources,
            sinks,
            source: None,
            sink: None,
            read_back: None,
            jitter,
            manners: Manners::default(),
            number,
            copies_refused: false,
            clean_until: None,
        }
    }

    pub(super) async fn run(mut self) {
        if let Err(error) = self.open().await {
            if !self.context.is_stopped() {
                self.context.stop_for(error);
            }
            return;
        }
        let mut place = Place::new(Arc::clone(&self.context.queue));
        while let Some(work) = place.next(self.batching()).await {
            let crowded = match work {
                Work::Directory(due) => self.directory(due).await,
                Work::Part(upload, part) => self.part(&upload, part).await,
                Work::Object(listed) => self.object(listed, None).await,
                Work::Batch(batch) => self.batch(batch).await,
            };
            let crew = &self.context.crew;
            if crowded || (crew.is_asked() && crew.may_leave()) {
                (self.source, self.sink, self.read_back) = (None, None, None);
                let context = Arc::clone(&self.context);
                self.manners.wait_aside(&context, &mut place, &mut self.jitter).await;
            } else if crew.is_too_fast() && crew.may_leave() {
                let context = Arc::clone(&self.context);
                self.manners.wait_for_room(&context, &mut place).await;
            }
        }
        self.end_uploads().await;
    }

    /// Opens both instances before anything is taken in hand: a store that can't be opened at all
    /// ends the run at once.
    async fn open(&mut self) -> Result<(), Error> {
        let mut retry = Retry::new(self.context.policy, 0);
        let stop = self.context.terms.stop.clone();
        loop {
            let Ok(opened) = stop.or(self.instances()).await else { return Ok(()) };
            let Err(error) = opened.map(|_| ()) else { return Ok(()) };
            let failed = retry.attempt();
            let Some(pause) = retry.after(&error, &mut self.jitter) else { return Err(error) };
            self.context.pause(None, None, error, NextAttempt { failed, pause }).await;
        }
    }

    /// Both instances, opened again where one was lost.
    async fn instances(&mut self) -> Result<(&mut So::Source, &mut Si::Sink), Error> {
        let source = match &mut self.source {
            Some(source) => source,
            lost => lost.insert(self.sources.open_source().await?),
        };
        let sink = match &mut self.sink {
            Some(sink) => sink,
            lost => lost.insert(self.sinks.open_sink().await?),
        };
        Ok((source, sink))
    }

    /// The same, unless the run is stopped first.
    async fn live_instances(&mut self) -> Result<(&mut So::Source, &mut Si::Sink), Failure> {
        let stop = self.context.terms.stop.clone();
        Ok(stop.or(self.instances()).await??)
    }

    /// Moves an object, of which the first attempt may have failed already.
    /// True where a store had no place for this worker and the object is back in the queue.
    async fn object(&mut self, listed: Listed, failed: Option<Failure>) -> bool {
        let span = trace::object(&listed.object);
        self.try_object(listed, failed).instrument(span).await
    }

    async fn try_object(&mut self, listed: Listed, mut failed: Option<Failure>) -> bool {
        let context = Arc::clone(&self.context);
        let gauge = self.gauge(&context);
        let mut retry = Retry::new(context.policy, listed.attempts);
        let mut task = Task::of(listed);
        gauge.slot.begin(&task.object.key, content_bytes(&task.object));
        let crowded = loop {
            let attempt = match failed.take() {
                Some(failure) => Err(failure),
                None => {
                    let span = trace::attempt(retry.attempt());
                    let attempt = self.attempt(&mut task, retry.attempt(), gauge).instrument(span.clone()).await;
                    trace::judge(&span, attempt.as_ref().err().map(|failure| &failure.error));
                    attempt
                }
            };
            let failure = match attempt {
                Ok(outcome) => {
                    self.manners.forget();
                    context.crew.succeed();
                    self.end(task, outcome, retry.attempt());
                    break false;
                }
                Err(failure) if is_crowded(&failure) && context.crew.may_leave() => {
                    let Task { object, folder, absent, mismatched, .. } = task;
                    let attempts = retry.attempt() - 1;
                    context.queue.push_again(Listed { object, folder, attempts, absent, mismatched });
                    break true;
                }
                Err(failure) => failure,
            };
            task.stale = is_stale(&failure.error);
            // Somebody wrote there since the comparison: what's to be done is another question now.
            task.decided &= !(failure.from_sink && failure.error.code == Code::CHANGED);
            task.mismatched |= failure.error.code == Code::CHECKSUM_MISMATCH;
            if let Err(error) = self.again(failure, &mut retry, &task.object.key, None).await {
                self.give_up(&task.object, error, retry.attempt());
                break false;
            }
        };
        gauge.slot.end();
        crowded
    }

    async fn attempt(&mut self, task: &mut Task, attempt: u32, gauge: Gauge<'_>) -> Result<Outcome, Failure> {
        let context = Arc::clone(&self.context);
        let stop = &context.terms.stop;
        if task.stale {
            let (source, _) = self.live_instances().await?;
            let now = stop.or(source.stat(&task.object.key)).await?.map_err(Failure::source)?;
            context.expect_instead(&task.object, content_bytes(&now));
            task.object = now;
            task.stale = false;
        }
        if let Kind::Other(kind) = &task.object.kind {
            return Ok(Outcome::Skipped(SkipReason::UnknownKind(kind.clone())));
        }
        if !task.decided {
            match self.compare(&task.object, task.absent).await? {
                (Decision::Skip(reason), _) => return Ok(Outcome::Skipped(reason)),
                (Decision::Move(reason), overwrites) if context.tallies.is_some() => {
                    return Ok(Outcome::Planned { reason, overwrites });
                }
                (Decision::Move(_), _) => task.decided = true,
            }
        }
        if let Some(outcome) = self.copy(task, attempt, gauge).await? {
            return Ok(outcome);
        }
        if self.moves_in_parts(&task.object) {
            return self.begin(task, attempt).await;
        }
        let (source, sink) = self.live_instances().await?;
        match transfer::put(source, sink, &task.object, &context.terms, gauge).await {
            // Somebody was faster since the comparison.
            Err(failure) if self.is_no_replacement(&failure) => Ok(Outcome::Skipped(SkipReason::Exists)),
            moved => self.prove(&task.object.key, moved?, gauge).await.map(Outcome::Moved),
        }
    }

    /// What's to be done with an object, and whether the sink has one. Asks the sink unless the
    /// answer changes nothing.
    async fn compare(&mut self, object: &Object, absent: bool) -> Result<(Decision, bool), Failure> {
        let context = Arc::clone(&self.context);
        let overwrite = context.transfer.overwrite;
        if overwrite == Overwrite::Always && context.tallies.is_none() {
            return Ok((Decision::Move(MoveReason::Always), true));
        }
        if absent {
            return Ok((Decision::Move(MoveReason::Missing), false));
        }
        let (_, sink) = self.live_instances().await?;
        let there = match context.terms.stop.or(sink.stat(&object.key)).await? {
            Ok(there) => Some(there),
            Err(error) if error.code == Code::NOT_FOUND => None,
            Err(error) => return Err(Failure::sink(error)),
        };
        Ok((decide(object, there.as_ref(), overwrite, &context.terms.sink), there.is_some()))
    }

    fn end(&self, task: Task, outcome: Outcome, attempts: u32) {
        let Task { object, folder, mismatched, .. } = task;
        let context = &self.context;
        match outcome {
            Outcome::Moved(moved) => {
                trace::outcome("moved");
                context.moved(&object, &moved, attempts, mismatched);
                if let Some(folder) = &folder {
                    folder.touch();
                    folder.settle();
                }
            }
            Outcome::Skipped(reason) => {
                trace::outcome("skipped");
                context.expect_instead(&object, 0);
                context.skipped(&object, reason);
                if let Some(folder) = &folder {
                    folder.settle();
                }
            }
            Outcome::Planned { reason, overwrites } => {
                if let Some(tallies) = &context.tallies {
                    let mut tallies = lock(tallies);
                    let tally = if overwrites { &mut tallies.overwrites } else { &mut tallies.moves };
                    tally.count(content_bytes(&object));
                }
                let bytes = content_bytes(&object);
                context.tell(Event::ObjectPlanned { key: object.key, bytes, overwrites, reason });
            }
            Outcome::Uploading => {}
        }
    }

    /// Puts a directory's own attributes once its content is done, and writes down that it's whole;
    /// releases its parent.
    /// True if a store has no place for this worker: the directory is back in the queue then.
    async fn directory(&mut self, due: Due) -> bool {
        let object = &due.object;
        let tells = !object.attributes.is_empty() || object.modified.is_some();
        let puts = due.mark.kept && tells && self.context.terms.sink.has("directories");
        let mut retry = Retry::new(self.context.policy, 0);
        while puts && let Err(failure) = self.try_directory(object, due.mark.touched).await {
            if is_crowded(&failure) && self.context.crew.may_leave() {
                self.context.queue.push_due(due);
                return true;
            }
            if let Err(error) = self.again(failure, &mut retry, &object.key, None).await {
                if !self.context.is_stopped() {
                    self.context.meter.listed.add(1);
                }
                self.give_up(object, error, retry.attempt());
                return false;
            }
        }
        if !self.context.is_stopped() {
            self.context.folder_is_done(object);
        }
        if due.whole {
            self.context.note(|book| book.whole(object, due.mark));
            if let Some(parent) = &due.parent {
                parent.settle();
            }
        }
        // Its parent goes with it, and not before: the parent's time must be the last thing that's written to it.
        false
    }

    async fn try_directory(&mut self, object: &Object, touched: bool) -> Result<(), Failure> {
        let context = Arc::clone(&self.context);
        if !touched {
            let known = context.book.as_ref().map(|book| context.ask(book.folder_is_done(object))).transpose()?;
            if known == Some(true) {
                return Ok(());
            }
            if let (Decision::Skip(reason), _) = self.compare(object, false).await? {
                if reason == SkipReason::Same {
                    context.note(|book| book.folder(object));
                }
                return Ok(());
            }
        }
        let (_, sink) = self.live_instances().await?;
        transfer::put_empty(sink, object, Replace::Always, &context.terms).await?;
        context.note(|book| book.folder(object));
        Ok(())
    }

    /// Whether a failure may be tried again, after the pause that this takes. The error where it
    /// may not, or where the run is stopped.
    async fn again(&mut self, failure: Failure, retry: &mut Retry, key: &Key, part: Option<u32>) -> Result<(), Error> {
        let error = self.settle_failure(failure, key).await;
        if self.context.is_stopped() {
            return Err(error);
        }
        if error.code == Code::THROTTLED {
            self.context.crew.slow_down();
        }
        let failed = retry.attempt();
        let Some(pause) = retry.after(&error, &mut self.jitter) else { return Err(error) };
        let went_on = self.context.pause(Some(key.clone()), part, error.clone(), NextAttempt { failed, pause }).await;
        if went_on { Ok(()) } else { Err(error) }
    }

    /// Lets go of the instances that a failure took with it, and of what it left at the sink.
    async fn settle_failure(&mut self, failure: Failure, key: &Key) -> Error {
        if failure.source_lost {
            self.source = None;
        }
        if failure.sink_lost {
            self.sink = None;
        }
        if failure.sink_lost || failure.from_sink && LITTERING_CODES.contains(&failure.error.code) {
            self.context.littered.store(true, Ordering::Relaxed);
        }
        if failure.left_corrupt {
            self.context.note(|book| book.lost(key));
            self.delete(key).await;
        }
        failure.error.with_key(key)
    }

    /// Takes back an object that isn't what was sent: nobody may find it under its name, and
    /// `overwrite = "never"` must not keep it.
    async fn delete(&mut self, key: &Key) {
        let limit = self.cleaning_limit();
        match timeout(limit, async { self.instances().await?.1.delete(key).await }).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                if error.instance_lost {
                    self.sink = None;
                }
                tracing::warn!(%error, "an object that failed verification can't be deleted");
            }
            Err(_) => {
                self.sink = None;
                tracing::warn!(%key, "an object that failed verification wasn't deleted in time");
            }
        }
    }

    /// How long cleaning up may take. Once the run is stopped, all that a worker has to clean up
    /// together may take as long as the call in flight before it.
    fn cleaning_limit(&mut self) -> Duration {
        if !self.context.is_stopped() {
            return CLEANING_TIMEOUT;
        }
        let until = *self.clean_until.get_or_insert_with(|| Instant::now() + GRACE);
        until.saturating_duration_since(Instant::now())
    }

    /// An object can't be moved; unless it only was interrupted.
    fn give_up(&self, object: &Object, error: Error, attempts: u32) {
        trace::judge(&Span::current(), Some(&error));
        if !self.context.is_stopped() {
            trace::outcome("failed");
            self.context.expect_instead(object, 0);
            self.context.failed(object.key.as_str().to_owned(), error, attempts);
        }
    }

    fn is_no_replacement(&self, failure: &Failure) -> bool {
        self.context.terms.replace == Replace::Never && failure.error.code == Code::ALREADY_EXISTS
    }

    fn gauge<'a>(&self, context: &'a Context) -> Gauge<'a> {
        let slot: &Slot = context.meter.slot(self.number);
        Gauge { meter: &context.meter, slot }
    }
}

// === impl Task ===

impl Task {
    fn of(listed: Listed) -> Self {
        let Listed { object, folder, attempts, absent, mismatched } = listed;
        let again = attempts > 0;
        Self { object, folder, stale: again, absent, decided: again, mismatched, span: Span::current() }
    }
}

/// Whether what was listed may not be what's there now.
fn is_stale(error: &Error) -> bool {
    [Code::CHANGED, Code::CHECKSUM_MISMATCH, Code::TRUNCATED].contains(&error.code)
}
