//! What several processes know in common: tunnels, agents, addresses, tasks, each a text under its name.
//! Changed only by compare-and-swap, so that nobody writes over what it hasn't read. Those of one machine
//! are in one SQLite file of the state folder. Knows nothing of what the texts say.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::{
    error::{Code, Error},
    sync::lock,
};

/// Written into the file's header ("CULR").
const APPLICATION_ID: i64 = 0x4355_4c52;
const SCHEMA_VERSION: i64 = 1;
/// How long to wait for another process's write: some milliseconds on any disk that works, and three
/// of them fit into a lease.
const BUSY: Duration = Duration::from_millis(900);

/// A version never comes again, not even for a record that was deleted and made again.
const SCHEMA: &str = "
CREATE TABLE counter (only INTEGER PRIMARY KEY CHECK (only = 0), version INTEGER NOT NULL);
INSERT INTO counter VALUES (0, 0);
CREATE TABLE records (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
";

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tunnel,
    Agent,
    Address,
    Task,
}

/// Whether a write is on the disk when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// For what somebody asked for.
    Full,
    /// For leases: after a power cut nobody holds one.
    Lazy,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub name: String,
    pub version: u64,
    pub value: String,
}

/// Where records are kept.
pub trait Records: Send {
    /// # Errors
    /// They can't be read.
    fn read(&self, kind: Kind, name: &str) -> Result<Option<Stored>, Error>;

    /// All of a kind, by name.
    ///
    /// # Errors
    /// They can't be read.
    fn list(&self, kind: Kind) -> Result<Vec<Stored>, Error>;

    /// False if there is one of this name already.
    ///
    /// # Errors
    /// They can't be written.
    fn create(&self, kind: Kind, name: &str, value: &str) -> Result<bool, Error>;

    /// False if it has another version than this, or isn't there.
    ///
    /// # Errors
    /// They can't be written.
    fn swap(&self, kind: Kind, name: &str, expected: u64, value: &str) -> Result<bool, Error>;

    /// False if it has another version than this, or isn't there.
    ///
    /// # Errors
    /// They can't be written.
    fn delete(&self, kind: Kind, name: &str, expected: u64) -> Result<bool, Error>;
}

/// The file.
#[derive(Debug)]
pub struct SqliteRecords {
    path: PathBuf,
    connection: Mutex<Connection>,
}

// === impl Kind ===

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Agent => "agent",
            Self::Address => "address",
            Self::Task => "task",
        }
    }
}

// === impl SqliteRecords ===

