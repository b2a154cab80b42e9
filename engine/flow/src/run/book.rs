//! A run's side of the journal: what it writes down and when, what it needn't look at again, which
//! uploads it goes on with. Without a journal there is no book, and nothing of this happens.
//!
//! An object is written down as done only after the sink has it whole and verified. A listing's
//! position is written down only behind everything that it covers, and only of a flat listing whose
//! keys ascend; of a tree, each folder in which everything is done.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::SystemTime,
};

use super::queue::Listed;
use crate::{
    compare::SkipReason,
    error::Error,
    journal::{Counts, Entry, Item, Journal, Known, Lookup, OpenUpload, Proof, Scope, Settled, Started},
    listing::{Mark, Passes},
    meter::Meter,
    object::{Checksums, Key, Object},
    rules::Overwrite,
    run::{State, Summary},
    sink::Receipt,
    sync::lock,
    transfer::{Moved, StoredPart},
};

/// Objects between two positions that are written down: what a resumed listing repeats at most, in
/// lookups.
const POSITION_EVERY: u32 = 1024;

/// The journal of the run under way.
#[derive(Debug)]
pub(super) struct Book {
    journal: Arc<Journal>,
    started: Started,
    overwrite: Overwrite,
    /// Something that is listed may be done already.
    knows: bool,
    /// What earlier runs left open and nobody has taken over.
    uploads: Mutex<HashMap<Key, OpenUpload>>,
    next_upload: AtomicI64,
    position: Mutex<Position>,
}

/// How far everything is done.
#[derive(Debug, Default)]
struct Position {
    /// The listing is flat and its keys ascend.
    counts: bool,
    last: Option<Key>,
    /// What is listed and not done, each with the key before it. Bounded by the queue and what is in
    /// flight.
    outstanding: BTreeMap<Key, Option<Key>>,
    done: u32,
    written: Option<Key>,
}

// === impl Book ===

impl Book {
    pub(super) fn begin(
        journal: &Arc<Journal>,
        round: u32,
        meter: &Arc<Meter>,
        overwrite: Overwrite,
    ) -> Result<Self, Error> {
        let started = journal.begin(round, meter)?;
        let (uploads, next) = journal.look(Lookup::open_uploads)?;
        // Where everything is overwritten, what earlier runs did isn't done.
        let knows = started.resumed || overwrite != Overwrite::Always && !journal.look(Lookup::is_empty)?;
        Ok(Self {
            journal: Arc::clone(journal),
            started,
            overwrite,
            knows,
            uploads: Mutex::new(uploads),
            next_upload: AtomicI64::new(next),
            position: Mutex::default(),
        })
    }

    /// What is listed may have been done by another agent meanwhile, so it's always looked up.
    pub(super) fn shared(self) -> Self {
        Self { knows: true, ..self }
    }

    /// `total`: the summary is of all agents, not of this one.
    pub(super) fn end(&self, summary: &Summary, whole: bool, total: bool) -> Result<(), Error> {
        self.journal.end_with(summary, Scope { whole, total })
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.started.resumed
    }

    pub(super) fn run(&self) -> i64 {
        self.started.run
    }

