//! The tasks of this state folder: pipeline files under a name. Runs none.

use std::path::PathBuf;

use culvert_flow::{
    journal::{RunRecord, RunState, held_by},
    records::{Kind, Stored},
};
use serde::{Deserialize, Serialize};

use super::{Inventory, failure, last_run, missing};
use crate::{args::Places, exit::Failure, folders};

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
    asked: Asked,
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
        let journal = self.journal(places)?;
        let process = held_by(&journal).map_err(failure)?;
        let run = last_run(&journal)?;
        Ok(Standing { process, run, asked: self.asked })
    }

    fn journal(&self, places: &Places) -> Result<PathBuf, Failure> {
        Ok(folders::pipelines(places)?.join(&self.pipeline).join(folders::JOURNAL))
    }
}

// === impl Standing ===

impl Standing {
    /// `running` and `waiting` (for its next round) while a process is there.
    pub(crate) fn state(&self) -> &'static str {
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
