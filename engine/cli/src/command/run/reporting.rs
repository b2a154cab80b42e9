//! The report at the end of a round, at home and at the sink. A signal stops it: what is at the sink
//! and in the journal is done anyway.

use std::sync::Arc;

use culvert_flow::{select::RuleHits, sync::Cancel};

use super::{Runner, signals::Signals};
use crate::{
    exit::Failure,
    output::Output,
    report::{self, Round, deliver::deliver},
};

/// Writes the report of the run that the journal has last.
///
/// # Errors
/// It couldn't be written, or a signal came.
pub(super) async fn report(
    runner: &Runner<'_>,
    output: &Arc<Output>,
    rules: Vec<RuleHits>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let Runner { assembly, journal, sink, .. } = runner;
    let pipeline = &assembly.pipeline;
    let round = Round { id: output.run_id().to_owned(), pipeline: pipeline.name.clone(), rules };
    let (folder, path, cancel) = (assembly.state.join(report::FOLDER), journal.path().to_owned(), Cancel::new());
    let work = async {
        let (folder_of_thread, stop) = (folder.clone(), cancel.clone());
        let writing = tokio::task::spawn_blocking(move || report::write(&path, &folder_of_thread, round, &stop));
        writing.await.map_err(Failure::could_not_go_on)??;
        deliver(assembly, sink, (&folder, output.run_id()), output.tunnel().clone(), cancel.clone()).await
    };
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = signals.next() => cancel.cancel(),
        }
    }
}
