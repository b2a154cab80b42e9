//! File streams, replacing those of the stock `wasi:filesystem`: a guest opens files and passes the
//! streams on, the host keeps the bytes. What a guest does read or write itself still works.
//! Blocking calls run on the worker's own thread, which has nothing else to do.

use std::{
    any::{Any, TypeId},
    fs::File,
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use culvert_flow::{
    body::{BodyEnd, Chunk, Chunks, Extent, MAX_CHUNK_BYTES},
    error::{Code, Error},
    object::Checksums,
};
use futures_util::{FutureExt, future::Shared};
use tokio::sync::oneshot;
use wasmtime::{
    StoreContextMut,
    component::{
        Destination, FutureReader, Linker, Resource, Source, StreamConsumer, StreamProducer, StreamReader, StreamResult,
    },
};
use wasmtime_wasi::{FsPerms, WasiView, filesystem::Descriptor, p3::bindings::filesystem::types::ErrorCode};

use crate::{pool::Buffer, progress::Progress, state::State, turn::Turn};

type Done = oneshot::Sender<Result<(), ErrorCode>>;

/// A file that a guest opened for reading. The host takes it back when the guest passes it on.
pub(crate) struct FileReading {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    done: Option<Done>,
    /// Its size where a later one would be noticed: nobody then needs to look for more.
    size: Option<u64>,
}

/// A body on its way to a guest's sink. The host takes it back when the guest passes it on.
pub(crate) struct Feed {
    chunks: Chunks,
    end: Option<End>,
    progress: Arc<Progress>,
}

/// The end of a body, for whoever asks: the guest by its future, the host that has taken the body back.
pub(crate) type End = Shared<Pin<Box<dyn Future<Output = Result<Checksums, Error>> + Send>>>;

/// A stream that a guest made itself, on its way into a file.
pub(crate) struct FileWriting {
    file: Arc<File>,
    offset: u64,
    done: Option<Done>,
}

/// Puts these functions in place of the stock ones.
///
/// # Errors
/// The linker has another idea of their types.
pub(crate) fn replace_streams(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.3.0")?;
    types.func_wrap(
        "[method]descriptor.read-via-stream",
        |store: StoreContextMut<'_, State>, (file, offset): (Resource<Descriptor>, u64)| {
            Ok((read_via_stream(store, &file, offset)?,))
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |store: StoreContextMut<'_, State>, (file, data, offset): (Resource<Descriptor>, StreamReader<u8>, u64)| {
            Ok((write_via_stream(store, &file, data, offset)?,))
        },
    )
}

type FileStream = (StreamReader<u8>, FutureReader<Result<(), ErrorCode>>);

fn read_via_stream(
    mut store: StoreContextMut<'_, State>,
    file: &Resource<Descriptor>,
    offset: u64,
) -> wasmtime::Result<FileStream> {
    let file = match store.data_mut().ctx().table.get(file)? {
        Descriptor::File(file) => Arc::clone(&file.file),
        Descriptor::Dir(_) => {
            let stream = StreamReader::new(&mut store, std::iter::empty())?;
            return Ok((stream, resolved(&mut store, Err(ErrorCode::IsDirectory))?));
        }
    };
    let (done, result) = oneshot::channel();
    let stream = StreamReader::new(&mut store, FileReading { file, offset, done: Some(done), size: None })?;
    Ok((stream, FutureReader::new(&mut store, outcome(result))?))
}

fn write_via_stream(
    mut store: StoreContextMut<'_, State>,
    file: &Resource<Descriptor>,
    mut data: StreamReader<u8>,
    offset: u64,
) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
    let file = match store.data_mut().ctx().table.get(file)? {
        Descriptor::File(file) if file.perms == FsPerms::ReadWrite => Ok(Arc::clone(&file.file)),
        Descriptor::File(_) => Err(ErrorCode::NotPermitted),
        Descriptor::Dir(_) => Err(ErrorCode::IsDirectory),
    };
    let file = match file {
        Ok(file) => file,
        Err(code) => {
            data.close(&mut store)?;
            return resolved(&mut store, Err(code));
        }
    };
    match data.try_into::<Feed>(&mut store) {
        Ok(mut feed) => FutureReader::new(&mut store, async move {
            let carried = carry(&mut feed, &file, offset).await;
            wasmtime::error::Ok(carried.map(drop).map_err(|error| error_code(&error)))
        }),
        Err(data) => {
            let (done, result) = oneshot::channel();
            data.pipe(&mut store, FileWriting { file, offset, done: Some(done) })?;
            FutureReader::new(&mut store, outcome(result))
        }
    }
}

