//! What this state folder, or the fleet that was named, knows beside journals: tunnels, agents, addresses,
//! tasks. Every change is made to what was read, or tried again. Starts nothing and moves nothing.

pub(crate) mod addresses;
pub(crate) mod agents;
pub(crate) mod tasks;
pub(crate) mod tunnels;

use std::path::Path;

use culvert_flow::{
    error::{Code, Error},
    journal::{Reader, RunRecord},
    records::{Kind, Records, SqliteRecords, Stored, Sync},
};

use crate::{args::Places, exit::Failure, fleet::fleet, folders};

/// The records, in the state folder.
const FILE: &str = "tunnels.sqlite";

pub(crate) struct Inventory {
    records: Box<dyn Records>,
    /// Of many machines: no file of this one defines anything in it.
    pub(crate) is_fleet: bool,
}

// === impl Inventory ===

impl Inventory {
    /// For whoever was asked to change or show something.
    ///
    /// # Errors
    /// The file can't be made or read, or the fleet can't be reached.
    pub(crate) fn open(places: &Places) -> Result<Self, Failure> {
        if let Some(fleet) = fleet(places)? {
            return Ok(Self { records: Box::new(fleet), is_fleet: true });
        }
        Ok(Self { records: Box::new(records(places, Sync::Full)?), is_fleet: false })
    }

    pub(crate) fn read(&self, kind: Kind, name: &str) -> Result<Option<Stored>, Failure> {
        self.records.read(kind, name).map_err(failure)
    }

    /// By name.
    pub(crate) fn list(&self, kind: Kind) -> Result<Vec<Stored>, Failure> {
        self.records.list(kind).map_err(failure)
    }

    /// # Errors
    /// There is one of this name already, or the file can't be written.
    pub(crate) fn create(&self, kind: Kind, name: &str, value: &str) -> Result<(), Failure> {
        if self.records.create(kind, name, value).map_err(failure)? {
            return Ok(());
        }
        let kind = kind.as_str();
        let message = format!("there is a {kind} {name:?} already; `engine {kind} show {name}` shows it");
        Err(Failure::usage(message))
    }

    /// Changes what is there; false if nothing is.
    ///
    /// # Errors
    /// `change` refuses it, or the file can't be written.
    pub(crate) fn edit(
        &self,
        kind: Kind,
        name: &str,
        change: impl Fn(&str) -> Result<String, Failure>,
    ) -> Result<bool, Failure> {
        loop {
            let Some(stored) = self.read(kind, name)? else { return Ok(false) };
            let value = change(&stored.value)?;
            if value == stored.value || self.records.swap(kind, name, stored.version, &value).map_err(failure)? {
                return Ok(true);
            }
        }
    }

    /// Deletes what was read; false if it has changed since.
    pub(crate) fn delete(&self, kind: Kind, stored: &Stored) -> Result<bool, Failure> {
        self.records.delete(kind, &stored.name, stored.version).map_err(failure)
    }
}

/// The records of this machine.
///
/// # Errors
/// The file can't be made or read.
pub(crate) fn records(places: &Places, sync: Sync) -> Result<SqliteRecords, Failure> {
    SqliteRecords::open(&folders::state(places)?.join(FILE), sync).map_err(failure)
}

/// A failure of the records.
pub(crate) fn failure(error: Error) -> Failure {
    Failure::could_not_go_on(error.message)
}

/// The last run in a journal; none if no run has begun.
fn last_run(journal: &Path) -> Result<Option<RunRecord>, Failure> {
    match Reader::open(journal).and_then(|reader| reader.last_run()) {
        Err(error) if error.code == Code::NOT_FOUND => Ok(None),
        read => read.map_err(failure),
    }
}

/// Nothing of this name is there.
pub(crate) fn missing(kind: Kind, name: &str) -> Failure {
    let kind = kind.as_str();
    Failure::usage(format!(
        "there is no {kind} {name:?}; `engine {kind} list` lists them, `engine {kind} create {name}` makes it"
    ))
}
