//! Temporary names: `.culvert-<16 hex digits>.part`, of which the first 8 are the pipeline's owner
//! mark. Makes names only.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
};

use culvert_sdk::{error, types::Error};

use crate::path::{folder, join};

const PREFIX: &str = ".culvert-";
const SUFFIX: &str = ".part";
const HEX_DIGITS: usize = 16;
/// The first of them say whose file it is.
const OWNER_DIGITS: usize = 8;

/// Makes names that no other instance, process or machine is likely to make: `seed` is random.
#[derive(Debug)]
pub(crate) struct Names {
    owner: String,
    seed: RandomState,
    count: Cell<u64>,
}

// === impl Names ===

impl Names {
    /// # Errors
    /// `invalid-config` if the owner isn't one.
    pub(crate) fn new(owner: &str) -> Result<Self, Error> {
        if owner.len() != OWNER_DIGITS || !is_hex(owner) {
            return Err(error::invalid_config("the engine gave an owner that isn't 8 hex digits"));
        }
        Ok(Self { owner: owner.to_owned(), seed: RandomState::new(), count: Cell::new(0) })
    }

    /// Whether a name, without its folder, is a temporary one of this owner.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        is_temporary(name) && name[PREFIX.len()..].starts_with(&self.owner)
    }

    /// A fresh key in the folder of `key`.
    pub(crate) fn beside(&self, key: &str) -> String {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        let unique = self.seed.hash_one((key, count)) >> 32;
        join(folder(key), &format!("{PREFIX}{}{unique:08x}{SUFFIX}", self.owner))
    }
}

/// Whether a name, without its folder, is one that [`Names`] makes.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX))
        .is_some_and(|unique| unique.len() == HEX_DIGITS && is_hex(unique))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_knows_its_own() {
        let names = Names::new("0123abcd").expect("8 hex digits");
        let key = names.beside("a/b");
        assert!(key.starts_with("a/.culvert-0123abcd") && names.is_own(&key[2..]) && key != names.beside("a/b"));
        assert!(!names.is_own(".culvert-fffffffffffffffe.part") && is_temporary(".culvert-fffffffffffffffe.part"));
        assert!(Names::new("../../..").is_err() && !is_temporary(".culvert-x.part"));
    }
}
