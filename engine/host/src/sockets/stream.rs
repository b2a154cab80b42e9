//! The bytes of a connection: streams that a guest reads and writes itself (its commands), and
//! streams that it passes on, which the host takes back so that no payload enters the guest.

use std::{
    any::{Any, TypeId},
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use culvert_flow::body::{Chunk, MAX_CHUNK_BYTES};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep, timeout},
};
use wasmtime::{
    StoreContextMut,
    component::{Destination, Source, StreamConsumer, StreamProducer, StreamResult},
};

use super::{connection::Connection, error_code};
use crate::{
    bindings::wasi::sockets::types::ErrorCode,
    files::{Feed, read_chunk},
    pool::Buffer,
};

/// Bytes of a guest's own read: replies and listings.
const GUEST_READ_BYTES: usize = 64 * 1024;

pub(super) type Done = oneshot::Sender<Result<(), ErrorCode>>;

/// What a connection receives. The host takes it back when the guest passes it on.
pub(crate) struct SocketReading {
    connection: Arc<Connection>,
    done: Option<Done>,
    patience: Patience,
}

/// A stream that a guest made itself, on its way out.
pub(super) struct SocketWriting {
    connection: Arc<Connection>,
    done: Option<Done>,
    patience: Patience,
    /// Taken from the guest and not flushed yet.
    unflushed: Option<usize>,
    failed: bool,
}

/// Runs out when nothing has moved for too long.
struct Patience {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Everything of a body onto the wire, then the end.
///
/// # Errors
/// The server stopped taking bytes.
pub(super) async fn carry(mut feed: Feed, connection: &Connection) -> io::Result<()> {
    while let Some(chunk) = poll_fn(|context| feed.poll_next(context)).await {
        let bytes = match chunk {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Extent(extent) => read_chunk(&extent.file, extent.offset, extent.length)?,
        };
        write_all(connection, &bytes).await?;
    }
    connection.finish().await
}

async fn write_all(connection: &Connection, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let writing = poll_fn(|context| connection.poll_write(context, rest));
        let written = timeout(connection.patience, writing).await.unwrap_or_else(|_| Err(timed_out()))?;
        rest = &rest[written..];
    }
    Ok(())
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the server neither sent nor took a byte for too long")
}

// === impl SocketReading ===

impl SocketReading {
    pub(super) fn new(connection: Arc<Connection>, done: Done) -> Self {
        let patience = Patience::new(connection.patience);
        Self { connection, done: Some(done), patience }
    }

    /// The next bytes, at most `max`; empty at the end.
    ///
    /// # Errors
    /// The connection failed or stood still; the guest's future says so too.
    pub(crate) async fn next(&mut self, max: usize) -> io::Result<Bytes> {
        let read = poll_fn(|context| self.poll_next(context, max)).await;
        if let Err(error) = &read {
            self.close(Err(error_code(error)));
        }
        read
    }

    fn poll_next(&mut self, context: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        let mut buffer = Buffer::take();
        let read = self.connection.poll_read(context, buffer.space(max));
        self.patience.watch(context, read).map_ok(|count| buffer.freeze(count))
    }

    /// Resolves the guest's future.
    pub(crate) fn close(&mut self, result: Result<(), ErrorCode>) {
        if let Some(done) = self.done.take() {
            // The guest may have dropped its end.
            let _ = done.send(result);
        }
    }
}

impl Drop for SocketReading {
    /// Whoever read it lost interest before the end.
    fn drop(&mut self) {
        self.close(Err(ErrorCode::ConnectionAborted));
    }
}

impl<D> StreamProducer<D> for SocketReading {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let room = destination.remaining(&mut store).unwrap_or(GUEST_READ_BYTES).min(MAX_CHUNK_BYTES);
        if room == 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.poll_next(context, room) {
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => {
                self.close(Ok(()));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
            Poll::Ready(Ok(bytes)) => {
                destination.set_buffer(bytes);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(Err(error)) => {
                self.close(Err(error_code(&error)));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }

    fn try_into(me: Pin<Box<Self>>, ty: TypeId) -> Result<Box<dyn Any>, Pin<Box<Self>>> {
        if ty != TypeId::of::<Self>() {
            return Err(me);
        }
        let taken: Box<Self> = Pin::into_inner(me);
        Ok(taken)
    }
}

// === impl SocketWriting ===

impl SocketWriting {
    pub(super) fn new(connection: Arc<Connection>, done: Done) -> Self {
        let patience = Patience::new(connection.patience);
        Self { connection, done: Some(done), patience, unflushed: None, failed: false }
    }

    /// Writes and flushes: a command must not lie about in a buffer.
    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match self.unflushed {
            Some(written) => written,
            None => match self.connection.poll_write(context, bytes) {
                Poll::Ready(Ok(written)) => *self.unflushed.insert(written),
                other => return self.patience.watch(context, other),
            },
        };
        let flushed = self.connection.poll_flush(context);
        let sent = self.patience.watch(context, flushed.map_ok(|()| written));
        if sent.is_ready() {
            self.unflushed = None;
        }
        sent
    }
}

impl Drop for SocketWriting {
    /// The guest's stream has ended: so does the sending half of the connection.
    fn drop(&mut self) {
        let Some(done) = self.done.take() else { return };
        let connection = Arc::clone(&self.connection);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.failed {
            runtime.spawn(async move {
                let finished = connection.finish().await;
                let _ = done.send(finished.map_err(|error| error_code(&error)));
            });
        }
    }
}

impl<D: 'static> StreamConsumer<D> for SocketWriting {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let bytes = source.remaining();
        if bytes.is_empty() {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.poll_send(context, bytes) {
            Poll::Pending if finish => {
                if let Some(taken) = self.unflushed.take() {
                    source.mark_read(taken);
                }
                Poll::Ready(Ok(StreamResult::Cancelled))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(count)) => {
                source.mark_read(count);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(Err(error)) => {
                self.failed = true;
                if let Some(done) = self.done.take() {
                    let _ = done.send(Err(error_code(&error)));
                }
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}

// === impl Patience ===

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Passes on what was polled, or that it took too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.timer = None;
            return polled;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(context).map(|()| Err(timed_out()))
    }
}
