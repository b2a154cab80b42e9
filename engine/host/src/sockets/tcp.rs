//! The resource `tcp-socket`: made, connected where that's granted, and read and written through
//! streams. Each stream is given once.

use std::{io, sync::Arc};

use tokio::{sync::oneshot, time::timeout};
use wasmtime::{
    AsContextMut,
    component::{Access, Accessor, FutureReader, Resource, StreamReader},
};
use wasmtime_wasi::WasiView;

use super::{
    Shared, Sockets,
    connection::Connection,
    convert::{from_wit, to_wit},
    error_code,
    stream::{SocketReading, SocketWriting, carry},
};
use crate::{
    bindings::wasi::sockets::types::{
        self, ErrorCode, Host, HostTcpSocket, HostTcpSocketWithStore, IpAddressFamily, IpSocketAddress,
    },
    files::Feed,
    state::State,
};

/// A socket of a guest. Public for the generated bindings alone; the module itself isn't.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct TcpSocket {
    pub(super) state: Tcp,
    pub(super) family: IpAddressFamily,
    receives: bool,
    sends: bool,
}

/// ## Fresh => Connecting => (Connected | Closed)
pub(super) enum Tcp {
    Fresh(tokio::net::TcpSocket),
    Connecting,
    Connected(Shared),
    Closed,
}

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;
type Outcome = Result<(), ErrorCode>;

// === impl TcpSocket ===

impl TcpSocket {
    /// What its streams share; none before it's connected.
    pub(super) fn connection(&self) -> Option<&Shared> {
        match &self.state {
            Tcp::Connected(connection) => Some(connection),
            _ => None,
        }
    }
}

/// A future that's already resolved.
fn resolved(store: impl AsContextMut<Data = State>, outcome: Outcome) -> wasmtime::Result<FutureReader<Outcome>> {
    FutureReader::new(store, async move { wasmtime::error::Ok(outcome) })
}

/// A stream that was dropped without a word was dropped by its user, who knows why.
async fn outcome(result: oneshot::Receiver<Outcome>) -> wasmtime::Result<Outcome> {
    Ok(result.await.unwrap_or(Ok(())))
}

