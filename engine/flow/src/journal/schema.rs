//! The journal's tables, and how a file comes to have them. A file that's damaged, newer, or not a
//! journal is refused and left as it is.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::Identity;
use crate::error::{Code, Error};

/// Written into the file's header ("CULV"), so that nobody else's database is taken for a journal.
const APPLICATION_ID: i64 = 0x4355_4c56;
/// The writer's and each reader's share of memory, in KiB: the inner pages of some hundred million
/// rows, and the leaves in use.
const CACHE_KIB: i64 = 16 * 1024;
/// Pages in the write-ahead log before they're copied into the file: 16 MiB.
const CHECKPOINT_PAGES: i64 = 4096;
/// How long to wait for another connection's moment of exclusive use.
const BUSY: Duration = Duration::from_secs(10);

/// In order; a file's `user_version` says how many of them it has. Never changed, only added to.
///
/// `objects` has one row for each name that a run came across. `run` and `outcome` say what the last
/// run that saw it did. `settled` says what the columns from `kind` to `grade` are about: 0 nothing
/// that is at the sink, 1 the object as it was moved, 2 as the sink was found to have it, 3 and 4 as it
/// was left alone because the sink has one, or one that isn't older. Times are nanoseconds (`modified`)
/// and milliseconds since 1970. Codes are those of `record.rs`.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    round INTEGER NOT NULL,
    started INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    ended INTEGER,
    process INTEGER NOT NULL,
    state INTEGER NOT NULL,
    error TEXT,
    listed INTEGER NOT NULL DEFAULT 0,
    moved INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    repaired INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    bytes_moved INTEGER NOT NULL DEFAULT 0,
    bytes_expected INTEGER NOT NULL DEFAULT 0,
    listing_done INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE objects (
    key TEXT PRIMARY KEY,
    run INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    kind INTEGER NOT NULL DEFAULT 0,
    size INTEGER,
    modified INTEGER,
    version TEXT,
    attributes INTEGER,
    checksums BLOB,
    grade INTEGER,
    moved INTEGER,
    attempts INTEGER NOT NULL DEFAULT 1,
    code TEXT,
    message TEXT
) WITHOUT ROWID;
CREATE TABLE uploads (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    token TEXT NOT NULL,
    size INTEGER,
    modified INTEGER,
    version TEXT,
    part_size INTEGER NOT NULL
);
CREATE TABLE parts (
    upload INTEGER NOT NULL,
    number INTEGER NOT NULL,
    token TEXT NOT NULL,
    checksums BLOB,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE TABLE position (folder TEXT PRIMARY KEY, after TEXT NOT NULL) WITHOUT ROWID;
"];

/// Opens a journal for writing, making or migrating it where that's needed.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| failure(path, &error);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let version = checked(path, &connection, true)?;
    prepare(&mut connection, version).map_err(failed)?;
    Ok(connection)
}

/// Opens a journal for reading, also while another process writes it.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| failure(path, &error);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let version = checked(path, &connection, false)?;
    if version < latest() {
        let message =
            format!("the journal {} is of an older engine; `engine run` brings it up to date", path.display());
        return Err(Error::new(Code::UNSUPPORTED, "journal", message));
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    Ok(connection)
}

/// The file's version, if it's a journal or `empty_will_do` and it's empty.
fn checked(path: &Path, connection: &Connection, empty_will_do: bool) -> Result<i64, Error> {
    let number = |pragma: &str| -> Result<i64, Error> {
        let read = connection.pragma_query_value(None, pragma, |row| row.get(0));
        read.map_err(|error| failure(path, &error))
    };
    connection.busy_timeout(BUSY).map_err(|error| failure(path, &error))?;
    let (version, application) = (number("user_version")?, number("application_id")?);
    let tables = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
    // Also what's left of an engine that was killed while it made the file.
    let is_empty = application == 0 && tables.map_err(|error| failure(path, &error))? == 0;
    if is_empty && !empty_will_do {
        let message = format!("the journal {} is empty: no run has begun", path.display());
        return Err(Error::new(Code::NOT_FOUND, "journal", message));
    }
    if application != APPLICATION_ID && !is_empty {
        let message =
            format!("{} isn't a journal of this engine: move it away, or name another state folder", path.display());
        return Err(Error::new(Code::CORRUPT, "journal", message));
    }
    if version > latest() {
        let message = format!(
            "the journal {} is of version {version}, and this engine knows up to {}: use the engine that wrote it, or a newer one",
            path.display(),
            latest()
        );
        return Err(Error::new(Code::UNSUPPORTED, "journal", message));
    }
    Ok(version)
}

fn latest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn prepare(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Each commit is on disk when it returns: an upload's token must be there before its first part.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", CHECKPOINT_PAGES * 4096)?;
    let behind = usize::try_from(version).unwrap_or(0);
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(behind) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Forgets everything but the tables.
pub(super) fn forget(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for table in ["meta", "runs", "objects", "uploads", "parts", "position"] {
        transaction.execute(&format!("DELETE FROM {table}"), [])?;
    }
    transaction.commit()
}

/// Holds a journal's identity against the pipeline's, or gives it one.
pub(super) fn claim(path: &Path, connection: &mut Connection, identity: &Identity) -> Result<(), Error> {
    let failed = |error| failure(path, &error);
    let transaction = connection.transaction().map_err(failed)?;
    for (name, ours) in [("source", &identity.source), ("sink", &identity.sink), ("selection", &identity.selection)] {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let theirs = transaction.query_row(sql, [name], |row| row.get::<_, String>(0)).optional().map_err(failed)?;
        if theirs.as_ref() == Some(ours) {
            continue;
        }
        if theirs.is_some() && name != "selection" {
            let message = format!(
                "the journal {} was written for another {name}: if this pipeline is meant to start over with this one, run it with --restart; otherwise give it a name of its own",
                path.display()
            );
            return Err(Error::new(Code::INVALID_CONFIG, "journal", message));
        }
        let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
        transaction.execute(sql, [name, ours.as_str()]).map_err(failed)?;
        // What lies before it was passed over by other rules.
        transaction.execute("DELETE FROM position", []).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// What SQLite says, with the file and what to do.
pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> Error {
    let at = path.display();
    let (code, message) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            (Code::CORRUPT, format!("{at} isn't a journal: move it away, or name another state folder"))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            let help = "move it away and run again: what the sink has already is found there";
            (Code::CORRUPT, format!("the journal {at} is damaged ({error}): {help}"))
        }
        Some(ErrorCode::DiskFull) => (Code::NO_SPACE, format!("no space is left for the journal {at}")),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (Code::PERMISSION_DENIED, format!("the journal {at} can't be written: {error}"))
        }
        Some(ErrorCode::CannotOpen) => (Code::NOT_FOUND, format!("the journal {at} can't be opened: {error}")),
        _ => (Code::IO, format!("the journal {at}: {error}")),
    };
    Error::new(code, "journal", message)
}
