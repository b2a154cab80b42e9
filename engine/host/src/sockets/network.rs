//! Which hosts one instance may reach: the one that its pipeline names, by its name and under the
//! addresses that this name has. Opens nothing.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use crate::{grants::SocketGrant, limits::Limits, requests::Requests};

/// Addresses of one name that are kept: a server behind more of them answers on the first.
const MAX_ADDRESSES: usize = 64;

/// Longest wait for a connection to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What a store's sockets lead to. Without a grant, nowhere.
#[derive(Debug, Default)]
pub(crate) struct Network {
    grant: Option<SocketGrant>,
    /// What the granted name was resolved to.
    addresses: BTreeSet<IpAddr>,
    /// Longest wait for a byte; less than what a call may take, so that the guest hears of it and
    /// isn't ended for it.
    pub(super) patience: Duration,
}

// === impl Network ===

impl Network {
    pub(crate) fn new(grant: Option<&SocketGrant>, limits: &Limits) -> Self {
        let literal = grant.and_then(|grant| address(&grant.host));
        let patience = limits.call_timeout.min(limits.idle_timeout) * 3 / 4;
        Self { grant: grant.cloned(), addresses: literal.into_iter().collect(), patience }
    }

    pub(super) fn is_granted(&self) -> bool {
        self.grant.is_some()
    }

    /// Whether this is the name that may be looked up.
    pub(super) fn may_resolve(&self, name: &str) -> bool {
        self.grant.as_ref().is_some_and(|grant| {
            grant.host.eq_ignore_ascii_case(name) || (address(name).is_some() && address(name) == address(&grant.host))
        })
    }

    /// Takes what the granted name was resolved to.
    pub(super) fn learn(&mut self, addresses: &[IpAddr]) {
        let room = MAX_ADDRESSES.saturating_sub(self.addresses.len());
        self.addresses.extend(addresses.iter().take(room));
    }

    /// Whether a connection may be made: to the granted port, or to one that this host names for its
    /// data. The ports below 1024 belong to other services of it.
    pub(super) fn may_connect(&self, to: SocketAddr) -> bool {
        let Some(grant) = &self.grant else { return false };
        let port = to.port() == grant.port || to.port() >= 1024 || to.port() == grant.port.wrapping_sub(1);
        port && to.port() != 0 && self.addresses.contains(&to.ip().to_canonical())
    }

    pub(super) fn requests(&self) -> Requests {
        self.grant.as_ref().map(|grant| grant.requests.clone()).unwrap_or_default()
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        CONNECT_TIMEOUT.min(self.patience)
    }
}

/// The address that a host's name is, brackets or not.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => host.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(host: &str) -> Network {
        let grant = SocketGrant { host: host.to_owned(), port: 21, requests: Requests::default() };
        Network::new(Some(&grant), &Limits::default())
    }

    #[test]
    fn only_the_granted_name_and_its_addresses_are_reached() {
        let mut network = network("ftp.example.com");
        assert!(network.may_resolve("FTP.example.com") && !network.may_resolve("example.com"));
        let to = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(!network.may_connect(to("192.0.2.1:21")), "not before the name was looked up");
        network.learn(&["192.0.2.1".parse().expect("an address")]);
        for reached in ["192.0.2.1:21", "192.0.2.1:20", "192.0.2.1:50000"] {
            assert!(network.may_connect(to(reached)), "{reached}");
        }
        for refused in ["192.0.2.2:21", "127.0.0.1:50000", "192.0.2.1:25", "192.0.2.1:0"] {
            assert!(!network.may_connect(to(refused)), "{refused}");
        }
    }

    #[test]
    fn an_address_needs_no_looking_up() {
        let there = "[::1]:2121".parse().expect("an address");
        assert!(network("[::1]").may_connect(there) && network("::1").may_connect(there));
        assert!(!network("localhost").may_connect(there));
        assert!(!Network::new(None, &Limits::default()).may_connect(there));
    }
}
