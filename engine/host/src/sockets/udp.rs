//! The resource `udp-socket`: there is none. Every call is refused.

use wasmtime::component::{Accessor, Resource};

use super::Sockets;
use crate::{
    bindings::wasi::sockets::types::{
        ErrorCode, HostUdpSocket, HostUdpSocketWithStore, IpAddressFamily, IpSocketAddress,
    },
    state::State,
};

/// A socket that nobody gets.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum UdpSocket {}

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

fn refused<T>() -> Answer<T> {
    Ok(Err(ErrorCode::AccessDenied))
}

impl HostUdpSocketWithStore<State> for Sockets {
    async fn send(
        _accessor: &Accessor<State, Self>,
        _socket: Resource<UdpSocket>,
        _data: Vec<u8>,
        _remote: Option<IpSocketAddress>,
    ) -> Answer<()> {
        refused()
    }

    async fn receive(
        _accessor: &Accessor<State, Self>,
        _socket: Resource<UdpSocket>,
    ) -> Answer<(Vec<u8>, IpSocketAddress)> {
        refused()
    }
}

impl HostUdpSocket for State {
    fn create(&mut self, _family: IpAddressFamily) -> Answer<Resource<UdpSocket>> {
        refused()
    }

    fn bind(&mut self, _socket: Resource<UdpSocket>, _local: IpSocketAddress) -> Answer<()> {
        refused()
    }

    fn connect(&mut self, _socket: Resource<UdpSocket>, _remote: IpSocketAddress) -> Answer<()> {
        refused()
    }

    fn disconnect(&mut self, _socket: Resource<UdpSocket>) -> Answer<()> {
        refused()
    }

    fn get_local_address(&mut self, _socket: Resource<UdpSocket>) -> Answer<IpSocketAddress> {
        refused()
    }

    fn get_remote_address(&mut self, _socket: Resource<UdpSocket>) -> Answer<IpSocketAddress> {
        refused()
    }

    fn get_address_family(&mut self, _socket: Resource<UdpSocket>) -> wasmtime::Result<IpAddressFamily> {
        Ok(IpAddressFamily::Ipv4)
    }

    fn get_unicast_hop_limit(&mut self, _socket: Resource<UdpSocket>) -> Answer<u8> {
        refused()
    }

    fn set_unicast_hop_limit(&mut self, _socket: Resource<UdpSocket>, _value: u8) -> Answer<()> {
        refused()
    }

    fn get_receive_buffer_size(&mut self, _socket: Resource<UdpSocket>) -> Answer<u64> {
        refused()
    }

    fn set_receive_buffer_size(&mut self, _socket: Resource<UdpSocket>, _value: u64) -> Answer<()> {
        refused()
    }

    fn get_send_buffer_size(&mut self, _socket: Resource<UdpSocket>) -> Answer<u64> {
        refused()
    }

    fn set_send_buffer_size(&mut self, _socket: Resource<UdpSocket>, _value: u64) -> Answer<()> {
        refused()
    }

    fn drop(&mut self, _socket: Resource<UdpSocket>) -> wasmtime::Result<()> {
        Ok(())
    }
}
