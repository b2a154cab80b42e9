//! What no file names: left alone, or deleted where nothing that stays needs it. Deletes nothing itself.

use std::collections::BTreeSet;

use culvert_flow::records::Kind;

use super::{
    files::Reading,
    plan::{Change, Next, Plan},
};
use crate::{args::Places, exit::Failure, inventory::Inventory, seat};

/// The plan with what is to be deleted; or the names of what's left alone.
///
/// # Errors
/// The state folder can't be read, or what is to be deleted is needed.
pub(super) fn of(
    mut plan: Plan,
    reading: &mut Reading,
    inventory: &Inventory,
    is_asked: bool,
) -> Result<(Plan, Vec<String>), Failure> {
    let Reading { declared, pipelines, problems } = reading;
    let is_declared = |kind: Kind, name: &str| match kind {
        Kind::Tunnel => declared.tunnels.contains_key(name),
        Kind::Agent => declared.agents.contains_key(name),
        Kind::Address => declared.addresses.contains_key(name),
        Kind::Task => declared.tasks.contains_key(name),
    };
    let given: BTreeSet<String> = {
        let known = inventory.tunnels()?.into_iter().filter(|known| known.record.given.is_some());
        known.map(|known| known.stored.name).collect()
    };
    let mut unnamed = Vec::new();
    // Whoever needs something goes before it.
    for kind in [Kind::Task, Kind::Agent, Kind::Address, Kind::Tunnel] {
        let there = inventory.list(kind)?.into_iter().map(|stored| stored.name);
        let is_ours = |name: &String| !(is_declared(kind, name) || kind == Kind::Tunnel && given.contains(name));
        unnamed.extend(there.filter(is_ours).map(|name| (kind, name)));
    }
    if !is_asked {
        let names = unnamed.into_iter().map(|(kind, name)| format!("{} {name}", kind.as_str()));
        return Ok((plan, names.collect()));
    }
    let goes = |kind: Kind, name: &str| unnamed.iter().any(|it| it.0 == kind && it.1 == name);
    for agent in declared.agents.values().filter(|agent| goes(Kind::Tunnel, &agent.value.tunnel)) {
        problems.push(agent.problem("tunnel", "no file names this tunnel, so it would be deleted", FIX));
    }
    for (name, task) in &declared.tasks {
        if task.value.agent.as_ref().is_some_and(|agent| goes(Kind::Agent, agent)) {
            problems.push(task.problem("agent", "no file names this agent, so it would be deleted", FIX));
        }
        let Some(named) = pipelines.get(name) else { continue };
        let addresses = named.addresses.iter().map(|it| (Kind::Address, it));
        let needed = named.tunnel.iter().map(|it| (Kind::Tunnel, it)).chain(addresses);
        for (kind, needed) in needed.filter(|(kind, needed)| goes(*kind, needed)) {
            let message = format!(
                "its pipeline names the {} {needed:?}, which no file names, so it would be deleted",
                kind.as_str()
            );
            problems.push(task.problem("file", message, FIX));
        }
    }
    unnamed.iter().for_each(|(kind, name)| plan.remove(*kind, name));
    Ok((plan, Vec::new()))
}

/// # Errors
/// What is to be deleted is in use. Runs on a tunnel are found when it's deleted.
pub(super) fn refuse_used(plan: &Plan, inventory: &Inventory, places: &Places) -> Result<(), Failure> {
    let mut used = Vec::new();
    for Change { kind, name, .. } in plan.changes.iter().filter(|it| matches!(it.next, Next::Nothing)) {
        let process = match kind {
            Kind::Task => {
                inventory.find_task(name)?.map(|task| task.standing(places)).transpose()?.and_then(|it| it.process)
            }
            Kind::Agent => seat::held(name, places)?.map(|held| held.process),
            Kind::Address | Kind::Tunnel => None,
        };
        used.extend(process.map(|process| format!("the {} {name:?} is in use by process {process}", kind.as_str())));
    }
    if used.is_empty() { Ok(()) } else { Err(Failure::usage(format!("{}; nothing was changed", used.join("\n")))) }
}

const FIX: &str = "declare it, or leave --prune out";