impl SqliteRecords {
    /// Opens the file, and makes it where it's missing.
    ///
    /// # Errors
    /// It can't be made or isn't such a file.
    pub fn open(path: &Path, sync: Sync) -> Result<Self, Error> {
        let failed = |error| failure(path, &error);
        // One process at a time makes the tables and turns the write-ahead log on; the lock is the
        // kernel's and ends with this function.
        let lock_path = path.with_extension("lock");
        let io = |error| Error::new(Code::IO, "records", format!("{}: {error}", lock_path.display()));
        let lock = File::options().write(true).create(true).truncate(false).open(&lock_path).map_err(io)?;
        lock.lock().map_err(io)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        check(path, &mut connection)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
        let level = if sync == Sync::Full { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", level).map_err(failed)?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// Does one thing under the next version; whether it changed a row.
    fn write(&self, work: impl FnOnce(&Connection, i64) -> rusqlite::Result<usize>) -> Result<bool, Error> {
        let mut connection = lock(&self.connection);
        let run = |connection: &mut Connection| -> rusqlite::Result<bool> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let sql = "UPDATE counter SET version = version + 1 RETURNING version";
            let version = transaction.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            let changed = work(&transaction, version)? > 0;
            transaction.commit()?;
            Ok(changed)
        };
        run(&mut connection).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> Error {
        failure(&self.path, error)
    }
}

impl Records for SqliteRecords {
    fn read(&self, kind: Kind, name: &str) -> Result<Option<Stored>, Error> {
        let sql = "SELECT version, value FROM records WHERE kind = ?1 AND name = ?2";
        let connection = lock(&self.connection);
        let mut statement = connection.prepare_cached(sql).map_err(|error| self.failed(&error))?;
        let found = statement.query_row(params![kind.as_str(), name], |row| {
            Ok(Stored { name: name.to_owned(), version: version(row.get(0)?), value: row.get(1)? })
        });
        found.optional().map_err(|error| self.failed(&error))
    }

    fn list(&self, kind: Kind) -> Result<Vec<Stored>, Error> {
        let sql = "SELECT name, version, value FROM records WHERE kind = ?1 ORDER BY name";
        let connection = lock(&self.connection);
        let rows = |connection: &Connection| -> rusqlite::Result<Vec<Stored>> {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([kind.as_str()], |row| {
                Ok(Stored { name: row.get(0)?, version: version(row.get(1)?), value: row.get(2)? })
            })?;
            rows.collect()
        };
        rows(&connection).map_err(|error| self.failed(&error))
    }

    fn create(&self, kind: Kind, name: &str, value: &str) -> Result<bool, Error> {
        let sql = "INSERT INTO records (kind, name, version, value) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        self.write(|connection, version| connection.execute(sql, params![kind.as_str(), name, version, value]))
    }

    fn swap(&self, kind: Kind, name: &str, expected: u64, value: &str) -> Result<bool, Error> {
        let sql = "UPDATE records SET version = ?1, value = ?2 WHERE kind = ?3 AND name = ?4 AND version = ?5";
        let expected = i64::try_from(expected).unwrap_or(i64::MAX);
        self.write(|connection, version| {
            connection.execute(sql, params![version, value, kind.as_str(), name, expected])
        })
    }

    fn delete(&self, kind: Kind, name: &str, expected: u64) -> Result<bool, Error> {
        let sql = "DELETE FROM records WHERE kind = ?1 AND name = ?2 AND version = ?3";
        let expected = i64::try_from(expected).unwrap_or(i64::MAX);
        self.write(|connection, _| connection.execute(sql, params![kind.as_str(), name, expected]))
    }
}

/// Versions are counted up from one, so they fit.
fn version(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// Makes the tables of an empty file; refuses what isn't one of ours.
fn check(path: &Path, connection: &mut Connection) -> Result<(), Error> {
    let failed = |error| failure(path, &error);
    let number = |connection: &Connection, pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed)
    };
    let (application, found) = (number(connection, "application_id")?, number(connection, "user_version")?);
    if application == APPLICATION_ID && found <= SCHEMA_VERSION {
        return Ok(());
    }
    let tables = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
    if application != 0 || tables.map_err(failed)? != 0 {
        let message = format!("{} isn't of this engine, or of a newer one: name another state folder", path.display());
        return Err(Error::new(Code::UNSUPPORTED, "records", message));
    }
    let transaction = connection.transaction().map_err(failed)?;
    transaction.execute_batch(SCHEMA).map_err(failed)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn failure(path: &Path, error: &rusqlite::Error) -> Error {
    let at = path.display();
    let (code, message) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            (Code::CORRUPT, format!("{at} is damaged ({error}): move it away, and make its tunnels again"))
        }
        Some(ErrorCode::DiskFull) => (Code::NO_SPACE, format!("no space is left for {at}")),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (Code::PERMISSION_DENIED, format!("{at} can't be written: {error}"))
        }
        Some(ErrorCode::DatabaseBusy) => (Code::IN_USE, format!("another process holds {at}")),
        _ => (Code::IO, format!("{at}: {error}")),
    };
    Error::new(code, "records", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn nobody_writes_over_what_it_has_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.sqlite");
        let (ours, theirs) =
            (SqliteRecords::open(&path, Sync::Full).unwrap(), SqliteRecords::open(&path, Sync::Lazy).unwrap());
        assert!(ours.create(Kind::Tunnel, "t", "1").unwrap());
        assert!(!theirs.create(Kind::Tunnel, "t", "2").unwrap());
        let read = theirs.read(Kind::Tunnel, "t").unwrap().unwrap();
        assert_eq!((read.value.as_str(), theirs.read(Kind::Agent, "t").unwrap()), ("1", None));
        assert!(ours.swap(Kind::Tunnel, "t", read.version, "3").unwrap());
        assert!(!theirs.swap(Kind::Tunnel, "t", read.version, "4").unwrap());
        assert!(!theirs.delete(Kind::Tunnel, "t", read.version).unwrap());
        let read = theirs.read(Kind::Tunnel, "t").unwrap().unwrap();
        assert!(theirs.delete(Kind::Tunnel, "t", read.version).unwrap());
        assert!(ours.create(Kind::Tunnel, "t", "5").unwrap());
        assert!(!theirs.swap(Kind::Tunnel, "t", read.version, "6").unwrap(), "no version comes again");
        assert_eq!(ours.list(Kind::Tunnel).unwrap()[0].value, "5");
    }

    #[test]
    fn foreign_files_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert_eq!(SqliteRecords::open(&path, Sync::Full).unwrap_err().code, Code::UNSUPPORTED);
        std::fs::write(&path, "not a database, but a text that is long enough to be one").unwrap();
        assert_eq!(SqliteRecords::open(&path, Sync::Full).unwrap_err().code, Code::CORRUPT);
    }

    #[test]
    fn many_may_make_the_file_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.sqlite");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let records = SqliteRecords::open(path, Sync::Lazy).unwrap();
                    assert!(records.create(Kind::Task, &number.to_string(), "x").unwrap());
                });
            }
        });
        assert_eq!(SqliteRecords::open(&path, Sync::Full).unwrap().list(Kind::Task).unwrap().len(), 8);
    }
}
