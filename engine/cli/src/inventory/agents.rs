//! The agents of this state folder or of a fleet: each belongs to one tunnel, and is one process at a time.

use culvert_flow::{
    journal::RunState,
    records::{Kind, Stored},
    tunnel::lease::{Record, agent_of},
};
use serde::{Deserialize, Serialize};

use super::{Inventory, last_run};
use crate::{
    args::{Places, agent::Network},
    exit::Failure,
    folders,
    seat::{self, Held},
};

/// What is kept of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agent {
    pub(crate) tunnel: String,
    pub(crate) network: Network,
    /// An address or an interface; none: the system's choice.
    pub(crate) bind: Option<String>,
}

/// Whether somebody works as this agent.
#[derive(Debug)]
pub(crate) enum State {
    /// A process that waits for its next round.
    Online(Held),
    /// A process in the middle of a round.
    Busy(Held),
    Offline,
}

// === impl Inventory ===

impl Inventory {
    /// None if there is no such agent.
    pub(crate) fn agent(&self, name: &str) -> Result<Option<(Stored, Agent)>, Failure> {
        self.read(Kind::Agent, name)?.map(|stored| Agent::parse(&stored.value).map(|agent| (stored, agent))).transpose()
    }

    /// By name.
    pub(crate) fn agents(&self) -> Result<Vec<(Stored, Agent)>, Failure> {
        let stored = self.list(Kind::Agent)?.into_iter();
        stored.map(|stored| Agent::parse(&stored.value).map(|agent| (stored, agent))).collect()
    }

    /// Frees what a tunnel keeps for an agent that nobody works as: the caller holds its seat.
    ///
    /// # Errors
    /// The records can't be written.
    pub(crate) fn forget_lease(&self, tunnel: &str, agent: &str) -> Result<(), Failure> {
        let free = |record: &mut Record| {
            record.leases.retain(|holder, _| agent_of(holder) != agent);
            Ok(())
        };
        self.edit_tunnel(tunnel, free).map(|_| ())
    }
}

// === impl Agent ===

impl Agent {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::could_not_go_on(format!("an agent's record: {error}")))
    }

    pub(crate) fn to_text(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(Failure::could_not_go_on)
    }
}

// === impl State ===

impl State {
    /// # Errors
    /// The seat can't be looked at.
    pub(crate) fn of(name: &str, places: &Places) -> Result<Self, Failure> {
        let Some(held) = seat::held(name, places)? else { return Ok(Self::Offline) };
        if let Some(is_busy) = held.is_busy {
            return Ok(if is_busy { Self::Busy(held) } else { Self::Online(held) });
        }
        let journal = folders::pipelines(places)?.join(&held.pipeline).join(folders::JOURNAL);
        let run = last_run(&journal)?;
        let is_busy = run.is_some_and(|run| run.state == RunState::Running);
        Ok(if is_busy { Self::Busy(held) } else { Self::Online(held) })
    }

    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Online(_) => "online",
            Self::Busy(_) => "busy",
            Self::Offline => "offline",
        }
    }

    pub(crate) fn held(&self) -> Option<&Held> {
        match self {
            Self::Online(held) | Self::Busy(held) => Some(held),
            Self::Offline => None,
        }
    }
}
