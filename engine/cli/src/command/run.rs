//! `engine run`: moves what a pipeline selects, round by round, and stops cleanly when it's told to.

pub(super) mod only;
mod reporting;
mod rounds;
pub(super) mod signals;
mod together;

use std::{
    process,
    sync::Arc,
    time::{Duration, SystemTime},
};

use culvert_fleet::FleetRun;
use culvert_flow::{
    error::Code,
    journal::Journal,
    meter::Meter,
    object::Algorithm,
    rules::Selection,
    run::{Job, State, Summary, ThreadPerWorker},
    schedule::Round,
    sync::Cancel,
    trace,
};
use culvert_host::endpoint::SinkEndpoint;
use tokio::task::LocalSet;
use tracing::{Instrument, Span, field::Empty};

use self::{signals::Signals, together::Joined};
use crate::{
    args::{Places, Run as Asked},
    assembly::{Assembly, MissingFolder, Route, assemble_as, seed},
    exit::{Exit, Failure},
    metrics::{self, Metrics},
    output::{Output, Run},
};

/// How often progress is drawn: often enough to look alive.
const TICK: Duration = Duration::from_millis(100);

/// What all rounds have in common.
struct Runner<'a> {
    assembly: &'a Assembly,
    selection: Selection,
    source: Arc<Route>,
    sink: Arc<SinkEndpoint>,
    journal: Arc<Journal>,
    /// Whether the sink is rid of what runs left that nobody remembers.
    sweep: bool,
    json: bool,
    metrics: Arc<Metrics>,
    /// The fleet's run that this is part of; none: it's alone.
    share: Option<Arc<FleetRun>>,
}

/// How a round, or what of it fitted into its window, ended.
struct Ended {
    summary: Summary,
    /// It was stopped because its window closed.
    by_window: bool,
    /// Whether its report was written.
    report: Exit,
}

/// # Errors
/// The pipeline is wrong, or the run couldn't start.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let mut assembly = assemble_as(&asked.pipeline.pipeline.file, places, asked.agent.as_deref())?;
    let selection = only::confine(&assembly.pipeline.selection, &asked.only)?;
    let share = match together::join(&mut assembly, asked, places)? {
        Joined::Alone => None,
        Joined::Together(run) => Some(run),
        Joined::Over => return Ok(Exit::Done),
    };
    let assembly = assembly;
    let runtime = runtime()?;
    LocalSet::new().block_on(&runtime, async {
        let mut signals = Signals::new()?;
        let ends = assembly.ends(MissingFolder::Make)?;
        let (source, sink) = (Arc::new(ends.source), Arc::new(ends.sink));
        let journal = Arc::new(open_journal(&assembly, asked)?);
        match &share {
            Some(run) => together::part_of(run, &assembly, &journal)?,
            None => together::part_of_none(&assembly, &journal)?,
        }
        let (sweep, json) = (asked.restart, asked.pipeline.json);
        let metrics = Arc::new(Metrics::new(&assembly.labels(asked.agent.as_deref()), assembly.tunnel.clone()));
        if let Some(address) = asked.metrics_listen {
            metrics::serve(address, Arc::clone(&metrics)).await?;
        }
        let runner = Runner { assembly: &assembly, selection, source, sink, journal, sweep, json, metrics, share };
        // What this machine did of a fleet's run is reported by the one that ended it.
        if runner.share.is_none()
            && let Err(failure) = reporting::make_up(&runner, &mut signals).await
        {
            crate::output::error(&failure);
            if failure.exit == Exit::Interrupted {
                return Ok(failure.exit);
            }
        }
        rounds::rounds(&runner, &mut signals).await
    })
}

fn open_journal(assembly: &Assembly, asked: &Asked) -> Result<Journal, Failure> {
    let (path, identity) = (assembly.journal(), assembly.identity(asked.only.only.is_some()));
    let opened = if asked.restart { Journal::restart(&path, &identity) } else { Journal::open(&path, &identity) };
    opened.map_err(|error| {
        if error.code == Code::INVALID_CONFIG {
            Failure::usage(error.message)
        } else {
            Failure::could_not_go_on(error.message)
        }
    })
}

/// A small runtime for the thread that watches; workers have their own.
///
/// # Errors
/// The system has no more threads or files.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::could_not_go_on(format!("can't start a runtime: {error}")))
}

/// A job for this pipeline; its events go to `output`.
pub(super) fn job(
    assembly: &Assembly,
    selection: Selection,
    output: &Arc<Output>,
    cancel: Cancel,
    journal: Option<Arc<Journal>>,
) -> Job {
    let pipeline = &assembly.pipeline;
    let output = Arc::clone(output);
    Job {
        selection,
        transfer: pipeline.transfer.clone(),
        tunnel: output.tunnel().clone(),
        meter: Arc::clone(output.meter()),
        events: Arc::new(move |event| output.event(&event)),
        cancel,
        sweep: false,
        delete_extra: journal.as_ref().and(pipeline.delete_extra.clone()),
        journal,
        round: 1,
        checksums: if pipeline.report.sha256sums { vec![Algorithm::Sha256] } else { Vec::new() },
        seed: seed(),
    }
}

