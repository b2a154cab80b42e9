//! An upload in parts that several workers write at the same time, or one after the other where the
//! sink wants them in order: who writes what, and who ends it. Touches no store.
//!
//! ## open => (committed | aborted)
//! It's open while parts are handed out or in flight. Whoever returns the last part in flight closes
//! it: committing it if every part is stored, aborting it if one has failed for good.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use tracing::Span;

use super::StoredPart;
use crate::{
    error::Error,
    listing::Folder,
    object::Object,
    rules::{ByteSize, MAX_PARTS},
    sink::Part,
    sync::lock,
};

/// Part sizes that grew are a multiple of this many bytes, for stores that like round ones.
const PART_SIZE_STEP: u64 = 1024 * 1024;

/// An upload that was begun.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) object: Object,
    pub(crate) token: String,
    /// Attempts at the whole object, the one under way included.
    pub(crate) attempt: u32,
    /// Its number in the journal, if there is one.
    pub(crate) journaled: Option<i64>,
    /// An attempt before this one failed verification.
    pub(crate) mismatched: bool,
    /// The store copies the parts by itself.
    pub(crate) copied: bool,
    /// Its object's, where somebody wants traces: ends with it.
    pub(crate) span: Span,
    part_size: u64,
    /// A part is handed out when the one before is stored.
    ordered: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last part that was handed out, or passed over because it's stored.
    claimed: u32,
    /// Parts that were handed out and came back unwritten.
    returned: Vec<u32>,
    /// Parts that must still be handed out.
    missing: u32,
    in_flight: u32,
    stored: Vec<Option<StoredPart>>,
    failed: Option<Error>,
    folder: Option<Arc<Folder>>,
    closed: bool,
}

/// An upload all parts of which are stored, in order.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) parts: Vec<(Part, StoredPart)>,
    pub(crate) folder: Option<Arc<Folder>>,
}

/// What whoever gets it has to do.
#[derive(Debug)]
pub(crate) enum Closing {
    Commit(Finished),
    Abort { error: Error, folder: Option<Arc<Folder>> },
}

// === impl Upload ===

impl Upload {
    pub(crate) fn new(
        object: Object,
        token: String,
        attempt: u32,
        part_size: ByteSize,
        folder: Option<Arc<Folder>>,
    ) -> Self {
        let size = object.size.unwrap_or(0);
        let part_size = grown(part_size, size);
        // `grown` keeps it within MAX_PARTS.
        let parts = u32::try_from(size.div_ceil(part_size)).unwrap_or(MAX_PARTS);
        let stored = (0..parts).map(|_| None).collect();
        let state = State {
            claimed: 0,
            returned: Vec::new(),
            missing: parts,
            in_flight: 0,
            stored,
            failed: None,
            folder,
            closed: false,
        };
        let (journaled, mismatched, copied, ordered) = (None, false, false, false);
        let span = Span::none();
        Self {
            object,
            token,
            attempt,
            journaled,
            mismatched,
            copied,
            span,
            part_size,
            ordered,
            state: Mutex::new(state),
        }
    }

    /// Where `ordered`, one part at a time.
    #[must_use]
    pub(crate) fn in_order(self, ordered: bool) -> Self {
        Self { ordered, ..self }
    }

