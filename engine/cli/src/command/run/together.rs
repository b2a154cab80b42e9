//! One run on many machines: joined before anything is opened. What isn't possible there is refused.

use std::{collections::BTreeMap, fs, process, sync::Arc};

use culvert_fleet::{FleetRun, Joiner, Terms};
use culvert_flow::{error::Code, journal::Journal, rules::Schedule};
use serde_json::{Value, json};

use crate::{
    args::{Places, Run as Asked},
    assembly::{Assembly, mark, seed},
    exit::Failure,
    fleet::fleet,
    inventory::failure,
};

/// Beside a journal: the fleet's run that its last run was part of.
const FLEET_RUN: &str = "fleet-run";

/// Whose a run is.
pub(super) enum Joined {
    /// No fleet was named, or the run is to be alone.
    Alone,
    Together(Arc<FleetRun>),
    /// The run of the fleet that a task asked for is over.
    Over,
}

/// Joins the fleet's run of this pipeline, or begins one.
///
/// # Errors
/// The pipeline asks for what several machines can't do together, they differ, or the fleet can't be reached.
pub(super) fn join(assembly: &mut Assembly, asked: &Asked, places: &Places) -> Result<Joined, Failure> {
    let Some(fleet) = fleet(places)?.filter(|_| !asked.alone) else { return Ok(Joined::Alone) };
    refuse(assembly, asked)?;
    let pipeline = &assembly.pipeline.name;
    if asked.restart {
        fleet.abandon(pipeline).map_err(failure)?;
    }
    let identity = assembly.identity(false);
    let identity = json!({"source": identity.source, "sink": identity.sink, "selection": identity.selection});
    let terms = Terms { identity: identity.to_string(), builds: builds(assembly) };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let me = format!("{host}.{}.{:04x}", process::id(), seed() & 0xffff);
    let joiner = Joiner { me, owner: mark(&assembly.state, "owner")?, asked: asked.started };
    let run = fleet.join(pipeline, terms, joiner).map_err(|error| {
        let is_wrong = error.code == Code::INVALID_CONFIG;
        if is_wrong { Failure::usage(error.message) } else { failure(error) }
    })?;
    let Some(run) = run else { return Ok(Joined::Over) };
    run.owner().clone_into(&mut assembly.owner);
    Ok(Joined::Together(Arc::new(run)))
}

fn builds(assembly: &Assembly) -> BTreeMap<String, String> {
    let pipeline = &assembly.pipeline;
    let tables = [&pipeline.source, &pipeline.sink].into_iter().chain(&pipeline.transforms);
    tables.zip(assembly.digests()).map(|(table, digest)| (table.connector.clone(), digest.to_owned())).collect()
}

fn refuse(assembly: &Assembly, asked: &Asked) -> Result<(), Failure> {
    let Schedule { every, rounds, windows, .. } = &assembly.pipeline.schedule;
    let problem = if every.is_some() || rounds.is_some() || !windows.is_empty() {
        "[schedule] can't be followed by several machines together"
    } else if assembly.pipeline.delete_extra.is_some() {
        "transfer.delete_extra can't be done by several machines together"
    } else if asked.only.only.is_some() {
        "--only can't be given to several machines together"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("{problem}; take it out, or run on this machine alone with --alone")))
}

/// Lets the journal go on with its last run only where that was part of this run of the fleet.
///
/// # Errors
/// The state folder can't be written.
pub(super) fn part_of(run: &FleetRun, assembly: &Assembly, journal: &Journal) -> Result<(), Failure> {
    let path = assembly.state.join(FLEET_RUN);
    if fs::read_to_string(&path).is_ok_and(|id| id == run.id()) {
        return Ok(());
    }
    journal.give_up_last().map_err(failure)?;
    fs::write(&path, run.id())
        .map_err(|error| Failure::could_not_go_on(format!("the state file {}: {error}", path.display())))
}

/// A run on this machine alone is part of none.
pub(super) fn part_of_none(assembly: &Assembly, journal: &Journal) -> Result<(), Failure> {
    let path = assembly.state.join(FLEET_RUN);
    if !path.exists() {
        return Ok(());
    }
    journal.give_up_last().map_err(failure)?;
    fs::remove_file(&path)
        .map_err(|error| Failure::could_not_go_on(format!("the state file {}: {error}", path.display())))
}

/// What all machines did, for the summary.
pub(super) fn totals(run: &FleetRun, ended_here: bool) -> Value {
    let mut totals: Value = run.ending().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| json!({}));
    totals["run"] = json!(run.id());
    totals["ended_here"] = json!(ended_here);
    totals
}
