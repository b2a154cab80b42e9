//! The tunnel that a pipeline shares with other processes: found by its name, and a lease of it kept.
//! Decides nothing about shares.

use std::time::SystemTime;

use culvert_fleet::FleetLedger;
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
    assembly::{mark, seed},
    exit::Failure,
    fleet::fleet,
    folders,
    inventory::{Inventory, agents::Agent, failure, missing, records},
    seat::{self, Seat},
};

/// From where an agent reaches stores.
#[derive(Debug, Default)]
pub(crate) struct Stand {
    /// Where its connections start; none: the system's choice.
    pub(crate) bind: Option<Bind>,
    /// None: it's no agent.
    pub(crate) network: Option<Network>,
}

/// A tunnel of this state folder or of a fleet.
pub(crate) struct SharedTunnel {
    name: String,
    definition: Definition,
    /// What this process is called by the others; no two have one name.
    holder: String,
    /// Of the agent that this process works as.
    seat: Option<Seat>,
    /// Something may be kept for the holder: it's one process at a time.
    is_agent: bool,
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
            let file = format!("add [tunnels.{name}] to {}, or ", path.display());
            let file = if inventory.is_fleet { "" } else { &file };
            Failure::usage(format!(
                "the pipeline names the tunnel {name:?}, which isn't defined; {file}make it with `engine tunnel create \
                 {name} --max-bandwidth \"80 MiB/s\"`"
            ))
        })?;
        // Process ids are unique in one container only, and a folder may be shared by several.
        let holder = format!("{pipeline}@{}.{:04x}", std::process::id(), seed() & 0xffff);
        let definition = known.record.definition;
        Ok(Self { name: name.to_owned(), definition, holder, seat: None, is_agent: false, places: places.clone() })
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
        shared.holder = match fleet(places)? {
            Some(_) => format!("{agent}.{}", mark(&folders::state(places)?, seat::INSTALLATION)?),
            None => agent.to_owned(),
        };
        shared.seat = (!seat::is_handed_down()).then(|| Seat::take(agent, &pipeline.name, places)).transpose()?;
        shared.is_agent = true;
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
        // Only a name that's one process at a time can have something kept for it.
        let holder = Holder::new(&*self.holder, self.is_agent, seed());
        let kept = match fleet(&self.places)? {
            Some(fleet) => Keeper::start(FleetLedger::new(fleet, &self.name), holder, tunnel.clone()),
            None => {
                let ledger = SqliteLedger::new(records(&self.places, Sync::Lazy)?, &*self.name);
                Keeper::start(ledger, holder, tunnel.clone())
            }
        };
        kept.map_err(failure)
    }

    /// Whether this process is in the middle of a round, for whoever asks after its agent.
    pub(crate) fn tell(&self, is_busy: bool) {
        if let Some(seat) = &self.seat {
            seat.tell(is_busy);
        }
    }
}
