//! The contract's records to the engine's types and back. What a guest sends is checked here like
//! anything from outside: sizes, keys, counts.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use culvert_flow::{
    error::{Code, Error},
    object::{Algorithm, Checksums, Entry, InvalidKey, Key, Kind, Object},
};
use wasmtime_wasi::p3::bindings::clocks::system_clock::Instant;

use crate::bindings::culvert::connector::types as wit;

/// Longest text of an error in bytes; the rest is cut.
const MAX_MESSAGE_BYTES: usize = 4096;
/// Longest version tag in bytes: an S3 version id is at most 1024.
const MAX_VERSION_BYTES: usize = 1024;
/// Attributes of one object: S3 has 2 KiB of user metadata.
const MAX_ATTRIBUTES: usize = 256;
/// Names and values of an object's attributes together, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 64 * 1024;
/// Longest name in an `unreadable` entry in bytes.
const MAX_NAME_BYTES: usize = 8192;

/// An entry as the guest sent it, or as the reason why it can't be one.
pub(crate) fn entry(entry: wit::Entry) -> Entry {
    match entry {
        wit::Entry::Object(it) => object_entry(it, Entry::Object),
        wit::Entry::Folder(it) => object_entry(it, Entry::Folder),
        wit::Entry::Unreadable(it) => {
            Entry::Unreadable { name: clip(it.key, MAX_NAME_BYTES), error: error(it.error, "list") }
        }
    }
}

fn object_entry(it: wit::Object, make: fn(Object) -> Entry) -> Entry {
    let name = clip(it.key.clone(), MAX_NAME_BYTES);
    match object(it, "list") {
        Ok(object) => make(object),
        Err(error) => Entry::Unreadable { name, error },
    }
}

/// # Errors
/// The guest broke a rule of the contract.
pub(crate) fn object(it: wit::Object, operation: &'static str) -> Result<Object, Error> {
    let broken = |code: Code, message: String| Error::new(code, operation, message);
    let key = Key::parse(&it.key).map_err(|reason: InvalidKey| broken(Code::INVALID_KEY, reason.to_string()))?;
    let broken = |code: Code, message: String| Error::new(code, operation, message).with_key(&key);
    if it.version.as_ref().is_some_and(|version| version.len() > MAX_VERSION_BYTES) {
        return Err(broken(Code::PROTOCOL, format!("the version tag is longer than {MAX_VERSION_BYTES} bytes")));
    }
    let attribute_bytes: usize = it.attributes.iter().map(|a| a.name.len() + a.value.len()).sum();
    if it.attributes.len() > MAX_ATTRIBUTES || attribute_bytes > MAX_ATTRIBUTE_BYTES {
        let limit = format!("more than {MAX_ATTRIBUTES} attributes or {MAX_ATTRIBUTE_BYTES} bytes of them");
        return Err(broken(Code::PROTOCOL, limit));
    }
    let checksums = checksums(it.checksums, operation).map_err(|error| error.with_key(&key))?;
    let modified = match it.modified {
        Some(instant) => Some(time(instant).ok_or_else(|| broken(Code::PROTOCOL, "the time is out of range".into()))?),
        None => None,
    };
    let attributes: BTreeMap<String, String> = it.attributes.into_iter().map(|a| (a.name, a.value)).collect();
    let kind = Kind::parse(&clip(it.kind, 64));
    Ok(Object { kind, size: it.size, modified, version: it.version.map(Into::into), checksums, attributes, key })
}

/// # Errors
/// One of them has the wrong length.
pub(crate) fn checksums(them: Vec<wit::Checksum>, operation: &'static str) -> Result<Checksums, Error> {
    let mut checksums = Checksums::new();
    for checksum in them {
        // An algorithm that the engine doesn't compute proves nothing here.
        let Some(algorithm) = Algorithm::parse(&checksum.algorithm) else { continue };
        if checksum.value.len() != algorithm.digest_bytes() {
            let message = format!("a {} of {} bytes", algorithm.as_str(), checksum.value.len());
            return Err(Error::new(Code::PROTOCOL, operation, message));
        }
        checksums.insert(algorithm, checksum.value);
    }
    Ok(checksums)
}

