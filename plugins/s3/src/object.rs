//! What a store tells of an object, in the contract's words: listed, looked up, or opened.

use aws_sdk_s3::types::Object as Listed;
use base64::{Engine, engine::general_purpose::STANDARD};
use culvert_sdk::{
    http::Response,
    time,
    types::{Attribute, Checksum, Object},
};

/// Length of an MD5 in hex digits.
const MD5_DIGITS: usize = 32;
/// Headers of user metadata begin with it.
pub(crate) const METADATA: &str = "x-amz-meta-";

/// An object of a listing, in whole seconds: headers tell no fractions. Its type and metadata aren't in there.
pub(crate) fn listed(key: String, it: &Listed) -> Object {
    Object {
        key,
        kind: "file".to_owned(),
        size: it.size.and_then(|size| u64::try_from(size).ok()),
        modified: it.last_modified.as_ref().map(|time| time::instant(time.secs())),
        version: it.e_tag.clone(),
        checksums: Vec::new(),
        attributes: it.storage_class.iter().map(|class| attribute("storage-class", class.as_str())).collect(),
    }
}

/// An object that was looked up as a whole.
pub(crate) fn looked_up(key: String, answer: &Response, etag_is_md5: bool) -> Object {
    let size = answer.header("content-length").and_then(|text| text.parse().ok());
    opened(key, size, answer, etag_is_md5)
}

/// An object that was opened, from its answer's headers. `size` is that of the whole object.
pub(crate) fn opened(key: String, size: Option<u64>, answer: &Response, etag_is_md5: bool) -> Object {
    let mut attributes = Vec::new();
    attributes.extend(answer.header("content-type").map(|text| attribute("content-type", text)));
    attributes.extend(answer.header("x-amz-storage-class").map(|text| attribute("storage-class", text)));
    for (name, value) in answer.headers() {
        if let (Some(name), Ok(value)) = (name.strip_prefix(METADATA), std::str::from_utf8(value)) {
            attributes.push(attribute(&format!("user.{name}"), value));
        }
    }
    Object {
        key,
        kind: "file".to_owned(),
        size,
        modified: answer.header("last-modified").and_then(time::of_header).map(time::instant),
        version: answer.header("etag").map(str::to_owned),
        checksums: checksums_of(answer, etag_is_md5),
        attributes,
    }
}

/// The checksums in an answer's headers: what the store computed over the whole object.
pub(crate) fn checksums_of(answer: &Response, etag_is_md5: bool) -> Vec<Checksum> {
    let opaque = !etag_is_md5
        || answer.header("x-amz-server-side-encryption-customer-algorithm").is_some()
        || answer.header("x-amz-server-side-encryption").is_some_and(|kind| kind.starts_with("aws:"));
    checksums(answer.header("etag").filter(|_| !opaque), answer.header("x-amz-checksum-crc64nvme"))
}

/// From an ETag, which is the MD5 of what was put in one request, and a CRC-64 in base64, which is
/// always the whole object's.
pub(crate) fn checksums(etag: Option<&str>, crc64: Option<&str>) -> Vec<Checksum> {
    let md5 = etag.and_then(md5).map(|value| Checksum { algorithm: "md5".to_owned(), value });
    let crc64 = crc64.and_then(|text| STANDARD.decode(text).ok()).filter(|value| value.len() == 8);
    let crc64 = crc64.map(|value| Checksum { algorithm: "crc64-nvme".to_owned(), value });
    crc64.into_iter().chain(md5).collect()
}

/// The MD5 in an ETag; none if it's another kind of tag.
pub(crate) fn md5(etag: &str) -> Option<Vec<u8>> {
    let digits = etag.strip_prefix('"')?.strip_suffix('"')?;
    if digits.len() != MD5_DIGITS || !digits.is_ascii() {
        return None;
    }
    (0..MD5_DIGITS).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: name.to_owned(), value: value.to_owned() }
}

/// An attribute's value.
pub(crate) fn value<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_an_md5_only_if_it_looks_like_one() {
        assert_eq!(md5("\"900150983cd24fb0d6963f7d28e17f72\"").map(|it| it[0]), Some(0x90));
        for other in ["\"900150983cd24fb0d6963f7d28e17f72-3\"", "900150983cd24fb0d6963f7d28e17f72", "\"\"", "W/\"a\""] {
            assert_eq!(md5(other), None, "{other}");
        }
    }

    #[test]
    fn a_crc_is_eight_bytes_in_base64() {
        assert_eq!(checksums(None, Some("rosUhgp5mIg=")).len(), 1);
        assert!(checksums(None, Some("AAAA")).is_empty() && checksums(None, Some("?")).is_empty());
    }
}
