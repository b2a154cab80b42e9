//! The ledger of one machine: the tunnel's record in the state folder, for every process that uses the
//! folder. Keeps no lease itself.

use super::{Ledger, Record};
use crate::{
    error::Error,
    records::{Kind, Records, SqliteRecords},
};

/// One tunnel among the records of a state folder.
#[derive(Debug)]
pub struct SqliteLedger {
    records: SqliteRecords,
    tunnel: String,
}

// === impl SqliteLedger ===

impl SqliteLedger {
    pub fn new(records: SqliteRecords, tunnel: impl Into<String>) -> Self {
        Self { records, tunnel: tunnel.into() }
    }
}

impl Ledger for SqliteLedger {
    // Each is a matter of microseconds, on a thread that does nothing else.
    async fn read(&self) -> Result<Option<(Record, u64)>, Error> {
        let stored = self.records.read(Kind::Tunnel, &self.tunnel)?;
        stored.map(|stored| Ok((Record::parse(&stored.value)?, stored.version))).transpose()
    }

    async fn swap(&self, version: u64, record: &Record) -> Result<bool, Error> {
        self.records.swap(Kind::Tunnel, &self.tunnel, version, &record.to_text()?)
    }
}
