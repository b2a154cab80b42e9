//! `engine tunnel`: makes, changes, shows and deletes the tunnels of this state folder or of a fleet. Moves nothing.

pub(super) mod show;
mod terms;

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use culvert_flow::{
    records::Kind,
    tunnel::lease::{LOOK, Record, TIME_TO_LIVE},
};
use culvert_manifest::parse_name;

use crate::{
    args::{Places, tunnel::Tunnel as Asked},
    exit::{Exit, Failure},
    folders,
    inventory::{Inventory, failure, missing, tunnels::Known},
    output,
};

/// After so long without a renewal a lease has ended, by any clock that's less than 3 % off.
const OVER: Duration = TIME_TO_LIVE.saturating_add(Duration::from_millis(100));

/// # Errors
/// What was asked for can't be done; each says what is missing.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let inventory = Inventory::open(places)?;
    let (path, file) = folders::engine_file(places)?;
    inventory.take_over(&file)?;
    match asked {
        Asked::Create(terms) => {
            let name = parse_name(&terms.name)
                .map_err(|invalid| Failure::usage(format!("the tunnel {:?}: {invalid}", terms.name)))?;
            let record = Record::new(terms::changed(terms, &Record::default().definition)?);
            inventory.create(Kind::Tunnel, &name, &record.to_text().map_err(failure)?)?;
            output::line(&format!("tunnel {name} made: {}", show::limits(record.definition.limits)));
        }
        Asked::Set(terms) => {
            let is_there = inventory.edit_tunnel(&terms.name, |record| {
                record.definition = terms::changed(terms, &record.definition)?;
                Ok(())
            })?;
            let known = inventory.tunnel(&terms.name)?.filter(|_| is_there);
            let known = known.ok_or_else(|| missing(Kind::Tunnel, &terms.name))?;
            output::line(&format!("tunnel {} set: {}", terms.name, show::limits(known.record.definition.limits)));
        }
        Asked::Show { name, json } => {
            let known = inventory.tunnel(name)?.ok_or_else(|| missing(Kind::Tunnel, name))?;
            show::one(&known, *json);
        }
        Asked::List { json } => show::all(&inventory.tunnels()?, *json),
        Asked::Delete { name } => {
            if !inventory.is_fleet && file.tunnels.contains_key(name) {
                let path = path.display();
                let message = format!("{path} defines the tunnel {name:?}: remove [tunnels.{name}] from it first");
                return Err(Failure::usage(message));
            }
            delete(&inventory, name)?;
            output::line(&format!("tunnel {name} deleted"));
        }
    }
    Ok(Exit::Done)
}

/// Waits until what the dead have left has ended; the living renew meanwhile.
///
/// # Errors
/// Somebody is on it.
pub(super) fn delete(inventory: &Inventory, name: &str) -> Result<(), Failure> {
    let agents = inventory.agents()?;
    let agents: Vec<_> = agents.iter().filter(|it| it.1.tunnel == name).map(|it| it.0.name.as_str()).collect();
    if !agents.is_empty() {
        let message = format!(
            "agents are on the tunnel {name:?}: {}; move each with `engine agent set NAME --tunnel OTHER`, or delete it",
            agents.join(", ")
        );
        return Err(Failure::usage(message));
    }
    let begin = Instant::now();
    let mut seen = BTreeMap::new();
    loop {
        let Known { stored, record } = inventory.tunnel(name)?.ok_or_else(|| missing(Kind::Tunnel, name))?;
        for (holder, lease) in &record.leases {
            if *seen.entry(holder.clone()).or_insert(lease.sequence) != lease.sequence {
                let message = format!("the run {holder} is on the tunnel {name:?}: wait until it's done, or stop it");
                return Err(Failure::usage(message));
            }
        }
        let is_over = record.leases.is_empty() || begin.elapsed() >= OVER;
        if is_over && inventory.delete(Kind::Tunnel, &stored)? {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
}
