//! `posix.read-files`: whole small files one behind the other. Opens each when its bytes are wanted,
//! so that a batch needs one file at a time, and looks at it once, behind its last byte: a file that is
//! then as it was listed was so all the while.

use std::{
    any::{Any, TypeId},
    fs::File,
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use culvert_flow::body::MAX_CHUNK_BYTES;
use rustix::fs::{FileType, Mode, OFlags};
use tokio::sync::oneshot;
use wasmtime::{
    StoreContextMut,
    component::{Access, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult},
};
use wasmtime_wasi::{filesystem::Descriptor, p3::bindings::clocks::system_clock::Instant};

use super::{Posix, failed, status};
use crate::{
    bindings::culvert::connector::{
        posix::{KnownFile, Status},
        types::Error,
    },
    path::{Folders, open_below},
    pool::Buffer,
    state::State,
};

type Done = oneshot::Sender<Result<(), Error>>;
/// Bytes, and the word on whether they were whole.
pub(in crate::posix) type Bytewise = (StreamReader<u8>, FutureReader<Result<(), Error>>);

/// Files that a guest asked for together. The host takes them back when the guest passes them on.
pub(crate) struct FilesReading {
    directory: Arc<File>,
    files: std::vec::IntoIter<KnownFile>,
    follow: bool,
    folders: Folders,
    /// The file being read, and how much of it has been.
    open: Option<(File, KnownFile, u64)>,
    done: Option<Done>,
}

pub(in crate::posix) fn read_files(
    mut store: Access<'_, State, Posix>,
    directory: &Resource<Descriptor>,
    files: Vec<KnownFile>,
    follow: bool,
) -> wasmtime::Result<Bytewise> {
    let directory = store.get().opened(directory)?.file;
    let (done, result) = oneshot::channel();
    let (files, folders) = (files.into_iter(), Folders::default());
    let reading = FilesReading { directory, files, follow, folders, open: None, done: Some(done) };
    let data = StreamReader::new(&mut store, reading)?;
    // Dropped without a word: nobody wanted all of it.
    let outcome = async move { wasmtime::error::Ok(result.await.unwrap_or(Ok(()))) };
    Ok((data, FutureReader::new(&mut store, outcome)?))
}

/// A file isn't as it was listed.
fn changed(file: &KnownFile) -> Error {
    failed("changed", &file.path, "was changed since it was listed")
}

// === impl FilesReading ===

impl FilesReading {
    /// The next bytes; empty at the end, and where the future says why there are no more.
    pub(crate) fn next(&mut self, max: usize) -> Bytes {
        let mut buffer = Buffer::take();
        match self.fill(buffer.space(max)) {
            Ok(filled) => buffer.freeze(filled),
            Err(error) => {
                self.close(Err(error));
                Bytes::new()
            }
        }
    }

    /// Nobody wants more bytes: says whether all of them were read, and as they were listed.
    pub(crate) fn finish(mut self) {
        // Empty files behind the last byte are still to be looked at.
        let rest = self.fill(&mut []);
        let is_whole = self.open.is_none() && self.files.as_slice().is_empty();
        self.close(match rest {
            Ok(_) if is_whole => Ok(()),
            Ok(_) => Err(failed("cancelled", ".", "is one of several files that weren't read to their end")),
            Err(error) => Err(error),
        });
    }

    /// Fills the space as far as there are bytes, and passes the files that end there.
    fn fill(&mut self, space: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while let Some((file, known, read)) = self.current()? {
            let left = usize::try_from(known.size - *read).unwrap_or(usize::MAX).min(space.len() - filled);
            if left > 0 {
                let count = read_at(file, &mut space[filled..filled + left], *read)
                    .map_err(|error| failed("io", &known.path, &format!("can't be read: {error}")))?;
                if count == 0 {
                    return Err(changed(known));
                }
                (filled, *read) = (filled + count, *read + count as u64);
            }
            if *read < known.size {
                if filled == space.len() {
                    break;
                }
                continue;
            }
            let stat = rustix::fs::fstat(&*file);
            let stat = stat.map_err(|error| failed("io", &known.path, &format!("can't be looked at: {error}")))?;
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            if !is_file || !is_known(&status(&stat), known) {
                return Err(changed(known));
            }
            self.open = None;
        }
        Ok(filled)
    }

    /// The file being read, or the next one.
    fn current(&mut self) -> Result<Option<&mut (File, KnownFile, u64)>, Error> {
        if self.open.is_none()
            && let Some(known) = self.files.next()
        {
            let opened = self.open_file(&known.path);
            let file = opened.map_err(|error| failed("io", &known.path, &format!("can't be opened: {error}")))?;
            self.open = Some((file, known, 0));
        }
        Ok(self.open.as_mut())
    }

    fn open_file(&mut self, path: &str) -> rustix::io::Result<File> {
        // A pipe that somebody put in a file's place must not make the worker wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if self.follow {
            return open_below(self.directory.as_fd(), path, flags).map(File::from);
        }
        let place = self.folders.find(self.directory.as_fd(), path)?;
        rustix::fs::openat(place.parent(), place.name, flags | OFlags::NOFOLLOW, Mode::empty()).map(File::from)
    }

    fn close(&mut self, result: Result<(), Error>) {
        if let Some(done) = self.done.take() {
            // The guest may have dropped its end.
            let _ = done.send(result);
        }
        self.open = None;
        self.files = Vec::new().into_iter();
    }
}

fn read_at(file: &File, space: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(space, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn is_known(now: &Status, known: &KnownFile) -> bool {
    let same = |one: Instant, other: Instant| (one.seconds, one.nanoseconds) == (other.seconds, other.nanoseconds);
    (now.inode, now.size) == (known.inode, known.size)
        && same(now.modified, known.modified)
        && same(now.changed, known.changed)
}

impl<D> StreamProducer<D> for FilesReading {
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
        let bytes = self.next(room);
        if bytes.is_empty() {
            self.close(Ok(()));
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
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
