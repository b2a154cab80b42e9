//! `engine run`: moves what a pipeline selects, and stops cleanly when it's told to.

use std::{process, sync::Arc, time::Duration};

use culvert_flow::{
    meter::Meter,
    run::{Job, State, Summary, ThreadPerWorker},
    sync::Cancel,
    tunnel::Tunnel,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::LocalSet,
};

use crate::{
    args::{Pipeline as Asked, Places},
    assembly::{Assembly, MissingFolder, assemble, seed},
    exit::{Exit, Failure},
    output::{Output, Run},
};

/// How often progress is drawn: often enough to look alive.
const TICK: Duration = Duration::from_millis(100);

/// # Errors
/// The pipeline is wrong, or the run couldn't start.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let assembly = assemble(&asked.pipeline.file, places)?;
    let runtime = runtime()?;
    let summary = LocalSet::new().block_on(&runtime, moved(&assembly, asked.json))?;
    Ok(exit(&summary))
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
pub(super) fn job(assembly: &Assembly, output: &Arc<Output>, cancel: Cancel, sweep: bool) -> Job {
    let pipeline = &assembly.pipeline;
    let output = Arc::clone(output);
    Job {
        selection: pipeline.selection.clone(),
        transfer: pipeline.transfer.clone(),
        tunnel: output.tunnel().clone(),
        meter: Arc::clone(output.meter()),
        events: Arc::new(move |event| output.event(&event)),
        cancel,
        sweep,
        seed: seed(),
    }
}

/// What is shown of a run of this pipeline.
pub(super) fn output(assembly: &Assembly, json: bool, objects: bool) -> Arc<Output> {
    let pipeline = &assembly.pipeline;
    let run = Run { id: run_id(), pipeline: pipeline.name.clone(), limits: assembly.tunnel };
    let meter = Arc::new(Meter::new(pipeline.transfer.workers.get()));
    Arc::new(Output::new(run, meter, Tunnel::new(assembly.tunnel), json, objects))
}

async fn moved(assembly: &Assembly, json: bool) -> Result<Summary, Failure> {
    let cancel = Cancel::new();
    let output = output(assembly, json, false);
    let ends = assembly.ends(MissingFolder::Make, output.tunnel())?;
    let unfinished = assembly.state.join("unfinished");
    let sweep = unfinished.exists();
    let marked = |error| Failure::could_not_go_on(format!("the state file {}: {error}", unfinished.display()));
    std::fs::write(&unfinished, b"").map_err(marked)?;
    let job = job(assembly, &output, cancel.clone(), sweep);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::could_not_go_on)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::could_not_go_on)?;
    let mut ticks = tokio::time::interval(TICK);
    let mut running =
        std::pin::pin!(culvert_flow::run::run(job, Arc::new(ends.source), Arc::new(ends.sink), &ThreadPerWorker));
    let summary = loop {
        tokio::select! {
            summary = &mut running => break summary,
            _ = ticks.tick() => output.tick(),
            _ = interrupt.recv() => stop(&cancel),
            _ = terminate.recv() => stop(&cancel),
        }
    };
    if summary.state == State::Finished {
        std::fs::remove_file(&unfinished).map_err(marked)?;
    }
    output.summary(&summary);
    Ok(summary)
}

/// The first signal ends the run in order, the second at once.
fn stop(cancel: &Cancel) {
    if cancel.is_cancelled() {
        process::exit(Exit::Interrupted as i32);
    }
    tracing::warn!("stopping; what is in flight is cleaned up");
    cancel.cancel();
}

/// Tells runs apart: when it began, to the millisecond, and some chance.
fn run_id() -> String {
    let now = jiff::Timestamp::now();
    format!("{}-{:04x}", now.strftime("%Y%m%dT%H%M%S%3fZ"), seed() & 0xffff)
}

pub(super) fn exit(summary: &Summary) -> Exit {
    match &summary.state {
        State::Failed(_) => Exit::CouldNotGoOn,
        State::Interrupted => Exit::Interrupted,
        State::Finished if summary.failed > 0 => Exit::SomeFailed,
        State::Finished => Exit::Done,
    }
}
