//! A directory's names with their status, a batch at a time. Sorts nothing, keeps nothing.

use std::{
    fs::File,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use rustix::fs::{AtFlags, Dir};
use tokio::sync::oneshot;
use wasmtime::{
    StoreContextMut,
    component::{Destination, StreamProducer, StreamResult, VecBuffer},
};
use wasmtime_wasi::p3::bindings::filesystem::types::ErrorCode;

use super::{error_code, open_directory, status};
use crate::bindings::culvert::connector::posix::Entry;

/// Entries handed to a guest at once: enough to hide the cost of a call, some 30 KiB.
const BATCH: usize = 256;

type Done = oneshot::Sender<Result<(), ErrorCode>>;

/// A directory being read.
pub(super) struct DirectoryReading {
    directory: Dir,
    done: Option<Done>,
}

// === impl DirectoryReading ===

impl DirectoryReading {
    /// # Errors
    /// The directory can't be opened; gives `done` back to say so.
    pub(super) fn open(directory: &File, path: &str, done: Done) -> Result<Self, (Done, io::Error)> {
        match open_directory(directory, path).and_then(Dir::new) {
            Ok(directory) => Ok(Self { directory, done: Some(done) }),
            Err(error) => Err((done, error.into())),
        }
    }

    /// The next entries; empty at the end.
    fn batch(&mut self) -> io::Result<Vec<Entry>> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(entry) = self.directory.read() else { break };
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = rustix::fs::statat(self.directory.fd()?, name, AtFlags::SYMLINK_NOFOLLOW);
            batch.push(Entry {
                exact: name.to_str().is_ok(),
                name: name.to_string_lossy().into_owned(),
                status: stat.map(|stat| status(&stat)).map_err(|error| error_code(&error.into())),
            });
        }
        Ok(batch)
    }

    fn close(&mut self, result: Result<(), ErrorCode>) {
        if let Some(done) = self.done.take() {
            // The guest may have dropped its end.
            let _ = done.send(result);
        }
    }
}

impl Drop for DirectoryReading {
    fn drop(&mut self) {
        self.close(Ok(()));
    }
}

impl<D> StreamProducer<D> for DirectoryReading {
    type Item = Entry;
    type Buffer = VecBuffer<Entry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Entry, VecBuffer<Entry>>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.batch() {
            Ok(batch) if batch.is_empty() => {
                self.close(Ok(()));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
            Ok(batch) => {
                destination.set_buffer(batch.into());
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Err(error) => {
                self.close(Err(error_code(&error)));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}
