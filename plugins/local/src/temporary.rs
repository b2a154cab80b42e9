//! Temporary names, and upload tokens, which are paths with such a name. Makes names only; the file
//! is made by whoever asked, exclusively, so that a name taken twice does no harm.

use std::{cell::Cell, hash::BuildHasher, hash::RandomState};

use culvert_sdk::{
    error::{self, quote},
    types::Error,
};

const PREFIX: &str = ".culvert-";
const SUFFIX: &str = ".part";
const HEX_DIGITS: usize = 16;
/// The first of them say whose file it is.
const OWNER_DIGITS: usize = 8;

/// Longest token in bytes, as the contract has it.
const MAX_TOKEN_BYTES: usize = 4096;

/// Makes names that no other instance, process or machine is likely to make: `seed` is random.
#[derive(Debug)]
pub(crate) struct Names {
    /// [`OWNER_DIGITS`] lower-case hex digits.
    owner: String,
    seed: RandomState,
    count: Cell<u64>,
}

/// The path of an upload's temporary file, below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload(String);

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

    /// A fresh path in the folder of `key`. The name is the same length for every key, so that an
    /// object whose own name is as long as the file system allows has one too.
    pub(crate) fn beside(&self, key: &str) -> String {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        let unique = self.seed.hash_one((key, count)) >> 32;
        join(folder(key), &format!("{PREFIX}{}{unique:08x}{SUFFIX}", self.owner))
    }
}

// === impl Upload ===

impl Upload {
    /// The upload whose temporary file is at `path`.
    ///
    /// # Errors
    /// `invalid-key` if the path is too long for a token.
    pub(crate) fn at(path: String) -> Result<Self, Error> {
        if path.len() > MAX_TOKEN_BYTES {
            return Err(error::invalid_key(format!(
                "the path {} is longer than {MAX_TOKEN_BYTES} bytes",
                quote(&path)
            )));
        }
        Ok(Self(path))
    }

    /// Takes a token back. It has been in journals and other processes, so it's checked: nothing but
    /// a temporary file of this connector can be written, committed or deleted through it.
    ///
    /// # Errors
    /// `protocol`.
    pub(crate) fn parse(token: String) -> Result<Self, Error> {
        let plain = token.split('/').all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('\0'));
        if plain && token.len() <= MAX_TOKEN_BYTES && is_temporary(name(&token)) {
            Ok(Self(token))
        } else {
            Err(error::protocol(format!("{} isn't the token of an upload to a local folder", quote(&token))))
        }
    }

    /// Whether this is an upload of `key`: its file lies in the same folder.
    pub(crate) fn is_beside(&self, key: &str) -> bool {
        folder(&self.0) == folder(key)
    }

    pub(crate) fn path(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_token(self) -> String {
        self.0
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

/// The folder of a key; empty for the root.
pub(crate) fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The key of a name in a folder.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What the host's filesystem calls a folder: the root is `.`.
pub(crate) fn folder_path(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

fn name(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

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

    #[test]
    fn a_token_comes_back_as_it_went() {
        let path = names("0123abcd").beside("a/b");
        let upload = Upload::at(path).and_then(|upload| Upload::parse(upload.into_token()));
        assert!(
            upload.is_ok_and(|upload| upload.is_beside("a/c") && !upload.is_beside("c") && !upload.is_beside("a/b/c"))
        );
    }

    #[test]
    fn a_token_from_elsewhere_is_refused() {
        for token in [
            "",
            "a/b",
            "/.culvert-0123456789abcdef.part",
            "../.culvert-0123456789abcdef.part",
            "a/../.culvert-0123456789abcdef.part",
            "a//.culvert-0123456789abcdef.part",
            "./.culvert-0123456789abcdef.part",
            "a\0/.culvert-0123456789abcdef.part",
            ".culvert-0123456789abcdef.part/x",
        ] {
            let code = Upload::parse(token.to_owned()).map_err(|error| error.code);
            assert_eq!(code, Err("protocol".to_owned()), "{token:?}");
        }
        let long = join(&"a/".repeat(2100), ".culvert-0123456789abcdef.part");
        assert!(Upload::parse(long.clone()).is_err() && Upload::at(long).is_err());
    }
}
