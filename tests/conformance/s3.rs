//! Buckets on SeaweedFS, which has no order, and on s3s-fs, which has; signatures checked by both.

use super::{assert_conforms, assert_conforms_but_for, suite, tables};
use crate::harness::{
    Scratch,
    s3s::S3s,
    seaweed::{self, ACCESS_KEY, Seaweed},
    store::Store,
};

/// A bucket keeps neither folders, links nor times, and objects come one by one; it doesn't tell whose
/// an upload is, so there's nothing to sweep.
const NOT: &[&str] = &[
    "batch-put",
    "batch-put-never",
    "batch-put-wrong-checksum",
    "batch-read",
    "batch-read-changed",
    "batch-read-missing",
    "directories",
    "directories-full",
    "modified",
    "sweep-keeps",
    "sweep-leaves-others",
    "sweep-removes-own",
    "symlinks",
];

/// A listing without order.
const UNORDERED: &[&str] = &["listing-after", "listing-ordered"];
/// s3s-fs tells no checksum of the whole of an upload.
const NO_UPLOAD_CHECKSUMS: &[&str] = &["upload-checksums", "upload-wrong-checksum"];
/// SeaweedFS takes a backslash for a slash.
const SEAWEED_FAULTS: &[&str] = &["keys-backslash"];
/// s3s-fs says that its listings are URL-encoded and doesn't encode them, so keys with a percent sign come
/// as others, which can't be deleted, and a listing with a control character isn't XML, so nothing is listed
/// any more while such a key is there; it keeps files of metadata whose names are longer than the keys; and
/// it doesn't say that it doesn't know an upload.
const S3S_FAULTS: &[&str] = &[
    "dropped-listing",
    "keys-case",
    "keys-control",
    "keys-deep",
    "keys-escapes",
    "keys-long",
    "leaves-nothing",
    "upload-aborted",
    "upload-parts-told",
];

#[test]
fn a_bucket_of_seaweedfs_conforms() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["one"]);
    let end = server.bucket("one");
    let both = tables(&scratch, "both.toml", Some(&end), Some(&end));
    let wrong = seaweed::end(&server.endpoint(), "one", ACCESS_KEY, "not-the-secret");
    let denied = tables(&scratch, "denied.toml", Some(&wrong), Some(&wrong));
    let ended = suite(&scratch, "s3", &both, &["--denied", &denied]);
    assert_conforms_but_for(&ended, &[NOT, UNORDERED], SEAWEED_FAULTS);
    assert!(server.uploads("one").is_empty(), "uploads were left: {:?}", server.uploads("one"));
}

/// Keys that aren't odd are listed in order; the whole suite runs without that promise.
#[test]
fn a_bucket_of_s3s_fs_conforms() {
    let scratch = Scratch::new();
    let server = S3s::start(&scratch, &["one"]);
    let ordered = server.bucket("one");
    let both = tables(&scratch, "ordered.toml", Some(&ordered), Some(&ordered));
    assert_conforms(&suite(&scratch, "s3", &both, &["--case", "listing"]), &[]);
    let end = ordered.replace("ordered_listing = true", "ordered_listing = false");
    let both = tables(&scratch, "both.toml", Some(&end), Some(&end));
    let wrong = seaweed::end(&server.url(), "one", ACCESS_KEY, "not-the-secret");
    let denied = tables(&scratch, "denied.toml", Some(&wrong), Some(&wrong));
    let ended = suite(&scratch, "s3", &both, &["--denied", &denied]);
    assert_conforms_but_for(&ended, &[NOT, UNORDERED, NO_UPLOAD_CHECKSUMS], S3S_FAULTS);
}
