//! One TCP connection, plain or under TLS, shared by the streams that a guest got of it. Knows no
//! guest and decides nothing about what is granted.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::tls::Session;

/// How long to wait for the server's end of a TLS connection after ours: what it sent meanwhile are
/// tickets for the next one, which are worth this and no more.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// A connected socket. All of it is used on the worker's own thread; the lock is never waited for.
#[derive(Debug)]
pub(crate) struct Connection {
    transport: Mutex<Transport>,
    session: Mutex<Option<Session>>,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// Longest wait for a byte in either direction.
    pub(super) patience: Duration,
}

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// TLS is being negotiated, or that failed.
    Taken,
}

// === impl Connection ===

impl Connection {
    /// # Errors
    /// The socket isn't connected any more.
    pub(super) fn new(stream: TcpStream, patience: Duration) -> io::Result<Self> {
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        // A command line is one write; waiting for more costs a delayed acknowledgement.
        stream.set_nodelay(true)?;
        let transport = Mutex::new(Transport::Plain(stream));
        Ok(Self { transport, session: Mutex::default(), local, remote, patience })
    }

    /// Reads what is there, as much of it as fits; none at the end. A TLS connection that ends
    /// without a farewell is at its end too: many servers of FTP know no other, and whoever reads
    /// compares sizes.
    pub(super) fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut transport = self.transport();
        let mut buffer = ReadBuf::new(space);
        while buffer.remaining() > 0 {
            let before = buffer.filled().len();
            match transport.poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
                Poll::Ready(Ok(())) => break,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                // What came before the failure counts; the failure will come again.
                Poll::Ready(Err(_)) | Poll::Pending if before > 0 => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if buffer.filled().is_empty() && matches!(*transport, Transport::Tls(_)) {
            // Servers wait for our farewell before they say that all went well. One that has gone
            // doesn't miss it.
            let _ = transport.poll_shutdown(context);
        }
        Poll::Ready(Ok(buffer.filled().len()))
    }

    pub(super) fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.transport().poll_write(context, bytes)
    }

    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport().poll_flush(context)
    }

    /// Says goodbye: flushes, ends TLS in order, closes the sending half.
    pub(super) async fn finish(&self) -> io::Result<()> {
        let patience = self.patience;
        let shut = std::future::poll_fn(|context| self.transport().poll_shutdown(context));
        tokio::time::timeout(patience, shut).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        if matches!(*self.transport(), Transport::Tls(_)) {
            let mut rest = [0; 1024];
            let farewell = std::future::poll_fn(|context| match self.poll_read(context, &mut rest) {
                Poll::Ready(Ok(1..)) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            });
            // A server that takes its time owes us nothing.
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
        Ok(())
    }

    /// Takes the plain stream, to begin TLS on it.
    ///
    /// # Errors
    /// TLS was begun already.
    pub(super) fn take_plain(&self) -> io::Result<TcpStream> {
        let mut transport = self.transport();
        match std::mem::replace(&mut *transport, Transport::Taken) {
            Transport::Plain(stream) => Ok(stream),
            other => {
                *transport = other;
                Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS was begun on this socket already"))
            }
        }
    }

    pub(super) fn set_tls(&self, stream: TlsStream<TcpStream>, session: Session) {
        *self.transport() = Transport::Tls(Box::new(stream));
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// What TLS was begun with; none without TLS.
    pub(super) fn session(&self) -> Option<Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the TCP socket itself; none while TLS is being negotiated.
    pub(super) fn with_stream<T>(&self, look: impl FnOnce(&TcpStream) -> T) -> Option<T> {
        match &*self.transport() {
            Transport::Plain(stream) => Some(look(stream)),
            Transport::Tls(stream) => Some(look(stream.get_ref().0)),
            Transport::Taken => None,
        }
    }

    fn transport(&self) -> MutexGuard<'_, Transport> {
        self.transport.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Transport ===

impl Transport {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Taken => Poll::Ready(Err(gone())),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Taken => Poll::Ready(Err(gone())),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Taken => Poll::Ready(Err(gone())),
        }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Taken => Poll::Ready(Err(gone())),
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "TLS isn't established on this socket")
}
