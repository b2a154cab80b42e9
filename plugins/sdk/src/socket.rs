//! A TCP connection to the server that the pipeline grants: made, put under TLS, written and read
//! line by line or passed on whole. Knows no protocol above it.

use wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};

use crate::{
    bindings::source::wit_stream,
    error, tls,
    types::Error,
    wasi::sockets::{
        ip_name_lookup::{self, ErrorCode as LookupError},
        types::{
            ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, TcpSocket,
        },
    },
};

/// How long a connection is silent before TCP asks whether the other side is there, in nanoseconds:
/// less than the five minutes after which common routers forget it.
const KEEP_ALIVE_IDLE: u64 = 60_000_000_000;

/// Bytes asked for in one read: a listing's, for a reply is never that long.
const READ_BYTES: usize = 64 * 1024;

/// A connected socket.
#[derive(Debug)]
pub struct Socket(TcpSocket);

/// Both directions of a socket, for a protocol of lines.
#[derive(Debug)]
pub struct Lines {
    writer: StreamWriter<u8>,
    reader: StreamReader<u8>,
    /// None once it has been heard.
    received: Option<FutureReader<Result<(), ErrorCode>>>,
    // Dropping it would say that nobody waits for the last byte written.
    _sent: FutureReader<Result<(), ErrorCode>>,
    buffer: Vec<u8>,
    begin: usize,
}

/// The addresses of a host, as the system orders them. An address is its own.
///
/// # Errors
/// `connection-failed`, or `permission-denied` where the pipeline grants another host.
pub async fn resolve(host: &str) -> Result<Vec<IpAddress>, Error> {
    ip_name_lookup::resolve_addresses(host.to_owned()).await.map_err(|code| match code {
        LookupError::AccessDenied => error::permission_denied(format!("the pipeline grants no host {host:?}")),
        LookupError::TemporaryResolverFailure => {
            error::connection_failed(format!("the name {host:?} can't be looked up now: no answer in time"))
        }
        _ => error::connection_failed(format!("the name {host:?} isn't known to the name server; check it")),
    })
}

// === impl Socket ===

impl Socket {
    /// Connects to the first of these addresses that answers. `bind` is the address of this machine
    /// to come from.
    ///
    /// # Errors
    /// `connection-failed`, `timeout` or `permission-denied`, of the last address.
    pub async fn connect(addresses: &[IpAddress], port: u16, bind: Option<IpAddress>) -> Result<Self, Error> {
        let mut refused = error::connection_failed("the host has no address");
        for address in addresses {
            match Self::connect_to(*address, port, bind).await {
                Ok(socket) => return Ok(socket),
                Err(code) => refused = failed(&format!("connect to {}", shown(*address, port)), &code),
            }
        }
        Err(refused)
    }

    async fn connect_to(address: IpAddress, port: u16, bind: Option<IpAddress>) -> Result<Self, ErrorCode> {
        let family = match address {
            IpAddress::Ipv4(_) => IpAddressFamily::Ipv4,
            IpAddress::Ipv6(_) => IpAddressFamily::Ipv6,
        };
        let socket = TcpSocket::create(family)?;
        if let Some(bind) = bind {
            socket.bind(with_port(bind, 0))?;
        }
        socket.set_keep_alive_enabled(true)?;
        // A system that can't set the time has its own.
        let _ = socket.set_keep_alive_idle_time(KEEP_ALIVE_IDLE);
        socket.connect(with_port(address, port)).await?;
        Ok(Self(socket))
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// `connection-failed` if it has gone.
    pub fn peer(&self) -> Result<IpAddress, Error> {
        match self.0.get_remote_address().map_err(|code| failed("look at the connection", &code))? {
            IpSocketAddress::Ipv4(peer) => Ok(IpAddress::Ipv4(peer.address)),
            IpSocketAddress::Ipv6(peer) => Ok(IpAddress::Ipv6(peer.address)),
        }
    }

    /// Begins TLS; see [`tls::start`].
    ///
    /// # Errors
    /// Those of [`tls::start`].
    pub async fn start_tls(&self, options: tls::Options) -> Result<(), Error> {
        tls::start(&self.0, options).await
    }

    /// Begins TLS with the session of another connection; see [`tls::resume`].
    ///
    /// # Errors
    /// Those of [`tls::resume`].
    pub async fn resume_tls(&self, of: &Self) -> Result<(), Error> {
        tls::resume(&self.0, &of.0).await
    }

    /// Whether another connection can resume this one's TLS session; see [`tls::is_resumable`].
    pub fn is_resumable(&self) -> bool {
        tls::is_resumable(&self.0)
    }

    /// Everything that comes. Passed on untouched, its bytes never enter the guest. The future says
    /// whether the end was reached, or the reader's wish fulfilled.
    pub fn receive(&self) -> (StreamReader<u8>, FutureReader<Result<(), ErrorCode>>) {
        self.0.receive()
    }

    /// Sends a stream to its end and then closes this direction.
    ///
    /// # Errors
    /// `connection-failed` or `timeout`.
    pub async fn send(&self, data: StreamReader<u8>) -> Result<(), Error> {
        self.0.send(data).await.map_err(|code| failed("send data", &code))
    }

    /// Both directions for a protocol of lines.
    pub fn lines(&self) -> Lines {
        let (writer, outgoing) = wit_stream::new::<u8>();
        let sent = self.0.send(outgoing);
        let (reader, received) = self.0.receive();
        Lines { writer, reader, received: Some(received), _sent: sent, buffer: Vec::new(), begin: 0 }
    }
}

// === impl Lines ===

impl Lines {
    /// Sends bytes in one piece.
    ///
    /// # Errors
    /// `connection-failed`.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        let left = self.writer.write_all(bytes).await;
        if left.is_empty() { Ok(()) } else { Err(error::connection_failed("the server closed the connection")) }
    }

