//! Folders of this machine.

use std::fs;

use super::{NO_DENIED, assert_conforms, suite, tables};
use crate::harness::Scratch;

/// A folder isn't listed in order, and the store keeps no checksums.
const NOT: &[&str] = &["listing-after", "listing-ordered", "read-checksums", "upload-parts-told"];

#[test]
fn a_folder_conforms() {
    let scratch = Scratch::new();
    let path = format!("path = {:?}", scratch.path("store"));
    fs::create_dir(scratch.path("store")).unwrap();
    let tables = tables(&scratch, "both.toml", Some(&path), Some(&path));
    assert_conforms(&suite(&scratch, "local", &tables, &[]), &[NOT, NO_DENIED]);
    assert_eq!(fs::read_dir(scratch.path("store")).unwrap().count(), 0, "something was left");
}

/// The sink alone is read back; what is there stays as it is.
#[test]
fn a_folder_that_is_only_a_sink_conforms() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("store/theirs")).unwrap();
    fs::write(scratch.path("store/theirs/file"), "theirs").unwrap();
    let path = format!("path = {:?}", scratch.path("store"));
    let tables = tables(&scratch, "sink.toml", None, Some(&path));
    assert_conforms(&suite(&scratch, "local", &tables, &[]), &[NOT, NO_DENIED]);
    assert_eq!(fs::read(scratch.path("store/theirs/file")).unwrap(), b"theirs");
    assert_eq!(fs::read_dir(scratch.path("store")).unwrap().count(), 1, "something was left");
}

/// Nothing is written where there's only a source: what can be told of what is there is tested.
#[test]
fn a_folder_that_is_only_a_source_is_read_as_it_is() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("store/folder")).unwrap();
    fs::write(scratch.path("store/folder/file"), vec![7; 5_000]).unwrap();
    let path = format!("path = {:?}", scratch.path("store"));
    let tables = tables(&scratch, "source.toml", Some(&path), None);
    let ended = suite(&scratch, "local", &tables, &[]);
    ended.expect_code(0);
    let report = serde_json::from_str(&ended.output).unwrap();
    let cases = super::cases(&report);
    let passed: Vec<_> = cases.iter().filter(|(_, (result, _))| result == "passed").map(|(name, _)| name).collect();
    let expected = [
        "describe-capabilities",
        "describe-identity",
        "describe-schemas",
        "describe-starts",
        "dropped-listing",
        "dropped-reading",
        "listing-agrees-with-stat",
        "listing-beside-listing",
        "listing-complete",
        "listing-of-nothing",
        "listing-restartable",
        "read-beside-read",
        "read-empty-range",
        "read-in-pieces",
        "read-missing",
        "read-past-the-end",
        "read-ranges",
        "read-version",
        "read-whole",
        "stat-missing",
    ];
    assert_eq!(passed, expected);
    assert_eq!(cases["put-large"].1, "no [sink] is given");
}
