//! Fleets: several state folders, as of several machines, and a real NATS server.

mod agents;
mod commands;
mod hosts;
mod runs;
mod sharing;
mod transformed;

use crate::harness::{Ended, Running, Scratch, nats::Nats};

/// A fleet's server and a folder for its machines.
struct Fleet {
    nats: Nats,
    scratch: Scratch,
}

// === impl Fleet ===

impl Fleet {
    fn new(scratch: Scratch) -> Self {
        Self { nats: Nats::start(&scratch), scratch }
    }

    /// Starts `engine` with this fleet on a machine.
    fn start(&self, machine: &str, arguments: &[&str]) -> Running {
        self.scratch.start_on(machine, arguments, &[("CULVERT_FLEET", &self.nats.url())])
    }

    /// Runs it to its end.
    fn engine(&self, machine: &str, arguments: &[&str]) -> Ended {
        self.start(machine, arguments).wait()
    }
}
