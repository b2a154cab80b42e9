//! `engine agent`: makes, changes, shows and deletes the agents of this state folder or of a fleet, and works as one.

mod start;

use culvert_flow::records::Kind;
use culvert_host::http::Bind;
use culvert_manifest::parse_name;
use serde_json::{Value, json};

use crate::{
    args::{
        Places,
        agent::{Agent as Asked, Terms},
    },
    exit::{Exit, Failure},
    folders,
    inventory::{
        Inventory,
        agents::{Agent, State},
        missing,
    },
    output,
    seat::Seat,
    table,
};

/// Takes a setting away.
const NONE: &str = "none";
/// What holds an agent's seat while it's changed.
const CHANGING: &str = "(being changed)";

/// # Errors
/// What was asked for can't be done; each says what is missing.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let inventory = Inventory::open(places)?;
    inventory.take_over(&folders::engine_file(places)?.1)?;
    match asked {
        Asked::Create { name, tunnel, terms } => {
            let name = parse_name(name).map_err(|invalid| Failure::usage(format!("the agent {name:?}: {invalid}")))?;
            require_tunnel(&inventory, tunnel)?;
            let agent = Agent { tunnel: tunnel.clone(), network: terms.network.unwrap_or_default(), bind: None };
            let agent = with_bind(agent, terms)?;
            inventory.create(Kind::Agent, &name, &agent.to_text()?)?;
            output::line(&format!("agent {name} made on the tunnel {tunnel}"));
        }
        Asked::Set { name, tunnel, terms } => set(&inventory, places, (name, tunnel.as_deref()), terms)?,
        Asked::Start { name, tracing } => return start::start(&inventory, places, name, tracing),
        Asked::Show { name, json } => {
            let (_, agent) = inventory.agent(name)?.ok_or_else(|| missing(Kind::Agent, name))?;
            show(name, &agent, &State::of(name, places)?, *json);
        }
        Asked::List { json } => list(&inventory, places, *json)?,
        Asked::Delete { name } => {
            delete(&inventory, places, name)?;
            output::line(&format!("agent {name} deleted"));
        }
    }
    Ok(Exit::Done)
}

/// # Errors
/// Somebody works as it.
pub(super) fn delete(inventory: &Inventory, places: &Places, name: &str) -> Result<(), Failure> {
    let (stored, agent) = inventory.agent(name)?.ok_or_else(|| missing(Kind::Agent, name))?;
    let _seat = Seat::take(name, CHANGING, places)?;
    if !inventory.delete(Kind::Agent, &stored)? {
        return Err(Failure::could_not_go_on(format!("the agent {name:?} was changed just now; try again")));
    }
    inventory.forget_lease(&agent.tunnel, name)
}

fn require_tunnel(inventory: &Inventory, tunnel: &str) -> Result<(), Failure> {
    inventory.tunnel(tunnel)?.map(|_| ()).ok_or_else(|| missing(Kind::Tunnel, tunnel))
}

fn set(
    inventory: &Inventory,
    places: &Places,
    (name, tunnel): (&str, Option<&str>),
    terms: &Terms,
) -> Result<(), Failure> {
    let (_, before) = inventory.agent(name)?.ok_or_else(|| missing(Kind::Agent, name))?;
    if let Some(tunnel) = tunnel {
        require_tunnel(inventory, tunnel)?;
    }
    // Nobody begins to work as it meanwhile.
    let _seat = Seat::take(name, CHANGING, places)?;
    inventory.edit(Kind::Agent, name, |text| {
        let mut agent = with_bind(Agent::parse(text)?, terms)?;
        agent.network = terms.network.unwrap_or(agent.network);
        agent.tunnel = tunnel.unwrap_or(&agent.tunnel).to_owned();
        agent.to_text()
    })?;
    if tunnel.is_some_and(|tunnel| tunnel != before.tunnel) {
        inventory.forget_lease(&before.tunnel, name)?;
    }
    output::line(&format!("agent {name} set, on the tunnel {}", tunnel.unwrap_or(&before.tunnel)));
    Ok(())
}

fn with_bind(mut agent: Agent, terms: &Terms) -> Result<Agent, Failure> {
    match terms.bind.as_deref() {
        None => {}
        Some(NONE) => agent.bind = None,
        Some(text) => {
            Bind::parse(text).map_err(|problem| Failure::usage(format!("--bind {text:?}: {problem}")))?;
            agent.bind = Some(text.to_owned());
        }
    }
    Ok(agent)
}

fn list(inventory: &Inventory, places: &Places, as_json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for (stored, agent) in inventory.agents()? {
        let state = State::of(&stored.name, places)?;
        lines.push(described(&stored.name, &agent, &state));
        let bind = agent.bind.clone().unwrap_or_else(|| "any".to_owned());
        let pipeline = state.held().map_or_else(String::new, |held| held.pipeline.clone());
        let network = network(&agent);
        rows.push(vec![stored.name, agent.tunnel, network, bind, state.as_str().to_owned(), pipeline]);
    }
    if as_json {
        output::line(&Value::Array(lines).to_string());
    } else {
        table::print(&["agent", "tunnel", "network", "bind", "state", "pipeline"], &rows);
    }
    Ok(())
}

fn show(name: &str, agent: &Agent, state: &State, as_json: bool) {
    if as_json {
        return output::line(&described(name, agent, state).to_string());
    }
    let held = state.held().map_or_else(String::new, |held| {
        let place = held.host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
        format!(" ({}, process {}{place})", held.pipeline, held.process)
    });
    table::facts(&[
        ("agent", name.to_owned()),
        ("tunnel", agent.tunnel.clone()),
        ("network", network(agent)),
        ("bind", agent.bind.clone().unwrap_or_else(|| "any".to_owned())),
        ("state", format!("{}{held}", state.as_str())),
    ]);
}

fn network(agent: &Agent) -> String {
    agent.network.as_str().to_owned()
}

fn described(name: &str, agent: &Agent, state: &State) -> Value {
    json!({
        "agent": name,
        "tunnel": agent.tunnel,
        "network": agent.network,
        "bind": agent.bind,
        "state": state.as_str(),
        "process": state.held().map(|held| held.process),
        "host": state.held().and_then(|held| held.host.as_ref()),
        "pipeline": state.held().map(|held| &held.pipeline),
    })
}
