//! Keys of the engine to keys of the bucket and to URLs. Refuses what OSS doesn't take.

use culvert_sdk::{
    error::{self, quote},
    types::Error,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest key of a bucket in bytes.
const MAX_KEY_BYTES: usize = 1023;
/// What OSS escapes: all but the unreserved characters of RFC 3986.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same in a path.
const ESCAPED_IN_PATH: AsciiSet = ESCAPED.remove(b'/');

/// The bucket's key of an object.
///
/// # Errors
/// `invalid-key` if OSS doesn't take it.
pub(crate) fn to_bucket(prefix: &str, key: &str) -> Result<String, Error> {
    let full = format!("{prefix}{key}");
    if full.len() > MAX_KEY_BYTES {
        let message =
            format!("the key {} has {} bytes with its prefix; OSS takes {MAX_KEY_BYTES}", quote(key), full.len());
        return Err(error::invalid_key(message));
    }
    if full.starts_with('\\') {
        return Err(error::invalid_key(format!("the key {} begins with a backslash, which OSS refuses", quote(key))));
    }
    Ok(full)
}

/// A query's name or value, or a tag's.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, &ESCAPED).to_string()
}

/// A key in a URL's path, or a symlink's target in its header.
pub(crate) fn escaped_path(text: &str) -> String {
    utf8_percent_encode(text, &ESCAPED_IN_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_rfc_3986() {
        assert_eq!(escaped_path("a b/c+d%é~-_."), "a%20b/c%2Bd%25%C3%A9~-_.");
        assert_eq!(escaped("a/b=c"), "a%2Fb%3Dc");
    }

    #[test]
    fn a_key_that_oss_does_not_take_is_refused() {
        assert_eq!(to_bucket("nas/", "a").as_deref(), Ok("nas/a"));
        for refused in [to_bucket("nas/", &"a".repeat(1020)), to_bucket("", "\\a")] {
            assert_eq!(refused.map_err(|error| error.code), Err("invalid-key".to_owned()));
        }
    }
}
