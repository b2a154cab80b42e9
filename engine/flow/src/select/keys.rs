//! A set of keys in little memory. Holds hashes only, so it can't name its keys.
//!
//! A key is 16 bytes of its SHA-256: of 10^8 keys, two meet by accident in one of 10^22 lists, and
//! nobody can choose names that do. Ten million keys take 160 MB, and at most 330 MB while they are
//! gathered: each of the 256 shards grows by itself, at most to twice its size.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::object::Key;

/// One for each first byte of the hash.
const SHARDS: usize = 256;

/// The keys of a list, whatever their order.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySet {
    /// Each in order, without repetition.
    shards: Vec<Vec<u128>>,
}

// === impl KeySet ===

impl KeySet {
    pub fn contains(&self, key: &Key) -> bool {
        let hash = hash(key);
        self.shards[shard(hash)].binary_search(&hash).is_ok()
    }

    /// How many different keys there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(Vec::is_empty)
    }

    pub(super) fn new() -> Self {
        Self { shards: vec![Vec::new(); SHARDS] }
    }

    /// Puts a key at the end; [`Self::seal`] brings order.
    pub(super) fn push(&mut self, key: &Key) {
        let hash = hash(key);
        self.shards[shard(hash)].push(hash);
    }

    pub(super) fn seal(mut self) -> Self {
        for shard in &mut self.shards {
            shard.sort_unstable();
            shard.dedup();
            shard.shrink_to_fit();
        }
        self
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut set = Self::new();
        keys.into_iter().for_each(|key| set.push(&key));
        set.seal()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeySet").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn hash(key: &Key) -> u128 {
    let digest = Sha256::digest(key.as_str());
    digest.iter().take(size_of::<u128>()).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

fn shard(hash: u128) -> usize {
    usize::from(hash.to_be_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::parse(&format!("folder/{number}")).expect("a key")
    }

    #[test]
    fn holds_what_was_put_in_and_nothing_else() {
        let set: KeySet = (0..10_000).chain(0..10).map(key).collect();
        assert_eq!((set.len(), set.is_empty()), (10_000, false));
        assert!((0..10_000).all(|number| set.contains(&key(number))));
        assert!(!(10_000..20_000).any(|number| set.contains(&key(number))));
        assert_eq!(format!("{set:?}"), "KeySet { len: 10000, .. }");
    }

    /// The bound of the module's first lines.
    #[test]
    fn a_key_takes_33_bytes_at_most_and_16_in_the_end() {
        let mut set = KeySet::new();
        (0..100_000).for_each(|number| set.push(&key(number)));
        let bytes = |set: &KeySet| set.shards.iter().map(|shard| shard.capacity() * size_of::<u128>()).sum::<usize>();
        assert!(bytes(&set) <= 3_300_000, "{}", bytes(&set));
        let set = set.seal();
        assert_eq!(bytes(&set), 1_600_000);
    }
}