/// A future that's already resolved.
fn resolved(
    store: &mut StoreContextMut<'_, State>,
    result: Result<(), ErrorCode>,
) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
    FutureReader::new(store, async move { wasmtime::error::Ok(result) })
}

/// A stream that was dropped without a word was dropped by its reader, who knows why.
async fn outcome(result: oneshot::Receiver<Result<(), ErrorCode>>) -> wasmtime::Result<Result<(), ErrorCode>> {
    Ok(result.await.unwrap_or(Ok(())))
}

/// The host-side copy: every chunk of a body into the file, in order. Returns where it ends.
pub(crate) async fn carry(feed: &mut Feed, file: &File, mut offset: u64) -> io::Result<u64> {
    // The whole of a file has one writer.
    let turn = if feed.has_end() { None } else { Some(Turn::at(file)?) };
    while let Some(chunk) = std::future::poll_fn(|context| feed.poll_next(context)).await {
        let _mine = turn.map(Turn::take);
        match &chunk {
            Chunk::Bytes(bytes) => file.write_all_at(bytes, offset)?,
            Chunk::Extent(extent) => copy_extent(extent, file, offset)?,
        }
        offset += chunk.len() as u64;
    }
    Ok(offset)
}

/// Lets the kernel copy; where it can't (two file systems that don't know each other), by hand.
fn copy_extent(extent: &Extent, file: &File, offset: u64) -> io::Result<()> {
    let (mut from, mut to, mut left) = (extent.offset, offset, extent.length);
    while left > 0 {
        let copied = match rustix::fs::copy_file_range(&extent.file, Some(&mut from), file, Some(&mut to), left) {
            Ok(0) => return Err(shrunk()),
            Ok(copied) => copied,
            Err(rustix::io::Errno::INTR) => continue,
            Err(
                rustix::io::Errno::XDEV
                | rustix::io::Errno::INVAL
                | rustix::io::Errno::NOSYS
                | rustix::io::Errno::OPNOTSUPP,
            ) => {
                let bytes = read_chunk(&extent.file, from, left)?;
                if bytes.is_empty() {
                    return Err(shrunk());
                }
                file.write_all_at(&bytes, to)?;
                from += bytes.len() as u64;
                to += bytes.len() as u64;
                bytes.len()
            }
            Err(error) => return Err(error.into()),
        };
        left -= copied;
    }
    Ok(())
}

fn shrunk() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the source file became shorter while it was copied")
}

