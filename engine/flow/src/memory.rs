//! A source and a sink in memory for the tests of this crate, with the faults that real ones have.
//! Not a model of any store: they do what they're told.

mod sink;
mod source;
mod transform;

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

pub(crate) use self::{
    sink::{MemorySink, SinkFault},
    source::{MemorySource, SourceFault},
    transform::{Deed, MemoryTransform},
};
use crate::{
    error::{Code, Error},
    object::{Capabilities, Checksums, Key, Kind, Object},
    sync::lock,
};

/// Faults by operation and key, each used once, in order.
#[derive(Debug)]
struct Faults<F>(Mutex<HashMap<(&'static str, String), VecDeque<F>>>);

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

pub(crate) fn error(code: Code) -> Error {
    Error::new(code, "test", "as the test said")
}

/// An error that takes the instance with it.
pub(crate) fn trap() -> Error {
    Error { instance_lost: true, ..error(Code::TRAP) }
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn object(text: &str, kind: Kind, size: Option<u64>) -> Object {
    Object {
        key: key(text),
        kind,
        size,
        modified: Some(at(1_000)),
        version: None,
        checksums: Checksums::new(),
        attributes: Default::default(),
    }
}

pub(crate) fn capabilities(words: &[&str]) -> Capabilities {
    Capabilities::new(words.iter().map(|word| (*word).to_owned()))
}

/// Bytes that differ from one key to the next, and from one part to the next.
pub(crate) fn content(text: &str, length: usize) -> Bytes {
    // No size of a part or chunk is a multiple of this.
    const PERIOD: usize = 4099;
    let mut state = text.bytes().fold(17u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let pattern = (0..PERIOD).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let mut bytes = pattern.collect::<Vec<_>>().repeat(length.div_ceil(PERIOD));
    bytes.truncate(length);
    bytes.into()
}

// === impl Faults ===

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F> Faults<F> {
    fn add(&self, operation: &'static str, text: &str, faults: impl IntoIterator<Item = F>) {
        lock(&self.0).entry((operation, text.to_owned())).or_default().extend(faults);
    }

    fn next(&self, operation: &'static str, text: &str) -> Option<F> {
        let mut faults = lock(&self.0);
        faults.get_mut(&(operation, text.to_owned()))?.pop_front()
    }
}
