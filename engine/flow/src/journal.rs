//! What survives a crash: one SQLite file for each pipeline, in which every object that is done stands
//! with its proof, every upload with its parts, and every run with its end. Decides nothing about what
//! is moved.
//!
//! One thread writes, in groups; losing power loses at most the last group, and then only work: an
//! object is written down as done after the sink has it whole and verified. What can't be made out
//! from the file afterwards is done again.
//!
//! An object that a run finds unchanged costs one update of its row (the run and the reason), in groups
//! and in the order of their keys; `benches/journal.rs` measures it. So the report of a run is exact, and
//! what a run hasn't seen is known without a list in memory.

pub(crate) mod codes;
mod lock;
mod lookup;
mod reader;
mod record;
mod schema;
#[cfg(test)]
mod tests;
pub(crate) mod told;
mod uploads;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use self::{lock::Holder, writer::Writer};
pub(crate) use self::{
    lookup::{Known, Lookup, Settled},
    record::{Entry, Item, Proof, Scope},
    uploads::OpenUpload,
};
pub use self::{
    reader::{Counts, Reader, Records, Wanted},
    record::{Outcome, Record, RunRecord, RunState},
};
use crate::{
    error::{Code, Error},
    meter::Meter,
    object::Key,
    run::Summary,
    sync::lock,
};

/// Most entries between those who move and the thread that writes: about a megabyte, and more than
/// a group.
const CHANNEL_ENTRIES: usize = 8192;

/// How often whoever waits for the writer looks whether it's still there.
const ALIVE_CHECK: Duration = Duration::from_millis(200);

/// Who holds a journal, if somebody does; 0 where the holder's process id can't be read.
///
/// # Errors
/// The lock file can't be looked at.
pub fn held_by(path: &Path) -> Result<Option<u32>, Error> {
    lock::held_by(path)
}

/// For what a journal was written: another source or sink would make lies of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whatever tells sources apart, without secrets.
    pub source: String,
    pub sink: String,
    /// Another selection is no other journal, but a listing isn't resumed half-way with it.
    pub selection: String,
}

/// The journal of one pipeline, held by this process alone.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// None once it's being closed.
    entries: Option<Sender<Entry>>,
    writer: Option<JoinHandle<()>>,
    /// What broke the writer; everything that came since is lost.
    broken: Arc<Mutex<Option<Error>>>,
    /// For whoever looks up a single thing.
    lookup: Mutex<Lookup>,
    /// Given back last.
    _holder: Holder,
}

/// A run that was written down as begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) run: i64,
    /// It goes on with a run that didn't end in order.
    pub(crate) resumed: bool,
    /// Everything up to this key has been listed and is done; only of a run that's resumed.
    pub(crate) after: Option<Key>,
}

// === impl Journal ===

impl Journal {
    /// Opens the journal at `path`, making it where there is none, and holds it until it's dropped.
    ///
    /// # Errors
    /// `in-use` if another process holds it, `unsupported` if a newer engine wrote it, `corrupt` if
    /// it's damaged or something else, `invalid-config` if it was written for another source or sink.
    /// The file is left as it is.
    pub fn open(path: &Path, identity: &Identity) -> Result<Self, Error> {
        Self::open_with(path, identity, false)
    }

    /// Opens it and forgets everything in it: the next run starts over.
    ///
    /// # Errors
    /// As those of [`Journal::open`], another identity aside.
    pub fn restart(path: &Path, identity: &Identity) -> Result<Self, Error> {
        Self::open_with(path, identity, true)
    }

