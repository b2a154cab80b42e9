//! nginx: read only, so what is there already is listed and read.

use std::fs;

use super::{cases, suite, tables};
use crate::harness::{Scratch, nginx::Nginx};

/// Nothing is written where there's only a source; no order, no checksums, no folder that was made.
const PASSED: [&str; 20] = [
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

#[test]
fn an_index_page_conforms() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    fs::create_dir_all(server.path("folder/deeper")).unwrap();
    for (name, size) in [("folder/file", 5_000), ("folder/deeper/ü b", 70_000), ("other", 300_000), ("empty", 0)] {
        fs::write(server.path(name), vec![7; size]).unwrap();
    }
    let source = format!("index = \"{}\"", server.url(""));
    let tables_ = tables(&scratch, "source.toml", Some(&source), None);
    let denied = tables(&scratch, "denied.toml", Some(&format!("index = \"{}\"", server.url("private/"))), None);
    let ended = suite(&scratch, "http", &tables_, &["--denied", &denied]);
    let report = serde_json::from_str(&ended.output).unwrap();
    let cases = cases(&report);
    let of = |result: &str| -> Vec<_> {
        cases.iter().filter(|(_, (it, _))| it == result).map(|(name, it)| (name.as_str(), &it.1)).collect()
    };
    assert_eq!(of("failed"), [], "{}", ended.errors);
    let mut expected = [&PASSED[..], &["denied"]].concat();
    expected.sort_unstable();
    assert_eq!(of("passed").into_iter().map(|(name, _)| name).collect::<Vec<_>>(), expected);
    ended.expect_code(0);
}
