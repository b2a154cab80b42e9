//! The addresses of this state folder, and a pipeline's view of them. Holds no secret: only references.

use std::{ffi::OsString, io, path::Path, time::SystemTime};

use culvert_flow::records::{Kind, Stored};
use culvert_manifest::{Environment, ProcessEnvironment, Role};
use serde::{Deserialize, Serialize};

use super::Inventory;
use crate::{
    args::{self, Places},
    exit::Failure,
};

/// What is kept of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    pub(crate) role: args::address::Role,
    /// TOML.
    pub(crate) table: String,
}

/// This process's variables, files and clock, and the addresses.
pub(crate) struct Surroundings<'a> {
    places: &'a Places,
}

// === impl Inventory ===

impl Inventory {
    /// None if there is no such address.
    pub(crate) fn address(&self, name: &str) -> Result<Option<(Stored, Address)>, Failure> {
        let parse = |stored: Stored| Address::parse(&stored.value).map(|address| (stored, address));
        self.read(Kind::Address, name)?.map(parse).transpose()
    }

    /// By name.
    pub(crate) fn addresses(&self) -> Result<Vec<(Stored, Address)>, Failure> {
        let stored = self.list(Kind::Address)?.into_iter();
        stored.map(|stored| Address::parse(&stored.value).map(|address| (stored, address))).collect()
    }
}

// === impl Address ===

impl Address {
    fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::could_not_go_on(format!("an address's record: {error}")))
    }

    pub(crate) fn to_text(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(Failure::could_not_go_on)
    }
}

// === impl Role ===

impl From<args::address::Role> for Role {
    fn from(role: args::address::Role) -> Self {
        match role {
            args::address::Role::Source => Self::Source,
            args::address::Role::Sink => Self::Sink,
        }
    }
}

impl From<Role> for args::address::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Source => Self::Source,
            // A transform has no address; nobody asks.
            Role::Sink | Role::Transform => Self::Sink,
        }
    }
}

// === impl Surroundings ===

impl<'a> Surroundings<'a> {
    pub(crate) fn new(places: &'a Places) -> Self {
        Self { places }
    }
}

impl Environment for Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        ProcessEnvironment.variable(name)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        ProcessEnvironment.read_file(path)
    }

    fn address(&self, name: &str, role: Role) -> Option<String> {
        let found = Inventory::open(self.places).and_then(|inventory| inventory.address(name));
        match found {
            Ok(found) => {
                found.filter(|(_, address)| Role::from(address.role) == role).map(|(_, address)| address.table)
            }
            Err(failure) => {
                tracing::error!(%failure, "the addresses can't be read");
                None
            }
        }
    }

    fn now(&self) -> SystemTime {
        ProcessEnvironment.now()
    }
}
