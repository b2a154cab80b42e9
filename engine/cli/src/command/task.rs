//! `engine task`: pipeline files under a name, run in the background. Moves nothing itself: each run is
//! an `engine run` of its own, which outlives this command.

mod process;

use culvert_flow::records::Kind;
use culvert_manifest::parse_name;
use serde_json::{Value, json};

use self::process::{end, spawn};
use crate::{
    args::{Places, task::Task as Command},
    assembly::assemble,
    exit::{Exit, Failure},
    inventory::{
        Inventory, missing,
        tasks::{Asked, Standing, Task},
    },
    output,
    report::list::rfc3339,
    table,
};

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
            let pipeline = assemble(file, places)?.pipeline.name;
            let file = std::path::absolute(file).map_err(Failure::usage)?;
            let task = Task { file, pipeline, agent: agent.clone(), asked: Asked::Nothing };
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
    if task.standing(places)?.process.is_some() {
        return Err(Failure::usage(format!("the task {name:?} is running; `engine task stop {name}` ends it")));
    }
    if !inventory.delete(Kind::Task, &stored)? {
        return Err(Failure::could_not_go_on(format!("the task {name:?} was changed just now; try again")));
    }
    Ok(())
}

fn start(inventory: &Inventory, places: &Places, name: &str, task: &Task) -> Result<(), Failure> {
    if let Some(process) = task.standing(places)?.process {
        return Err(Failure::usage(format!("the pipeline {:?} is being run by process {process}", task.pipeline)));
    }
    // The file may have changed since: what is wrong with it is said here, not in a log.
    let pipeline = assemble(&task.file, places)?.pipeline.name;
    let task = Task { pipeline, asked: Asked::Start, ..task.clone() };
    inventory.edit_task(name, |it| *it = task.clone())?;
    let process = spawn(name, &task, places)?;
    output::line(&format!("task {name} started (process {process})"));
    Ok(())
}

fn stop(inventory: &Inventory, places: &Places, (name, asked, done): (&str, Asked, &str)) -> Result<(), Failure> {
    let (_, task) = inventory.task(name)?;
    let Some(process) = task.standing(places)?.process else {
        return Err(Failure::usage(format!("the task {name:?} isn't running; `engine task start {name}` starts it")));
    };
    inventory.edit_task(name, |it| it.asked = asked)?;
    end(process, &task, places)?;
    output::line(&format!("task {name} {done}"));
    Ok(())
}

fn list(inventory: &Inventory, places: &Places, as_json: bool) -> Result<(), Failure> {
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for (stored, task) in inventory.tasks()? {
        let standing = task.standing(places)?;
        lines.push(described(&stored.name, &task, &standing));
        let agent = task.agent.clone().unwrap_or_default();
        let moved = standing.run.as_ref().map_or_else(String::new, |run| run.moved.to_string());
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
        "moved": standing.run.as_ref().map(|run| run.moved),
        "failed": standing.run.as_ref().map(|run| run.failed),
    })
}
