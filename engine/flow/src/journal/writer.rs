//! The thread that writes a journal, in groups. After a failure it writes nothing more, until the next
//! run begins: what it couldn't write is lost, and whoever waits for it is told.

mod apply;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Started,
    codes::millis,
    record::{Entry, Item, Outcome, RunState, Scope, Skip, message},
    schema,
};
use crate::{
    error::Error,
    listing::Mark,
    meter::Meter,
    object::Key,
    run::{State, Summary},
    sync::lock,
};

/// A group is written once it has so many objects: then a sync costs each of them next to nothing.
const GROUP_ENTRIES: usize = 4096;
/// Or once its first entry is so old: what a loss of power costs at most.
const GROUP_TIME: Duration = Duration::from_millis(100);
/// Marks of unchanged objects that wait to be written together, in the order of their keys: where a
/// source lists in no order, several then share a page. About 6 MiB.
const MAX_MARKS: usize = 65_536;
/// How often the figures of a run are written while nothing else is.
const PROGRESS_TIME: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    path: PathBuf,
    connection: Connection,
    entries: Receiver<Entry>,
    broken: Arc<Mutex<Option<Error>>>,
    run: Option<Run>,
    /// Found unchanged, and not yet marked as seen. A mark that's lost costs a lookup; none is written
    /// after a position that covers it.
    marks: Vec<(Key, Skip)>,
    /// Folders that are whole once the marks are written.
    wholes: Vec<(Item, Mark)>,
}

/// The run under way.
struct Run {
    id: i64,
    resumed: bool,
    meter: Arc<Meter>,
    /// What earlier processes did of it.
    before: Figures,
    written: Instant,
    /// Nothing has failed: everything behind the listing's position is done.
    position_counts: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    listed: i64,
    moved: i64,
    skipped: i64,
    failed: i64,
    deleted: i64,
    retries: i64,
    bytes: i64,
    bytes_moved: i64,
}

/// A run's beginning once it's written, and who waits for it.
type Begun = (Option<Started>, Sender<Result<Started, Error>>);

