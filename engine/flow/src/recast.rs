//! What transforms make of an object before anybody has seen a byte: its key at the sink, and what is
//! still known of it there. Pure: runs no transform and asks no store.

use std::time::UNIX_EPOCH;

use crate::{
    error::{Code, Error},
    object::{Checksums, Key, Kind, Object},
};

/// Longest end of a key that a transform may take off or put on, in bytes.
pub const MAX_SUFFIX_BYTES: usize = 64;
/// What the version begins with that stands for size and time, where the source has none: weak, and none
/// of a store's.
const SYNTHETIC: &str = "W/culvert:";

/// What one transform does to every file besides changing its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// What a key must end in, and loses.
    pub strip: String,
    /// What is then put behind it.
    pub append: String,
    /// Attributes that don't hold any more.
    pub drop: Vec<String>,
    /// Those that hold from then on.
    pub set: Vec<(String, String)>,
}

/// What all transforms of a pipeline do, in their order; none: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recast(Vec<Effect>);

/// The version as the source itself has it; none where it has none.
pub(crate) fn of_source(version: Option<&str>) -> Option<&str> {
    version.filter(|version| !version.starts_with(SYNTHETIC))
}

// === impl Effect ===

impl Effect {
    /// # Errors
    /// The ends can't be those of keys.
    pub fn check(&self) -> Result<(), Error> {
        for end in [&self.strip, &self.append] {
            if end.len() > MAX_SUFFIX_BYTES || end.contains(['/', '\0']) {
                let message =
                    format!("a transform changes the end of keys by more than {MAX_SUFFIX_BYTES} bytes, or by a slash");
                return Err(Error::new(Code::PROTOCOL, "transform", message));
            }
        }
        Ok(())
    }

    /// # Errors
    /// The key doesn't end as it must.
    fn key(&self, key: &Key) -> Result<Key, Error> {
        let Some(rest) = key.as_str().strip_suffix(self.strip.as_str()) else {
            let message = format!(
                "its key doesn't end in {:?}, so it isn't what the transform takes; leave it out by [select]",
                self.strip
            );
            return Err(Error::new(Code::INVALID_KEY, "transform", message).with_key(key));
        };
        Key::parse(&format!("{rest}{}", self.append)).map_err(|invalid| {
            Error::new(Code::INVALID_KEY, "transform", format!("{invalid}, once it's transformed")).with_key(key)
        })
    }

    fn origin(&self, key: &Key) -> Option<Key> {
        let rest = key.as_str().strip_suffix(self.append.as_str())?;
        Key::parse(&format!("{rest}{}", self.strip)).ok()
    }

    /// The object as it comes out.
    ///
    /// # Errors
    /// The key doesn't end as it must.
    pub(crate) fn of(&self, mut object: Object) -> Result<Object, Error> {
        object.key = self.key(&object.key)?;
        (object.size, object.checksums) = (None, Checksums::new());
        for name in &self.drop {
            object.attributes.remove(name);
        }
        object.attributes.extend(self.set.iter().cloned());
        Ok(object)
    }
}

// === impl Recast ===