    /// Everything that was written down so far can be looked up.
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.journal.flush()
    }

    pub(super) fn lookup(&self) -> Result<Lookup, Error> {
        self.journal.lookup()
    }

    // === objects ===

    pub(super) fn moved(&self, object: &Object, moved: &Moved, attempts: u32) -> Result<(), Error> {
        let proof = Proof { checksums: moved.checksums.clone(), grade: moved.grade, attempts };
        self.journal.record(Entry::Moved { item: Item::of(object), proof, now: SystemTime::now() })?;
        self.settled(&object.key)
    }

    pub(super) fn skipped(&self, object: &Object, reason: &SkipReason) -> Result<(), Error> {
        self.journal.record(Entry::Skipped { item: Item::of(object), reason: reason.into() })?;
        self.settled(&object.key)
    }

    pub(super) fn failed(&self, name: &str, error: &Error, attempts: u32) -> Result<(), Error> {
        // The next process must come across it again, so where the listing stands means nothing now. What has
        // failed would wait for its end for ever, and be held in memory.
        *lock(&self.position) = Position::default();
        self.journal.record(Entry::Failed { name: name.to_owned(), error: error.clone(), attempts })
    }

    pub(super) fn folder(&self, object: &Object) -> Result<(), Error> {
        self.journal.record(Entry::Folder { item: Item::of(object) })
    }

    /// Everything in a folder is done. A process that resumes this run needn't list it.
    pub(super) fn whole(&self, folder: &Object, mark: Mark) -> Result<(), Error> {
        self.journal.record(Entry::Whole { item: Item::of(folder), mark })
    }

    /// Which folders an earlier process of this run has done. One that has changed since is listed anew.
    pub(super) fn passes(&self) -> Option<Passes> {
        if !self.started.resumed {
            return None;
        }
        // Without it everything is looked up, as the lister's own lookups are.
        let lookup = self.journal.lookup().ok()?;
        Some(Box::new(move |folder| lookup.whole(&Item::of(folder)).ok().flatten()))
    }

    /// What was at the sink under this key has been taken back.
    pub(super) fn lost(&self, key: &Key) -> Result<(), Error> {
        self.journal.record(Entry::Lost(key.clone()))
    }

    pub(super) fn deleted(&self, key: &Key) -> Result<(), Error> {
        self.journal.record(Entry::Deleted(key.clone()))
    }

    /// Whether a directory is as it was put.
    pub(super) fn folder_is_done(&self, object: &Object) -> Result<bool, Error> {
        let known = self.journal.look(|lookup| lookup.get(&object.key))?;
        Ok(known.is_some_and(|known| self.is_done(&known, object)))
    }

    fn is_done(&self, known: &Known, object: &Object) -> bool {
        known.is_done(&Item::of(object), self.overwrite, self.started.run)
    }

    /// Takes out of a batch what needs no look at the sink, and says why.
    pub(super) fn take_done(
        &self,
        lookup: &Lookup,
        batch: &mut Vec<Listed>,
    ) -> Result<Vec<(Listed, SkipReason)>, Error> {
        // In the order of their keys they lie side by side in the file.
        batch.sort_unstable_by(|one, other| one.object.key.cmp(&other.object.key));
        if !self.knows {
            return Ok(Vec::new());
        }
        let known = lookup.find(batch.iter().map(|listed| &listed.object.key))?;
        let mut done = Vec::new();
        let mut unchanged = BTreeMap::<&'static str, (SkipReason, Vec<Key>)>::new();
        for (listed, known) in std::mem::take(batch).into_iter().zip(known) {
            let Some(known) = known.filter(|known| self.is_done(known, &listed.object)) else {
                batch.push(listed);
                continue;
            };
            let reason = reason(known.settled);
            // What this very run did before it was resumed is its doing, and stays so.
            if known.run != self.started.run {
                let (_, keys) = unchanged.entry(reason.as_str()).or_insert_with(|| (reason.clone(), Vec::new()));
                keys.push(listed.object.key.clone());
            }
            done.push((listed, reason));
        }
        for (reason, keys) in unchanged.into_values() {
            self.journal.record(Entry::Unchanged { keys, reason: (&reason).into() })?;
        }
        for (listed, _) in &done {
            self.settled(&listed.object.key)?;
        }
        Ok(done)
    }

    // === what other agents did ===

    /// How much is known of what this run did with each, as [`Known::rank`] counts.
    pub(super) fn ranks(&self, keys: &[Key]) -> Result<Vec<u8>, Error> {
        let known = self.journal.look(|lookup| lookup.find(keys.iter()))?;
        Ok(known.into_iter().map(|known| known.map_or(0, |known| known.rank(self.started.run))).collect())
    }

    pub(super) fn merge(&self, entry: Entry) -> Result<(), Error> {
        self.journal.record(entry)
    }

    /// The folder that the journal is in.
    pub(super) fn place(&self) -> &Path {
        self.journal.path().parent().unwrap_or(Path::new("."))
    }

    /// Whether this run has moved anything; what isn't on disk doesn't count.
    pub(super) fn has_moved(&self) -> Result<bool, Error> {
        Ok(self.journal.reader()?.counts(self.started.run)?.moved > 0)
    }

    /// What all agents did of this run, counted object by object.
    pub(super) fn totals(&self, state: State) -> Result<Summary, Error> {
        let reader = self.journal.reader()?;
        let Counts { moved, failed, deleted, skipped } = reader.counts(self.started.run)?;
        let skipped = skipped.iter().map(|(_, objects)| objects).sum();
        let bytes_moved = reader.bytes_moved(self.started.run)?;
        let listed = moved + skipped + failed;
        let (repaired, retries, seconds) = (0, 0, 0.0);
        Ok(Summary { listed, moved, skipped, failed, deleted, repaired, bytes_moved, retries, seconds, state })
    }

    // === uploads ===

    /// What a sweep must leave.
    pub(super) fn open_tokens(&self) -> Vec<String> {
        lock(&self.uploads).values().map(|upload| upload.token.clone()).collect()
    }

    /// The upload of this key that an earlier run left, once.
    pub(super) fn take_upload(&self, key: &Key) -> Option<OpenUpload> {
        lock(&self.uploads).remove(key)
    }

    /// What nobody has gone on with.
    pub(super) fn take_orphans(&self) -> Vec<OpenUpload> {
        lock(&self.uploads).drain().map(|(_, upload)| upload).collect()
    }

    /// The parts of an upload that is of this very object; none if it's of another.
    pub(super) fn resume(&self, upload: &OpenUpload, object: &Object) -> Result<Option<Vec<StoredPart>>, Error> {
        if !upload.is_of(&Item::of(object)) {
            return Ok(None);
        }
        let parts = self.journal.look(|lookup| lookup.parts(upload.id))?;
        let stored = |(receipt, checksums)| StoredPart { receipt, checksums };
        Ok(Some(parts.into_iter().map(stored).collect()))
    }

    /// Writes an upload down, on disk before its first part is sent.
    pub(super) fn begun(&self, object: &Object, token: &str, part_size: u64) -> Result<i64, Error> {
        let id = self.next_upload.fetch_add(1, Ordering::Relaxed);
        let token = token.to_owned();
        self.journal.record(Entry::Begun { id, item: Item::of(object), token, part_size })?;
        self.journal.flush()?;
        Ok(id)
    }

    pub(super) fn part(&self, upload: i64, receipt: &Receipt, checksums: &Checksums) -> Result<(), Error> {
        let (receipt, checksums) = (receipt.clone(), checksums.clone());
        self.journal.record(Entry::Part { upload, receipt, checksums })
    }

    pub(super) fn ended(&self, upload: i64) -> Result<(), Error> {
        self.journal.record(Entry::Ended(upload))
    }

    // === the listing's position ===

    /// Where to go on; `counts` if the listing is of the kind of which a position means something.
    pub(super) fn begin_listing(&self, counts: bool) -> Option<Key> {
        let after = self.started.after.clone().filter(|_| counts);
        let mut position = lock(&self.position);
        *position = Position { counts, last: after.clone(), written: after.clone(), ..Position::default() };
        after
    }

    /// The listing turned out to be one of a tree, or broke off.
    pub(super) fn forget_position(&self) -> Result<(), Error> {
        if std::mem::take(&mut *lock(&self.position)).counts {
            self.journal.record(Entry::Position(None))?;
        }
        Ok(())
    }

    pub(super) fn listed(&self, key: &Key) {
        let mut position = lock(&self.position);
        if position.counts {
            let before = position.last.replace(key.clone());
            position.outstanding.insert(key.clone(), before);
        }
    }

    /// An object's end is written down.
    fn settled(&self, key: &Key) -> Result<(), Error> {
        let behind = lock(&self.position).settle(key);
        match behind {
            Some(behind) => self.journal.record(Entry::Position(Some(behind))),
            None => Ok(()),
        }
    }
}

