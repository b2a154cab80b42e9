//! Carries a plan out, one change at a time and in its order. Decides nothing.

use culvert_flow::{records::Kind, tunnel::lease::Record};

use super::plan::{Change, Next, Plan};
use crate::{
    args::Places,
    command::{agent, task, tunnel},
    exit::Failure,
    inventory::{Inventory, agents::Agent, failure, missing},
    seat::Seat,
};

/// What holds an agent's seat while it's changed.
const APPLYING: &str = "(being changed)";

/// # Errors
/// A change can't be made; those before it are.
pub(super) fn out(plan: &Plan, inventory: &Inventory, places: &Places) -> Result<(), Failure> {
    plan.changes.iter().try_for_each(|change| one(change, inventory, places))
}

fn one(change: &Change, inventory: &Inventory, places: &Places) -> Result<(), Failure> {
    let Change { kind, name, .. } = change;
    let is_new = change.before.is_none();
    match &change.next {
        Next::Tunnel(definition) if is_new => {
            let record = Record::new(definition.clone()).to_text().map_err(failure)?;
            inventory.create(*kind, name, &record)
        }
        Next::Tunnel(definition) => {
            let is_there = inventory.edit_tunnel(name, |record| {
                // Weights are said by the agents.
                let weights = std::mem::take(&mut record.definition.weights);
                record.definition = definition.clone();
                record.definition.weights = weights;
                Ok(())
            })?;
            if is_there { Ok(()) } else { Err(missing(*kind, name)) }
        }
        Next::Agent(agent, weight) => {
            if is_new {
                inventory.create(*kind, name, &agent.to_text()?)?;
            } else {
                change_agent(name, agent, inventory, places)?;
            }
            let weigh = |record: &mut Record| {
                record.definition.weights.remove(name);
                if weight.get() > 1 {
                    record.definition.weights.insert(name.clone(), *weight);
                }
                Ok(())
            };
            inventory.edit_tunnel(&agent.tunnel, weigh).map(|_| ())
        }
        Next::Address(address) if is_new => inventory.create(*kind, name, &address.to_text()?),
        Next::Address(address) => inventory.edit(*kind, name, |_| address.to_text()).map(|_| ()),
        Next::Task(task) if is_new => inventory.create(*kind, name, &task.to_text()?),
        Next::Task(next) => inventory.edit_task(name, |task| {
            // What was asked of the task before is asked of it still.
            *task = crate::inventory::tasks::Task { asked: task.asked, times: task.times, ..next.clone() };
        }),
        Next::Nothing => match kind {
            Kind::Task => task::delete(inventory, places, name),
            Kind::Agent => agent::delete(inventory, places, name),
            Kind::Address => {
                let Some(stored) = inventory.read(*kind, name)? else { return Ok(()) };
                inventory.delete(*kind, &stored).map(|_| ())
            }
            Kind::Tunnel => tunnel::delete(inventory, name),
        },
    }
}

/// Where the weight alone is another, nobody's seat is wanted: it's in force while the agent runs.
fn change_agent(name: &str, next: &Agent, inventory: &Inventory, places: &Places) -> Result<(), Failure> {
    let (_, before) = inventory.agent(name)?.ok_or_else(|| missing(Kind::Agent, name))?;
    if before == *next {
        return Ok(());
    }
    // Nobody begins to work as it meanwhile.
    let _seat = Seat::take(name, APPLYING, places)?;
    inventory.edit(Kind::Agent, name, |_| next.to_text())?;
    if before.tunnel == next.tunnel {
        return Ok(());
    }
    inventory.forget_lease(&before.tunnel, name)?;
    let forget = |record: &mut Record| {
        record.definition.weights.remove(name);
        Ok(())
    };
    inventory.edit_tunnel(&before.tunnel, forget).map(|_| ())
}
