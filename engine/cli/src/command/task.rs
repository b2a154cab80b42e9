//! `engine task`: pipeline files under a name, run in the background. Moves nothing itself: each run is
//! an `engine run` of its own, which outlives this command.

pub(super) mod process;

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use culvert_flow::records::Kind;
use culvert_manifest::{Pipeline, parse_name};
use serde_json::{Value, json};

use self::process::{end, spawn};
use super::address::schema_of;
use crate::{
    args::{Places, task::Task as Command},
    assembly::{assemble, runtime},
    connectors::pinned,
    exit::{Exit, Failure},
    folders,
    inventory::{
        Inventory, missing,
        tasks::{Asked, Standing, Task},
    },
    output,
    report::list::rfc3339,
    seat, table,
};

/// How often is looked what agents do.
const LOOK: Duration = Duration::from_millis(100);
/// Within which an agent that waits takes a task.
const TAKEN: Duration = Duration::from_secs(10);
/// A run ends in order within 5 s; a machine that's busy takes longer.
const STOPPED: Duration = Duration::from_secs(30);

/// # Errors
/// What was asked for can't be done; each says what is missing.
pub(crate) fn execute(command: &Command, places: &Places) -> Result<Exit, Failure> {
    let inventory = Inventory::open(places)?;
    match command {
        Command::Create { name, file, agent } => {
            let name = parse_name(name).map_err(|invalid| Failure::usage(format!("the task {name:?}: {invalid}")))?;
            if let Some(agent) = agent {
                inventory.agent(agent)?.ok_or_else(|| missing(Kind::Agent, agent))?;
            }
            let pipeline = assemble(file, places)?.pipeline;
            let file = std::path::absolute(file).map_err(Failure::usage)?;
            let text = if inventory.is_fleet { Some(text(&file, &pipeline, places)?) } else { None };
            let lock = if inventory.is_fleet { pinned::text(&file)? } else { None };
            let (pipeline, agent, asked) = (pipeline.name, agent.clone(), Asked::Nothing);
            let task = Task { file, pipeline, agent, asked, times: 0, text, lock };
            inventory.create(Kind::Task, &name, &task.to_text()?)?;
            output::line(&format!("task {name} made; `engine task start {name}` starts it"));
        }
        Command::Start { name } => {
            let (_, task) = inventory.task(name)?;
            start(&inventory, places, name, &task)?;
        }
        Command::Resume { name } => {
            let (_, task) = inventory.task(name)?;
            if task.asked != Asked::Pause {
                return Err(Failure::usage(format!(
                    "the task {name:?} isn't paused; `engine task start {name}` starts it"
                )));
            }
            start(&inventory, places, name, &task)?;
        }
        Command::Pause { name } => stop(&inventory, places, (name, Asked::Pause, "paused"))?,
        Command::Stop { name } => stop(&inventory, places, (name, Asked::Stop, "stopped"))?,
        Command::Show { name, json } => {
            let (_, task) = inventory.task(name)?;
            show(name, &task, &task.standing(places)?, *json);
        }
        Command::List { json } => list(&inventory, places, *json)?,
        Command::Delete { name } => {
            delete(&inventory, places, name)?;
            output::line(&format!("task {name} deleted"));
        }
    }
    Ok(Exit::Done)
}

/// # Errors
/// It's running.
pub(super) fn delete(inventory: &Inventory, places: &Places, name: &str) -> Result<(), Failure> {
    let (stored, task) = inventory.task(name)?;
    if task.standing(places)?.is_worked_on() {
        return Err(Failure::usage(format!("the task {name:?} is running; `engine task stop {name}` ends it")));
    }
    if !inventory.delete(Kind::Task, &stored)? {
        return Err(Failure::could_not_go_on(format!("the task {name:?} was changed just now; try again")));
    }
    Ok(())
}

/// What the file says, for machines that don't have it: no secret may stand in it.
fn text(file: &Path, pipeline: &Pipeline, places: &Places) -> Result<String, Failure> {
    let runtime = runtime(places)?;
    for end in [&pipeline.source, &pipeline.sink].into_iter().chain(&pipeline.transforms) {
        let refused = |problems: culvert_manifest::Problems| Failure::usage(problems.render());
        end.refuse_clear_secrets(&schema_of(end, Some(file), (&runtime, places))?).map_err(refused)?;
    }
    folders::read_text(file).map_err(|error| Failure::usage(format!("can't read {}: {error}", file.display())))
}

