//! Bytes into a sink as the engine gives them: chunk by chunk, then the word on whether they were all.
//! Also the bodies that the engine gives when something went wrong.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use culvert_flow::{
    body::{BodyWriter, Chunk, Chunks, MAX_CHUNK_BYTES, body},
    error::{Code, Error},
    hash::{Hasher, is_combinable},
    object::{Algorithm, Checksums, Object},
    sink::{Part, Receipt, Replace, Sink},
};
use tokio::time::timeout;

/// Longest that a sink may take to take what it's offered: the engine's own patience with a call.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a body's feeding may go on once the sink has answered: what wasn't taken by then never is.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// How often it's looked whether a chunk was taken.
const LOOK: Duration = Duration::from_millis(2);

/// What a sink is given.
pub(crate) struct Body<'a> {
    pub(crate) bytes: &'a [u8],
    /// Lengths of the chunks in bytes, in turns.
    pub(crate) steps: &'a [usize],
    pub(crate) end: End,
}

/// The engine's last word on a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it, with its checksums.
    Whole,
    /// All of it, with checksums that aren't its own.
    Wrong,
    /// The source failed.
    Broken,
    /// No word: the transfer was dropped.
    Dropped,
}

/// A body that is fed step by step, while the sink's call goes on.
pub(crate) struct Feeding {
    writer: BodyWriter,
}

// === impl Body ===

impl<'a> Body<'a> {
    pub(crate) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, steps: &[MAX_CHUNK_BYTES], end: End::Whole }
    }

    pub(crate) fn ending(bytes: &'a [u8], end: End) -> Self {
        Self { end, ..Self::whole(bytes) }
    }

    /// The word that goes with it; none if nothing is said.
    fn word(&self) -> Option<Result<Checksums, Error>> {
        match self.end {
            End::Whole => Some(Ok(checksums(self.bytes))),
            End::Wrong => Some(Ok(wrong(self.bytes))),
            End::Broken => Some(Err(Error::new(Code::TRUNCATED, "read", "the conformance suite broke this body off"))),
            End::Dropped => None,
        }
    }

    /// Whether the sink took every chunk.
    async fn feed(self, mut writer: BodyWriter) -> bool {
        let word = self.word();
        let (mut rest, mut steps) = (self.bytes, self.steps.iter().cycle());
        while !rest.is_empty() {
            let length = steps.next().copied().unwrap_or(MAX_CHUNK_BYTES).clamp(1, MAX_CHUNK_BYTES);
            let (chunk, after) = rest.split_at(length.min(rest.len()));
            if writer.write(Chunk::Bytes(Bytes::copy_from_slice(chunk))).await.is_err() {
                return false;
            }
            rest = after;
        }
        match word {
            Some(word) => {
                let delivery = writer.finish(word);
                // The sink may take the last chunk later than it's written.
                let taken = async {
                    while !delivery.is_complete() {
                        tokio::time::sleep(LOOK).await;
                    }
                };
                timeout(PATIENCE, taken).await.is_ok()
            }
            None => false,
        }
    }
}

// === impl Feeding ===

impl Feeding {
    /// Hands a chunk over and waits until the sink has taken it.
    pub(crate) async fn give(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let refused = |why: &str| Error::new(Code::PROTOCOL, "put", why.to_owned());
        let chunk = Chunk::Bytes(Bytes::copy_from_slice(bytes));
        self.writer.write(chunk).await.map_err(|_| refused("the sink stopped taking bytes"))?;
        let taken = async {
            while !self.writer.is_taken() {
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, taken).await.map_err(|_| refused("the sink doesn't take the bytes that it's offered"))
    }

    pub(crate) fn finish(self, checksums: Checksums) {
        self.writer.finish(Ok(checksums));
    }
}

/// Puts an object with one body. A success of a sink that didn't take all of it is none.
///
/// # Errors
/// What the sink said.
pub(crate) async fn put<K: Sink>(
    sink: &mut K,
    object: &Object,
    given: Body<'_>,
    replace: Replace,
) -> Result<Object, Error> {
    let end = given.end;
    let (writer, reader) = body();
    let (stored, complete) = beside(sink.put(object, reader, replace), given.feed(writer)).await;
    let stored = stored?;
    if !complete && matches!(end, End::Whole | End::Wrong) {
        let message = "the sink says that it's done, but didn't take all bytes";
        return Err(Error::new(Code::PROTOCOL, "put", message).with_key(&object.key));
    }
    Ok(stored)
}

/// Writes one part.
///
/// # Errors
/// What the sink said.
pub(crate) async fn write_part<K: Sink>(
    sink: &mut K,
    upload: &str,
    part: Part,
    bytes: &[u8],
) -> Result<Receipt, Error> {
    let (writer, reader) = body();
    let chunks: Chunks = reader.chunks;
    let (receipt, complete) = beside(sink.write_part(upload, part, chunks), Body::whole(bytes).feed(writer)).await;
    let receipt = receipt?;
    if !complete && bytes.len() as u64 <= part.length {
        let message = "the sink says that the part is stored, but didn't take all bytes";
        return Err(Error::new(Code::PROTOCOL, "write-part", message));
    }
    Ok(receipt)
}

/// The bytes of a batch, as a stream whose end is known before it begins.
pub(crate) async fn batch<T>(bytes: &[u8], putting: impl AsyncFnOnce(Chunks) -> T) -> (T, bool) {
    let (writer, reader) = body();
    beside(putting(reader.chunks), Body::whole(bytes).feed(writer)).await
}

/// Lets a put be fed by hand, beside the sink's call.
pub(crate) fn by_hand() -> (Feeding, culvert_flow::body::BodyReader) {
    let (writer, reader) = body();
    (Feeding { writer }, reader)
}

/// Drives the sink's call and the feeding of its body until the call has ended.
async fn beside<T>(call: impl Future<Output = T>, feeding: impl Future<Output = bool>) -> (T, bool) {
    let (mut call, mut feeding) = (pin!(call), pin!(feeding));
    tokio::select! {
        biased;
        complete = &mut feeding => (call.await, complete),
        ended = &mut call => (ended, timeout(AFTERWARDS, feeding).await.unwrap_or(false)),
    }
}

/// All that the engine computes.
pub(crate) fn checksums(bytes: &[u8]) -> Checksums {
    let mut hasher = Hasher::new(Algorithm::ALL);
    hasher.update(bytes);
    hasher.finish()
}

/// Of those that the engine computes, what it knows of an object in parts.
pub(crate) fn combinable(bytes: &[u8]) -> Checksums {
    let mut hasher = Hasher::new(Algorithm::ALL.into_iter().filter(|it| is_combinable(*it)));
    hasher.update(bytes);
    hasher.finish()
}

/// The right lengths, and other bits.
pub(crate) fn wrong(bytes: &[u8]) -> Checksums {
    let mut sums = checksums(bytes);
    sums.values_mut().flatten().for_each(|byte| *byte ^= 0x55);
    sums
}
