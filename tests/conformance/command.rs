//! The command itself: its formats, its arguments, its exit codes.

use std::fs;

use super::{suite, tables};
use crate::harness::Scratch;

fn both(scratch: &Scratch) -> String {
    let path = format!("path = {:?}", scratch.path("store"));
    fs::create_dir(scratch.path("store")).unwrap();
    tables(scratch, "both.toml", Some(&path), Some(&path))
}

#[test]
fn some_cases_in_every_format() {
    let scratch = Scratch::new();
    let both = both(&scratch);
    let asked = ["connector", "test", "local", &both, "--case", "delete", "--case", "put-empty"];
    let table = scratch.engine(&asked);
    table.expect_code(0);
    let lines: Vec<_> = table.output.lines().collect();
    assert_eq!(lines.len(), 6, "{}", table.output);
    assert!(lines[0].starts_with("passed  put-empty ") && lines[4].starts_with("passed  leaves-nothing "));
    assert!(lines[5].starts_with("local ") && lines[5].contains(": 5 passed, 0 failed, 0 n/a (seed "));
    let xml = scratch.path("report.xml");
    let junit = [&asked[..], &["--format", "junit", "--output", xml.to_str().unwrap()]].concat();
    let ended = scratch.engine(&junit);
    ended.expect_code(0);
    assert_eq!(ended.output, "");
    let xml = fs::read_to_string(xml).unwrap();
    assert!(xml.contains("<testsuite name=\"local\" tests=\"5\" failures=\"0\" errors=\"0\" skipped=\"0\""), "{xml}");
    assert!(xml.contains("<testcase classname=\"local.replacing\" name=\"delete-beside\""), "{xml}");
}

#[test]
fn a_seed_makes_the_same_folder_again() {
    let scratch = Scratch::new();
    let both = both(&scratch);
    let folder = |more: &[&str]| {
        let ended = suite(&scratch, "local", &both, &[&["--case", "put-empty"], more].concat());
        let report: serde_json::Value = serde_json::from_str(&ended.output).unwrap();
        (report["folder"].clone(), report["seed"].as_str().unwrap().to_owned())
    };
    let (first, seed) = folder(&[]);
    assert_eq!(folder(&["--seed", &seed]).0, first);
    assert_ne!(folder(&[]).0, first);
}

#[test]
fn what_is_wrong_is_told_before_anything_is_written() {
    let scratch = Scratch::new();
    let both = both(&scratch);
    let neither = tables(&scratch, "neither.toml", None, None);
    let other = tables(&scratch, "other.toml", Some("connector = \"s3\"\npath = \"/x\""), None);
    let unknown = tables(&scratch, "unknown.toml", Some("paht = \"/x\""), None);
    for (connector, tables, more, said) in [
        ("local", &both, &["--case", "put-nothing"][..], "there is no case \"put-nothing\""),
        ("lcoal", &both, &[], "did you mean \"local\"?"),
        ("local", &neither, &[], "neither a source nor a sink"),
        ("local", &other, &[], "another connector"),
        ("local", &unknown, &[], "paht"),
    ] {
        let ended = suite(&scratch, connector, tables, more);
        ended.expect_code(1);
        assert!(ended.errors.contains(said), "{said:?} isn't in: {}", ended.errors);
    }
    assert_eq!(fs::read_dir(scratch.path("store")).unwrap().count(), 0);
}

#[test]
fn every_case_is_in_the_authors_guide() {
    let scratch = Scratch::new();
    let both = both(&scratch);
    let ended = suite(&scratch, "local", &both, &["--case", "none-of-them"]);
    let (_, names) = ended.errors.split_once("there are ").unwrap();
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/README.md")).unwrap();
    let names: Vec<_> = names.trim().split(", ").collect();
    assert!(names.len() > 80, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !guide.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "plugins/README.md doesn't tell of {missing:?}");
}
