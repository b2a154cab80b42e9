//! What there is to do, between the lister and the workers. Bounded: a lister that is ahead waits.
//! Does nothing itself.
//!
//! Directories that are due come first and parts of open uploads second, since each ends something
//! that takes memory; new objects come last.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use crate::{
    listing::{Due, Folder},
    object::{Kind, Object},
    sink::Part,
    sync::{Cancel, lock},
    transfer::{MAX_BATCH_OBJECTS, MAX_BATCHED_BYTES, Upload},
};

/// Most objects and directories that wait for a worker: enough that a listing's pauses don't show,
/// about a megabyte.
pub(crate) const CAPACITY: usize = 1024;
/// A waiting lister is woken when so many are left, so that it isn't woken for each.
const LOW_WATER: usize = CAPACITY / 2;

/// The work of one run.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    work: Notify,
    space: Notify,
    over: Notify,
}

#[derive(Debug, Default)]
struct State {
    due: VecDeque<Due>,
    /// Those with parts that nobody has claimed.
    uploads: VecDeque<Arc<Upload>>,
    objects: VecDeque<Listed>,
    /// Nothing more will be listed.
    listed: bool,
    stopped: bool,
    /// All that was listed has been done.
    finished: bool,
    /// Workers with something in hand, from which more work may come.
    busy: usize,
    /// Workers asleep.
    idle: usize,
    lister_waits: bool,
}

/// An object to move.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) object: Object,
    pub(crate) folder: Option<Arc<Folder>>,
    /// Attempts that were made before it came back to the queue.
    pub(crate) attempts: u32,
    /// The sink was found not to have it.
    pub(crate) absent: bool,
    /// One of them failed verification.
    pub(crate) mismatched: bool,
}

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Work {
    Directory(Due),
    Part(Arc<Upload>, Part),
    Object(Listed),
    /// Small ones, at least two, to be moved together.
    Batch(Vec<Listed>),
}

/// Which objects may be handed out together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batching {
    /// Most bytes of all of them.
    pub(crate) bytes: u64,
    /// Only those that the sink was found not to have: about others it must be asked first.
    pub(crate) absent_only: bool,
    /// Who shares what waits: nobody takes a batch that leaves others without work.
    pub(crate) workers: NonZeroUsize,
}

/// A worker's place at the queue. A worker that dies leaves it, so that the others don't wait for
/// what it had in hand.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Arc<Queue>,
    busy: bool,
}

// === impl Queue ===

impl Queue {
    /// Adds what was listed, in order, waiting for space. What's added after a stop is dropped.
    pub(crate) async fn push(&self, batch: &mut Vec<Listed>) {
        let mut batch = batch.drain(..);
        while !batch.as_slice().is_empty() {
            let space = self.space.notified();
            {
                let mut state = lock(&self.state);
                if state.stopped {
                    break;
                }
                let free = CAPACITY.saturating_sub(state.waiting());
                let before = state.objects.len();
                state.objects.extend(batch.by_ref().take(free));
                let added = state.objects.len() - before;
                state.lister_waits = !batch.as_slice().is_empty();
                self.wake(&state, added);
                if !state.lister_waits {
                    return;
                }
            }
            space.await;
        }
    }

    /// Adds a directory whose content is done. Never waits: it's called from a guard's drop.
    pub(crate) fn push_due(&self, due: Due) {
        let mut state = lock(&self.state);
        if state.stopped {
            // Its guard's drop comes back here.
            drop(state);
            drop(due);
            return;
        }
        state.due.push_back(due);
        self.wake(&state, 1);
    }

    /// Offers an upload's parts. Returns it where the run was stopped meanwhile.
    pub(crate) fn offer(&self, upload: Arc<Upload>) -> Option<Arc<Upload>> {
        let parts = upload.missing() as usize;
        let mut state = lock(&self.state);
        if state.stopped {
            return Some(upload);
        }
        state.uploads.push_back(upload);
        self.wake(&state, parts);
        None
    }

    /// Takes an object back that is to be tried again from its start. At most a batch of each worker.
    pub(crate) fn push_again(&self, listed: Listed) {
        let mut state = lock(&self.state);
        if state.stopped {
            // Its guard's drop comes back here.
            drop(state);
            drop(listed);
            return;
        }
        state.objects.push_front(listed);
        self.wake(&state, 1);
    }

    /// Nothing more will be listed.
    pub(crate) fn end_listing(&self) {
        lock(&self.state).listed = true;
        // One of them finds out whether that was all.
        self.work.notify_waiters();
    }

    /// Nobody gets anything any more, and `word` is said in the same moment: workers that heard it
    /// earlier would hand back untouched what's left, and the queue would look finished.
    pub(crate) fn stop(&self, word: &Cancel) {
        let mut state = lock(&self.state);
        state.stopped = true;
        word.cancel();
        let (objects, due) = (std::mem::take(&mut state.objects), std::mem::take(&mut state.due));
        drop(state);
        self.work.notify_waiters();
        self.over.notify_waiters();
        // The lister may be about to wait: a permit reaches it in any case.
        self.space.notify_one();
        // What was queued holds guards, whose drop comes back here.
        drop((objects, due));
    }

    /// After a stop: an upload with parts that nobody will write, to be ended by the caller.
    pub(crate) fn take_upload(&self) -> Option<Arc<Upload>> {
        lock(&self.state).uploads.pop_front()
    }

    /// Whether all that was listed has been done.
    pub(crate) fn is_finished(&self) -> bool {
        lock(&self.state).finished
    }

