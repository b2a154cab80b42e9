//! Keys of the engine to keys of the bucket and to URLs. Refuses what S3 doesn't take.

use culvert_sdk::{error, error::quote, types::Error};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest key of a bucket in bytes.
const MAX_KEY_BYTES: usize = 1024;
/// What is escaped: all but the unreserved characters of RFC 3986, section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same in a path.
const ESCAPED_IN_PATH: &AsciiSet = &ESCAPED.remove(b'/');

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

/// A query's value.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A key in a URL's path.
pub(crate) fn escaped_path(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED_IN_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_too_long_is_refused() {
        assert_eq!(to_bucket("nas/", "a").as_deref(), Ok("nas/a"));
        assert_eq!(to_bucket("nas/", &"a".repeat(1021)).map_err(|error| error.code), Err("invalid-key".to_owned()));
    }
}