fn reason(settled: Settled) -> SkipReason {
    match settled {
        Settled::Not | Settled::Moved => SkipReason::Done,
        Settled::Same => SkipReason::Same,
        Settled::Exists => SkipReason::Exists,
        Settled::NotNewer => SkipReason::NotNewer,
    }
}

// === impl Position ===

impl Position {
    /// The position to write down, once in a while.
    fn settle(&mut self, key: &Key) -> Option<Key> {
        if !self.counts {
            return None;
        }
        self.outstanding.remove(key);
        self.done += 1;
        if self.done < POSITION_EVERY {
            return None;
        }
        self.done = 0;
        let behind = match self.outstanding.first_key_value() {
            Some((_, before)) => before.clone(),
            None => self.last.clone(),
        }?;
        (self.written.as_ref() != Some(&behind)).then(|| self.written.insert(behind).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Code,
        journal::Identity,
        memory::{error, key},
    };

    #[test]
    fn what_fails_is_not_held_until_the_end() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let identity = Identity { source: "a".into(), sink: "b".into(), selection: "all".into() };
        let journal = Journal::open(&folder.path().join("journal.sqlite"), &identity).expect("it opens");
        let book = Book::begin(&Arc::new(journal), 1, &Arc::default(), Overwrite::IfDifferent).expect("it begins");
        assert_eq!(book.begin_listing(true), None);
        book.listed(&key("a"));
        book.listed(&key("b"));
        assert_eq!(lock(&book.position).outstanding.len(), 2);
        book.failed("a", &error(Code::PERMISSION_DENIED), 1).expect("recorded");
        book.listed(&key("c"));
        assert!(lock(&book.position).outstanding.is_empty());
    }
}