    /// Waits until nothing is handed out any more.
    pub(crate) async fn over(&self) {
        loop {
            let mut over = std::pin::pin!(self.over.notified());
            over.as_mut().enable();
            {
                let state = lock(&self.state);
                if state.finished || state.stopped {
                    return;
                }
            }
            over.await;
        }
    }

    /// After a stop: waits until no worker has anything in hand.
    pub(crate) async fn all_gave_back(&self) {
        loop {
            let mut woken = std::pin::pin!(self.work.notified());
            woken.as_mut().enable();
            if lock(&self.state).busy == 0 {
                return;
            }
            woken.await;
        }
    }

    fn wake(&self, state: &State, items: usize) {
        for _ in 0..items.min(state.idle) {
            self.work.notify_one();
        }
    }
}

// === impl State ===

impl State {
    fn waiting(&self) -> usize {
        self.objects.len() + self.due.len()
    }

    fn pop(&mut self, batching: Option<Batching>) -> Option<Work> {
        if let Some(due) = self.due.pop_front() {
            return Some(Work::Directory(due));
        }
        while let Some(upload) = self.uploads.front() {
            if let Some(part) = upload.claim() {
                let upload = Arc::clone(upload);
                if !upload.has_more() {
                    self.uploads.pop_front();
                }
                return Some(Work::Part(upload, part));
            }
            self.uploads.pop_front();
        }
        if let Some(batch) = batching.and_then(|batching| self.pop_batch(batching)) {
            return Some(Work::Batch(batch));
        }
        self.objects.pop_front().map(Work::Object)
    }

    /// The small objects at the front of the queue, if there are several.
    fn pop_batch(&mut self, batching: Batching) -> Option<Vec<Listed>> {
        let share = self.objects.len().div_ceil(batching.workers.get()).min(MAX_BATCH_OBJECTS);
        let mut left = batching.bytes;
        let fits = |listed: &&Listed| match listed.small_bytes(batching).and_then(|bytes| left.checked_sub(bytes)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let count = self.objects.iter().take(share).take_while(fits).count();
        (count > 1).then(|| self.objects.drain(..count).collect())
    }

    fn is_done(&self) -> bool {
        self.listed && self.busy == 0 && self.waiting() == 0 && self.uploads.is_empty()
    }
}

// === impl Listed ===

impl Listed {
    /// Its size in bytes, if it may be moved together with others: a small file of a known version
    /// that nothing speaks against so far.
    fn small_bytes(&self, batching: Batching) -> Option<u64> {
        let Self { object, attempts, absent, mismatched, .. } = self;
        let is_fresh = *attempts == 0 && !mismatched && (*absent || !batching.absent_only);
        let is_file = object.kind == Kind::File && object.version.is_some();
        object.size.filter(|size| is_fresh && is_file && *size <= MAX_BATCHED_BYTES)
    }
}

// === impl Place ===

impl Place {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, busy: false }
    }

    /// Gives back what was in hand and takes the next thing; none once everything is done or the run
    /// is stopped.
    pub(crate) async fn next(&mut self, batching: Option<Batching>) -> Option<Work> {
        let queue = Arc::clone(&self.queue);
        loop {
            let mut woken = std::pin::pin!(queue.work.notified());
            {
                let mut state = lock(&queue.state);
                state.busy -= usize::from(std::mem::take(&mut self.busy));
                if state.stopped {
                    queue.work.notify_waiters();
                    return None;
                }
                if let Some(work) = state.pop(batching) {
                    state.busy += 1;
                    self.busy = true;
                    if state.lister_waits && state.waiting() <= LOW_WATER {
                        state.lister_waits = false;
                        queue.space.notify_one();
                    }
                    return Some(work);
                }
                if state.is_done() {
                    state.finished = true;
                    queue.work.notify_waiters();
                    queue.over.notify_waiters();
                    return None;
                }
                woken.as_mut().enable();
                state.idle += 1;
            }
            woken.await;
            lock(&queue.state).idle -= 1;
        }
    }
}

impl Place {
    /// Says that nothing is in hand, without asking for more.
    pub(crate) fn give_back(&mut self) {
        if std::mem::take(&mut self.busy) {
            lock(&self.queue.state).busy -= 1;
            self.queue.work.notify_waiters();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;
    use crate::object::{Checksums, Key, Kind};

    fn listed() -> Listed {
        let object = Object {
            key: Key::parse("a").expect("a key"),
            kind: Kind::File,
            size: Some(1),
            modified: None,
            version: None,
            checksums: Checksums::new(),
            attributes: Default::default(),
        };
        Listed { object, folder: None, attempts: 0, absent: false, mismatched: false }
    }

    /// On two threads: whoever has heard the word gets nothing from the queue any more. With the
    /// two said one after the other, some thousand rounds find a worker that got something.
    #[test]
    fn the_word_and_the_end_come_in_one_moment() {
        for round in 0..2000 {
            let (queue, word) = (Arc::new(Queue::default()), Cancel::new());
            lock(&queue.state).objects.extend((0..100).map(|_| listed()));
            let (worker, heard) = (Arc::clone(&queue), word.clone());
            let worker = thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                let mut place = Place::new(worker);
                runtime.block_on(async {
                    while !heard.is_cancelled() {
                        std::hint::spin_loop();
                    }
                    place.next(None).await.is_none()
                })
            });
            thread::sleep(Duration::from_micros(100 + round % 7));
            queue.stop(&word);
            assert!(worker.join().expect("no panic"), "a worker got something after the word, in round {round}");
        }
    }
}
