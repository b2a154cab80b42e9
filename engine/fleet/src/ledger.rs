//! The ledger of a fleet: the tunnel's record in the bucket, changed by compare-and-swap on its revision.
//! Keeps no lease itself.

use culvert_flow::{
    error::Error,
    records::Kind,
    tunnel::lease::{Ledger, Record},
};

use crate::{
    connection::Fleet,
    records::{key, read, swap},
};

/// One tunnel of a fleet.
#[derive(Debug)]
pub struct FleetLedger {
    fleet: Fleet,
    key: String,
}

// === impl FleetLedger ===

impl FleetLedger {
    pub fn new(fleet: Fleet, tunnel: &str) -> Self {
        Self { fleet, key: key(Kind::Tunnel, tunnel) }
    }
}

impl Ledger for FleetLedger {
    // A replica may answer with an older record. That's safe: what is built upon it can't be swapped in, and
    // whoever sees a lease later counts it as ended later.
    async fn read(&self) -> Result<Option<(Record, u64)>, Error> {
        let (store, key) = (self.fleet.records().clone(), self.key.clone());
        let found = self.fleet.on(async move { read(&store, &key).await }).await?;
        found.map(|(text, version)| Ok((Record::parse(&text)?, version))).transpose()
    }

    async fn swap(&self, version: u64, record: &Record) -> Result<bool, Error> {
        let (store, key, text) = (self.fleet.records().clone(), self.key.clone(), record.to_text()?);
        self.fleet.on(async move { swap(&store, &key, version, text).await.map(|revision| revision.is_some()) }).await
    }
}
