//! The journal's tables, and how a file comes to have them. A file that's damaged, newer, or not a
//! journal is refused and left as it is.
//!
//! A journal appears whole: it's made under another name and renamed, and each migration is one
//! transaction. So whoever reads never finds one that's half made.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

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
/// and milliseconds since 1970. A run's `resumed` is when its last process took it over, and `worked` for how
/// many milliseconds others had worked on it before. `folders` has those in which the run under way has done
/// everything. Codes are those of `record.rs`.
const MIGRATIONS: [&str; 3] = [
    "
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
",
    "
ALTER TABLE runs ADD COLUMN resumed INTEGER;
ALTER TABLE runs ADD COLUMN worked INTEGER NOT NULL DEFAULT 0;
",
    "
CREATE TABLE folders (
    key TEXT PRIMARY KEY,
    kept INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    modified INTEGER,
    version TEXT,
    attributes INTEGER
) WITHOUT ROWID;
",
];

/// What SQLite keeps beside a database of a name.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// What a journal's name ends in while it's made.
const UNFINISHED: &str = "-new";

/// Opens a journal for writing, making or migrating it where that's needed. The caller holds it.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let (mut connection, version) = match existing(path) {
        // Or an empty one, which an older engine left that was killed while it made the file.
        Err(error) if error.code == Code::NOT_FOUND => {
            make(path)?;
            existing(path)?
        }
        opened => opened?,
    };
    let failed = |error| failure(path, &error);
    prepare(&connection).map_err(failed)?;
    migrate(&mut connection, version, &MIGRATIONS).map_err(failed)?;
    Ok(connection)
}

fn existing(path: &Path) -> Result<(Connection, i64), Error> {
    refuse_missing(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failure(path, &error))?;
    let version = checked(path, &connection)?;
    Ok((connection, version))
}

/// SQLite has one word for what isn't there and what may not be opened.
fn refuse_missing(path: &Path) -> Result<(), Error> {
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("there is no journal {}: no run has begun", path.display());
            Err(Error::new(Code::NOT_FOUND, "journal", message))
        }
        Err(error) => {
            let message = format!("the journal {} can't be looked at: {error}", path.display());
            Err(Error::new(Code::PERMISSION_DENIED, "journal", message))
        }
    }
}

/// Puts a journal without a run where there is none.
fn make(path: &Path) -> Result<(), Error> {
    let named = |ending: &str| {
        let mut name = OsString::from(path);
        name.push(ending);
        PathBuf::from(name)
    };
    let unfinished = named(UNFINISHED);
    let broken = |error: io::Error| {
        let code = if error.kind() == io::ErrorKind::StorageFull { Code::NO_SPACE } else { Code::IO };
        Error::new(code, "journal", format!("the journal {} can't be made: {error}", path.display()))
    };
    // A log that outlived its journal would be played into this one, and a half made one isn't gone on with.
    let companions = COMPANIONS.map(&named).into_iter();
    let half_made = COMPANIONS.map(|ending| named(&format!("{UNFINISHED}{ending}"))).into_iter();
    for leftover in companions.chain(half_made).chain([unfinished.clone()]) {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(error)),
            _ => {}
        }
    }
    let fill = || {
        let mut connection = Connection::open(&unfinished)?;
        prepare(&connection)?;
        migrate(&mut connection, 0, &MIGRATIONS)?;
        // Its log goes with it.
        connection.close().map_err(|(_, error)| error)
    };
    fill().map_err(|error| failure(path, &error))?;
    fs::rename(&unfinished, path).map_err(broken)?;
    // Its name too must outlive a loss of power, like what will be in it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(broken)
}

