//! What a journal tells those who only read it: reports, status, verification, also while a run writes
//! it. Pages through in key order and holds one page; never blocks the writer for longer than that, so
//! a report of a run under way isn't of one moment.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    codes,
    record::{Outcome, Record, RunRecord, RunState},
    schema,
};
use crate::{error::Error, object::Checksums};

/// Rows that are read at once: some hundred KiB.
const PAGE: i64 = 1024;

const RUNS: &str = "SELECT id, round, started, updated, ended, process, state, error, listed, moved, skipped, \
    failed, deleted, repaired, retries, bytes, bytes_moved, bytes_expected, listing_done, resumed, worked FROM runs";

/// A journal that's read; any number of them, in any process.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
}

/// Which objects are wanted, of which run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// What is at the sink, as far as the runs know, whichever moved or found it.
    Manifest,
    /// Those of a run with an outcome. An object that a later run has seen is that run's.
    Moved(i64),
    Skipped(i64),
    Failed(i64),
    Deleted(i64),
    /// All that a run has seen.
    Seen(i64),
    /// Known to be at the sink, and not seen by this run.
    Unseen(i64),
    Everything,
}

/// Objects of one run by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub moved: u64,
    pub failed: u64,
    pub deleted: u64,
    /// By the reason's word.
    pub skipped: Vec<(&'static str, u64)>,
}

/// Records in the order of their keys' bytes.
#[derive(Debug)]
pub struct Records<'a> {
    reader: &'a Reader,
    wanted: Wanted,
    page: std::vec::IntoIter<Record>,
    /// Where the next page begins; none once there is no other.
    after: Option<String>,
}

// === impl Reader ===

impl Reader {
    /// Opens the journal at `path`.
    ///
    /// # Errors
    /// `not-found` where there is none or no run has begun, `corrupt` if it's something else, `unsupported` if it's of
    /// another version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), connection: schema::open_read_only(path)? })
    }

    /// The runs, the last one first.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn runs(&self, most: u32) -> Result<Vec<RunRecord>, Error> {
        let read = || {
            let mut statement = self.connection.prepare_cached(&format!("{RUNS} ORDER BY id DESC LIMIT ?1"))?;
            let rows = statement.query_map([most], run)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error: rusqlite::Error| self.failure(&error))
    }

    /// The last run; none if there wasn't any.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn last_run(&self) -> Result<Option<RunRecord>, Error> {
        Ok(self.runs(1)?.pop())
    }

    /// How many objects of a run ended how, counted object by object.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn counts(&self, run: i64) -> Result<Counts, Error> {
        let read = || {
            let sql = "SELECT outcome, count(*) FROM objects WHERE run = ?1 GROUP BY outcome ORDER BY outcome";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([run], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            let mut counts = Counts::default();
            for row in rows {
                let (outcome, objects) = row?;
                let objects = number(objects);
                match Outcome::parse(outcome) {
                    Some(Outcome::Moved) => counts.moved = objects,
                    Some(Outcome::Failed) => counts.failed = objects,
                    Some(Outcome::Deleted) => counts.deleted = objects,
                    Some(Outcome::Skipped(reason)) => counts.skipped.push((reason, objects)),
                    None => {}
                }
            }
            Ok(counts)
        };
        read().map_err(|error: rusqlite::Error| self.failure(&error))
    }

    /// Bytes of the files that a run moved.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn bytes_moved(&self, run: i64) -> Result<u64, Error> {
        let sql = "SELECT coalesce(sum(size), 0) FROM objects WHERE run = ?1 AND outcome = ?2 AND kind = 0";
        let read = self.connection.query_row(sql, params![run, Outcome::MOVED], |row| row.get::<_, i64>(0));
        read.map(number).map_err(|error| self.failure(&error))
    }

    /// What's wanted, in the order of the keys' bytes, page by page.
    pub fn records(&self, wanted: Wanted) -> Records<'_> {
        Records { reader: self, wanted, page: Vec::new().into_iter(), after: Some(String::new()) }
    }

    /// Records behind `after`, each behind the one before it; at most a page.
    fn page(&self, wanted: Wanted, after: &str) -> Result<Vec<Record>, Error> {
        let (filter, run) = wanted.filter();
        let sql = format!(
            "SELECT key, outcome, run, settled, kind, size, modified, version, checksums, grade, moved, attempts, \
             code, message FROM objects WHERE key > ?1 AND {filter} AND ?2 = ?2 ORDER BY key LIMIT ?3"
        );
        let read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, run, PAGE], record)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let page = read().map_err(|error: rusqlite::Error| self.failure(&error))?;
        // Pages of a damaged tree could follow each other for ever.
        let before = std::iter::once(after).chain(page.iter().map(|record| record.name.as_str()));
        if before.zip(&page).any(|(before, record)| before >= record.name.as_str()) {
            return Err(schema::out_of_order(&self.path));
        }
        Ok(page)
    }

    /// One object, by its key or name.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn record(&self, name: &str) -> Result<Option<Record>, Error> {
        let sql = "SELECT key, outcome, run, settled, kind, size, modified, version, checksums, grade, moved, \
                   attempts, code, message FROM objects WHERE key = ?1 AND outcome <> 2";
        let read = || self.connection.prepare_cached(sql)?.query_row([name], record).optional();
        read().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &rusqlite::Error) -> Error {
        schema::failure(&self.path, error)
    }
}

