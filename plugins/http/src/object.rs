//! An answer's head as an object, and a version as the condition of the next request. Reads no body.

use culvert_sdk::{
    http::Response,
    time,
    types::{Attribute, Object},
};

/// How a version begins that is only a time, in seconds since 1970: weak, since two writes within a
/// second may have one.
const BY_TIME: &str = "W/time-";

/// The object of this key that a head tells of; `size` where the answer itself isn't the whole of it.
pub(crate) fn object(key: &str, response: &Response, size: Option<u64>) -> Object {
    let modified = response.header("last-modified").and_then(|date| time::of_header(date.trim()));
    let content_type = response
        .header("content-type")
        .map(|value| Attribute { name: "content-type".to_owned(), value: value.to_owned() });
    let tag = response.header("etag").map(|tag| tag.trim().to_owned()).filter(|tag| is_tag(tag));
    Object {
        size,
        modified: modified.map(time::instant),
        version: tag.or_else(|| modified.map(|seconds| format!("{BY_TIME}{seconds}"))),
        attributes: content_type.into_iter().collect(),
        ..Object::file(key, 0)
    }
}

/// Asks for this version and no other (RFC 9110, section 13.1). None for a weak tag, which `If-Match`
/// doesn't compare.
pub(crate) fn condition(version: &str) -> Option<(String, Vec<u8>)> {
    if let Some(seconds) = version.strip_prefix(BY_TIME) {
        let date = time::to_header(seconds.parse().ok()?);
        return Some(("if-unmodified-since".to_owned(), date.into_bytes()));
    }
    (!version.starts_with("W/")).then(|| ("if-match".to_owned(), version.as_bytes().to_vec()))
}

/// What the header says of the whole answer.
pub(crate) fn length(response: &Response) -> Option<u64> {
    response.header("content-length")?.trim().parse().ok()
}

/// First byte and size of the whole, from `bytes 5-9/10` or `bytes */10`; none of what isn't said.
pub(crate) fn content_range(response: &Response) -> (Option<u64>, Option<u64>) {
    let Some(rest) = response.header("content-range").and_then(|it| it.trim().strip_prefix("bytes ")) else {
        return (None, None);
    };
    let Some((range, size)) = rest.split_once('/') else { return (None, None) };
    (range.split_once('-').and_then(|(first, _)| first.trim().parse().ok()), size.trim().parse().ok())
}

/// An entity tag (RFC 9110, section 8.8.3), in ASCII.
fn is_tag(tag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    opaque.len() >= 2
        && opaque.starts_with('"')
        && opaque.ends_with('"')
        && opaque.bytes().all(|it| it.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_condition() {
        let condition = |version| condition(version).map(|(name, value)| (name, String::from_utf8(value)));
        assert_eq!(condition("\"x\""), Some(("if-match".to_owned(), Ok("\"x\"".to_owned()))));
        assert_eq!(condition("W/\"x\""), None);
        let date = "Thu, 01 Jan 1970 00:00:05 GMT".to_owned();
        assert_eq!(condition("W/time-5"), Some(("if-unmodified-since".to_owned(), Ok(date))));
    }

    #[test]
    fn a_tag_is_in_quotes() {
        assert!(is_tag("\"x\"") && is_tag("W/\"x\"") && is_tag("\"\""));
        assert!(!is_tag("x") && !is_tag("\"") && !is_tag("W/") && !is_tag("\"a b\"") && !is_tag("\"ä\""));
    }
}
