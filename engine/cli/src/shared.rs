//! The tunnel that a pipeline shares with other processes: found by its name, and a lease of it kept.
//! Decides nothing about shares.

use std::time::SystemTime;

use culvert_flow::{
    records::Sync,
    rules::Limits,
    tunnel::{
        Tunnel,
        lease::{Definition, Holder, Keeper, SqliteLedger},
    },
};

use crate::{
    args::Places,
    assembly::seed,
    exit::Failure,
    folders,
    inventory::{Inventory, failure, records},
};

/// A tunnel of this state folder.
pub(crate) struct SharedTunnel {
    name: String,
    definition: Definition,
    /// What this process is called by the others; no two have one name.
    holder: String,
    places: Places,
}

// === impl SharedTunnel ===

impl SharedTunnel {
    /// `pipeline`: for what it's used, which `engine tunnel show` tells.
    ///
    /// # Errors
    /// There is no such tunnel, or the records can't be read.
    pub(crate) fn find(name: &str, pipeline: &str, places: &Places) -> Result<Self, Failure> {
        let (path, file) = folders::engine_file(places)?;
        let inventory = Inventory::open(places)?;
        inventory.take_over(&file)?;
        let known = inventory.tunnel(name)?.ok_or_else(|| {
            Failure::usage(format!(
                "the pipeline names the tunnel {name:?}, which isn't defined; add [tunnels.{name}] to {}, or make it \
                 with `engine tunnel create {name} --max-bandwidth \"80 MiB/s\"`",
                path.display()
            ))
        })?;
        // Process ids are unique in one container only, and a folder may be shared by several.
        let holder = format!("{pipeline}@{}.{:04x}", std::process::id(), seed() & 0xffff);
        Ok(Self { name: name.to_owned(), definition: known.record.definition, holder, places: places.clone() })
    }

    /// The limits now, of all together.
    pub(crate) fn limits(&self) -> Limits {
        self.definition.limits_at(SystemTime::now())
    }

    /// Takes a lease, on which `tunnel` grants.
    ///
    /// # Errors
    /// The ledger can't be opened.
    pub(crate) fn keep(&self, tunnel: &Tunnel) -> Result<Keeper, Failure> {
        let ledger = SqliteLedger::new(records(&self.places, Sync::Lazy)?, &*self.name);
        let holder = Holder::new(&*self.holder, false, seed());
        Keeper::start(ledger, holder, tunnel.clone()).map_err(failure)
    }
}
