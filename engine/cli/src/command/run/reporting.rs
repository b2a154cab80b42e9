//! The report at the end of a round, at home and at the sink. A signal stops it: what is at the sink
//! and in the journal is done anyway. The next run makes up for a report that's missing.

use culvert_flow::{
    journal::{RunRecord, RunState},
    select::RuleHits,
    sync::Cancel,
};

use super::{Runner, run_id, signals::Signals};
use crate::{
    exit::Failure,
    report::{self, Round, deliver::deliver},
};

/// Writes the report of the run that the journal has last, which is called `id`.
///
/// # Errors
/// It couldn't be written, or a signal came.
pub(super) async fn report(
    runner: &Runner<'_>,
    id: String,
    rules: Vec<RuleHits>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let Runner { assembly, journal, sink, .. } = runner;
    let round = Round { id: id.clone(), pipeline: assembly.pipeline.name.clone(), rules };
    let (folder, path, cancel) = (assembly.state.join(report::FOLDER), journal.path().to_owned(), Cancel::new());
    let work = async {
        let (folder_of_thread, stop) = (folder.clone(), cancel.clone());
        let writing = tokio::task::spawn_blocking(move || report::write(&path, &folder_of_thread, round, &stop));
        writing.await.map_err(Failure::could_not_go_on)??;
        deliver(assembly, sink, (&folder, &id), assembly.tunnel.clone(), cancel.clone()).await
    };
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = signals.next() => cancel.cancel(),
        }
    }
}

/// Writes the report of a round that ended in a process which was killed before it had written it. What each
/// rule of the selection did isn't known any more.
///
/// # Errors
/// It couldn't be written, or a signal came.
pub(super) async fn make_up(runner: &Runner<'_>, signals: &mut Signals) -> Result<(), Failure> {
    let reader = runner.journal.reader().map_err(Failure::could_not_go_on)?;
    let last = reader.last_run().map_err(Failure::could_not_go_on)?;
    drop(reader);
    let ended = |run: &RunRecord| run.ended.is_some() && run.state != RunState::Interrupted;
    let Some(run) = last.filter(ended) else { return Ok(()) };
    if report::is_of(&runner.assembly.state.join(report::FOLDER), &run) {
        return Ok(());
    }
    report(runner, run_id(run.started, u64::try_from(run.id).unwrap_or(0)), Vec::new(), signals).await
}