pub(crate) fn error(it: wit::Error, operation: &'static str) -> Error {
    let printable: String = it.message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut error = Error::new(Code::from_connector(&it.code), operation, clip(printable, MAX_MESSAGE_BYTES));
    error.retry_after = it.retry_after.map(Duration::from_nanos);
    error
}

pub(crate) fn to_wit_object(object: &Object) -> wit::Object {
    wit::Object {
        key: object.key.as_str().to_owned(),
        kind: object.kind.as_str().to_owned(),
        size: object.size,
        modified: object.modified.map(instant),
        version: object.version.as_deref().map(str::to_owned),
        checksums: to_wit_checksums(&object.checksums),
        attributes: object
            .attributes
            .iter()
            .map(|(name, value)| wit::Attribute { name: name.clone(), value: value.clone() })
            .collect(),
    }
}

pub(crate) fn to_wit_checksums(checksums: &Checksums) -> Vec<wit::Checksum> {
    checksums
        .iter()
        .map(|(algorithm, value)| wit::Checksum { algorithm: algorithm.as_str().to_owned(), value: value.clone() })
        .collect()
}

pub(crate) fn to_wit_error(error: &Error) -> wit::Error {
    wit::Error { code: error.code.as_str().to_owned(), message: error.message.clone(), retry_after: None }
}

/// None if the engine can't hold it.
pub(crate) fn time(instant: Instant) -> Option<SystemTime> {
    let seconds = Duration::from_secs(instant.seconds.unsigned_abs());
    let whole = match instant.seconds {
        0.. => UNIX_EPOCH.checked_add(seconds)?,
        _ => UNIX_EPOCH.checked_sub(seconds)?,
    };
    whole.checked_add(Duration::from_nanos(u64::from(instant.nanoseconds)))
}

/// Times that no file system holds (beyond 292 billion years) become the epoch.
pub(crate) fn instant(time: SystemTime) -> Instant {
    let (seconds, nanoseconds) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(0), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(0);
            match before.subsec_nanos() {
                0 => (-whole, 0),
                nanoseconds => (-whole - 1, 1_000_000_000 - nanoseconds),
            }
        }
    };
    Instant { seconds, nanoseconds }
}

/// Cuts a text to at most `max` bytes, between characters.
fn clip(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    fn wit_object(key: &str) -> wit::Object {
        wit::Object {
            key: key.into(),
            kind: "file".into(),
            size: Some(1),
            modified: None,
            version: None,
            checksums: vec![],
            attributes: vec![],
        }
    }

    #[test]
    fn keys_that_leave_the_root_are_refused() {
        for key in ["", "/abs", "../../etc/passwd", "a/../../b", "a//b", "a/", "a\0b", "."] {
            assert_eq!(object(wit_object(key), "list").unwrap_err().code, Code::INVALID_KEY, "{key:?}");
        }
        assert!(object(wit_object("a/b c\n.txt"), "list").is_ok());
    }

    #[test]
    fn oversized_fields_are_refused() {
        let mut long_version = wit_object("a");
        long_version.version = Some("v".repeat(MAX_VERSION_BYTES + 1));
        let mut many = wit_object("a");
        many.attributes = vec![wit::Attribute { name: "n".into(), value: "v".into() }; MAX_ATTRIBUTES + 1];
        let mut short_digest = wit_object("a");
        short_digest.checksums = vec![wit::Checksum { algorithm: "md5".into(), value: vec![1, 2] }];
        for it in [long_version, many, short_digest] {
            assert_eq!(object(it, "list").unwrap_err().code, Code::PROTOCOL);
        }
    }

    #[test]
    fn times_survive_the_round_trip() {
        for (seconds, nanoseconds) in [(0, 0), (1_700_000_000, 999_999_999), (-1, 500_000_000), (-5, 0)] {
            let there = time(Instant { seconds, nanoseconds }).unwrap();
            let back = instant(there);
            assert_eq!((back.seconds, back.nanoseconds), (seconds, nanoseconds));
        }
    }

    #[test]
    fn messages_are_cut_and_printable() {
        let it = wit::Error {
            code: "BAD CODE".into(),
            message: format!("a\u{1b}[31m{}", "é".repeat(5000)),
            retry_after: None,
        };
        let error = error(it, "read");
        assert_eq!(error.code, Code::INTERNAL);
        assert!(error.message.len() <= MAX_MESSAGE_BYTES && !error.message.contains('\u{1b}'));
    }
}
