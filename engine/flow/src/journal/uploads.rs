//! Uploads that earlier runs left open: what a run may go on with. Asks no sink whether it still knows
//! them.

use std::collections::HashMap;

use rusqlite::{Row, params};

use super::{codes, lookup::Lookup, record::Item, schema};
use crate::{
    error::Error,
    object::{Checksums, Key},
    sink::Receipt,
};

/// Most uploads that a run takes over: far more than workers leave. The rest is swept.
const MAX_UPLOADS: i64 = 4096;

/// An upload that was begun and not ended.
#[derive(Debug, Clone)]
pub(crate) struct OpenUpload {
    pub(crate) id: i64,
    pub(crate) token: String,
    pub(crate) part_size: u64,
    /// The object of which these are parts; kind and attributes aside.
    size: Option<i64>,
    modified: Option<i64>,
    version: Option<String>,
}

// === impl OpenUpload ===

impl OpenUpload {
    /// Whether these are parts of this very object.
    pub(crate) fn is_of(&self, item: &Item) -> bool {
        let same_version = match (&self.version, &item.version) {
            (Some(ours), Some(theirs)) => ours.as_str() == &**theirs,
            (None, None) => self.modified.is_some() && self.modified == item.modified,
            _ => false,
        };
        // What has a single part isn't uploaded in parts.
        let size = self.size.and_then(|size| u64::try_from(size).ok());
        same_version && self.size == item.size && size.is_some_and(|size| (1..size).contains(&self.part_size))
    }
}

// === impl Lookup ===

impl Lookup {
    /// All that are open, by object, and the first number that no upload has had.
    pub(crate) fn open_uploads(&self) -> Result<(HashMap<Key, OpenUpload>, i64), Error> {
        let read = || {
            let sql = "SELECT id, key, token, size, modified, version, part_size FROM uploads ORDER BY id LIMIT ?1";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map(params![MAX_UPLOADS], upload)?;
            let uploads = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let last = "SELECT coalesce(max(id), 0) FROM uploads";
            let last: i64 = self.connection.query_row(last, [], |row| row.get(0))?;
            Ok((uploads, last.saturating_add(1)))
        };
        let (uploads, next) = read().map_err(|error: rusqlite::Error| schema::failure(&self.path, &error))?;
        let uploads = uploads.into_iter().filter_map(|(key, upload)| Some((Key::parse(&key).ok()?, upload)));
        Ok((uploads.collect(), next))
    }

    /// The parts of one that are stored.
    pub(crate) fn parts(&self, upload: i64) -> Result<Vec<(Receipt, Checksums)>, Error> {
        let read = || {
            let sql = "SELECT number, token, checksums FROM parts WHERE upload = ?1 ORDER BY number";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([upload], |row| {
                let checksums = row.get::<_, Option<Vec<u8>>>(2)?.map(|packed| codes::unpack(&packed));
                Ok((Receipt { part: row.get(0)?, token: row.get(1)? }, checksums.unwrap_or_default()))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error: rusqlite::Error| schema::failure(&self.path, &error))
    }
}

fn upload(row: &Row<'_>) -> rusqlite::Result<(String, OpenUpload)> {
    let upload = OpenUpload {
        id: row.get(0)?,
        token: row.get(2)?,
        size: row.get(3)?,
        modified: row.get(4)?,
        version: row.get(5)?,
        part_size: u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
    };
    Ok((row.get(1)?, upload))
}
