//! Hostile readings, with the real `local` connector as their sink.

use std::fs;

use super::{LIMITS, codes, expected, hostile, run, scratch};
use crate::harness::{Scratch, tree::Snapshot};

/// Runs a source with these crimes, each on its object: each fails with its code, the others are
/// moved, and there is nothing else.
fn fail_alone(crimes: &[(&str, &str)], more: &str) {
    let scratch = scratch();
    fs::create_dir(scratch.path("granted")).unwrap();
    fs::write(scratch.path("granted/file"), "x").unwrap();
    let names: Vec<_> = crimes.iter().map(|(name, _)| *name).collect();
    let source = hostile("none", &names, &scratch.path("granted"));
    let limits = LIMITS.replace("[transfer]\n", &format!("[transfer]\n{more}\n"));
    let ended = run(&scratch, &scratch.pipeline_between(&source, &scratch.local("root/sink"), &limits));
    ended.expect_code(2);
    assert_eq!(codes(&ended), expected(crimes));
    assert_eq!(ended.objects("moved"), 5);
    assert_good_ones(&scratch);
}

/// The five good objects are whole, and there is nothing else, neither at the sink nor beside it.
fn assert_good_ones(scratch: &Scratch) {
    let root = Snapshot::of(&scratch.path("root"));
    let names: Vec<_> = root.items().keys().map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["sink", "sink/good-0", "sink/good-1", "sink/good-2", "sink/good-3", "sink/good-4"]);
    for name in &names[1..] {
        assert_eq!(fs::read(scratch.path("root").join(name)).unwrap(), [7; 10], "{name}");
    }
}

#[test]
fn a_reading_that_breaks_its_instance_fails_alone() {
    let calls = ["read", "data", "outcome"];
    let crimes: Vec<_> = calls.iter().flat_map(|call| super::ways(call)).collect();
    fail_alone(&crimes.iter().map(|(name, code)| (name.as_str(), *code)).collect::<Vec<_>>(), "");
}

#[test]
fn a_reading_that_lies_fails_alone() {
    let crimes = [
        ("misname-read", "protocol"),
        ("resize-read", "changed"),
        ("longer", "changed"),
        ("shorter", "truncated"),
        ("stuck-data", "timeout"),
        ("endless-data", "changed"),
        ("empty-data", "timeout"),
        ("silent-outcome", "timeout"),
        ("false-outcome", "io"),
        ("escaping-error", "internal"),
    ];
    fail_alone(&crimes, "");
}

#[test]
fn a_reading_without_measure_fails_alone() {
    fail_alone(&[("gigantic", "unsupported"), ("wild-offset", "too-large")], "verify = \"size\"");
}

#[test]
fn a_reading_that_hoards_fails_alone() {
    fail_alone(&[("hoard-read", "limit"), ("hoard-files", "limit")], "");
}

#[test]
fn an_object_that_cannot_be_looked_up_again_fails_alone() {
    // Nothing asks for it but a second attempt.
    fail_alone(&[("longer", "changed")], "");
}