/// Leaves it to agents that take tasks.
fn ask(inventory: &Inventory, places: &Places, name: &str, task: &Task) -> Result<(), Failure> {
    inventory.edit_task(name, |it| {
        it.asked = Asked::Start;
        it.times += 1;
    })?;
    let begin = Instant::now();
    // Of one that's done before anybody looks its state tells.
    let has_begun = |standing: &Standing| !["waiting", "paused", "stopped", "new"].contains(&standing.state());
    let task = Task { asked: Asked::Start, times: task.times + 1, ..task.clone() };
    while begin.elapsed() < TAKEN {
        if has_begun(&task.standing(places)?) {
            output::line(&format!("task {name} started"));
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    let agent = task.agent.as_deref().unwrap_or("NAME");
    output::line(&format!("task {name} waits: no agent has taken it; `engine agent start {agent}` runs one"));
    Ok(())
}

fn start(inventory: &Inventory, places: &Places, name: &str, task: &Task) -> Result<(), Failure> {
    let standing = task.standing(places)?;
    if standing.fleet.is_some() {
        if standing.is_worked_on() {
            return Err(Failure::usage(format!("the task {name:?} is running")));
        }
        return ask(inventory, places, name, task);
    }
    if let Some(process) = task.standing(places)?.process {
        return Err(Failure::usage(format!("the pipeline {:?} is being run by process {process}", task.pipeline)));
    }
    // The file may have changed since: what is wrong with it is said here, not in a log.
    let pipeline = assemble(&task.file, places)?.pipeline.name;
    let served = task.agent.as_deref().map(|agent| seat::held(agent, places)).transpose()?.flatten();
    if served.is_some_and(|held| held.serves) {
        return ask(inventory, places, name, task);
    }
    let task = Task { pipeline, asked: Asked::Start, times: task.times + 1, ..task.clone() };
    inventory.edit_task(name, |it| *it = task.clone())?;
    let process = spawn(name, &task, places)?;
    output::line(&format!("task {name} started (process {process})"));
    Ok(())
}

fn stop(inventory: &Inventory, places: &Places, (name, asked, done): (&str, Asked, &str)) -> Result<(), Failure> {
    let (_, task) = inventory.task(name)?;
    let standing = task.standing(places)?;
    if standing.fleet.is_some() {
        inventory.edit_task(name, |it| it.asked = asked)?;
        wait_for_agents(&task, places)?;
        output::line(&format!("task {name} {done}"));
        return Ok(());
    }
    let Some(process) = standing.process else {
        return Err(Failure::usage(format!("the task {name:?} isn't running; `engine task start {name}` starts it")));
    };
    inventory.edit_task(name, |it| it.asked = asked)?;
    end(process, &task, places)?;
    output::line(&format!("task {name} {done}"));
    Ok(())
}

/// Waits until no agent of the fleet works on it.
fn wait_for_agents(task: &Task, places: &Places) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let standing = task.standing(places)?;
        if !standing.is_worked_on() {
            return Ok(());
        }
        if begin.elapsed() > STOPPED {
            let agents = standing.fleet.map(|fleet| fleet.agents.join(", ")).unwrap_or_default();
            return Err(Failure::could_not_go_on(format!("agents have been told to end it and go on: {agents}")));
        }
        thread::sleep(LOOK);
    }
}

fn list(inventory: &Inventory, places: &Places, as_json: bool) -> Result<(), Failure> {
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for (stored, task) in inventory.tasks()? {
        let standing = task.standing(places)?;
        lines.push(described(&stored.name, &task, &standing));
        let agent = task.agent.clone().unwrap_or_default();
        let moved = standing.moved().map_or_else(String::new, |moved| moved.to_string());
        rows.push(vec![stored.name, standing.state().to_owned(), task.pipeline, agent, moved]);
    }
    if as_json {
        output::line(&Value::Array(lines).to_string());
    } else {
        table::print(&["task", "state", "pipeline", "agent", "moved"], &rows);
    }
    Ok(())
}

fn show(name: &str, task: &Task, standing: &Standing, as_json: bool) {
    if as_json {
        return output::line(&described(name, task, standing).to_string());
    }
    let mut facts = vec![
        ("task", name.to_owned()),
        ("state", standing.state().to_owned()),
        ("pipeline", format!("{} ({})", task.pipeline, task.file.display())),
        ("agent", task.agent.clone().unwrap_or_else(|| "none".to_owned())),
    ];
    if let Some(fleet) = &standing.fleet {
        facts.push((
            "worked on by",
            if fleet.agents.is_empty() { "nobody".to_owned() } else { fleet.agents.join(", ") },
        ));
        facts.extend(standing.moved().map(|moved| ("moved", moved.to_string())));
    }
    if let Some(run) = &standing.run {
        let since = rfc3339(run.started).unwrap_or_default();
        facts.push(("last round", format!("{} since {since}: moved {}, failed {}", run.round, run.moved, run.failed)));
    }
    table::facts(&facts);
}

fn described(name: &str, task: &Task, standing: &Standing) -> Value {
    json!({
        "task": name,
        "state": standing.state(),
        "process": standing.process,
        "pipeline": task.pipeline,
        "file": task.file,
        "agent": task.agent,
        "agents": standing.fleet.as_ref().map(|fleet| &fleet.agents),
        "moved": standing.moved(),
        "failed": standing.failed(),
    })
}
