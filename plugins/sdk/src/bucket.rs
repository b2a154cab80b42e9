//! What stores with buckets have in common: keys below a prefix, escaped as listings have them, and
//! listings, flat and of one level. Asks no store by itself.

mod flat;
mod level;
mod split;

use percent_encoding::percent_decode_str;

pub use self::{
    flat::{Begin, Listed, Page, Terms, list},
    level::{Level, folder_object, list_folder},
};
use crate::{
    error::{self, quote},
    types::{Entry, Unreadable},
};

/// The object that a key of the bucket stands for, and whether it's the marker of a folder: a key
/// that ends with a slash.
pub fn from_bucket<'a>(prefix: &str, full: &'a str) -> (&'a str, bool) {
    let key = full.strip_prefix(prefix).unwrap_or(full);
    match key.strip_suffix('/') {
        Some(folder) => (folder, true),
        None => (key, false),
    }
}

/// A key as a listing has it with `encoding-type=url`. The error is the text as far as it's UTF-8.
///
/// # Errors
/// It isn't UTF-8.
pub fn decoded(encoded: &str) -> Result<String, String> {
    let spaced = encoded.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// An ETag in one form: stores write them with and without quotes.
pub fn quoted(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}

/// What is said of a key that [`decoded`] refused.
pub fn not_text(lossy: String) -> Entry {
    let error = error::invalid_key(format!("the key {} isn't UTF-8", quote(&lossy)));
    Entry::Unreadable(Unreadable { key: lossy, error })
}

fn unmovable(full: &str, why: &str) -> Entry {
    let error = error::invalid_key(format!("the key {} {why}: it can't be moved", quote(full)));
    Entry::Unreadable(Unreadable { key: full.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_taken_off_and_markers_are_known() {
        assert_eq!(from_bucket("nas/", "nas/a/b"), ("a/b", false));
        assert_eq!(from_bucket("nas/", "nas/a/"), ("a", true));
        assert_eq!(from_bucket("", "a//b"), ("a//b", false));
    }

    #[test]
    fn listed_keys_come_back_as_they_went() {
        assert_eq!(decoded("a%20b+c%2Bd/%C3%A9%25").as_deref(), Ok("a b c+d/é%"));
        assert!(decoded("a%FFb").is_err_and(|lossy| lossy.starts_with('a')));
    }
}
