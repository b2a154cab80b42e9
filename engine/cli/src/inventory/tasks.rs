//! The tasks of this state folder or of a fleet: pipeline files under a name. Runs none.

use std::path::PathBuf;

use culvert_fleet::Fleet;
use culvert_flow::{
    journal::{RunRecord, RunState, held_by},
    records::{Kind, Stored},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Inventory, failure, last_run, missing};
use crate::{args::Places, exit::Failure, fleet::fleet, folders, seat};

/// What is kept of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// The pipeline's file, from the root.
    pub(crate) file: PathBuf,
    /// The name in that file when it was last read.
    pub(crate) pipeline: String,
    pub(crate) agent: Option<String>,
    pub(crate) asked: Asked,
    /// How often it was started.
    #[serde(default)]
    pub(crate) times: u64,
    /// What the file says, in a fleet: other machines don't have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// What the lock beside it says, in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lock: Option<String>,
}

/// What was asked for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Asked {
    Nothing,
    Start,
    Pause,
    Stop,
}

/// How a task stands.
pub(crate) struct Standing {
    /// Who runs its pipeline now; 0 if it can't be told.
    pub(crate) process: Option<u32>,
    pub(crate) run: Option<RunRecord>,
    /// Of a task of a fleet.
    pub(crate) fleet: Option<FleetStanding>,
    asked: Asked,
}

/// How a task of a fleet stands.
pub(crate) struct FleetStanding {
    /// Those that work on it.
    pub(crate) agents: Vec<String>,
    /// Of the run that it was started for last: what all machines did, where it's over.
    pub(crate) ending: Option<Value>,
}

// === impl Inventory ===

impl Inventory {
    /// # Errors
    /// There is no such task.
    pub(crate) fn task(&self, name: &str) -> Result<(Stored, Task), Failure> {
        let stored = self.read(Kind::Task, name)?.ok_or_else(|| missing(Kind::Task, name))?;
        let task = Task::parse(&stored.value)?;
        Ok((stored, task))
    }

    /// None if there is no such task.
    pub(crate) fn find_task(&self, name: &str) -> Result<Option<Task>, Failure> {
        self.read(Kind::Task, name)?.map(|stored| Task::parse(&stored.value)).transpose()
    }

    /// By name.
    pub(crate) fn tasks(&self) -> Result<Vec<(Stored, Task)>, Failure> {
        let stored = self.list(Kind::Task)?.into_iter();
        stored.map(|stored| Task::parse(&stored.value).map(|task| (stored, task))).collect()
    }

    /// # Errors
    /// There is no such task.
    pub(crate) fn edit_task(&self, name: &str, change: impl Fn(&mut Task)) -> Result<(), Failure> {
        let is_there = self.edit(Kind::Task, name, |text| {
            let mut task = Task::parse(text)?;
            change(&mut task);
            task.to_text()
        })?;
        if is_there { Ok(()) } else { Err(missing(Kind::Task, name)) }
    }
}

// === impl Task ===

impl Task {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::could_not_go_on(format!("a task's record: {error}")))
    }

    pub(crate) fn to_text(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(Failure::could_not_go_on)
    }

    /// # Errors
    /// The journal can't be read.
    pub(crate) fn standing(&self, places: &Places) -> Result<Standing, Failure> {
        if let Some(fleet) = fleet(places)? {
            let standing = FleetStanding::of(self, &fleet)?;
            return Ok(Standing { process: None, run: None, fleet: Some(standing), asked: self.asked });
        }
        let journal = self.journal(places)?;
        let process = held_by(&journal).map_err(failure)?;
        let run = last_run(&journal)?;
        Ok(Standing { process, run, fleet: None, asked: self.asked })
    }

    fn journal(&self, places: &Places) -> Result<PathBuf, Failure> {
        Ok(folders::pipelines(places)?.join(&self.pipeline).join(folders::JOURNAL))
    }
}

// === impl FleetStanding ===

impl FleetStanding {
    fn of(task: &Task, fleet: &Fleet) -> Result<Self, Failure> {
        let agents = seat::working(fleet, &task.pipeline)?;
        let run = fleet.run(&task.pipeline).map_err(failure)?.filter(|run| run.asked == Some(task.times));
        let ending = run.and_then(|run| run.ended).map(|text| serde_json::from_str(&text).unwrap_or_default());
        Ok(Self { agents, ending })
    }
}

// === impl Standing ===

impl Standing {
    /// Whether somebody runs it now.
    pub(crate) fn is_worked_on(&self) -> bool {
        self.process.is_some() || self.fleet.as_ref().is_some_and(|fleet| !fleet.agents.is_empty())
    }

    /// Objects that its last run has moved, so far; of a fleet's once it's over.
    pub(crate) fn moved(&self) -> Option<u64> {
        self.figure(|run| run.moved, "moved")
    }

    pub(crate) fn failed(&self) -> Option<u64> {
        self.figure(|run| run.failed, "failed")
    }

    fn figure(&self, of_run: impl Fn(&RunRecord) -> u64, name: &str) -> Option<u64> {
        let ending = self.fleet.as_ref().and_then(|fleet| fleet.ending.as_ref());
        self.run.as_ref().map(of_run).or_else(|| ending?["objects"][name].as_u64())
    }

    /// `running` and `waiting` (for its next round) while a process is there.
    pub(crate) fn state(&self) -> &'static str {
        if let Some(FleetStanding { agents, ending }) = &self.fleet {
            return match (self.asked, ending) {
                _ if !agents.is_empty() => "running",
                (Asked::Pause, _) => "paused",
                (Asked::Stop, _) => "stopped",
                (Asked::Nothing, _) => "new",
                // Nobody has taken it so far.
                (Asked::Start, None) => "waiting",
                (Asked::Start, Some(ending)) if ending["failure"].is_string() => "failed",
                (Asked::Start, Some(_)) => "finished",
            };
        }
        let run = self.run.as_ref().map(|run| run.state);
        match (self.process, self.asked, run) {
            (Some(_), _, Some(RunState::Running)) => "running",
            (Some(_), _, _) => "waiting",
            (None, Asked::Pause, _) => "paused",
            (None, Asked::Stop, _) => "stopped",
            (None, _, Some(RunState::Running)) => "killed",
            (None, Asked::Start, Some(state)) => state.as_str(),
            (None, _, _) => "new",
        }
    }
}