/// What a group leaves to do once it's on disk.
#[derive(Default)]
struct Group {
    objects: usize,
    flushed: Vec<Sender<Result<(), Error>>>,
    /// Who waits for a run's beginning, and the run once it's written.
    begun: Option<Begun>,
    /// Nothing more follows.
    last: bool,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        connection: Connection,
        entries: Receiver<Entry>,
        broken: Arc<Mutex<Option<Error>>>,
    ) -> Result<Self, Error> {
        Ok(Self { path, connection, entries, broken, run: None, marks: Vec::new(), wholes: Vec::new() })
    }

    pub(super) fn run(mut self) {
        loop {
            // Between runs nothing wakes it.
            let next = match self.run {
                Some(_) => self.entries.recv_timeout(PROGRESS_TIME),
                None => self.entries.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let first = match next {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.turn(None);
                    break;
                }
            };
            #[cfg(test)]
            if matches!(first, Some(Entry::Die)) {
                return;
            }
            if self.turn(first) {
                break;
            }
        }
        // Everything in one file again, as far as readers allow; the next one to open it would do the rest.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// One group; true if it was the last.
    fn turn(&mut self, first: Option<Entry>) -> bool {
        let begins = matches!(first, Some(Entry::Begin { .. }));
        if begins {
            lock(&self.broken).take();
        }
        if let Some(error) = lock(&self.broken).clone() {
            refuse(first, &error);
            return false;
        }
        let mut group = Group::default();
        let result = self.write(first, &mut group).map_err(|error| schema::failure(&self.path, &error));
        if let Err(error) = &result {
            // Outside of a transaction this fails, which is as good.
            let _ = self.connection.execute_batch("ROLLBACK");
            self.marks.clear();
            self.wholes.clear();
            tracing::error!(%error, "the journal can't be written");
            *lock(&self.broken) = Some(error.clone());
        }
        for flushed in group.flushed {
            // Who doesn't wait any more doesn't want to know.
            let _ = flushed.send(result.clone());
        }
        if let Some((started, reply)) = group.begun
            && let Some(answer) = result.map(|()| started).transpose()
        {
            let _ = reply.send(answer);
        }
        group.last
    }

    fn write(&mut self, first: Option<Entry>, group: &mut Group) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut until = Instant::now() + GROUP_TIME;
        let idle = first.is_none();
        let mut next = first;
        while let Some(entry) = next.take() {
            let flush = matches!(entry, Entry::Flush(_) | Entry::Begin { .. });
            self.apply(entry, group)?;
            if flush {
                // Somebody waits; others who are about to may come along.
                until = Instant::now();
            }
            if group.last || group.objects >= GROUP_ENTRIES {
                break;
            }
            next = match self.entries.recv_deadline(until) {
                Ok(entry) => Some(entry),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    group.last = true;
                    None
                }
            };
        }
        let waiting = self.marks.len() + self.wholes.len();
        if idle || group.last || self.marks.is_empty() || waiting >= MAX_MARKS || !group.flushed.is_empty() {
            self.write_marks()?;
        }
        self.write_progress()?;
        self.connection.execute_batch("COMMIT")
    }

    /// The run's figures, once in a while.
    fn write_progress(&mut self) -> rusqlite::Result<()> {
        let Some(run) = &mut self.run else { return Ok(()) };
        if run.written.elapsed() < PROGRESS_TIME {
            return Ok(());
        }
        run.written = Instant::now();
        let figures = run.before.and(&Figures::of_meter(&run.meter));
        let (id, expected) = (run.id, run.bytes_expected());
        let listed = run.meter.listing_done.load(Ordering::Relaxed);
        self.write_figures(id, &figures, SystemTime::now())?;
        let sql = "UPDATE runs SET bytes_expected = ?2, listing_done = ?3 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![id, expected, listed]).map(|_| ())
    }

    fn write_figures(&self, id: i64, figures: &Figures, now: SystemTime) -> rusqlite::Result<()> {
        let sql = "UPDATE runs SET updated = ?2, listed = ?3, moved = ?4, skipped = ?5, failed = ?6, \
                   deleted = ?7, retries = ?8, bytes = ?9, bytes_moved = ?10 WHERE id = ?1";
        let Figures { listed, moved, skipped, failed, deleted, retries, bytes, bytes_moved } = *figures;
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![id, millis(now), listed, moved, skipped, failed, deleted, retries, bytes, bytes_moved];
        statement.execute(values).map(|_| ())
    }

    fn begin(&mut self, round: u32, meter: Arc<Meter>, now: SystemTime) -> rusqlite::Result<Started> {
        let sql = "SELECT id, state, listed, moved, skipped, failed, deleted, retries, bytes, bytes_moved \
                   FROM runs ORDER BY id DESC LIMIT 1";
        let last = self.connection.query_row(sql, [], |row| {
            let figures = Figures {
                listed: row.get(2)?,
                moved: row.get(3)?,
                skipped: row.get(4)?,
                failed: row.get(5)?,
                deleted: row.get(6)?,
                retries: row.get(7)?,
                bytes: row.get(8)?,
                bytes_moved: row.get(9)?,
            };
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, figures))
        });
        let last = last.optional()?;
        let before_it = last.as_ref().map(|(.., figures)| figures.deleted);
        let (id, resumed, before) = match last {
            Some((id, state, figures)) if ![RunState::FINISHED, RunState::FAILED_WHOLE].contains(&state) => {
                (id, true, figures)
            }
            // Of a file that says otherwise, the number is taken, which ends the run.
            Some((id, ..)) => (id.saturating_add(1), false, Figures::default()),
            None => (1, false, Figures::default()),
        };
        let (process, now) = (std::process::id(), millis(now));
        if resumed {
            // How long nobody worked on it doesn't count.
            let sql = "UPDATE runs SET worked = worked + max(0, updated - coalesce(resumed, started)), \
                       resumed = ?4, state = ?2, process = ?3, updated = ?4, ended = NULL, error = NULL WHERE id = ?1";
            self.connection.execute(sql, params![id, RunState::RUNNING, process, now])?;
        } else {
            let sql = "INSERT INTO runs (id, round, started, updated, process, state) VALUES (?1, ?2, ?3, ?3, ?4, ?5)";
            self.connection.execute(sql, params![id, round, now, process, RunState::RUNNING])?;
            self.connection.execute_batch("DELETE FROM position; DELETE FROM folders")?;
            if before_it.is_some_and(|deleted| deleted > 0) {
                // Nobody asks any more, and names that never come again would pile up.
                self.connection.execute("DELETE FROM objects WHERE outcome = ?1", [Outcome::DELETED])?;
            }
        }
        let after = "SELECT after FROM position WHERE folder = ''";
        let after = self.connection.query_row(after, [], |row| row.get::<_, String>(0)).optional()?;
        let after = after.and_then(|after| Key::parse(&after).ok());
        // Failures of an earlier process were counted, or a group was lost together with its run's end.
        let position_counts = !resumed || after.is_some();
        self.run = Some(Run { id, resumed, meter, before, written: Instant::now(), position_counts });
        Ok(Started { run: id, resumed, after })
    }

    fn give_up(&mut self) -> rusqlite::Result<()> {
        let sql = "UPDATE runs SET state = ?1, ended = updated, error = ?2 \
                   WHERE id = (SELECT max(id) FROM runs) AND state NOT IN (?1, ?3)";
        let why = "it was ended without this agent";
        self.connection.execute(sql, params![RunState::FAILED_WHOLE, why, RunState::FINISHED]).map(|_| ())
    }

    fn end(&mut self, summary: &Summary, scope: Scope, now: SystemTime) -> rusqlite::Result<()> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let figures = Figures::of_summary(summary, &run.meter);
        let mut figures = if scope.total { figures } else { run.before.and(&figures) };
        if run.resumed && !scope.total {
            // What an earlier process did and this one did again counts once.
            self.count(run.id, &mut figures)?;
        }
        self.write_figures(run.id, &figures, now)?;
        let (state, error) = match &summary.state {
            State::Finished => (RunState::FINISHED, None),
            State::Interrupted => (RunState::INTERRUPTED, None),
            State::Failed(error) if scope.whole => (RunState::FAILED_WHOLE, Some(error.to_string())),
            State::Failed(error) => (RunState::FAILED, Some(error.to_string())),
        };
        let sql = "UPDATE runs SET state = ?2, ended = ?3, error = ?4, repaired = repaired + ?5, \
                   bytes_expected = ?6, listing_done = ?7 WHERE id = ?1";
        let error = error.as_deref().map(message);
        let expected = run.bytes_expected();
        let listed = run.meter.listing_done.load(Ordering::Relaxed);
        let values = params![run.id, state, millis(now), error, count(summary.repaired), expected, listed];
        self.connection.execute(sql, values).map(|_| ())
    }

    fn count(&self, run: i64, figures: &mut Figures) -> rusqlite::Result<()> {
        let sql = "SELECT outcome, count(*) FROM objects WHERE run = ?1 GROUP BY outcome";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([run])?;
        let (mut moved, mut skipped, mut failed) = (0, 0, 0);
        while let Some(row) = rows.next()? {
            let objects: i64 = row.get(1)?;
            match row.get::<_, i64>(0)? {
                Outcome::MOVED => moved += objects,
                Outcome::FAILED => failed += objects,
                outcome if outcome >= Outcome::SKIPPED => skipped += objects,
                _ => {}
            }
        }
        *figures = Figures { listed: moved + skipped + failed, moved, skipped, failed, ..*figures };
        Ok(())
    }
}

