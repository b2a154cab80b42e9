//! `engine top`: tunnels, agents, tasks and a fleet's runs on one screen, looked at again twice a second. Changes
//! nothing.

mod live;

use std::{
    io::{self, IsTerminal},
    time::SystemTime,
};

use culvert_flow::tunnel::lease::{Lease, Rate};

use super::tunnel::show::{bytes, leased, limits};
use crate::{
    args::{Places, Top as Asked},
    exit::{Exit, Failure},
    fleet::fleet,
    folders,
    inventory::{Inventory, agents::State, failure, tunnels::Known},
    output, table,
};

/// One table: what it's called, its headings and its rows.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) headings: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// # Errors
/// What there is can't be read.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let inventory = Inventory::open(places)?;
    inventory.take_over(&folders::engine_file(places)?.1)?;
    if asked.once || !io::stdout().is_terminal() {
        for (number, Part { name, headings, rows }) in look(&inventory, places)?.into_iter().enumerate() {
            if number > 0 {
                output::line("");
            }
            if rows.is_empty() {
                output::line(&format!("no {name}"));
            } else {
                table::print(&headings, &rows);
            }
        }
        return Ok(Exit::Done);
    }
    live::watch(|| look(&inventory, places))?;
    Ok(Exit::Done)
}

fn look(inventory: &Inventory, places: &Places) -> Result<Vec<Part>, Failure> {
    let mut parts = vec![tunnels(inventory)?, agents(inventory, places)?, tasks(inventory, places)?];
    if let Some(fleet) = fleet(places)? {
        let rows = fleet.runs().map_err(failure)?.into_iter().map(|(pipeline, run)| {
            let state = match (&run.ended, run.listed) {
                (Some(_), _) => "ended",
                (None, false) => "listing",
                (None, true) => "moving",
            };
            vec![pipeline, state.to_owned(), run.page.to_string(), run.lister.unwrap_or_default()]
        });
        let headings = vec!["run", "state", "pages listed", "listed by"];
        parts.push(Part { name: "runs", headings, rows: rows.collect() });
    }
    Ok(parts)
}

fn tunnels(inventory: &Inventory) -> Result<Part, Failure> {
    let rows = inventory.tunnels()?.into_iter().map(|Known { stored, record }| {
        let now = limits(record.definition.limits_at(SystemTime::now()));
        let used = record.leases.values().map(used).fold(0_u64, |sum, rate| sum.saturating_add(rate.units()));
        let waiting = record.leases.values().filter(|lease| lease.wants.bytes > lease.rate.bytes).count();
        let runs = record.leases.len().to_string();
        vec![stored.name, now, bytes(leased(&record)), bytes(Rate::of(used)), waiting.to_string(), runs]
    });
    let headings = vec!["tunnel", "limit", "leased", "in use", "waiting", "runs"];
    Ok(Part { name: "tunnels", headings, rows: rows.collect() })
}

/// What a lease's holder uses, as far as it tells: what it wants, and no more than it has.
fn used(lease: &Lease) -> Rate {
    lease.rate.bytes.min(lease.wants.bytes)
}

fn agents(inventory: &Inventory, places: &Places) -> Result<Part, Failure> {
    let mut rows = Vec::new();
    for (stored, agent) in inventory.agents()? {
        let state = State::of(&stored.name, places)?;
        let held = state.held();
        let pipeline = held.map(|held| held.pipeline.clone()).unwrap_or_default();
        let host = held.and_then(|held| held.host.clone()).unwrap_or_default();
        rows.push(vec![stored.name, agent.tunnel, state.as_str().to_owned(), pipeline, host]);
    }
    Ok(Part { name: "agents", headings: vec!["agent", "tunnel", "state", "pipeline", "host"], rows })
}

fn tasks(inventory: &Inventory, places: &Places) -> Result<Part, Failure> {
    let mut rows = Vec::new();
    for (stored, task) in inventory.tasks()? {
        let standing = task.standing(places)?;
        let figure = |figure: Option<u64>| figure.map_or_else(String::new, |figure| figure.to_string());
        let (moved, failed) = (figure(standing.moved()), figure(standing.failed()));
        rows.push(vec![stored.name, standing.state().to_owned(), task.pipeline, moved, failed]);
    }
    Ok(Part { name: "tasks", headings: vec!["task", "state", "pipeline", "moved", "failed"], rows })
}