/// Opens a journal for reading, also while another process writes it.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, Error> {
    refuse_missing(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| failure(path, &error);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let version = checked(path, &connection)?;
    if version < latest() {
        let message =
            format!("the journal {} is of an older engine; `engine run` brings it up to date", path.display());
        return Err(Error::new(Code::UNSUPPORTED, "journal", message));
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    Ok(connection)
}

/// The version of a file that is a journal which this engine knows.
fn checked(path: &Path, connection: &Connection) -> Result<i64, Error> {
    let read = || {
        connection.busy_timeout(BUSY)?;
        // In one transaction: another process may be migrating it.
        let transaction = connection.unchecked_transaction()?;
        let number = |pragma: &str| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let tables = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
        Ok((number("user_version")?, number("application_id")?, tables))
    };
    let (version, application, tables) = read().map_err(|error: rusqlite::Error| failure(path, &error))?;
    if application == 0 && tables == 0 {
        let message = format!("the journal {} is empty: no run has begun", path.display());
        return Err(Error::new(Code::NOT_FOUND, "journal", message));
    }
    if application != APPLICATION_ID || version < 1 {
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

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Each commit is on disk when it returns: an upload's token must be there before its first part.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", CHECKPOINT_PAGES * 4096)
}

/// Brings a file of a version to the last one, each step whole or not at all.
fn migrate(connection: &mut Connection, version: i64, migrations: &[&str]) -> rusqlite::Result<()> {
    let behind = usize::try_from(version).unwrap_or(0);
    for (number, migration) in (1_i64..).zip(migrations).skip(behind) {
        let transaction = begin(connection)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// A transaction that's going to write. One that begins by reading isn't waited for where somebody else
/// writes by then, be it only a reader that tidies up behind itself.
fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Forgets everything but the tables.
pub(super) fn forget(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = begin(connection)?;
    for table in ["meta", "runs", "objects", "uploads", "parts", "position", "folders"] {
        transaction.execute(&format!("DELETE FROM {table}"), [])?;
    }
    transaction.commit()
}

/// Holds a journal's identity against the pipeline's, or gives it one.
pub(super) fn claim(path: &Path, connection: &mut Connection, identity: &Identity) -> Result<(), Error> {
    let failed = |error| failure(path, &error);
    let transaction = begin(connection).map_err(failed)?;
    for (name, ours) in [("source", &identity.source), ("sink", &identity.sink), ("selection", &identity.selection)] {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let theirs = transaction.query_row(sql, [name], |row| row.get::<_, String>(0)).optional().map_err(failed)?;
        if theirs.as_ref() == Some(ours) {
            continue;
        }
        if theirs.is_some() && name != "selection" {
            let name = if name == "sink" { "sink, or with other transforms" } else { name };
            let message = format!(
                "the journal {} was written for another {name}: if this pipeline is meant to start over with this one, run it with --restart; otherwise give it a name of its own",
                path.display()
            );
            return Err(Error::new(Code::INVALID_CONFIG, "journal", message));
        }
        let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
        transaction.execute(sql, [name, ours.as_str()]).map_err(failed)?;
        // What lies before it was passed over by other rules.
        transaction.execute_batch("DELETE FROM position; DELETE FROM folders").map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// What to do about a journal that can't be read any more.
const HELP: &str = "move it away and run again: what the sink has already is found there";

/// What SQLite says, with the file and what to do.
pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> Error {
    let at = path.display();
    let (code, message) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            (Code::CORRUPT, format!("{at} isn't a journal: move it away, or name another state folder"))
        }
        Some(ErrorCode::DatabaseCorrupt) => (Code::CORRUPT, format!("the journal {at} is damaged ({error}): {HELP}")),
        Some(ErrorCode::DiskFull) => (Code::NO_SPACE, format!("no space is left for the journal {at}")),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (Code::PERMISSION_DENIED, format!("the journal {at} can't be written: {error}"))
        }
        Some(ErrorCode::CannotOpen) => (Code::PERMISSION_DENIED, format!("the journal {at} can't be opened: {error}")),
        _ if is_foreign(error) => {
            (Code::CORRUPT, format!("the journal {at} has what no engine wrote ({error}): {HELP}"))
        }
        _ => (Code::IO, format!("the journal {at}: {error}")),
    };
    Error::new(code, "journal", message)
}

/// Rows don't come in the order of their keys.
pub(super) fn out_of_order(path: &Path) -> Error {
    let message = format!("the journal {} is damaged (its objects are out of order): {HELP}", path.display());
    Error::new(Code::CORRUPT, "journal", message)
}

/// Whether the file has other tables than ours, or values that none of ours has.
fn is_foreign(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::Unknown | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
    ) || matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_is_migrated_step_by_step_and_keeps_what_it_has() {
        let mut connection = Connection::open_in_memory().expect("it opens");
        let mut steps = vec!["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y DEFAULT 7"];
        let version = |connection: &Connection| -> i64 {
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("read")
        };
        migrate(&mut connection, 0, &steps[..1]).expect("made");
        assert_eq!(version(&connection), 1);
        connection.execute("INSERT INTO a VALUES (3)", []).expect("written");
        migrate(&mut connection, 1, &steps).expect("migrated");
        let row = connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!((row, version(&connection)), (Ok((3, 7)), 2));
        // The second half of the third step fails, and so the first one hasn't happened.
        steps.push("CREATE TABLE b (x); CREATE TABLE a (x)");
        migrate(&mut connection, 2, &steps).expect_err("there is an a");
        let tables = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
        assert_eq!((tables, version(&connection)), (Ok(1), 2));
        // Nothing is left to do for one that's up to date.
        migrate(&mut connection, 2, &steps[..2]).expect("nothing to do");
    }

    #[test]
    fn every_version_so_far_comes_to_the_last_one() {
        for from in 1..=MIGRATIONS.len() {
            let folder = tempfile::TempDir::new().expect("a folder");
            let path = folder.path().join("journal.sqlite");
            let mut connection = Connection::open(&path).expect("it opens");
            migrate(&mut connection, 0, &MIGRATIONS[..from]).expect("made");
            connection.execute("INSERT INTO meta VALUES ('a', 'b')", []).expect("written");
            drop(connection);
            let connection = open(&path).expect("it opens");
            assert_eq!(checked(&path, &connection), Ok(latest()));
            let kept = connection.query_row("SELECT value FROM meta", [], |row| row.get::<_, String>(0));
            assert_eq!(kept, Ok("b".to_owned()));
        }
    }
}
