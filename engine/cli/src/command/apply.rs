//! `engine apply`: makes the tunnels, agents, addresses and tasks of this state folder what files say.
//! Says what it's about to change before it does, and deletes nothing that it isn't told to. Starts no task.

mod carry;
mod facts;
mod files;
mod plan;
mod prune;

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::json;

use crate::{
    args::{Places, apply::Apply as Asked},
    exit::{Exit, Failure},
    folders,
    inventory::Inventory,
    output,
};

/// # Errors
/// Something is wrong with the files or with what they ask for: nothing is changed then. Or a change
/// can't be made; those before it are.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let inventory = Inventory::open(places)?;
    let (path, file) = folders::engine_file(places)?;
    inventory.take_over(&file)?;
    let mut reading = files::read(&asked.folder, places)?;
    files::check(&mut reading, &inventory, (path.as_path(), &file), places)?;
    let plan = plan::of(&mut reading, &inventory, places)?;
    let (plan, unnamed) = prune::of(plan, &mut reading, &inventory, asked.prune)?;
    if !reading.problems.is_empty() {
        return Err(Failure::usage(reading.problems.render()));
    }
    prune::refuse_used(&plan, &inventory, places)?;
    if asked.json {
        let is_done = asked.yes || plan.changes.is_empty();
        if is_done {
            carry::out(&plan, &inventory, places)?;
        }
        let changes: Vec<_> = plan.changes.iter().map(plan::Change::described).collect();
        output::line(&json!({"changes": changes, "unnamed": unnamed, "applied": is_done}).to_string());
        return Ok(Exit::Done);
    }
    plan.changes.iter().for_each(|change| output::line(&change.to_string()));
    if !unnamed.is_empty() {
        output::line(&format!("left alone, for no file names them: {} (--prune deletes them)", unnamed.join(", ")));
    }
    if plan.changes.is_empty() {
        output::line("nothing to do");
        return Ok(Exit::Done);
    }
    output::line(&plan.counted());
    if !asked.yes && !is_agreed()? {
        return Err(Failure::usage("nothing was changed; --yes carries the plan out"));
    }
    carry::out(&plan, &inventory, places)?;
    output::line("done");
    Ok(Exit::Done)
}

/// Asks whoever sits at the terminal; without one, nobody agrees.
fn is_agreed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Ok(false);
    }
    let mut answer = String::new();
    let ask = write!(io::stdout(), "carry it out? [y/N] ").and_then(|()| io::stdout().flush());
    ask.and_then(|()| io::stdin().lock().read_line(&mut answer)).map_err(Failure::could_not_go_on)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