impl Recast {
    pub fn new(effects: Vec<Effect>) -> Self {
        Self(effects)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An object of the source as it will be at the sink: of unknown size, without checksums, of the
    /// source's version. What isn't a file stays as it is.
    ///
    /// # Errors
    /// Its key isn't one that the transforms take.
    pub fn of(&self, object: Object) -> Result<Object, Error> {
        if self.0.is_empty() || object.kind != Kind::File {
            return Ok(object);
        }
        let version = object.version.clone().or_else(|| synthetic(&object));
        let object = self.0.iter().try_fold(object, |object, effect| effect.of(object))?;
        Ok(Object { version, ..object })
    }

    /// The source's key of a file that has this key at the sink; none if none of the source's files could.
    pub fn origin(&self, key: &Key) -> Option<Key> {
        self.0.iter().rev().try_fold(key.clone(), |key, effect| effect.origin(&key))
    }

    /// What is at the sink, under the key that it would have at the source; none if it can't be of there.
    pub(crate) fn seen_from_source(&self, object: &Object) -> Option<Object> {
        if object.kind != Kind::File {
            return Some(object.clone());
        }
        Some(Object { key: self.origin(&object.key)?, ..object.clone() })
    }
}

/// Size and time as a version: with the size gone, a time alone would have to tell changes.
fn synthetic(object: &Object) -> Option<std::sync::Arc<str>> {
    let (size, modified) = (object.size?, object.modified?);
    let nanos = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos().to_string(),
        Err(before) => format!("-{}", before.duration().as_nanos()),
    };
    Some(format!("{SYNTHETIC}{size}@{nanos}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{key, object};

    fn effect(strip: &str, append: &str) -> Effect {
        Effect { strip: strip.into(), append: append.into(), ..Effect::default() }
    }

    #[test]
    fn keys_go_there_and_back() {
        let packed = Recast::new(vec![effect("", ".zst"), effect("", ".age")]);
        let made = packed.of(object("a/b.txt", Kind::File, Some(5))).expect("it has a key");
        assert_eq!((made.key.as_str(), made.size), ("a/b.txt.zst.age", None));
        assert_eq!(packed.origin(&made.key), Some(key("a/b.txt")));
        assert_eq!(packed.origin(&key("a/b.txt.zst")), None);

        let unpacked = Recast::new(vec![effect(".age", ""), effect(".zst", "")]);
        assert_eq!(unpacked.of(made).expect("it has a key").key, key("a/b.txt"));
        assert_eq!(unpacked.origin(&key("a/b.txt")), Some(key("a/b.txt.zst.age")));
        for refused in ["a/b.txt", "a/b.age", "a/.zst.age", ".zst.age"] {
            let refused = unpacked.of(object(refused, Kind::File, Some(5)));
            assert_eq!(refused.map_err(|error| error.code), Err(Code::INVALID_KEY));
        }
    }

    #[test]
    fn what_is_no_file_and_what_is_not_transformed_stays() {
        let recast = Recast::new(vec![effect("", ".zst")]);
        for kind in [Kind::Directory, Kind::Symlink] {
            let it = object("a", kind, None);
            assert_eq!(recast.of(it.clone()), Ok(it));
        }
        let it = object("a", Kind::File, Some(1));
        assert_eq!(Recast::default().of(it.clone()), Ok(it));
    }

    #[test]
    fn a_version_tells_other_sizes_and_times() {
        let recast = Recast::new(vec![effect("", ".zst")]);
        let version = |object: Object| recast.of(object).expect("it has a key").version;
        let one = object("a", Kind::File, Some(1));
        assert_eq!(version(one.clone()), version(one.clone()));
        assert_ne!(version(one.clone()), version(Object { size: Some(2), ..one.clone() }));
        assert_ne!(version(one.clone()), version(Object { modified: Some(crate::memory::at(1)), ..one.clone() }));
        assert_eq!(version(Object { modified: None, ..one.clone() }), None);
        assert_eq!(of_source(version(one.clone()).as_deref()), None);
        assert_eq!(version(Object { version: Some("x".into()), ..one }).as_deref(), Some("x"));
    }

    #[test]
    fn attributes_are_those_of_the_new_bytes() {
        let effect = Effect {
            drop: vec!["content-encoding".into()],
            set: vec![("content-type".into(), "application/zstd".into())],
            ..Effect::default()
        };
        let mut it = object("a", Kind::File, Some(1));
        for (name, value) in [("content-type", "text/plain"), ("content-encoding", "x"), ("posix.mode", "0644")] {
            it.attributes.insert(name.into(), value.into());
        }
        let made = Recast::new(vec![effect]).of(it).expect("it has a key");
        let expected = [("content-type", "application/zstd"), ("posix.mode", "0644")];
        assert!(made.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected));
    }

    #[test]
    fn ends_without_measure_are_refused() {
        assert!(effect("", &"x".repeat(MAX_SUFFIX_BYTES)).check().is_ok());
        for end in ["x".repeat(MAX_SUFFIX_BYTES + 1), "/x".into(), "\0".into()] {
            assert!(effect("", &end).check().is_err() && effect(&end, "").check().is_err());
        }
    }
}