    fn open_with(path: &Path, identity: &Identity, forget: bool) -> Result<Self, Error> {
        let holder = Holder::take(path)?;
        let mut connection = schema::open(path)?;
        if forget {
            schema::forget(&mut connection).map_err(|error| schema::failure(path, &error))?;
        }
        schema::claim(path, &mut connection, identity)?;
        let lookup = Mutex::new(Lookup::open(path)?);
        let broken = Arc::new(Mutex::new(None));
        let (sender, receiver): (_, Receiver<Entry>) = bounded(CHANNEL_ENTRIES);
        let writer = Writer::new(path.to_owned(), connection, receiver, Arc::clone(&broken))?;
        let thread = thread::Builder::new().name("journal".into()).spawn(move || writer.run());
        let thread = thread.map_err(|error| {
            Error::new(Code::IO, "journal", format!("the journal's thread can't be started: {error}"))
        })?;
        Ok(Self { path: path.to_owned(), entries: Some(sender), writer: Some(thread), broken, lookup, _holder: holder })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what has been written so far.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn reader(&self) -> Result<Reader, Error> {
        Reader::open(&self.path)
    }

    /// Waits until everything that was handed over is on disk.
    ///
    /// # Errors
    /// Something isn't, and won't be.
    pub fn flush(&self) -> Result<(), Error> {
        let (reply, answer) = bounded(1);
        self.send(Entry::Flush(reply));
        self.wait(&answer)
    }

    /// A run that didn't end in order isn't gone on with: it was another than the next one is the rest of.
    ///
    /// # Errors
    /// It can't be written down.
    pub fn give_up_last(&self) -> Result<(), Error> {
        self.send(Entry::GiveUp);
        self.flush()
    }

    /// Begins a run, or goes on with the last one where it didn't end in order.
    pub(crate) fn begin(&self, round: u32, meter: &Arc<Meter>) -> Result<Started, Error> {
        let (reply, answer) = bounded(1);
        self.send(Entry::Begin { round, meter: Arc::clone(meter), now: SystemTime::now(), reply });
        self.wait(&answer)
    }

    /// Writes down how a run ended, and everything before it. `whole`: it has gone through everything
    /// that it could list, so that the next one isn't the rest of it.
    #[cfg(test)]
    pub(crate) fn end(&self, summary: &Summary, whole: bool) -> Result<(), Error> {
        self.end_with(summary, Scope { whole, total: false })
    }

    pub(crate) fn end_with(&self, summary: &Summary, scope: Scope) -> Result<(), Error> {
        self.send(Entry::End { summary: Box::new(summary.clone()), scope, now: SystemTime::now() });
        self.flush()
    }

    /// Hands an entry to the writer; waits while it's behind.
    ///
    /// # Errors
    /// The writer broke down earlier: what it's given is lost.
    pub(crate) fn record(&self, entry: Entry) -> Result<(), Error> {
        self.send(entry);
        match &*lock(&self.broken) {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    /// A connection of the caller's own.
    pub(crate) fn lookup(&self) -> Result<Lookup, Error> {
        Lookup::open(&self.path)
    }

    /// Looks up one thing with the connection that all share.
    pub(crate) fn look<T>(&self, what: impl FnOnce(&Lookup) -> Result<T, Error>) -> Result<T, Error> {
        what(&lock(&self.lookup))
    }

    fn send(&self, entry: Entry) {
        // A writer that has gone left its reason behind.
        if let Some(entries) = &self.entries {
            let _ = entries.send(entry);
        }
    }

    /// The writer's answer. What's in a channel outlives the thread that would have read it, so the
    /// thread is looked at too.
    fn wait<T>(&self, answer: &Receiver<Result<T, Error>>) -> Result<T, Error> {
        loop {
            let gone = self.writer.as_ref().is_none_or(JoinHandle::is_finished);
            match answer.recv_timeout(ALIVE_CHECK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if !gone => {}
                Err(_) => return Err(self.failure()),
            }
        }
    }

    fn failure(&self) -> Error {
        let broken = lock(&self.broken).clone();
        broken
            .unwrap_or_else(|| Error::new(Code::INTERNAL, "journal", "the journal's thread ended before its work did"))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.entries = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the journal's thread panicked");
        }
    }
}