/// At most `max` bytes from `offset` in a buffer of the pool; empty at the end of the file.
///
/// # Errors
/// The file can't be read.
pub(crate) fn read_chunk(file: &File, offset: u64, max: usize) -> io::Result<Bytes> {
    let mut buffer = Buffer::take();
    loop {
        match file.read_at(buffer.space(max), offset) {
            Ok(count) => return Ok(buffer.freeze(count)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// WASI's word for an operating system's error; the stock table lacks the full and the read-only disk's.
pub(crate) fn error_code(error: &io::Error) -> ErrorCode {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::ROFS) => ErrorCode::ReadOnly,
        Some(rustix::io::Errno::DQUOT) => ErrorCode::Quota,
        Some(rustix::io::Errno::NOSPC) => ErrorCode::InsufficientSpace,
        Some(rustix::io::Errno::XDEV) => ErrorCode::CrossDevice,
        _ if error.kind() == io::ErrorKind::UnexpectedEof => ErrorCode::Other(Some(error.to_string())),
        _ => ErrorCode::from(error),
    }
}

// === impl FileReading ===

impl FileReading {
    /// A file of this size that whoever asked for it watches for changes.
    pub(crate) fn whole(file: Arc<File>, offset: u64, done: Done, size: u64) -> Self {
        Self { file, offset, done: Some(done), size: Some(size) }
    }

    /// Whether it has more bytes than were read.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn has_more(&mut self) -> io::Result<bool> {
        match self.size {
            Some(size) => Ok(self.offset < size),
            None => Ok(!self.next(1)?.is_empty()),
        }
    }

    /// Bytes from here to its end.
    ///
    /// # Errors
    /// The file can't be looked at.
    pub(crate) fn left(&self) -> io::Result<u64> {
        let size = match self.size {
            Some(size) => size,
            None => self.file.metadata()?.len(),
        };
        Ok(size.saturating_sub(self.offset))
    }

    /// The next bytes; empty at the end of the file.
    ///
    /// # Errors
    /// The file can't be read; the guest's future says so too.
    pub(crate) fn next(&mut self, max: usize) -> io::Result<Bytes> {
        let read = read_chunk(&self.file, self.offset, max);
        match &read {
            Ok(bytes) => self.offset = self.offset.saturating_add(bytes.len() as u64),
            Err(error) => self.close(Err(error_code(error))),
        }
        read
    }

    /// Resolves the guest's future.
    pub(crate) fn close(&mut self, result: Result<(), ErrorCode>) {
        if let Some(done) = self.done.take() {
            // The guest may have dropped its end.
            let _ = done.send(result);
        }
    }
}

impl Drop for FileReading {
    fn drop(&mut self) {
        self.close(Ok(()));
    }
}

impl<D> StreamProducer<D> for FileReading {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let room = destination.remaining(&mut store).unwrap_or(MAX_CHUNK_BYTES).min(MAX_CHUNK_BYTES);
        if room == 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.next(room) {
            Ok(bytes) if bytes.is_empty() => {
                self.close(Ok(()));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
            Ok(bytes) => {
                destination.set_buffer(bytes);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Err(_) => Poll::Ready(Ok(StreamResult::Dropped)),
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

// === impl Feed ===

impl Feed {
    pub(crate) fn new(chunks: Chunks, end: Option<End>, progress: Arc<Progress>) -> Self {
        Self { chunks, end, progress }
    }

    /// Whether the body was whole, once its last chunk has been taken.
    ///
    /// # Errors
    /// What ended it early.
    pub(crate) async fn whole(self) -> Result<Checksums, Error> {
        self.progress.end_data();
        match &self.end {
            Some(end) => await_end(end.clone(), &self.progress).await,
            None => Err(Error::new(Code::PROTOCOL, "put", "a part doesn't say whether its object is whole")),
        }
    }

    /// The end of the body, for who must not show the last chunk before; none for a part.
    pub(crate) fn take_end(&mut self) -> Option<End> {
        self.end.take()
    }

    /// Whether it ends with a word on whether it was whole.
    pub(crate) fn has_end(&self) -> bool {
        self.end.is_some()
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.progress.watch_data(self.chunks.poll_next(context))
    }
}

/// Lets more than one wait for the end of a body.
pub(crate) fn shared(end: BodyEnd) -> End {
    (Box::pin(end.whole()) as Pin<Box<dyn Future<Output = Result<Checksums, Error>> + Send>>).shared()
}

/// Waits for the end of a body.
///
/// # Errors
/// What ended it early.
pub(crate) async fn await_end(mut end: End, progress: &Progress) -> Result<Checksums, Error> {
    std::future::poll_fn(|context| progress.watch_end(Pin::new(&mut end).poll(context))).await
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.progress.end_data();
    }
}

impl<D> StreamProducer<D> for Feed {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let bytes = match self.poll_next(context) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Some(Chunk::Bytes(bytes))) => bytes,
            Poll::Ready(Some(Chunk::Extent(extent))) => read_chunk(&extent.file, extent.offset, extent.length)?,
        };
        destination.set_buffer(bytes);
        Poll::Ready(Ok(StreamResult::Completed))
    }

    fn try_into(me: Pin<Box<Self>>, ty: TypeId) -> Result<Box<dyn Any>, Pin<Box<Self>>> {
        if ty != TypeId::of::<Self>() {
            return Err(me);
        }
        let taken: Box<Self> = Pin::into_inner(me);
        Ok(taken)
    }
}

// === impl FileWriting ===

impl FileWriting {
    pub(crate) fn new(file: Arc<File>, offset: u64, done: Done) -> Self {
        Self { file, offset, done: Some(done) }
    }

    fn close(&mut self, result: Result<(), ErrorCode>) {
        if let Some(done) = self.done.take() {
            let _ = done.send(result);
        }
    }
}

impl Drop for FileWriting {
    fn drop(&mut self) {
        self.close(Ok(()));
    }
}

impl<D: 'static> StreamConsumer<D> for FileWriting {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        store: StoreContextMut<D>,
        source: Source<'_, u8>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let bytes = source.remaining();
        let count = bytes.len();
        if let Err(error) = self.file.write_all_at(bytes, self.offset) {
            self.close(Err(error_code(&error)));
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        source.mark_read(count);
        self.offset += count as u64;
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