// === impl Wanted ===

impl Wanted {
    /// What a row must be, `?2` being the run.
    fn filter(self) -> (&'static str, i64) {
        match self {
            Self::Manifest => ("settled IN (1, 2) AND outcome <> 2", 0),
            Self::Moved(run) => ("run = ?2 AND outcome = 0", run),
            Self::Failed(run) => ("run = ?2 AND outcome = 1", run),
            Self::Deleted(run) => ("run = ?2 AND outcome = 3", run),
            Self::Skipped(run) => ("run = ?2 AND outcome >= 10", run),
            Self::Seen(run) => ("run = ?2 AND outcome NOT IN (2, 3)", run),
            Self::Unseen(run) => ("settled IN (1, 2) AND run <> ?2 AND outcome <> 2", run),
            Self::Everything => ("outcome <> 2", 0),
        }
    }
}

// === impl Records ===

impl Iterator for Records<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            let after = self.after.take()?;
            let page = match self.reader.page(self.wanted, &after) {
                Ok(page) => page,
                Err(error) => return Some(Err(error)),
            };
            self.after = page.last().map(|last| last.name.clone());
            self.page = page.into_iter();
        }
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let settled: i64 = row.get(3)?;
    Ok(Record {
        name: row.get(0)?,
        outcome: Outcome::parse(row.get(1)?).unwrap_or(Outcome::Moved),
        run: row.get(2)?,
        at_sink: settled == 1 || settled == 2,
        kind: codes::kind(row.get(4)?),
        size: size(row.get(5)?)?,
        modified: row.get::<_, Option<i64>>(6)?.and_then(codes::from_nanos),
        version: row.get(7)?,
        checksums: row.get::<_, Option<Vec<u8>>>(8)?.map_or_else(Checksums::new, |packed| codes::unpack(&packed)),
        grade: row.get::<_, Option<i64>>(9)?.and_then(codes::grade),
        moved: row.get::<_, Option<i64>>(10)?.and_then(codes::from_millis),
        attempts: row.get(11)?,
        code: row.get(12)?,
        message: row.get(13)?,
    })
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let time = |millis: i64| codes::from_millis(millis).unwrap_or(std::time::UNIX_EPOCH);
    let figure = |column: usize| row.get::<_, i64>(column).map(number);
    let started = time(row.get(2)?);
    Ok(RunRecord {
        id: row.get(0)?,
        round: row.get(1)?,
        started,
        resumed: row.get::<_, Option<i64>>(19)?.map_or(started, time),
        worked: Duration::from_millis(figure(20)?),
        updated: time(row.get(3)?),
        ended: row.get::<_, Option<i64>>(4)?.map(time),
        process: row.get(5)?,
        state: RunState::parse(row.get(6)?),
        error: row.get(7)?,
        listed: figure(8)?,
        moved: figure(9)?,
        skipped: figure(10)?,
        failed: figure(11)?,
        deleted: figure(12)?,
        repaired: figure(13)?,
        retries: figure(14)?,
        bytes: figure(15)?,
        bytes_moved: figure(16)?,
        bytes_expected: figure(17)?,
        listing_done: row.get(18)?,
    })
}

fn size(size: Option<i64>) -> rusqlite::Result<Option<u64>> {
    size.map(|size| u64::try_from(size).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(5, size))).transpose()
}

/// A figure that was written from one without sign.
fn number(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or(0)
}