/// Answers who would wait for ever, and drops the rest.
fn refuse(entry: Option<Entry>, error: &Error) {
    match entry {
        Some(Entry::Flush(reply)) => {
            let _ = reply.send(Err(error.clone()));
        }
        Some(Entry::Begin { reply, .. }) => {
            let _ = reply.send(Err(error.clone()));
        }
        _ => {}
    }
}

/// A figure as SQLite holds it.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

// === impl Run ===

impl Run {
    /// What an earlier process moved isn't expected again by this one.
    fn bytes_expected(&self) -> i64 {
        count(self.meter.bytes_expected.get()).saturating_add(self.before.bytes_moved)
    }
}

// === impl Figures ===

impl Figures {
    fn of_meter(meter: &Meter) -> Self {
        Self {
            listed: count(meter.listed.get()),
            moved: count(meter.moved.get()),
            skipped: count(meter.skipped.get()),
            failed: count(meter.failed.get()),
            deleted: count(meter.deleted.get()),
            retries: count(meter.retries.get()),
            bytes: count(meter.bytes.get()),
            bytes_moved: count(meter.bytes_moved.get()),
        }
    }

    fn of_summary(summary: &Summary, meter: &Meter) -> Self {
        Self {
            listed: count(summary.listed),
            moved: count(summary.moved),
            skipped: count(summary.skipped),
            failed: count(summary.failed),
            deleted: count(summary.deleted),
            retries: count(summary.retries),
            bytes_moved: count(summary.bytes_moved),
            ..Self::of_meter(meter)
        }
    }

    fn and(&self, more: &Self) -> Self {
        Self {
            listed: self.listed.saturating_add(more.listed),
            moved: self.moved.saturating_add(more.moved),
            skipped: self.skipped.saturating_add(more.skipped),
            failed: self.failed.saturating_add(more.failed),
            deleted: self.deleted.saturating_add(more.deleted),
            retries: self.retries.saturating_add(more.retries),
            bytes: self.bytes.saturating_add(more.bytes),
            bytes_moved: self.bytes_moved.saturating_add(more.bytes_moved),
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn a_run_that_cannot_begin_is_told_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.sqlite");
        let connection = schema::open(&path).expect("a journal");
        connection.execute_batch("DROP TABLE runs").expect("it's gone");
        let (_entries, receiver) = bounded(1);
        let mut writer = Writer::new(path, connection, receiver, Arc::default()).expect("a writer");
        let (reply, answer) = bounded(1);
        writer.turn(Some(Entry::Begin { round: 1, meter: Arc::default(), now: SystemTime::now(), reply }));
        // A sender that's dropped would say nothing, and whoever waits might look for the reason too early.
        let error = answer.recv().expect("an answer").expect_err("there's no table");
        assert!(error.message.contains("runs"), "{error}");
    }
}
