//! Machines of their own, as far as the network goes: namespaces behind one bridge, each with an address and a
//! cable that can be pulled. Needs root and `ip` (iproute2); without them the test fails.

use std::process::Command;

/// Namespaces, removed when this is dropped.
pub(crate) struct Network {
    name: String,
    subnet: String,
    machines: usize,
}

fn ip(arguments: &[&str]) {
    let output =
        Command::new("ip").args(arguments).output().unwrap_or_else(|error| panic!("`ip` can't be run: {error}"));
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

// === impl Network ===

impl Network {
    pub(crate) fn new(machines: usize) -> Self {
        let process = std::process::id();
        // Names of interfaces have at most 15 bytes.
        let name = format!("cv{}", process % 1_000_000);
        let network = Self { name, subnet: format!("10.213.{}", process % 250), machines };
        let bridge = format!("{}b", network.name);
        ip(&["link", "add", &bridge, "type", "bridge"]);
        ip(&["address", "add", &format!("{}/24", network.address()), "dev", &bridge]);
        ip(&["link", "set", &bridge, "up"]);
        for machine in 0..machines {
            let (namespace, cable) = (network.namespace(machine), network.cable(machine));
            ip(&["netns", "add", &namespace]);
            ip(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &namespace]);
            ip(&["link", "set", &cable, "master", &bridge, "up"]);
            let address = format!("{}.{}/24", network.subnet, 10 + machine);
            ip(&["-n", &namespace, "address", "add", &address, "dev", "eth0"]);
            ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        }
        network
    }

    /// Where the server is that all machines reach.
    pub(crate) fn address(&self) -> String {
        format!("{}.1", self.subnet)
    }

    pub(crate) fn namespace(&self, machine: usize) -> String {
        format!("{}n{machine}", self.name)
    }

    pub(crate) fn pull(&self, machine: usize) {
        ip(&["link", "set", &self.cable(machine), "down"]);
    }

    pub(crate) fn plug(&self, machine: usize) {
        ip(&["link", "set", &self.cable(machine), "up"]);
    }

    fn cable(&self, machine: usize) -> String {
        format!("{}c{machine}", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Of a network that's half made what's missing can't be removed.
        for machine in 0..self.machines {
            let _ = Command::new("ip").args(["netns", "delete", &self.namespace(machine)]).output();
            let _ = Command::new("ip").args(["link", "delete", &self.cable(machine)]).output();
        }
        let _ = Command::new("ip").args(["link", "delete", &format!("{}b", self.name)]).output();
    }
}
