//! `[report] to_sink`: puts the files of a report at the sink, through the pipeline's tunnel. Keeps no
//! journal of it and overwrites nothing but a report of the same run.

use std::{fs, io, path::Path, sync::Arc};

use culvert_flow::{
    meter::Meter,
    rules::{Overwrite, Selection},
    run::{Event, Job, State, ThreadPerWorker},
    sync::Cancel,
    tunnel::Tunnel,
};
use culvert_host::endpoint::SinkEndpoint;

use super::TEMPORARY;
use crate::{
    assembly::{Assembly, seed},
    exit::{Exit, Failure},
};

/// What the names of folders begin with in which a report waits for the sink.
const STAGE: &str = "for-the-sink-";

/// Puts what is in `folder` below the reports' prefix and the run's id, if the pipeline asks for it.
///
/// # Errors
/// Not all of it arrived.
pub(crate) async fn deliver(
    assembly: &Assembly,
    sink: &Arc<SinkEndpoint>,
    (folder, run): (&Path, &str),
    tunnel: Tunnel,
    cancel: Cancel,
) -> Result<(), Failure> {
    let prefix = format!("{}{run}/", assembly.pipeline.report.prefix);
    let failed =
        |error: io::Error| Failure::could_not_go_on(format!("the report can't be staged for the sink: {error}"));
    remove_stages(&assembly.state).map_err(failed)?;
    let stage = tempfile::Builder::new().prefix(STAGE).tempdir_in(&assembly.state).map_err(failed)?;
    lay_out(folder, &stage.path().join(&prefix)).map_err(failed)?;
    let Some(source) = assembly.reports(stage.path())? else { return Ok(()) };
    let mut transfer = assembly.pipeline.transfer.clone();
    transfer.overwrite = Overwrite::Always;
    let job = Job {
        selection: Selection::default(),
        meter: Arc::new(Meter::new(transfer.workers.get())),
        transfer,
        tunnel,
        events: Arc::new(tell),
        cancel,
        sweep: false,
        journal: None,
        round: 1,
        delete_extra: None,
        checksums: Vec::new(),
        seed: seed(),
    };
    let summary = culvert_flow::run::run(job, Arc::new(source), Arc::clone(sink), &ThreadPerWorker).await;
    let unwritten = |why: &dyn std::fmt::Display| format!("the report isn't whole at the sink, below {prefix}: {why}");
    match summary.state {
        State::Failed(error) => Err(Failure::could_not_go_on(unwritten(&error))),
        State::Interrupted => Err(Failure { exit: Exit::Interrupted, message: unwritten(&"it was stopped") }),
        State::Finished if summary.failed > 0 => {
            let why = format!("{} files failed; they are in {}", summary.failed, folder.display());
            Err(Failure::could_not_go_on(unwritten(&why)))
        }
        State::Finished => Ok(()),
    }
}

/// Removes what a killed process left: whoever holds the journal is the only one here.
fn remove_stages(state: &Path) -> io::Result<()> {
    for entry in fs::read_dir(state)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STAGE) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The files of the report at their keys, as links: they're replaced, never changed. The list of
/// rounds is of many runs and grows, so it's copied.
fn lay_out(report: &Path, stage: &Path) -> io::Result<()> {
    fs::create_dir_all(stage)?;
    for entry in fs::read_dir(report)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().ends_with(TEMPORARY) {
            continue;
        }
        if name == super::ROUNDS {
            fs::copy(&path, stage.join(name))?;
        } else {
            fs::hard_link(&path, stage.join(name))?;
        }
    }
    Ok(())
}

fn tell(event: Event) {
    if let Event::ObjectFailed { name, error, .. } = event {
        tracing::error!(key = name, %error, "a file of the report failed");
    }
}
