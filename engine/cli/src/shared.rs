//! The tunnel that a pipeline shares with other processes: found by its name, and a lease of it kept.
//! Decides nothing about shares.

use std::time::SystemTime;

use culvert_flow::{
    records::{Kind, Sync},
    rules::Limits,
    tunnel::{
        Tunnel,
        lease::{Definition, Holder, Keeper, SqliteLedger},
    },
};

use culvert_host::http::Bind;
use culvert_manifest::{Pipeline, TunnelRef};

use crate::{
    args::{Places, agent::Network},
    assembly::seed,
    exit::Failure,
    folders,
    inventory::{Inventory, agents::Agent, failure, missing, records},
    seat::Seat,
};

/// From where an agent reaches stores.
#[derive(Debug, Default)]
pub(crate) struct Stand {
    /// Where its connections start; none: the system's choice.
    pub(crate) bind: Option<Bind>,
    /// None: it's no agent.
    pub(crate) network: Option<Network>,
}

/// A tunnel of this state folder.
pub(crate) struct SharedTunnel {
    name: String,
    definition: Definition,
    /// What this process is called by the others; no two have one name.
    holder: String,
    /// Of the agent that this process works as.
    seat: Option<Seat>,
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
        let definition = known.record.definition;
        Ok(Self { name: name.to_owned(), definition, holder, seat: None, places: places.clone() })
    }

    /// The tunnel of an agent, whose seat is taken for this process, and where it stands.
    ///
    /// # Errors
    /// There is no such agent, somebody else works as it, or the pipeline asks for another tunnel.
    pub(crate) fn of_agent(agent: &str, pipeline: &Pipeline, places: &Places) -> Result<(Self, Stand), Failure> {
        let found = Inventory::open(places)?.agent(agent)?;
        let (_, Agent { tunnel, network, bind }) = found.ok_or_else(|| missing(Kind::Agent, agent))?;
        let asked = match &pipeline.tunnel {
            TunnelRef::Named(name) if *name != tunnel => format!("the tunnel {name:?}"),
            TunnelRef::Inline(limits) if *limits != Limits::default() => "limits of its own".to_owned(),
            _ => String::new(),
        };
        if !asked.is_empty() {
            return Err(Failure::usage(format!(
                "the pipeline asks for {asked}, and the agent {agent:?} is on the tunnel {tunnel:?}: write tunnel = \
                 \"{tunnel}\" in the pipeline, or take an agent of the other tunnel"
            )));
        }
        let bind = bind.map(|text| Bind::parse(&text)).transpose().map_err(Failure::usage)?;
        let mut shared = Self::find(&tunnel, &pipeline.name, places)?;
        agent.clone_into(&mut shared.holder);
        shared.seat = Some(Seat::take(agent, &pipeline.name, places)?);
        Ok((shared, Stand { bind, network: Some(network) }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
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
        // Only a name that's one process at a time can have something kept for it.
        let holder = Holder::new(&*self.holder, self.seat.is_some(), seed());
        Keeper::start(ledger, holder, tunnel.clone()).map_err(failure)
    }
}
