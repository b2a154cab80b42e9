//! `engine plan`: what a run would do, by the same listing and comparing. Writes nothing.

use std::sync::Arc;

use culvert_flow::{
    run::{State, ThreadPerWorker},
    sync::Cancel,
};
use tokio::task::LocalSet;

use super::run::{job, only::confine, output, runtime};
use crate::{
    args::{Places, Plan as Asked},
    assembly::{MissingFolder, assemble},
    exit::{Exit, Failure},
};

/// # Errors
/// The pipeline is wrong.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let assembly = assemble(&asked.pipeline.pipeline.file, places)?;
    let ends = assembly.ends(MissingFolder::StandIn)?;
    let selection = confine(&assembly.pipeline.selection, &asked.only)?;
    let output = output(&assembly, 1, asked.pipeline.json, asked.list);
    let job = job(&assembly, selection, &output, Cancel::new(), None);
    let (sources, sinks) = (Arc::new(ends.source), Arc::new(ends.sink));
    let plan = LocalSet::new().block_on(&runtime()?, culvert_flow::run::plan(job, sources, sinks, &ThreadPerWorker));
    output.plan(&plan);
    Ok(match plan.state {
        State::Failed(_) => Exit::CouldNotGoOn,
        State::Interrupted => Exit::Interrupted,
        State::Finished if plan.failed > 0 => Exit::SomeFailed,
        State::Finished => Exit::Done,
    })
}
