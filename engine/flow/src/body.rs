//! An object's bytes between the pump and a sink: chunks in order, then the word that they were all.
//! Holds at most one chunk; never looks inside.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::{error::Error, object::Checksums};

/// Largest chunk in bytes: large enough that a chunk's fixed cost vanishes, small enough that a slow
/// tunnel flows evenly.
pub const MAX_CHUNK_BYTES: usize = 256 * 1024;

/// A slice of an object on its way through the host.
#[derive(Debug, Clone)]
pub enum Chunk {
    Bytes(Bytes),
    /// Still in a file of this machine: the sink may let the kernel copy it.
    Extent(Extent),
}

/// Bytes of an open file that were there when it was looked at.
#[derive(Debug, Clone)]
pub struct Extent {
    pub file: Arc<File>,
    pub offset: u64,
    /// In bytes, at most [`MAX_CHUNK_BYTES`].
    pub length: usize,
}

/// Bytes that wait for their number to be known, in full chunks: small ones would each hold a buffer.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    full: Vec<Bytes>,
    filling: Vec<u8>,
}

/// The pump's end.
#[derive(Debug)]
pub struct BodyWriter {
    chunks: mpsc::Sender<Chunk>,
    delivery: Delivery,
    whole: oneshot::Sender<Result<Checksums, Error>>,
}

/// How many chunks went in, and how many the sink has taken.
#[derive(Debug, Default)]
pub struct Delivery {
    sent: u64,
    taken: Arc<AtomicU64>,
}

/// The sink's end: every chunk, then [`BodyEnd`].
#[derive(Debug)]
pub struct BodyReader {
    pub chunks: Chunks,
    pub end: BodyEnd,
}

/// The chunks of a body in order. A sink that drops it stops the pump.
#[derive(Debug)]
pub struct Chunks {
    chunks: mpsc::Receiver<Chunk>,
    taken: Arc<AtomicU64>,
    bytes: BytesTaken,
}

/// What the sink has taken of a body so far.
#[derive(Debug, Clone, Default)]
pub struct BytesTaken(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    bytes: AtomicU64,
    ended: AtomicBool,
}

/// Tells, once the last chunk has been taken, whether the body was whole.
#[derive(Debug)]
pub struct BodyEnd(oneshot::Receiver<Result<Checksums, Error>>);

/// The sink has stopped taking chunks; its own result says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkGone;

/// Both ends of a body.
pub fn body() -> (BodyWriter, BodyReader) {
    // One chunk in between: the next is read while the last is written.
    let (chunk_sender, chunk_receiver) = mpsc::channel(1);
    let (whole_sender, whole_receiver) = oneshot::channel();
    let delivery = Delivery::default();
    let chunks = Chunks { chunks: chunk_receiver, taken: Arc::clone(&delivery.taken), bytes: BytesTaken::default() };
    let writer = BodyWriter { chunks: chunk_sender, delivery, whole: whole_sender };
    (writer, BodyReader { chunks, end: BodyEnd(whole_receiver) })
}

// === impl Chunk ===

impl Chunk {
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Extent(extent) => extent.length,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Gathered ===

impl Gathered {
    /// An extent is for those who say that they take one, and nobody does here.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        let Chunk::Bytes(bytes) = chunk else { return };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if self.filling.capacity() == 0 {
                self.filling.reserve_exact(MAX_CHUNK_BYTES);
            }
            let (now, later) = rest.split_at(rest.len().min(MAX_CHUNK_BYTES - self.filling.len()));
            self.filling.extend_from_slice(now);
            rest = later;
            if self.filling.len() == MAX_CHUNK_BYTES {
                self.full.push(std::mem::take(&mut self.filling).into());
            }
        }
    }

    pub(crate) fn into_chunks(self) -> impl Iterator<Item = Chunk> {
        let last = (!self.filling.is_empty()).then(|| self.filling.into());
        self.full.into_iter().chain(last).map(Chunk::Bytes)
    }
}

// === impl BodyWriter ===

impl BodyWriter {
    /// Hands a chunk over; waits while the sink is still busy with the one before the last.
    ///
    /// # Errors
    /// The sink has gone.
    pub async fn write(&mut self, chunk: Chunk) -> Result<(), SinkGone> {
        self.delivery.sent += 1;
        self.chunks.send(chunk).await.map_err(|_| SinkGone)
    }

    /// Whether the sink has taken every chunk so far.
    pub fn is_taken(&self) -> bool {
        self.delivery.is_complete()
    }

    /// Ends the body. A writer that's dropped without it leaves a body that isn't whole.
    pub fn finish(self, whole: Result<Checksums, Error>) -> Delivery {
        // A sink that has gone has already said why.
        let _ = self.whole.send(whole);
        self.delivery
    }
}

// === impl Delivery ===

impl Delivery {
    /// Whether the sink has taken every chunk.
    pub fn is_complete(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == self.sent
    }
}

// === impl Chunks ===

impl Chunks {
    /// The next chunk; none after the last.
    pub async fn next(&mut self) -> Option<Chunk> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// The same for those who poll.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Chunk>> {
        let polled = self.chunks.poll_recv(context);
        match &polled {
            Poll::Ready(Some(chunk)) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                self.bytes.0.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
            Poll::Ready(None) => self.bytes.0.ended.store(true, Ordering::Relaxed),
            Poll::Pending => {}
        }
        polled
    }

    /// A count that goes on after the chunks are handed over.
    pub fn bytes_taken(&self) -> BytesTaken {
        self.bytes.clone()
    }
}

// === impl BytesTaken ===

impl BytesTaken {
    pub fn count(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// The sink has taken the last chunk, and been told that it was the last.
    pub fn is_all(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }
}

// === impl BodyEnd ===

impl BodyEnd {
    /// The checksums of the whole body, or what ended it early.
    ///
    /// # Errors
    /// The body isn't whole: nothing of it may become visible.
    pub async fn whole(self) -> Result<Checksums, Error> {
        self.0.await.unwrap_or_else(|_| {
            Err(Error::new(crate::error::Code::CANCELLED, "read", "the transfer was given up before its last byte"))
        })
    }
}
