//! What a run needs of a store that it reads. Says nothing about how the store is reached.
#![allow(async_fn_in_trait, reason = "a worker and its instances live on one thread: no future needs Send")]

use crate::{
    body::Chunk,
    error::{Code, Error},
    object::{Capabilities, Entry, Key, Object, Range},
    recast::Recast,
};

/// The capability of a source that reads small objects by the batch.
pub const READ_BATCH: &str = "read-batch";

/// Opens instances of one source; shared by all workers.
pub trait OpenSource: Send + Sync + 'static {
    type Source: Source;

    fn capabilities(&self) -> &Capabilities;

    /// What becomes of the objects that it lists, before anybody asks for them; nothing, but behind
    /// transforms.
    fn recast(&self) -> Recast {
        Recast::default()
    }

    /// A fresh instance, on the calling worker's thread.
    ///
    /// # Errors
    /// The connector can't be started or refuses its configuration.
    async fn open_source(&self) -> Result<Self::Source, Error>;
}

/// One instance of a source: one call at a time. After an error with `instance_lost` it's dropped.
pub trait Source: 'static {
    type Listing: Listing;
    type Data: Data;

    /// Starts listing what is below `folder` (the root without one), behind `after` where the
    /// source has `ordered-listing`. Several listings of one instance may be open at once.
    ///
    /// # Errors
    /// The level can't be listed at all.
    async fn list(&mut self, folder: Option<&Key>, after: Option<&Key>) -> Result<Self::Listing, Error>;

    /// # Errors
    /// `not-found`, or the store can't tell.
    async fn stat(&mut self, key: &Key) -> Result<Object, Error>;

    /// Opens an object. With `version`, only that version of it.
    ///
    /// # Errors
    /// `not-found`, `changed`, or the store can't read it.
    async fn read(&mut self, key: &Key, range: Range, version: Option<&str>) -> Result<Reading<Self::Data>, Error>;

    /// The bytes of several objects, one behind the other; their end says whether all of them were
    /// what was wanted. Asked for only where the source has the capability [`READ_BATCH`].
    ///
    /// # Errors
    /// One of them can't be read.
    async fn read_batch(&mut self, _objects: &[Wanted<'_>]) -> Result<Self::Data, Error> {
        Err(Error::new(Code::UNSUPPORTED, "read-batch", "the source has no batches"))
    }
}

/// An object of a batch, as it was listed.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub key: &'a Key,
    /// In bytes.
    pub size: u64,
    pub version: &'a str,
}

/// An object as it was when it was opened, and its bytes.
#[derive(Debug)]
pub struct Reading<D> {
    pub object: Object,
    pub data: D,
}

/// What the pump can do with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Somebody looks at the bytes: they must be in memory.
    Bytes,
    /// Nobody looks: an extent of a file will do.
    Any,
}

/// The bytes of a reading.
pub trait Data {
    /// How many of the next bytes had credit already, on their way into a transform; waits until there
    /// are some to be read where it isn't known before.
    ///
    /// # Errors
    /// As of [`Data::read`].
    async fn prepaid(&mut self) -> Result<usize, Error> {
        Ok(0)
    }

    /// The next chunk, of at most `max` bytes (more than none). None once the source has ended and
    /// has said that everything was whole.
    ///
    /// # Errors
    /// The source failed, or ended without saying that it was whole.
    async fn read(&mut self, max: usize, form: Form) -> Result<Option<Chunk>, Error>;

    /// Asks for the end where everything announced has been read. Moves no byte.
    ///
    /// # Errors
    /// `changed` if there is more, or the source says that it wasn't whole.
    async fn finish(&mut self) -> Result<(), Error>;
}

/// A listing under way.
pub trait Listing {
    /// The next entry; none once the source has said that the listing is complete.
    ///
    /// # Errors
    /// The listing broke off: what was listed is true, what wasn't is unknown.
    async fn next(&mut self) -> Result<Option<Entry>, Error>;
}
