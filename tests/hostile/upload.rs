//! Hostile sinks and objects in parts, with the real `local` connector as their source.

use super::{sink::fail_alone, ways};

/// Three parts.
const LARGE: u64 = 11 << 20;

#[test]
fn an_upload_that_breaks_its_instance_fails_alone() {
    let calls = ["begin", "write-part", "commit"];
    let crimes: Vec<_> = calls.iter().flat_map(|call| ways(call)).collect();
    fail_alone(&crimes.iter().map(|(name, code)| (name.as_str(), *code)).collect::<Vec<_>>(), LARGE);
}

#[test]
fn an_upload_that_lies_fails_alone() {
    let crimes = [
        ("huge-token", "protocol"),
        ("stuck-part", "timeout"),
        ("hasty-part", "protocol"),
        ("wrong-receipt", "protocol"),
        ("huge-receipt", "protocol"),
        ("missize-commit", "checksum-mismatch"),
        // Each refuses a part and then breaks down over being told to drop what it has.
        ("loop-abort", "too-large"),
        ("trap-abort", "too-large"),
        ("sleep-abort", "too-large"),
    ];
    fail_alone(&crimes, LARGE);
}
