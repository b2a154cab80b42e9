//! What a run needs of a store that it writes: nothing is visible before it's whole.
#![allow(async_fn_in_trait, reason = "a worker and its instances live on one thread: no future needs Send")]

use crate::{
    body::{BodyReader, Chunk, Chunks},
    error::{Code, Error},
    object::{Capabilities, Checksums, Entry, Key, Object, Range},
    source::{Data, Form, Listing, Reading, Source},
};

/// Opens instances of one sink; shared by all workers.
pub trait OpenSink: Send + Sync + 'static {
    type Sink: Sink;
    /// The sink as something to read and list; [`NoReadBack`] where it can't be.
    type ReadBack: Source;

    fn capabilities(&self) -> &Capabilities;

    /// Whether the sink takes [`crate::body::Chunk::Extent`].
    fn takes_extents(&self) -> bool;

    /// A fresh instance, on the calling worker's thread.
    ///
    /// # Errors
    /// The connector can't be started or refuses its configuration.
    async fn open_sink(&self) -> Result<Self::Sink, Error>;

    /// A fresh instance that reads what the sink holds. Asked for only where the sink has the
    /// capability [`READ_BACK`].
    ///
    /// # Errors
    /// The connector can't be started, refuses its configuration, or can't be read back.
    async fn open_read_back(&self) -> Result<Self::ReadBack, Error>;
}

/// Largest object in bytes that a store copies in one go (5 GiB); larger ones are copied in parts.
pub const MAX_COPY: u64 = 5 << 30;

/// The capability of a sink that can be read and listed.
pub const READ_BACK: &str = "read-back";

/// The capability of a sink that takes small objects by the batch.
pub const PUT_BATCH: &str = "put-batch";

/// The capability of a sink that takes a whole object of which nobody knows the size.
pub const PUT_WITHOUT_SIZE: &str = "put-without-size";

/// What a sink that can't be read back is read by: never opened.
#[derive(Debug, Clone, Copy)]
pub enum NoReadBack {}

/// When an object may be put under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    Always,
    /// Only where nothing is; else `already-exists`.
    Never,
}

/// One part of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 1 to 10,000.
    pub number: u32,
    pub offset: u64,
    /// In bytes.
    pub length: u64,
}

/// Proof that a part was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub part: u32,
    pub token: String,
}

/// An object of a batch, read to its end.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    pub object: &'a Object,
    /// In bytes.
    pub size: u64,
    /// The engine's.
    pub checksums: &'a Checksums,
}

/// An object of a batch that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// In bytes.
    pub size: u64,
    /// Those that the store computed.
    pub checksums: Checksums,
}

/// A part of an upload, as the store tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub part: u32,
    /// That of its receipt; none where the store doesn't tell.
    pub token: Option<String>,
}

/// An object that the store itself copied.
#[derive(Debug, Clone)]
pub struct Copied {
    pub stored: Object,
    /// What the store keeps of the source's object and can compare; it wasn't computed here.
    pub source: Checksums,
}

/// One instance of a sink: one call at a time. After an error with `instance_lost` it's dropped.
pub trait Sink: 'static {
    /// Whether the store can copy objects of this run's source by itself.
    fn copies(&self) -> bool {
        false
    }

    /// Has the store copy an object of the source, of at most [`MAX_COPY`]. Asked for only where
    /// [`Sink::copies`].
    ///
    /// # Errors
    /// Nothing has become visible.
    async fn copy(&mut self, object: &Object, _replace: Replace) -> Result<Copied, Error> {
        Err(Error::new(Code::UNSUPPORTED, "copy", "the sink can't copy").with_key(&object.key))
    }

    /// The same of one part of an upload.
    ///
    /// # Errors
    /// The part isn't stored.
    async fn copy_part(&mut self, _upload: &str, object: &Object, _part: Part) -> Result<Receipt, Error> {
        Err(Error::new(Code::UNSUPPORTED, "copy", "the sink can't copy").with_key(&object.key))
    }

    /// The parts of an upload that the store holds; none where it can't tell.
    ///
    /// # Errors
    /// `not-found` where the store doesn't know the upload.
    async fn held_parts(&mut self, _upload: &str) -> Result<Option<Vec<Held>>, Error> {
        Ok(None)
    }

    /// Writes a whole object (or a directory or symlink, with an empty body) and returns it as
    /// stored, with the checksums that the store computed.
    ///
    /// # Errors
    /// Nothing has become visible, unless the code says otherwise.
    async fn put(&mut self, object: &Object, body: BodyReader, replace: Replace) -> Result<Object, Error>;

    /// Writes whole objects, whose bytes come one behind the other, and returns what became of each.
    /// Asked for only where the sink has the capability [`PUT_BATCH`].
    ///
    /// # Errors
    /// Nobody knows what became of any of them.
    async fn put_batch(
        &mut self,
        _objects: &[Packed<'_>],
        _chunks: Chunks,
        _replace: Replace,
    ) -> Result<Vec<Result<Stored, Error>>, Error> {
        Err(Error::new(Code::UNSUPPORTED, "put-batch", "the sink has no batches"))
    }

    /// # Errors
    /// No upload was begun.
    async fn begin(&mut self, object: &Object) -> Result<String, Error>;

    /// # Errors
    /// The part isn't stored; it can be written again.
    async fn write_part(&mut self, upload: &str, part: Part, chunks: Chunks) -> Result<Receipt, Error>;

    /// Makes the upload visible; `object.checksums` are the engine's.
    ///
    /// # Errors
    /// Nothing has become visible.
    async fn commit(
        &mut self,
        upload: &str,
        object: &Object,
        receipts: &[Receipt],
        replace: Replace,
    ) -> Result<Object, Error>;

    /// # Errors
    /// Something of the upload may be left.
    async fn abort(&mut self, upload: &str) -> Result<(), Error>;

    /// Removes what earlier runs of the same pipeline left unfinished, all but the uploads in `keep`,
    /// and says how much that was.
    ///
    /// # Errors
    /// Something may be left.
    async fn sweep(&mut self, keep: &[String]) -> Result<u64, Error>;

    /// # Errors
    /// `not-found`, or the store can't tell.
    async fn stat(&mut self, key: &Key) -> Result<Object, Error>;

    /// # Errors
    /// The object may still be there.
    async fn delete(&mut self, key: &Key) -> Result<(), Error>;
}

// === impl Held ===

impl Held {
    /// Whether it's what this receipt is for.
    pub fn is(&self, receipt: &Receipt) -> bool {
        self.part == receipt.part && self.token.as_ref().is_none_or(|token| *token == receipt.token)
    }
}

// === impl NoReadBack ===

impl Source for NoReadBack {
    type Listing = Self;
    type Data = Self;

    async fn list(&mut self, _: Option<&Key>, _: Option<&Key>) -> Result<Self, Error> {
        match *self {}
    }

    async fn stat(&mut self, _: &Key) -> Result<Object, Error> {
        match *self {}
    }

    async fn read(&mut self, _: &Key, _: Range, _: Option<&str>) -> Result<Reading<Self>, Error> {
        match *self {}
    }
}

impl Listing for NoReadBack {
    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        match *self {}
    }
}

impl Data for NoReadBack {
    async fn read(&mut self, _: usize, _: Form) -> Result<Option<Chunk>, Error> {
        match *self {}
    }

    async fn finish(&mut self) -> Result<(), Error> {
        match *self {}
    }
}
