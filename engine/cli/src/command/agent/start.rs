//! `engine agent start`: takes the tasks that are started for an agent, one after the other, each an `engine run` of
//! its own that ends with this process. Moves nothing itself, and starts no task again that has ended.

use std::{
    fs,
    path::PathBuf,
    process::{Child, ExitStatus},
    time::Duration,
};

use culvert_flow::records::Kind;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    args::{Places, tracing::Tracing},
    command::{run, task::process},
    exit::{Exit, Failure},
    folders,
    inventory::{
        Inventory, missing,
        tasks::{Asked, Task},
    },
    output,
    seat::{self, Seat},
};

/// How often is looked what there is to do.
const LOOK: Duration = Duration::from_millis(500);
/// A run ends in order within 5 s; a machine that's busy takes longer.
const END: Duration = Duration::from_secs(60);

/// An agent at work.
struct Working<'a> {
    name: &'a str,
    inventory: &'a Inventory,
    places: &'a Places,
    tracing: &'a Tracing,
    seat: Seat,
    task: Option<Running>,
    /// Whether the last look failed: told on its edges.
    is_lost: bool,
}

/// A task in hand.
struct Running {
    name: String,
    times: u64,
    child: Child,
    is_told: bool,
}

/// # Errors
/// There is no such agent, or somebody else works as it.
pub(super) fn start(inventory: &Inventory, places: &Places, name: &str, tracing: &Tracing) -> Result<Exit, Failure> {
    inventory.agent(name)?.ok_or_else(|| missing(Kind::Agent, name))?;
    let seat = Seat::serve(name, places)?;
    let mut working = Working { name, inventory, places, tracing, seat, task: None, is_lost: false };
    output::line(&format!("agent {name} waits for tasks"));
    run::runtime()?.block_on(async {
        let mut signals = run::signals::Signals::new()?;
        loop {
            let looked = working.look();
            working.tell(looked);
            tokio::select! {
                () = signals.next() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        tokio::select! {
            stopped = working.stop() => stopped,
            // The second signal ends it at once, and with it the run.
            () = signals.next() => Ok(Exit::Interrupted),
        }
    })
}

// === impl Working ===

impl Working<'_> {
    fn look(&mut self) -> Result<(), Failure> {
        let Some(running) = &mut self.task else { return self.take() };
        if let Some(status) = running.child.try_wait().map_err(Failure::could_not_go_on)? {
            return self.ended(status);
        }
        let now = self.inventory.find_task(&running.name)?;
        if now.is_none_or(|task| task.asked != Asked::Start) && !running.is_told {
            running.is_told = true;
            terminate(&running.child)?;
        }
        Ok(())
    }

    /// Takes the first task that's to be run.
    fn take(&mut self) -> Result<(), Failure> {
        for (stored, task) in self.inventory.tasks()? {
            let is_ours = match &task.agent {
                Some(agent) => agent == self.name,
                None => self.inventory.is_fleet,
            };
            if is_ours && task.asked == Asked::Start && !self.has_ended(&stored.name, task.times)? {
                return self.run(stored.name, &task);
            }
        }
        Ok(())
    }

    fn run(&mut self, name: String, task: &Task) -> Result<(), Failure> {
        let (mut command, _) = process::command(&name, task, Some(self.name), self.places)?;
        self.tracing.hand_over(&mut command);
        seat::hand_down(&mut command);
        self.seat.work_on(Some(&task.pipeline))?;
        let started = command.spawn();
        let child = started
            .map_err(|error| Failure::could_not_go_on(format!("the task {name:?} can't be started: {error}")))?;
        output::line(&format!("task {name} started (process {})", child.id()));
        self.task = Some(Running { name, times: task.times, child, is_told: false });
        Ok(())
    }

    fn ended(&mut self, status: ExitStatus) -> Result<(), Failure> {
        let Some(running) = self.task.take() else { return Ok(()) };
        self.seat.work_on(None)?;
        output::line(&format!(
            "task {} ended ({status}); its log is tasks/{}.log in the state folder",
            running.name, running.name
        ));
        // What was interrupted is gone on with when it's asked for, or when this agent is started again.
        if status.code() != Some(Exit::Interrupted as i32) {
            let path = self.mark(&running.name)?;
            let failed = |error| Failure::could_not_go_on(format!("{}: {error}", path.display()));
            fs::write(&path, running.times.to_string()).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether it was run to its end for this time that it was started.
    fn has_ended(&self, name: &str, times: u64) -> Result<bool, Failure> {
        Ok(fs::read_to_string(self.mark(name)?).is_ok_and(|mark| mark == times.to_string()))
    }

    fn mark(&self, name: &str) -> Result<PathBuf, Failure> {
        Ok(folders::state(self.places)?.join("tasks").join(format!("{name}.{}.ended", self.name)))
    }

    fn tell(&mut self, looked: Result<(), Failure>) {
        match looked {
            Err(failure) if !self.is_lost => {
                self.is_lost = true;
                tracing::warn!(%failure, "it can't be found out what there is to do; this is tried again");
            }
            Ok(()) if self.is_lost => {
                self.is_lost = false;
                tracing::warn!("it's known again what there is to do");
            }
            _ => {}
        }
    }

    /// Ends the task in hand in order.
    async fn stop(mut self) -> Result<Exit, Failure> {
        let Some(mut running) = self.task.take() else { return Ok(Exit::Done) };
        output::line(&format!("agent {} ends its task first", self.name));
        terminate(&running.child)?;
        let ended = tokio::time::timeout(END, async {
            while running.child.try_wait().is_ok_and(|status| status.is_none()) {
                tokio::time::sleep(LOOK / 10).await;
            }
        });
        if ended.await.is_err() {
            let message = format!("the run of {:?} has been told to end and goes on", running.name);
            return Err(Failure::could_not_go_on(message));
        }
        Ok(Exit::Done)
    }
}

fn terminate(child: &Child) -> Result<(), Failure> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let ended = pid.map_or(Ok(()), |pid| kill_process(pid, Signal::TERM));
    ended.map_err(|error| Failure::could_not_go_on(format!("the process {} can't be ended: {error}", child.id())))
}