    /// The next line without its end, at most `max` bytes long.
    ///
    /// # Errors
    /// `connection-failed` or `timeout` where there is none, `protocol` if it's longer.
    pub async fn next(&mut self, max: usize) -> Result<Vec<u8>, Error> {
        let mut searched = self.begin;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + at;
                let line = self.buffer[self.begin..end].strip_suffix(b"\r").unwrap_or(&self.buffer[self.begin..end]);
                let line = line.to_vec();
                self.begin = end + 1;
                return Ok(line);
            }
            self.buffer.drain(..std::mem::take(&mut self.begin));
            searched = self.buffer.len();
            if searched > max {
                return Err(error::protocol(format!("the server sent a line of more than {max} bytes")));
            }
            self.read_more().await?;
        }
    }

    /// Whether something has come that nobody has asked for yet.
    pub fn has_more(&self) -> bool {
        self.begin < self.buffer.len()
    }

    async fn read_more(&mut self) -> Result<(), Error> {
        let (result, bytes) = self.reader.read(Vec::with_capacity(READ_BYTES)).await;
        self.buffer.extend_from_slice(&bytes);
        if !bytes.is_empty() || result != StreamResult::Dropped {
            return Ok(());
        }
        if let Some(received) = self.received.take()
            && let Err(code) = received.await
        {
            return Err(failed("read the server's reply", &code));
        }
        Err(error::connection_failed("the server closed the connection"))
    }
}

/// A socket's failure in the contract's words.
pub fn failed(operation: &str, code: &ErrorCode) -> Error {
    let cannot = |why: &str| format!("cannot {operation}: {why}");
    match code {
        ErrorCode::AccessDenied => error::permission_denied(cannot("the pipeline doesn't grant it")),
        ErrorCode::Timeout => error::timeout(cannot("no answer in time")),
        ErrorCode::ConnectionRefused => {
            error::connection_failed(cannot("the connection was refused; check host, port and firewall"))
        }
        ErrorCode::RemoteUnreachable => error::connection_failed(cannot("the host can't be reached")),
        ErrorCode::ConnectionReset | ErrorCode::ConnectionBroken | ErrorCode::ConnectionAborted => {
            error::connection_failed(cannot("the connection was cut"))
        }
        ErrorCode::AddressNotBindable | ErrorCode::InvalidArgument => {
            error::invalid_config(cannot("the address to bind to isn't one of this machine, or of another family"))
        }
        ErrorCode::Other(Some(why)) => error::connection_failed(cannot(why)),
        other => error::connection_failed(cannot(&format!("{other:?}"))),
    }
}

fn with_port(address: IpAddress, port: u16) -> IpSocketAddress {
    match address {
        IpAddress::Ipv4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }),
        IpAddress::Ipv6(address) => {
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

/// An address and a port as they're written.
pub fn shown(address: IpAddress, port: u16) -> String {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => std::net::SocketAddr::new([a, b, c, d].into(), port).to_string(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => {
            std::net::SocketAddr::new([a, b, c, d, e, f, g, h].into(), port).to_string()
        }
    }
}
