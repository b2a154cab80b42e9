//! The tunnels of this state folder or of a fleet, and how those of `engine.toml` come to be among the former.

use culvert_flow::{
    records::{Kind, Stored},
    tunnel::lease::{Definition, Record},
};
use culvert_manifest::EngineFile;

use super::{Inventory, failure};
use crate::exit::Failure;

/// A tunnel as it was read.
pub(crate) struct Known {
    pub(crate) stored: Stored,
    pub(crate) record: Record,
}

// === impl Inventory ===

impl Inventory {
    /// None if there is no such tunnel.
    pub(crate) fn tunnel(&self, name: &str) -> Result<Option<Known>, Failure> {
        self.read(Kind::Tunnel, name)?.map(Known::new).transpose()
    }

    /// By name.
    pub(crate) fn tunnels(&self) -> Result<Vec<Known>, Failure> {
        self.list(Kind::Tunnel)?.into_iter().map(Known::new).collect()
    }

    /// Makes what the file defines, and changes what it defines differently than it did. A fleet's tunnels are
    /// no machine's own.
    ///
    /// # Errors
    /// The records can't be written.
    pub(crate) fn take_over(&self, file: &EngineFile) -> Result<(), Failure> {
        for (name, definition) in file.tunnels.iter().filter(|_| !self.is_fleet) {
            let given = Record { given: Some(definition.clone()), ..Record::new(definition.clone()) };
            let is_there = self.edit_tunnel(name, |record| {
                if record.given.as_ref() != Some(definition) {
                    record.given = Some(definition.clone());
                    // Weights are the agents', which the file doesn't know.
                    let weights = std::mem::take(&mut record.definition.weights);
                    record.definition = Definition { weights, ..definition.clone() };
                }
                Ok(())
            })?;
            if !is_there {
                // Whoever was quicker took it from the same file.
                self.records.create(Kind::Tunnel, name, &given.to_text().map_err(failure)?).map_err(failure)?;
            }
        }
        Ok(())
    }

    /// False if there is no such tunnel.
    ///
    /// # Errors
    /// `change` refuses it, or the records can't be written.
    pub(crate) fn edit_tunnel(
        &self,
        name: &str,
        change: impl Fn(&mut Record) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        self.edit(Kind::Tunnel, name, |text| {
            let mut record = Record::parse(text).map_err(failure)?;
            let before = record.clone();
            change(&mut record)?;
            if record == before { Ok(text.to_owned()) } else { record.to_text().map_err(failure) }
        })
    }
}

// === impl Known ===

impl Known {
    fn new(stored: Stored) -> Result<Self, Failure> {
        let record = Record::parse(&stored.value).map_err(failure)?;
        Ok(Self { stored, record })
    }
}