/// What is shown of a run of this pipeline.
pub(super) fn output(assembly: &Assembly, round: u32, json: bool, objects: bool) -> Arc<Output> {
    let pipeline = &assembly.pipeline;
    let run = Run {
        id: run_id(SystemTime::now(), seed()),
        pipeline: pipeline.name.clone(),
        round,
        limits: assembly.tunnel_limits,
    };
    let meter = Arc::new(Meter::new(pipeline.transfer.workers.get()));
    Arc::new(Output::new(run, meter, assembly.tunnel.clone(), json, objects))
}

// === impl Runner ===

impl Runner<'_> {
    /// A round's, where somebody wants traces. Without a path: connectors are named by themselves.
    fn span(&self, output: &Output, round: u32) -> Span {
        let labels = self.assembly.labels(None);
        let [source, sink] = self.assembly.names();
        tracing::info_span!(
            target: trace::TARGET,
            "run",
            culvert.run = output.run_id(),
            culvert.pipeline = labels.pipeline,
            culvert.round = round,
            culvert.tunnel = labels.tunnel,
            culvert.source = source,
            culvert.sink = sink,
            culvert.state = Empty,
            culvert.moved = Empty,
            culvert.failed = Empty,
            error.r#type = Empty,
            otel.status_code = Empty,
        )
    }

    /// One round, until it's done or `until` has come.
    ///
    /// # Errors
    /// It couldn't start.
    async fn run(&self, round: Round, until: Option<SystemTime>, signals: &mut Signals) -> Result<Ended, Failure> {
        let Self { assembly, source, sink, journal, .. } = self;
        let cancel = Cancel::new();
        let output = output(assembly, round.number, self.json, false);
        let selection = self.selection.for_round(round.start);
        let rules = selection.clone();
        let mut job = job(assembly, selection, &output, cancel.clone(), Some(Arc::clone(journal)));
        job.sweep = self.sweep && round.number == 1;
        job.round = round.number;
        self.metrics.begin(&job.meter);
        let (metrics, shown) = (Arc::clone(&self.metrics), Arc::clone(&job.events));
        job.events = Arc::new(move |event| {
            metrics.event(&event);
            shown(event);
        });
        let mut ticks = tokio::time::interval(TICK);
        assembly.tell(true);
        let (source, sink, share) = (Arc::clone(source), Arc::clone(sink), self.share.clone());
        let span = self.span(&output, round.number);
        let work = async move {
            match share {
                Some(share) => culvert_flow::run::run_shared(job, share, source, sink, &ThreadPerWorker).await,
                None => (culvert_flow::run::run(job, source, sink, &ThreadPerWorker).await, None),
            }
        };
        let mut running = std::pin::pin!(work.instrument(span.clone()));
        let mut by_window = false;
        let (summary, totals) = loop {
            tokio::select! {
                ended = &mut running => break ended,
                _ = ticks.tick() => {
                    output.tick();
                    if !cancel.is_cancelled() && until.is_some_and(|until| SystemTime::now() >= until) {
                        by_window = true;
                        cancel.cancel();
                    }
                }
                () = signals.next() => {
                    stop(&cancel, by_window);
                    by_window = false;
                }
            }
        };
        record(&span, &summary);
        drop(span);
        let fleet = self.share.as_ref().map(|run| together::totals(run, totals.is_some()));
        output.summary(&summary, fleet.as_ref());
        assembly.tell(false);
        let others_failed = fleet.is_some_and(|fleet| fleet["objects"]["failed"].as_u64().unwrap_or_default() > 0);
        let mut report = if others_failed { Exit::SomeFailed } else { Exit::Done };
        let reports = self.share.is_none() || totals.is_some();
        if reports
            && summary.state != State::Interrupted
            && let Err(failure) = reporting::report(self, output.run_id().to_owned(), rules.hits(), signals).await
        {
            // What was moved is moved, and the next round has a report of its own.
            crate::output::error(&failure);
            report = failure.exit;
        }
        Ok(Ended { summary, by_window, report })
    }
}

/// What a trace says of a run as a whole.
fn record(span: &Span, summary: &Summary) {
    let state = match &summary.state {
        State::Finished => "finished",
        State::Interrupted => "interrupted",
        State::Failed(error) => {
            trace::judge(span, Some(error));
            "failed"
        }
    };
    span.record("culvert.state", state);
    span.record("culvert.moved", summary.moved).record("culvert.failed", summary.failed);
}

/// The first signal ends the run in order, the second at once. A closing window is no signal.
fn stop(cancel: &Cancel, by_window: bool) {
    if cancel.is_cancelled() && !by_window {
        process::exit(Exit::Interrupted as i32);
    }
    tracing::warn!("stopping; what is in flight is cleaned up");
    cancel.cancel();
}

/// Tells runs apart: when it began, to the millisecond, and some chance.
fn run_id(began: SystemTime, chance: u64) -> String {
    let began = jiff::Timestamp::try_from(began).unwrap_or_default();
    format!("{}-{:04x}", began.strftime("%Y%m%dT%H%M%S%3fZ"), chance & 0xffff)
}

pub(super) fn exit(summary: &Summary) -> Exit {
    match &summary.state {
        State::Failed(_) => Exit::CouldNotGoOn,
        State::Interrupted => Exit::Interrupted,
        State::Finished if summary.failed > 0 => Exit::SomeFailed,
        State::Finished => Exit::Done,
    }
}
