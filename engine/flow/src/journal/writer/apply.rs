//! What each entry does to the tables. Decides nothing and commits nothing.

use std::time::SystemTime;

use rusqlite::params;

use super::{Group, Writer};
use crate::{
    error::Error,
    journal::{
        codes,
        lookup::Settled,
        record::{self, Entry, Item, Outcome, Proof, Skip},
    },
    object::Key,
};

const MOVED: &str = "INSERT OR REPLACE INTO objects \
    (key, run, outcome, settled, kind, size, modified, version, attributes, checksums, grade, moved, attempts) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
/// What was moved stays known: the sink still has it.
const LEFT_ALONE: &str = "INSERT INTO objects \
    (key, run, outcome, settled, kind, size, modified, version, attributes) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
    ON CONFLICT (key) DO UPDATE SET run = excluded.run, outcome = excluded.outcome, code = NULL, message = NULL, \
    settled = iif(settled = 1, settled, excluded.settled), kind = iif(settled = 1, kind, excluded.kind), \
    size = iif(settled = 1, size, excluded.size), modified = iif(settled = 1, modified, excluded.modified), \
    version = iif(settled = 1, version, excluded.version), \
    attributes = iif(settled = 1, attributes, excluded.attributes)";
const NOT_SELECTED: &str = "INSERT INTO objects (key, run, outcome, kind, size, modified) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (key) DO UPDATE SET run = excluded.run, outcome = excluded.outcome, code = NULL, message = NULL";
const UNCHANGED: &str = "UPDATE objects SET run = ?2, outcome = ?3 WHERE key = ?1";
const FAILED: &str = "INSERT INTO objects (key, run, outcome, attempts, code, message) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO UPDATE SET run = excluded.run, outcome = excluded.outcome, \
    attempts = excluded.attempts, code = excluded.code, message = excluded.message";
const LOST: &str = "UPDATE objects SET settled = 0, checksums = NULL, grade = NULL, moved = NULL WHERE key = ?1";
const DELETED: &str = "INSERT OR REPLACE INTO objects (key, run, outcome) VALUES (?1, ?2, ?3)";
const WHOLE: &str = "INSERT OR REPLACE INTO folders (key, kept, touched, modified, version, attributes) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const STALE_PARTS: &str = "DELETE FROM parts WHERE upload = ?1 OR upload IN (SELECT id FROM uploads WHERE key = ?2)";
const BEGUN: &str = "INSERT OR REPLACE INTO uploads (id, key, token, size, modified, version, part_size) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const PART: &str = "INSERT OR REPLACE INTO parts (upload, number, token, checksums) VALUES (?1, ?2, ?3, ?4)";

impl Writer {
    pub(super) fn apply(&mut self, entry: Entry, group: &mut Group) -> rusqlite::Result<()> {
        group.objects += 1;
        match entry {
            Entry::Begin { round, meter, now, reply } => {
                // Kept before anything can fail: a sender that's dropped says less than the failure.
                let (started, _) = group.begun.insert((None, reply));
                // They are of the run before.
                self.write_marks()?;
                *started = Some(self.begin(round, meter, now)?);
            }
            Entry::End { summary, scope, now } => {
                self.write_marks()?;
                self.end(&summary, scope, now)?;
            }
            Entry::GiveUp => self.give_up()?,
            Entry::Moved { item, proof, now } => self.moved(&item, &proof, now)?,
            Entry::Skipped { item, reason } => self.skipped(&item, reason)?,
            Entry::Unchanged { keys, reason } => {
                group.objects += keys.len();
                self.marks.extend(keys.into_iter().map(|key| (key, reason)));
            }
            Entry::Failed { name, error, attempts } => self.failed(&name, &error, attempts)?,
            Entry::Folder { item } => self.settle(&item, Outcome::FOLDER, Settled::Moved, None)?,
            Entry::Whole { item, mark } => self.wholes.push((item, mark)),
            Entry::Lost(key) => self.execute(LOST, params![key.as_str()])?,
            Entry::Deleted(key) => self.execute(DELETED, params![key.as_str(), self.run_id(), Outcome::DELETED])?,
            Entry::Begun { id, item, token, part_size } => {
                let Item { key, size, modified, version, .. } = &item;
                let part_size = i64::try_from(part_size).unwrap_or(i64::MAX);
                // Numbers come again: what was an upload's before mustn't be taken for this one's.
                self.execute(STALE_PARTS, params![id, key.as_str()])?;
                self.execute(BEGUN, params![id, key.as_str(), token, size, modified, version.as_deref(), part_size])?;
            }
            Entry::Part { upload, receipt, checksums } => {
                self.execute(PART, params![upload, receipt.part, receipt.token, codes::pack(&checksums)])?;
            }
            Entry::Ended(upload) => {
                self.execute("DELETE FROM parts WHERE upload = ?1", params![upload])?;
                self.execute("DELETE FROM uploads WHERE id = ?1", params![upload])?;
            }
            Entry::Position(after) => self.position(after.as_ref())?,
            Entry::Flush(reply) => group.flushed.push(reply),
            #[cfg(test)]
            Entry::Die => {
                group.last = true;
                return Err(rusqlite::Error::InvalidQuery);
            }
        }
        Ok(())
    }

