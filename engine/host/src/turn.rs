//! Turns of workers that write parts of one file. The kernel lets one write at a time and has the others
//! spin meanwhile, which takes CPU time from everybody; here they sleep. Orders nothing.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Files that have a turn of their own; those that share one write a little later than they could.
const TURNS: usize = 64;

static WRITING: [Mutex<()>; TURNS] = [const { Mutex::new(()) }; TURNS];

/// Where one file's writers wait for each other.
#[derive(Clone, Copy)]
pub(crate) struct Turn(&'static Mutex<()>);

// === impl Turn ===

impl Turn {
    /// # Errors
    /// The file can't be looked at.
    pub(crate) fn at(file: &File) -> io::Result<Self> {
        let inode = file.metadata()?.ino();
        // Fewer than 64 remain.
        Ok(Self(&WRITING[usize::try_from(inode % TURNS as u64).unwrap_or_default()]))
    }

    /// Waits until it's the caller's turn. Nothing may be awaited while it's held.
    pub(crate) fn take(self) -> MutexGuard<'static, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
