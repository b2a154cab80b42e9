//! The options of a TCP socket, before and after it's connected. Sets none by itself.

use std::{io, os::fd::BorrowedFd, time::Duration};

use rustix::net::sockopt;
use wasmtime::component::Resource;
use wasmtime_wasi::WasiView;

use super::{
    error_code,
    tcp::{Tcp, TcpSocket},
};
use crate::{
    bindings::wasi::sockets::types::{ErrorCode, IpAddressFamily},
    state::State,
};

/// A socket whose options are looked at or set.
pub(super) struct Options<'a> {
    socket: BorrowedFd<'a>,
    family: IpAddressFamily,
}

type Set = Result<(), ErrorCode>;

impl State {
    pub(super) fn tcp_option<T>(
        &mut self,
        socket: &Resource<TcpSocket>,
        look: impl FnOnce(&Options<'_>) -> Result<T, ErrorCode>,
    ) -> wasmtime::Result<Result<T, ErrorCode>> {
        use std::os::fd::AsFd;

        let socket = self.ctx().table.get(socket)?;
        let family = socket.family;
        Ok(match &socket.state {
            Tcp::Fresh(fresh) => look(&Options { socket: fresh.as_fd(), family }),
            Tcp::Connected(connection) => connection
                .with_stream(|stream| look(&Options { socket: stream.as_fd(), family }))
                .unwrap_or(Err(ErrorCode::InvalidState)),
            Tcp::Connecting | Tcp::Closed => Err(ErrorCode::InvalidState),
        })
    }
}

// === impl Options ===

impl Options<'_> {
    pub(super) fn keep_alive_enabled(&self) -> Result<bool, ErrorCode> {
        answer(sockopt::socket_keepalive(self.socket))
    }

    pub(super) fn set_keep_alive_enabled(&self, value: bool) -> Set {
        answer(sockopt::set_socket_keepalive(self.socket, value))
    }

    pub(super) fn keep_alive_idle_time(&self) -> Result<u64, ErrorCode> {
        answer(sockopt::tcp_keepidle(self.socket)).map(nanoseconds)
    }

    pub(super) fn set_keep_alive_idle_time(&self, value: u64) -> Set {
        answer(sockopt::set_tcp_keepidle(self.socket, seconds(value)?))
    }

    pub(super) fn keep_alive_interval(&self) -> Result<u64, ErrorCode> {
        answer(sockopt::tcp_keepintvl(self.socket)).map(nanoseconds)
    }

    pub(super) fn set_keep_alive_interval(&self, value: u64) -> Set {
        answer(sockopt::set_tcp_keepintvl(self.socket, seconds(value)?))
    }

    pub(super) fn keep_alive_count(&self) -> Result<u32, ErrorCode> {
        answer(sockopt::tcp_keepcnt(self.socket))
    }

    pub(super) fn set_keep_alive_count(&self, value: u32) -> Set {
        answer(sockopt::set_tcp_keepcnt(self.socket, value))
    }

    pub(super) fn hop_limit(&self) -> Result<u8, ErrorCode> {
        match self.family {
            IpAddressFamily::Ipv4 => {
                answer(sockopt::ip_ttl(self.socket)).map(|limit| u8::try_from(limit).unwrap_or(u8::MAX))
            }
            IpAddressFamily::Ipv6 => answer(sockopt::ipv6_unicast_hops(self.socket)),
        }
    }

    pub(super) fn set_hop_limit(&self, value: u8) -> Set {
        if value == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        answer(match self.family {
            IpAddressFamily::Ipv4 => sockopt::set_ip_ttl(self.socket, value.into()),
            IpAddressFamily::Ipv6 => sockopt::set_ipv6_unicast_hops(self.socket, Some(value)),
        })
    }

    // Linux tells twice what was set: the rest is for its own bookkeeping.

    pub(super) fn receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        answer(sockopt::socket_recv_buffer_size(self.socket)).map(|size| size as u64 / 2)
    }

    pub(super) fn set_receive_buffer_size(&self, value: u64) -> Set {
        answer(sockopt::set_socket_recv_buffer_size(self.socket, buffer_size(value)?))
    }

    pub(super) fn send_buffer_size(&self) -> Result<u64, ErrorCode> {
        answer(sockopt::socket_send_buffer_size(self.socket)).map(|size| size as u64 / 2)
    }

    pub(super) fn set_send_buffer_size(&self, value: u64) -> Set {
        answer(sockopt::set_socket_send_buffer_size(self.socket, buffer_size(value)?))
    }
}

fn answer<T>(result: rustix::io::Result<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error_code(&io::Error::from(error)))
}

/// Linux counts in whole seconds; less than one is one.
fn seconds(nanoseconds: u64) -> Result<Duration, ErrorCode> {
    if nanoseconds == 0 {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(Duration::from_secs(Duration::from_nanos(nanoseconds).as_secs().max(1)))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What the kernel's own limit doesn't allow, it cuts itself.
fn buffer_size(value: u64) -> Result<usize, ErrorCode> {
    if value == 0 {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(usize::try_from(value.min(1 << 30)).unwrap_or(1 << 30))
}
