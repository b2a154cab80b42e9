//! Names for what isn't whole yet, in stores that have names only: `.culvert-<16 hex digits>.part`, of
//! which the first 8 are the pipeline's owner mark. Makes names only; the file is made by whoever
//! asked, exclusively where the store can, so that a name taken twice does no harm.

use std::{cell::Cell, hash::BuildHasher, hash::RandomState};

use crate::{
    error,
    key::{folder, join},
    types::Error,
};

const PREFIX: &str = ".culvert-";
const SUFFIX: &str = ".part";
const HEX_DIGITS: usize = 16;
/// The first of them say whose file it is.
const OWNER_DIGITS: usize = 8;

/// Makes names that no other instance, process or machine is likely to make: `seed` is random.
#[derive(Debug)]
pub struct Names {
    /// [`OWNER_DIGITS`] lower-case hex digits.
    owner: String,
    seed: RandomState,
    count: Cell<u64>,
}

// === impl Names ===

impl Names {
    /// # Errors
    /// `invalid-config` if the owner isn't one.
    pub fn new(owner: &str) -> Result<Self, Error> {
        if owner.len() != OWNER_DIGITS || !is_hex(owner) {
            return Err(error::invalid_config("the engine gave an owner that isn't 8 hex digits"));
        }
        Ok(Self { owner: owner.to_owned(), seed: RandomState::new(), count: Cell::new(0) })
    }

    /// Whether a name, without its folder, is a temporary one of this owner.
    pub fn is_own(&self, name: &str) -> bool {
        is_temporary(name) && name[PREFIX.len()..].starts_with(&self.owner)
    }

    /// A fresh path in the folder of `key`. The name is the same length for every key, so that an
    /// object whose own name is as long as the file system allows has one too.
    pub fn beside(&self, key: &str) -> String {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        let unique = self.seed.hash_one((key, count)) >> 32;
        join(folder(key), &format!("{PREFIX}{}{unique:08x}{SUFFIX}", self.owner))
    }
}

/// Whether a name, without its folder, is one that [`Names`] makes.
pub fn is_temporary(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX))
        .is_some_and(|unique| unique.len() == HEX_DIGITS && is_hex(unique))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::key::name;

    fn names(owner: &str) -> Names {
        Names::new(owner).expect("8 hex digits")
    }

    #[test]
    fn an_owner_knows_its_own() {
        let (ours, theirs) = (names("0123abcd"), names("0123abce"));
        assert!(ours.is_own(&ours.beside("a")) && !ours.is_own(&theirs.beside("a")));
        assert!(!ours.is_own(".culvert-0123abcd.part") && !ours.is_own("0123abcd"));
        for owner in ["", "0123abc", "0123abcde", "0123ABCD", "../../.."] {
            assert!(Names::new(owner).is_err(), "{owner}");
        }
    }

    #[test]
    fn a_name_lies_beside_its_key_and_is_recognised() {
        let names = names("0123abcd");
        for (key, expected) in [("a", ""), ("a/b", "a"), ("a/b/c", "a/b")] {
            let path = names.beside(key);
            assert_eq!(folder(&path), expected);
            assert!(is_temporary(name(&path)), "{path}");
        }
    }

    #[test]
    fn a_name_is_short_whatever_the_key() {
        let path = names("0123abcd").beside(&"x".repeat(255));
        assert_eq!(path.len(), PREFIX.len() + HEX_DIGITS + SUFFIX.len());
    }

    #[test]
    fn names_differ_within_and_between_instances() {
        let instances = [names("0123abcd"), names("0123abcd")];
        let names: HashSet<_> = instances.iter().flat_map(|names| (0..100).map(|_| names.beside("a"))).collect();
        assert_eq!(names.len(), 200);
    }

    #[test]
    fn only_the_exact_pattern_is_temporary() {
        assert!(is_temporary(".culvert-0123456789abcdef.part"));
        for other in [
            "culvert-0123456789abcdef.part",
            ".culvert-0123456789abcde.part",
            ".culvert-0123456789abcdef0.part",
            ".culvert-0123456789ABCDEF.part",
            ".culvert-0123456789abcdef.par",
            ".culvert-.part",
            "",
        ] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
