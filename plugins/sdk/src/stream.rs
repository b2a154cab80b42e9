//! Streams with their outcome: a listing, bytes made by the connector, and the future that says
//! whether they were whole. Holds one batch of entries; never reads a stream of bytes.

use std::future::Future;

use wit_bindgen::{FutureReader, StreamReader, StreamWriter, spawn_local};

use crate::{
    bindings::{
        imports,
        source::{wit_future, wit_stream},
    },
    error,
    types::{Checksum, Entry, Error},
};

/// Entries that go over in one write: each write is a call into the host, and 128 entries with keys
/// of 100 bytes take about 50 KiB.
const BATCH_ENTRIES: usize = 128;

/// The entries of a listing on their way; see [`listing`].
#[derive(Debug)]
pub struct Entries {
    writer: StreamWriter<Entry>,
    batch: Vec<Entry>,
}

/// Bytes that the connector makes, on their way; see [`produce`].
#[derive(Debug)]
pub struct Data {
    writer: StreamWriter<u8>,
}

/// A future that resolves to what `work` returns, for `reading.outcome`. `work` starts at once and
/// goes on after the export has returned; it must end even if nobody reads the data. An outcome
/// whose work is dropped before its end is an `internal` error, never a success.
pub fn outcome(work: impl Future<Output = Result<(), Error>> + 'static) -> FutureReader<Result<(), Error>> {
    let (writer, reader) =
        wit_future::new::<Result<(), Error>>(|| Err(error::internal("the work was dropped unfinished")));
    spawn_local(async move {
        let result = work.await;
        // An engine that has dropped its end no longer wants to know.
        let _ = writer.write(result).await;
    });
    reader
}

/// The word that a body is whole, or isn't, for bytes that the connector itself hands to
/// `posix.write-file`. The engine's own bytes come with theirs.
pub fn whole(result: Result<Vec<Checksum>, Error>) -> FutureReader<Result<Vec<Checksum>, Error>> {
    let (writer, reader) = imports::wit_future::new::<Result<Vec<Checksum>, Error>>(|| {
        Err(error::internal("nobody said that the body is whole"))
    });
    spawn_local(async move {
        // A host that has dropped its end no longer wants to know.
        let _ = writer.write(result).await;
    });
    reader
}

/// A listing that `fill` writes while the engine reads it: the return value of `source.list`. The
/// outcome is what `fill` returns, after the last entry.
///
/// ```no_run
/// # use culvert_sdk::{stream, types::{Entry, Object}};
/// # fn object(key: &str) -> Object { unimplemented!() }
/// let (entries, outcome) = stream::listing(async |entries| {
///     for key in ["a", "b"] {
///         entries.push(Entry::Object(object(key))).await?;
///     }
///     Ok(())
/// });
/// ```
pub fn listing(
    fill: impl AsyncFnOnce(&mut Entries) -> Result<(), Error> + 'static,
) -> (StreamReader<Entry>, FutureReader<Result<(), Error>>) {
    let (writer, reader) = wit_stream::new::<Entry>();
    let outcome = outcome(async move {
        let mut entries = Entries { writer, batch: Vec::new() };
        let filled = fill(&mut entries).await;
        // What was found before it failed is there all the same.
        let flushed = entries.flush().await;
        filled.and(flushed)
    });
    (reader, outcome)
}

/// Bytes that `fill` writes while the engine reads them, with their outcome: for a connector that
/// makes or transforms data. Bytes that a host's stream has already are better passed on as they are.
///
/// ```no_run
/// # use culvert_sdk::stream;
/// let (data, outcome) = stream::produce(async |data| data.write(b"hello".to_vec()).await);
/// ```
pub fn produce(
    fill: impl AsyncFnOnce(&mut Data) -> Result<(), Error> + 'static,
) -> (StreamReader<u8>, FutureReader<Result<(), Error>>) {
    let (writer, reader) = wit_stream::new::<u8>();
    let outcome = outcome(async move { fill(&mut Data { writer }).await });
    (reader, outcome)
}

/// A stream that has ended: the data of a directory or a symlink.
pub fn empty() -> StreamReader<u8> {
    let (writer, reader) = wit_stream::new::<u8>();
    drop(writer);
    reader
}

// === impl Entries ===

impl Entries {
    /// Adds an entry. Waits while the engine is behind by a batch.
    ///
    /// # Errors
    /// `cancelled` once the engine has stopped reading: return it.
    pub async fn push(&mut self, entry: Entry) -> Result<(), Error> {
        self.batch.push(entry);
        if self.batch.len() < BATCH_ENTRIES { Ok(()) } else { self.flush().await }
    }

    /// Hands over what has been pushed so far: before a wait of unknown length, for the next page of
    /// a slow store perhaps. The end of `fill` does it too.
    ///
    /// # Errors
    /// `cancelled` once the engine has stopped reading: return it.
    pub async fn flush(&mut self) -> Result<(), Error> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let left = self.writer.write_all(std::mem::take(&mut self.batch)).await;
        if left.is_empty() { Ok(()) } else { Err(error::cancelled("the engine stopped reading the listing")) }
    }
}

// === impl Data ===

impl Data {
    pub(crate) fn new(writer: StreamWriter<u8>) -> Self {
        Self { writer }
    }

    /// Hands bytes over; waits until they are taken.
    ///
    /// # Errors
    /// `cancelled` once the engine has stopped reading: return it.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let left = self.writer.write_all(bytes).await;
        if left.is_empty() { Ok(()) } else { Err(error::cancelled("the engine stopped reading the data")) }
    }
}