    /// The folder that it's in isn't due before it's closed.
    pub(crate) fn hold(&mut self, folder: Option<Arc<Folder>>) {
        self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).folder = folder;
    }

    /// Of these parts nothing needs to be sent again.
    pub(crate) fn keep(&mut self, stored: Vec<StoredPart>) {
        let state = self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        for part in stored {
            let place = (part.receipt.part as usize).checked_sub(1).and_then(|index| state.stored.get_mut(index));
            if let Some(place) = place
                && place.replace(part).is_none()
            {
                state.missing -= 1;
            }
        }
    }

    /// A part that was claimed is stored, before anybody else has heard of the upload.
    pub(crate) fn keep_claimed(&mut self, part: Part, stored: StoredPart) {
        let state = self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.in_flight -= 1;
        if let Some(place) = state.stored.get_mut(part.number as usize - 1) {
            *place = Some(stored);
        }
    }

    /// Closes an upload all parts of which were stored before.
    pub(crate) fn close_whole(&self) -> Option<Closing> {
        self.close(&mut lock(&self.state))
    }

    pub(crate) fn part_size(&self) -> u64 {
        self.part_size
    }

    /// How many parts must still be handed out.
    pub(crate) fn missing(&self) -> u32 {
        lock(&self.state).missing
    }

    /// The next part to write; none if all were handed out or the upload has failed.
    pub(crate) fn claim(&self) -> Option<Part> {
        let mut state = lock(&self.state);
        if !self.has_next(&state) {
            return None;
        }
        if let Some(number) = state.returned.pop() {
            state.missing -= 1;
            state.in_flight += 1;
            return Some(self.part(number));
        }
        state.claimed += 1;
        while state.stored.get(state.claimed as usize - 1).is_some_and(Option::is_some) {
            state.claimed += 1;
        }
        state.missing -= 1;
        state.in_flight += 1;
        Some(self.part(state.claimed))
    }

    /// Puts a part back that was claimed and not written.
    pub(crate) fn give_back(&self, part: Part) -> Option<Closing> {
        let mut state = lock(&self.state);
        state.in_flight -= 1;
        state.missing += 1;
        state.returned.push(part.number);
        self.close(&mut state)
    }

    /// Whether [`Upload::claim`] will have another part.
    pub(crate) fn has_more(&self) -> bool {
        self.has_next(&lock(&self.state))
    }

    fn has_next(&self, state: &State) -> bool {
        state.failed.is_none() && state.missing > 0 && !(self.ordered && state.in_flight > 0)
    }

    /// Returns a part that was claimed.
    pub(crate) fn finish(&self, part: Part, result: Result<StoredPart, Error>) -> Option<Closing> {
        let mut state = lock(&self.state);
        state.in_flight -= 1;
        match result {
            Ok(stored) => {
                if let Some(place) = state.stored.get_mut(part.number as usize - 1) {
                    *place = Some(stored);
                }
            }
            Err(error) => {
                state.failed.get_or_insert(error);
            }
        }
        self.close(&mut state)
    }

    /// Fails the upload while no part of it is being returned.
    pub(crate) fn fail(&self, error: Error) -> Option<Closing> {
        let mut state = lock(&self.state);
        state.failed.get_or_insert(error);
        self.close(&mut state)
    }

    fn close(&self, state: &mut State) -> Option<Closing> {
        if state.closed || state.in_flight > 0 {
            return None;
        }
        if let Some(error) = &state.failed {
            let error = error.clone();
            state.closed = true;
            return Some(Closing::Abort { error, folder: state.folder.take() });
        }
        if state.missing > 0 {
            return None;
        }
        state.closed = true;
        let stored = mem::take(&mut state.stored);
        let parts = (1..).zip(stored).filter_map(|(number, stored)| Some((self.part(number), stored?))).collect();
        Some(Closing::Commit(Finished { parts, folder: state.folder.take() }))
    }

    fn part(&self, number: u32) -> Part {
        let offset = u64::from(number - 1) * self.part_size;
        let rest = self.object.size.unwrap_or(0) - offset;
        Part { number, offset, length: rest.min(self.part_size) }
    }
}

/// The part size that makes do with [`MAX_PARTS`].
fn grown(part_size: ByteSize, size: u64) -> u64 {
    let least = size.div_ceil(u64::from(MAX_PARTS));
    if least > part_size.0 { least.next_multiple_of(PART_SIZE_STEP) } else { part_size.0.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Checksums, Key, Kind};

    fn upload(size: u64, part_size: u64) -> Upload {
        let object = Object {
            key: Key::parse("a").expect("a key"),
            kind: Kind::File,
            size: Some(size),
            modified: None,
            version: None,
            checksums: Checksums::new(),
            attributes: Default::default(),
        };
        Upload::new(object, "token".into(), 1, ByteSize(part_size), None)
    }

    #[test]
    fn parts_cover_the_object_exactly() {
        for (size, part_size) in [(1, 1), (10, 3), (9, 3), (1 << 40, 16 << 20), (u64::from(u32::MAX) * 70_000, 5)] {
            let upload = upload(size, part_size);
            let (mut offset, mut count) = (0, 0);
            while let Some(part) = upload.claim() {
                assert_eq!((part.offset, part.number), (offset, count + 1));
                assert!(part.length > 0);
                offset += part.length;
                count += 1;
            }
            assert_eq!(offset, size);
            assert!(count <= MAX_PARTS);
        }
    }

    #[test]
    fn an_ordered_upload_has_one_part_in_flight() {
        let upload = upload(10, 4).in_order(true);
        let first = upload.claim().expect("the first");
        assert!(upload.claim().is_none() && !upload.has_more());
        assert!(upload.give_back(first).is_none());
        let again = upload.claim().expect("the first again");
        assert_eq!(again.number, 1);
        let stored =
            StoredPart { receipt: crate::sink::Receipt { part: 1, token: String::new() }, checksums: Checksums::new() };
        assert!(upload.finish(again, Ok(stored)).is_none());
        assert_eq!(upload.claim().map(|part| part.number), Some(2));
    }

    #[test]
    fn the_last_in_flight_closes_and_only_once() {
        let upload = upload(10, 4);
        let parts: Vec<_> = std::iter::from_fn(|| upload.claim()).collect();
        let failed = Error::new(crate::error::Code::NO_SPACE, "write-part", "full");
        assert!(upload.finish(parts[1], Err(failed.clone())).is_none());
        assert!(upload.fail(failed.clone()).is_none());
        assert!(upload.finish(parts[0], Err(failed.clone())).is_none());
        assert!(matches!(upload.finish(parts[2], Err(failed.clone())), Some(Closing::Abort { .. })));
        assert!(upload.fail(failed).is_none());
    }
}
