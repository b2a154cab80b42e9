//! What has to be made and changed so that the state folder is as the files say. Changes nothing.

use std::{fmt, num::NonZeroU32};

use culvert_flow::{records::Kind, tunnel::lease::Definition};
use culvert_manifest::DeclaredAgent;
use serde_json::{Map, Value, json};

use super::{
    facts::{self, Facts},
    files::Reading,
};
use crate::{
    args::{Places, agent::Network},
    connectors::pinned,
    exit::Failure,
    inventory::{
        Inventory,
        addresses::Address,
        agents::Agent,
        tasks::{Asked, Task},
    },
    seat,
};

/// In the order in which they can be made.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
}

/// One thing that isn't as it should be.
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// None: it isn't there.
    pub(super) before: Option<Facts>,
    pub(super) next: Next,
    after: Facts,
}

/// What comes to be.
pub(super) enum Next {
    Tunnel(Definition),
    Agent(Agent, NonZeroU32),
    Address(Address),
    Task(Task),
    Nothing,
}

/// # Errors
/// The state folder can't be read.
pub(super) fn of(reading: &mut Reading, inventory: &Inventory, places: &Places) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    let Reading { declared, pipelines, problems } = reading;
    for (name, entry) in &declared.tunnels {
        let before = inventory.tunnel(name)?.map(|known| facts::tunnel(&known.record.definition));
        plan.add(Kind::Tunnel, name, before, facts::tunnel(&entry.value), Next::Tunnel(entry.value.clone()));
    }
    for (name, entry) in &declared.agents {
        let DeclaredAgent { tunnel, is_in_vpc, bind, weight } = entry.value.clone();
        let network = if is_in_vpc { Network::Vpc } else { Network::Public };
        let agent = Agent { tunnel, network, bind };
        let known = inventory.agent(name)?.map(|(_, known)| known);
        let before = match &known {
            Some(known) => Some(facts::agent(known, weight_of(name, &known.tunnel, inventory)?)),
            None => None,
        };
        let is_changed = known.is_some_and(|known| known != agent);
        if let Some(held) = seat::held(name, places)?.filter(|_| is_changed) {
            let (process, pipeline) = (held.process, held.pipeline);
            let message = format!("the agent is running the pipeline {pipeline:?} (process {process})");
            problems.push(entry.problem("", message, "wait until it's done, or stop it"));
        }
        plan.add(Kind::Agent, name, before, facts::agent(&agent, weight), Next::Agent(agent, weight));
    }
    for (name, entry) in &declared.addresses {
        let address = Address { role: entry.value.endpoint.role.into(), table: entry.value.text.clone() };
        let before = inventory.address(name)?.map(|(_, known)| facts::address(&known));
        plan.add(Kind::Address, name, before, facts::address(&address), Next::Address(address));
    }
    for (name, entry) in &declared.tasks {
        let Some(named) = pipelines.get(name) else { continue };
        let file = std::path::absolute(&entry.value.file).map_err(Failure::usage)?;
        let (pipeline, agent) = (named.pipeline.clone(), entry.value.agent.clone());
        let text =
            if inventory.is_fleet { Some(crate::folders::read_text(&file).map_err(Failure::usage)?) } else { None };
        let lock = if inventory.is_fleet { pinned::text(&file)? } else { None };
        let task = Task { file, pipeline, agent, asked: Asked::Nothing, times: 0, text, lock };
        let known = inventory.find_task(name)?;
        let is_changed = known.as_ref().is_some_and(|it| facts::task(it) != facts::task(&task));
        let standing = known.as_ref().filter(|_| is_changed).map(|it| it.standing(places)).transpose()?;
        if let Some(process) = standing.and_then(|standing| standing.process) {
            let message = format!("the task is running (process {process})");
            problems.push(entry.problem("", message, format!("`engine task stop {name}` ends it")));
        }
        plan.add(Kind::Task, name, known.map(|it| facts::task(&it)), facts::task(&task), Next::Task(task));
    }
    Ok(plan)
}

fn weight_of(agent: &str, tunnel: &str, inventory: &Inventory) -> Result<NonZeroU32, Failure> {
    let known = inventory.tunnel(tunnel)?;
    let weight = known.and_then(|known| known.record.definition.weights.get(agent).copied());
    Ok(weight.unwrap_or(NonZeroU32::MIN))
}

// === impl Plan ===

impl Plan {
    fn add(&mut self, kind: Kind, name: &str, before: Option<Facts>, after: Facts, next: Next) {
        if before.as_ref() != Some(&after) {
            self.changes.push(Change { kind, name: name.to_owned(), before, next, after });
        }
    }

    /// Takes something away that is there.
    pub(super) fn remove(&mut self, kind: Kind, name: &str) {
        let (before, after) = (Some(Facts::new()), Facts::new());
        self.changes.push(Change { kind, name: name.to_owned(), before, next: Next::Nothing, after });
    }

    pub(super) fn counted(&self) -> String {
        let [create, change, delete] =
            ['+', '~', '-'].map(|sign| self.changes.iter().filter(|it| it.sign() == sign).count());
        format!("{create} to create, {change} to change, {delete} to delete")
    }
}

// === impl Change ===

impl Change {
    fn sign(&self) -> char {
        match (&self.before, &self.next) {
            (_, Next::Nothing) => '-',
            (None, _) => '+',
            (Some(_), _) => '~',
        }
    }

    /// Each key that differs, with what it was and what it will be.
    fn differences(&self) -> Vec<(&str, Option<&Value>, Option<&Value>)> {
        let before = self.before.as_deref().unwrap_or_default();
        let find = |facts: &'_ [(String, Value)], key: &str| facts.iter().position(|(name, _)| name == key);
        let gone = before.iter().filter(|(key, _)| find(&self.after, key).is_none());
        let gone = gone.map(|(key, old)| (key.as_str(), Some(old), None));
        let after = self
            .after
            .iter()
            .map(|(key, new)| (key.as_str(), find(before, key).map(|index| &before[index].1), Some(new)));
        after.chain(gone).filter(|(_, old, new)| old != new).collect()
    }

    pub(super) fn described(&self) -> Value {
        let action = match self.sign() {
            '+' => "create",
            '~' => "change",
            _ => "delete",
        };
        let (mut before, mut after) = (Map::new(), Map::new());
        for (key, old, new) in self.differences() {
            before.insert(key.to_owned(), json!(old));
            after.insert(key.to_owned(), json!(new));
        }
        json!({"action": action, "kind": self.kind.as_str(), "name": self.name, "before": before, "after": after})
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.sign(), self.kind.as_str(), self.name)?;
        let shown = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
        for (key, old, new) in self.differences() {
            match self.before {
                None => write!(formatter, "\n    {key} = {}", shown(new))?,
                Some(_) => write!(formatter, "\n    {key} = {} -> {}", shown(old), shown(new))?,
            }
        }
        Ok(())
    }
}