impl HostTcpSocketWithStore<State> for Sockets {
    async fn connect(
        accessor: &Accessor<State, Self>,
        socket: Resource<TcpSocket>,
        remote_address: IpSocketAddress,
    ) -> Answer<()> {
        let remote = from_wit(remote_address);
        let begun = accessor.with(|mut access| {
            let state = access.get();
            let network = state.network();
            let (granted, requests, patience) =
                (network.may_connect(remote), network.requests(), (network.connect_timeout(), network.patience));
            if !granted {
                return wasmtime::error::Ok(Err(ErrorCode::AccessDenied));
            }
            let socket = state.ctx().table.get_mut(&socket)?;
            Ok(match std::mem::replace(&mut socket.state, Tcp::Connecting) {
                Tcp::Fresh(fresh) => Ok((fresh, requests, patience)),
                other => {
                    socket.state = other;
                    Err(ErrorCode::InvalidState)
                }
            })
        })?;
        let (fresh, requests, (connect_timeout, patience)) = match begun {
            Ok(begun) => begun,
            Err(code) => return Ok(Err(code)),
        };
        requests.spend_one().await;
        let connected = match timeout(connect_timeout, fresh.connect(remote)).await {
            Ok(connected) => connected.and_then(|stream| Connection::new(stream, patience)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        accessor.with(|mut access| {
            let socket = access.get().ctx().table.get_mut(&socket)?;
            let (state, answer) = match connected {
                Ok(connection) => (Tcp::Connected(Arc::new(connection)), Ok(())),
                Err(error) => (Tcp::Closed, Err(error_code(&error))),
            };
            socket.state = state;
            Ok(answer)
        })
    }

    fn send(
        mut store: Access<'_, State, Self>,
        socket: Resource<TcpSocket>,
        mut data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        let socket = store.get().ctx().table.get_mut(&socket)?;
        let connection = match &socket.state {
            Tcp::Connected(connection) if !socket.sends => Arc::clone(connection),
            _ => {
                data.close(&mut store)?;
                return resolved(&mut store, Err(ErrorCode::InvalidState));
            }
        };
        socket.sends = true;
        match data.try_into::<Feed>(&mut store) {
            Ok(feed) => FutureReader::new(&mut store, async move {
                wasmtime::error::Ok(carry(feed, &connection).await.map_err(|error| error_code(&error)))
            }),
            Err(data) => {
                let (done, result) = oneshot::channel();
                data.pipe(&mut store, SocketWriting::new(connection, done))?;
                FutureReader::new(&mut store, outcome(result))
            }
        }
    }

    fn receive(
        mut store: Access<'_, State, Self>,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let socket = store.get().ctx().table.get_mut(&socket)?;
        let connection = match &socket.state {
            Tcp::Connected(connection) if !socket.receives => Arc::clone(connection),
            _ => {
                let stream = StreamReader::new(&mut store, std::iter::empty())?;
                return Ok((stream, resolved(&mut store, Err(ErrorCode::InvalidState))?));
            }
        };
        socket.receives = true;
        let (done, result) = oneshot::channel();
        let stream = StreamReader::new(&mut store, SocketReading::new(connection, done))?;
        Ok((stream, FutureReader::new(&mut store, outcome(result))?))
    }
}

impl Host for State {}

impl HostTcpSocket for State {
    fn create(&mut self, family: IpAddressFamily) -> Answer<Resource<TcpSocket>> {
        if !self.network().is_granted() {
            return Ok(Err(ErrorCode::AccessDenied));
        }
        let made = match family {
            IpAddressFamily::Ipv4 => tokio::net::TcpSocket::new_v4(),
            IpAddressFamily::Ipv6 => tokio::net::TcpSocket::new_v6(),
        };
        match made {
            Ok(fresh) => {
                let socket = TcpSocket { state: Tcp::Fresh(fresh), family, receives: false, sends: false };
                Ok(Ok(self.ctx().table.push(socket)?))
            }
            Err(error) => Ok(Err(error_code(&error))),
        }
    }

    /// An address of this machine; the port is the system's to choose.
    fn bind(&mut self, socket: Resource<TcpSocket>, local_address: IpSocketAddress) -> Answer<()> {
        let local = from_wit(local_address);
        let socket = self.ctx().table.get_mut(&socket)?;
        Ok(match &socket.state {
            _ if local.port() != 0 => Err(ErrorCode::AccessDenied),
            Tcp::Fresh(fresh) => fresh.bind(local).map_err(|error| error_code(&error)),
            _ => Err(ErrorCode::InvalidState),
        })
    }

    fn listen(&mut self, _socket: Resource<TcpSocket>) -> Answer<StreamReader<Resource<TcpSocket>>> {
        Ok(Err(ErrorCode::AccessDenied))
    }

    fn get_local_address(&mut self, socket: Resource<TcpSocket>) -> Answer<IpSocketAddress> {
        let socket = self.ctx().table.get(&socket)?;
        Ok(match &socket.state {
            Tcp::Fresh(fresh) => fresh.local_addr().map_err(|error| error_code(&error)),
            Tcp::Connected(connection) => Ok(connection.local),
            _ => Err(ErrorCode::InvalidState),
        }
        .map(to_wit))
    }

    fn get_remote_address(&mut self, socket: Resource<TcpSocket>) -> Answer<IpSocketAddress> {
        let connection = self.ctx().table.get(&socket)?.connection();
        Ok(connection.map(|connection| to_wit(connection.remote)).ok_or(ErrorCode::InvalidState))
    }

    fn get_is_listening(&mut self, _socket: Resource<TcpSocket>) -> wasmtime::Result<bool> {
        Ok(false)
    }

    fn get_address_family(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.ctx().table.get(&socket)?.family)
    }

    fn set_listen_backlog_size(&mut self, _socket: Resource<TcpSocket>, _value: u64) -> Answer<()> {
        Ok(Err(ErrorCode::NotSupported))
    }

    fn get_keep_alive_enabled(&mut self, socket: Resource<TcpSocket>) -> Answer<bool> {
        self.tcp_option(&socket, |options| options.keep_alive_enabled())
    }

    fn set_keep_alive_enabled(&mut self, socket: Resource<TcpSocket>, value: bool) -> Answer<()> {
        self.tcp_option(&socket, |options| options.set_keep_alive_enabled(value))
    }

    fn get_keep_alive_idle_time(&mut self, socket: Resource<TcpSocket>) -> Answer<types::Duration> {
        self.tcp_option(&socket, |options| options.keep_alive_idle_time())
    }

    fn set_keep_alive_idle_time(&mut self, socket: Resource<TcpSocket>, value: types::Duration) -> Answer<()> {
        self.tcp_option(&socket, |options| options.set_keep_alive_idle_time(value))
    }

    fn get_keep_alive_interval(&mut self, socket: Resource<TcpSocket>) -> Answer<types::Duration> {
        self.tcp_option(&socket, |options| options.keep_alive_interval())
    }

    fn set_keep_alive_interval(&mut self, socket: Resource<TcpSocket>, value: types::Duration) -> Answer<()> {
        self.tcp_option(&socket, |options| options.set_keep_alive_interval(value))
    }

    fn get_keep_alive_count(&mut self, socket: Resource<TcpSocket>) -> Answer<u32> {
        self.tcp_option(&socket, |options| options.keep_alive_count())
    }

    fn set_keep_alive_count(&mut self, socket: Resource<TcpSocket>, value: u32) -> Answer<()> {
        self.tcp_option(&socket, |options| options.set_keep_alive_count(value))
    }

    fn get_hop_limit(&mut self, socket: Resource<TcpSocket>) -> Answer<u8> {
        self.tcp_option(&socket, |options| options.hop_limit())
    }

    fn set_hop_limit(&mut self, socket: Resource<TcpSocket>, value: u8) -> Answer<()> {
        self.tcp_option(&socket, |options| options.set_hop_limit(value))
    }

    fn get_receive_buffer_size(&mut self, socket: Resource<TcpSocket>) -> Answer<u64> {
        self.tcp_option(&socket, |options| options.receive_buffer_size())
    }

    fn set_receive_buffer_size(&mut self, socket: Resource<TcpSocket>, value: u64) -> Answer<()> {
        self.tcp_option(&socket, |options| options.set_receive_buffer_size(value))
    }

    fn get_send_buffer_size(&mut self, socket: Resource<TcpSocket>) -> Answer<u64> {
        self.tcp_option(&socket, |options| options.send_buffer_size())
    }

    fn set_send_buffer_size(&mut self, socket: Resource<TcpSocket>, value: u64) -> Answer<()> {
        self.tcp_option(&socket, |options| options.set_send_buffer_size(value))
    }

    fn drop(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<()> {
        self.ctx().table.delete(socket)?;
        Ok(())
    }
}