    fn run_id(&self) -> i64 {
        self.run.as_ref().map_or(0, |run| run.id)
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(values).map(|_| ())
    }

    fn moved(&self, item: &Item, proof: &Proof, now: SystemTime) -> rusqlite::Result<()> {
        self.settle(item, Outcome::MOVED, Settled::Moved, Some((proof, now)))
    }

    fn settle(
        &self,
        item: &Item,
        outcome: i64,
        settled: Settled,
        proven: Option<(&Proof, SystemTime)>,
    ) -> rusqlite::Result<()> {
        let Item { key, kind, size, modified, version, attributes } = item;
        let checksums = proven.and_then(|(proof, _)| codes::pack(&proof.checksums));
        let grade = proven.and_then(|(proof, _)| proof.grade).map(codes::grade_number);
        let moved = proven.map(|(_, now)| codes::millis(now));
        let attempts = proven.map_or(1, |(proof, _)| proof.attempts);
        let values = params![
            key.as_str(),
            self.run_id(),
            outcome,
            settled.number(),
            kind,
            size,
            modified,
            version.as_deref(),
            attributes,
            checksums,
            grade,
            moved,
            attempts
        ];
        self.execute(MOVED, values)
    }

    fn skipped(&self, item: &Item, reason: Skip) -> rusqlite::Result<()> {
        let Item { key, kind, size, modified, version, attributes } = item;
        match reason.settles() {
            Settled::Not | Settled::Moved => {
                self.execute(NOT_SELECTED, params![key.as_str(), self.run_id(), reason.0, kind, size, modified])
            }
            // Another object than the one that was moved, if one was: its checksums say nothing.
            Settled::Same => self.settle(item, reason.0, Settled::Same, None),
            settled @ (Settled::Exists | Settled::NotNewer) => {
                let (version, settled) = (version.as_deref(), settled.number());
                let run = self.run_id();
                let values = params![key.as_str(), run, reason.0, settled, kind, size, modified, version, attributes];
                self.execute(LEFT_ALONE, values)
            }
        }
    }

    /// Marks as seen what waits for it, then the folders that are whole with it.
    pub(super) fn write_marks(&mut self) -> rusqlite::Result<()> {
        let mut marks = std::mem::take(&mut self.marks);
        marks.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let mut statement = self.connection.prepare_cached(UNCHANGED)?;
        let run = self.run_id();
        for (key, reason) in &marks {
            statement.execute(params![key.as_str(), run, reason.0])?;
        }
        for (item, mark) in std::mem::take(&mut self.wholes) {
            let Item { key, modified, version, attributes, .. } = &item;
            let values = params![key.as_str(), mark.kept, mark.touched, modified, version.as_deref(), attributes];
            self.execute(WHOLE, values)?;
        }
        Ok(())
    }

    fn failed(&mut self, name: &str, error: &Error, attempts: u32) -> rusqlite::Result<()> {
        if let Some(run) = &mut self.run
            && std::mem::take(&mut run.position_counts)
        {
            // The next process must come across it again.
            self.position(None)?;
        }
        let (code, message) = (error.code.as_str(), record::message(&error.message));
        self.execute(FAILED, params![record::name(name), self.run_id(), Outcome::FAILED, attempts, code, message])
    }

    fn position(&mut self, after: Option<&Key>) -> rusqlite::Result<()> {
        self.write_marks()?;
        match after {
            None => self.execute("DELETE FROM position", []),
            Some(after) if self.run.as_ref().is_some_and(|run| run.position_counts) => {
                let sql = "INSERT OR REPLACE INTO position (folder, after) VALUES ('', ?1)";
                self.execute(sql, params![after.as_str()])
            }
            Some(_) => Ok(()),
        }
    }
}
