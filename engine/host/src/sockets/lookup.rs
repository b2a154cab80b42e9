//! `wasi:sockets/ip-name-lookup`: the granted name, and no other.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use wasmtime::component::Accessor;

use super::{Sockets, convert::to_wit_ip, network::address};
use crate::{
    bindings::wasi::sockets::{
        ip_name_lookup::{ErrorCode, Host, HostWithStore},
        types::IpAddress,
    },
    state::State,
};

impl Host for State {}

impl HostWithStore<State> for Sockets {
    async fn resolve_addresses(
        accessor: &Accessor<State, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<IpAddress>, ErrorCode>> {
        let (granted, timeout) = accessor.with(|mut access| {
            let network = access.get().network();
            (network.may_resolve(&name), network.connect_timeout())
        });
        if !granted {
            return Ok(Err(ErrorCode::AccessDenied));
        }
        let found = match address(&name) {
            Some(address) => Ok(vec![address]),
            None => tokio::time::timeout(timeout, resolve(&name)).await.unwrap_or_else(|_| {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the name server didn't answer in time"))
            }),
        };
        Ok(match found {
            Ok(addresses) if addresses.is_empty() => Err(ErrorCode::NameUnresolvable),
            Ok(addresses) => {
                accessor.with(|mut access| access.get().network().learn(&addresses));
                Ok(addresses.into_iter().map(to_wit_ip).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(ErrorCode::TemporaryResolverFailure),
            Err(error) => {
                tracing::debug!(%error, "a name can't be resolved");
                Err(ErrorCode::NameUnresolvable)
            }
        })
    }
}

async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|found: SocketAddr| found.ip().to_canonical()).collect())
}
