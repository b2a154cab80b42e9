//! `wasi:sockets` and `culvert:connector/tls` in the host's own way: TCP to the one host that was
//! granted, each connection against the tunnel's budget of requests, and bytes that a guest passes
//! on without seeing them. Never listens, and speaks no UDP.

mod connection;
mod convert;
mod lookup;
mod network;
mod options;
mod stream;
mod tcp;
mod tls;
mod udp;

use std::{io, sync::Arc};

use rustix::io::Errno;
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::WasiView;

use self::tls::{Session, error};
pub(crate) use self::{network::Network, stream::SocketReading};
#[allow(unreachable_pub, reason = "the generated bindings re-export them")]
pub use self::{tcp::TcpSocket, udp::UdpSocket};
use crate::{
    bindings::{
        culvert::connector::{tls as wit_tls, types::Error},
        wasi::sockets::{ip_name_lookup, types, types::ErrorCode},
    },
    state::State,
};

/// How the linker finds the store's data for these interfaces.
pub(crate) struct Sockets;

impl HasData for Sockets {
    type Data<'a> = &'a mut State;
}

/// Puts these interfaces in place of the stock ones.
///
/// # Errors
/// The linker has another idea of their types.
pub(crate) fn replace_sockets(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, Sockets>(linker, |state| state)?;
    ip_name_lookup::add_to_linker::<State, Sockets>(linker, |state| state)?;
    wit_tls::add_to_linker::<State, Sockets>(linker, |state| state)
}

impl wit_tls::Host for State {
    fn is_resumable(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<bool> {
        let session = self.ctx().table.get(&socket)?.connection().and_then(|connection| connection.session());
        Ok(session.is_some_and(|session| session.is_resumable()))
    }
}

impl wit_tls::HostWithStore<State> for Sockets {
    async fn start(
        accessor: &Accessor<State, Self>,
        socket: Resource<TcpSocket>,
        options: wit_tls::Options,
    ) -> wasmtime::Result<Result<(), Error>> {
        match Session::new(&options) {
            Ok(session) => begin(accessor, &socket, session).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn resume(
        accessor: &Accessor<State, Self>,
        socket: Resource<TcpSocket>,
        session_of: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let session = accessor.with(|mut access| {
            let other = access.get().ctx().table.get(&session_of)?;
            wasmtime::error::Ok(other.connection().and_then(|connection| connection.session()))
        })?;
        match session {
            Some(session) => begin(accessor, &socket, session).await,
            None => Ok(Err(error("protocol", "the socket whose session is to be resumed has none"))),
        }
    }
}

async fn begin(
    accessor: &Accessor<State, Sockets>,
    socket: &Resource<TcpSocket>,
    session: Session,
) -> wasmtime::Result<Result<(), Error>> {
    let connection =
        accessor.with(|mut access| wasmtime::error::Ok(access.get().ctx().table.get(socket)?.connection().cloned()))?;
    let Some(connection) = connection else {
        return Ok(Err(error("connection-failed", "TLS can't begin on a socket that isn't connected")));
    };
    let stream = match connection.take_plain() {
        Ok(stream) => stream,
        Err(problem) => return Ok(Err(error("protocol", &problem.to_string()))),
    };
    Ok(session.negotiate(stream, connection.patience).await.map(|stream| connection.set_tls(stream, session)))
}

/// WASI's word for an operating system's error.
fn error_code(error: &io::Error) -> ErrorCode {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ACCESS | Errno::PERM) => ErrorCode::AccessDenied,
        Some(Errno::ADDRINUSE) => ErrorCode::AddressInUse,
        Some(Errno::ADDRNOTAVAIL) => ErrorCode::AddressNotBindable,
        Some(Errno::TIMEDOUT) => ErrorCode::Timeout,
        Some(Errno::PIPE) => ErrorCode::ConnectionBroken,
        Some(Errno::CONNREFUSED) => ErrorCode::ConnectionRefused,
        Some(Errno::CONNRESET) => ErrorCode::ConnectionReset,
        Some(Errno::CONNABORTED) => ErrorCode::ConnectionAborted,
        Some(Errno::INVAL) => ErrorCode::InvalidArgument,
        Some(Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NETDOWN) => ErrorCode::RemoteUnreachable,
        Some(Errno::NOMEM | Errno::NOBUFS | Errno::MFILE | Errno::NFILE) => ErrorCode::OutOfMemory,
        Some(Errno::NOTCONN | Errno::ISCONN) => ErrorCode::InvalidState,
        _ => match error.kind() {
            io::ErrorKind::TimedOut => ErrorCode::Timeout,
            io::ErrorKind::NotConnected | io::ErrorKind::InvalidInput => ErrorCode::InvalidState,
            io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
            _ => ErrorCode::Other(Some(error.to_string())),
        },
    }
}

/// What of a socket is shared with its streams.
type Shared = Arc<connection::Connection>;
