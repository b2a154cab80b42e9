//! What a run asks a journal before it moves anything: whether an object is as it was written down.
//! Reads only what is on disk; what a run writes itself it doesn't need to ask.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    record::{Item, Outcome},
    schema,
};
use crate::{error::Error, listing::Mark, object::Key, rules::Overwrite};

const FIND: &str =
    "SELECT run, outcome, settled, kind, size, modified, version, attributes FROM objects WHERE key = ?1";

/// A connection that reads.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
}

/// What's known of the object at the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Not,
    /// A run moved it.
    Moved,
    /// A run found it there.
    Same,
    /// Left alone, since nothing is to be overwritten.
    Exists,
    /// Left alone, since it isn't older.
    NotNewer,
}

/// An object as it was written down.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) run: i64,
    pub(crate) settled: Settled,
    failed: bool,
    /// What the run that saw it last did was to move it.
    moved: bool,
    item: Item,
}

// === impl Settled ===

impl Settled {
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Not => 0,
            Self::Moved => 1,
            Self::Same => 2,
            Self::Exists => 3,
            Self::NotNewer => 4,
        }
    }

    fn parse(number: i64) -> Self {
        match number {
            1 => Self::Moved,
            2 => Self::Same,
            3 => Self::Exists,
            4 => Self::NotNewer,
            _ => Self::Not,
        }
    }
}

// === impl Lookup ===

impl Lookup {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let connection = schema::open_read_only(path)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// What is known of these, in their order. One batch is one look at the file.
    pub(crate) fn find<'a>(&self, keys: impl Iterator<Item = &'a Key>) -> Result<Vec<Option<Known>>, Error> {
        let found = || {
            let transaction = self.connection.unchecked_transaction()?;
            let mut statement = transaction.prepare_cached(FIND)?;
            let found = keys.map(|key| statement.query_row([key.as_str()], |row| known(key, row)).optional());
            let found = found.collect::<rusqlite::Result<_>>();
            drop(statement);
            transaction.commit()?;
            found
        };
        found().map_err(|error: rusqlite::Error| schema::failure(&self.path, &error))
    }

    /// Whether there is anything to be found.
    pub(crate) fn is_empty(&self) -> Result<bool, Error> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM objects)";
        let read = self.connection.query_row(sql, [], |row| row.get(0));
        read.map_err(|error| schema::failure(&self.path, &error))
    }

    /// Whether a run has seen anything below this folder.
    pub(crate) fn has_seen_below(&self, folder: &Key, run: i64) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM objects WHERE key > ?1 AND key < ?2 AND run = ?3 AND outcome <> ?4)";
        // "0" follows "/".
        let (first, behind) = (format!("{}/", folder.as_str()), format!("{}0", folder.as_str()));
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row(params![first, behind, run, Outcome::DELETED], |row| row.get(0))
        };
        read().map_err(|error: rusqlite::Error| schema::failure(&self.path, &error))
    }

    /// What is in a folder, if the run under way has done all of that and the folder is as it was then.
    pub(crate) fn whole(&self, folder: &Item) -> Result<Option<Mark>, Error> {
        let sql = "SELECT kept, touched FROM folders \
                   WHERE key = ?1 AND modified IS ?2 AND version IS ?3 AND attributes IS ?4";
        let Item { key, modified, version, attributes, .. } = folder;
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let values = params![key.as_str(), modified, version.as_deref(), attributes];
            let mark = |row: &Row<'_>| Ok(Mark { kept: row.get(0)?, touched: row.get(1)? });
            statement.query_row(values, mark).optional()
        };
        read().map_err(|error: rusqlite::Error| schema::failure(&self.path, &error))
    }

    /// How far a flat listing is done.
    #[cfg(test)]
    pub(crate) fn position(&self) -> Result<Option<Key>, Error> {
        let sql = "SELECT after FROM position";
        let read = self.connection.query_row(sql, [], |row| row.get::<_, String>(0)).optional();
        let read = read.map_err(|error| schema::failure(&self.path, &error))?;
        Ok(read.and_then(|after| Key::parse(&after).ok()))
    }

    /// What is known of this one.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Known>, Error> {
        Ok(self.find(std::iter::once(key))?.pop().flatten())
    }
}

fn known(key: &Key, row: &Row<'_>) -> rusqlite::Result<Known> {
    let version = row.get_ref(6)?.as_str_or_null()?.map(Arc::from);
    let item = Item {
        key: key.clone(),
        kind: row.get(3)?,
        size: row.get(4)?,
        modified: row.get(5)?,
        version,
        attributes: row.get(7)?,
    };
    let outcome = row.get::<_, i64>(1)?;
    let (failed, moved) = (outcome == Outcome::FAILED, outcome == Outcome::MOVED);
    Ok(Known { run: row.get(0)?, settled: Settled::parse(row.get(2)?), failed, moved, item })
}

// === impl Known ===

impl Known {
    /// How much is known of what this run did with it: nothing, that it failed, that it was left, that it was
    /// moved.
    pub(crate) fn rank(&self, run: i64) -> u8 {
        match (self.run == run, self.failed, self.moved) {
            (false, ..) => 0,
            (_, true, _) => 1,
            (.., false) => 2,
            (.., true) => 3,
        }
    }

    /// Whether the object needs no look at the sink: it's as it was, and what was found then is what
    /// `overwrite` would find now. What `run` has moved itself is done under any rule.
    pub(crate) fn is_done(&self, object: &Item, overwrite: Overwrite, run: i64) -> bool {
        let stands = match self.settled {
            Settled::Not => false,
            Settled::Moved => overwrite != Overwrite::Always || self.run == run && !self.failed,
            Settled::Same => matches!(overwrite, Overwrite::IfDifferent | Overwrite::IfNewer),
            Settled::Exists => overwrite == Overwrite::Never,
            Settled::NotNewer => overwrite == Overwrite::IfNewer,
        };
        stands && self.item.is_same(object)
    }
}
