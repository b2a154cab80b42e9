//! What OSS tells of an object, in the contract's words: listed, looked up, or opened.

use culvert_sdk::{
    http::Response,
    time,
    types::{Attribute, Checksum, Object},
    xml::Element,
};

/// Headers of user metadata begin with it.
const METADATA: &str = "x-oss-meta-";
/// What the contract calls the names of user metadata.
pub(crate) const USER: &str = "user.";
/// The attribute with a symlink's target.
pub(crate) const TARGET: &str = "posix.target";
/// The contract's name of the CRC that OSS computes.
pub(crate) const CRC: &str = "crc64-xz";

/// An object of a listing. Its type, its checksum and its metadata aren't in there.
pub(crate) fn listed(key: String, it: &Element) -> Object {
    Object {
        key,
        kind: "file".to_owned(),
        size: it.text("Size").and_then(|size| size.parse().ok()),
        modified: it.text("LastModified").and_then(time::listed),
        version: it.text("ETag").map(str::to_owned),
        checksums: Vec::new(),
        attributes: it.text("StorageClass").map(|class| attribute("storage-class", class)).into_iter().collect(),
    }
}

/// An object that was looked up or opened, from its answer's headers.
pub(crate) fn answered(key: String, answer: &Response) -> Object {
    let mut attributes = Vec::new();
    attributes.extend(answer.header("content-type").map(|text| attribute("content-type", text)));
    attributes.extend(answer.header("x-oss-storage-class").map(|text| attribute("storage-class", text)));
    for (name, value) in answer.headers() {
        if let (Some(name), Ok(value)) = (name.strip_prefix(METADATA), std::str::from_utf8(value)) {
            attributes.push(attribute(&format!("{USER}{name}"), value));
        }
    }
    let size = match answer.header("content-range") {
        Some(range) => range.rsplit_once('/').map(|(_, total)| total),
        None => answer.header("content-length"),
    };
    Object {
        key,
        kind: "file".to_owned(),
        size: size.and_then(|text| text.parse().ok()),
        modified: answer.header("last-modified").and_then(time::of_header).map(time::instant),
        version: answer.header("etag").map(str::to_owned),
        checksums: crc(answer).map(checksum).into_iter().collect(),
        attributes,
    }
}

/// What was looked up as the symlink that it is.
pub(crate) fn symlink(it: Object, target: String) -> Object {
    let attributes = vec![Attribute { name: TARGET.to_owned(), value: target }];
    Object { kind: "symlink".to_owned(), size: Some(0), checksums: Vec::new(), attributes, ..it }
}

/// The CRC-64/XZ that an answer tells: of the whole object, or of the part that was sent.
pub(crate) fn crc(answer: &Response) -> Option<u64> {
    answer.header("x-oss-hash-crc64ecma")?.trim().parse().ok()
}

pub(crate) fn checksum(crc: u64) -> Checksum {
    Checksum { algorithm: CRC.to_owned(), value: crc.to_be_bytes().to_vec() }
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: name.to_owned(), value: value.to_owned() }
}

/// An attribute's value.
pub(crate) fn value<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
}
