//! Keys of the engine to keys of the bucket and back. Refuses what can't come back as it went.

use culvert_sdk::{error, error::quote, types::Error};
use percent_encoding::percent_decode_str;

/// Longest key of a bucket in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// The bucket's key of an object.
///
/// # Errors
/// `invalid-key` if it's too long for S3.
pub(crate) fn to_bucket(prefix: &str, key: &str) -> Result<String, Error> {
    let full = format!("{prefix}{key}");
    if full.len() > MAX_KEY_BYTES {
        let message =
            format!("the key {} has {} bytes with its prefix; S3 takes {MAX_KEY_BYTES}", quote(key), full.len());
        return Err(error::invalid_key(message));
    }
    Ok(full)
}

/// A key as a listing has it with `encoding-type=url`. The error is the text as far as it's UTF-8.
pub(crate) fn decoded(encoded: &str) -> Result<String, String> {
    let spaced = encoded.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The object that a key of the bucket stands for, and whether it's the marker of a folder: a key
/// that ends with a slash.
pub(crate) fn from_bucket<'a>(prefix: &str, full: &'a str) -> (&'a str, bool) {
    let key = full.strip_prefix(prefix).unwrap_or(full);
    match key.strip_suffix('/') {
        Some(folder) => (folder, true),
        None => (key, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_keys_come_back_as_they_went() {
        assert_eq!(decoded("a%20b+c%2Bd/%C3%A9%25").as_deref(), Ok("a b c+d/é%"));
        assert!(decoded("a%FFb").is_err_and(|lossy| lossy.starts_with('a')));
    }

    #[test]
    fn the_prefix_is_taken_off_and_markers_are_known() {
        assert_eq!(from_bucket("nas/", "nas/a/b"), ("a/b", false));
        assert_eq!(from_bucket("nas/", "nas/a/"), ("a", true));
        assert_eq!(from_bucket("", "a//b"), ("a//b", false));
        assert_eq!(to_bucket("nas/", "a").as_deref(), Ok("nas/a"));
        assert_eq!(to_bucket("nas/", &"a".repeat(1021)).map_err(|error| error.code), Err("invalid-key".to_owned()));
    }
}
