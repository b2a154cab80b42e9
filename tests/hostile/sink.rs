//! Hostile sinks and whole objects, with the real `local` connector as their source.

use std::fs;

use super::{LIMITS, codes, expected, hostile, run, scratch, together, ways};
use crate::harness::{Ended, Scratch};

/// A source with three good objects and one for each crime.
pub(super) fn stage(crimes: &[&str], size: u64) -> Scratch {
    let scratch = scratch();
    fs::create_dir(scratch.path("source")).unwrap();
    let bad = crimes.iter().map(|crime| (format!("bad-{crime}"), size));
    let good = [("good-0", 10), ("good-1", 0), ("good-2", 70_000)].map(|(name, size)| (name.to_owned(), size));
    for (name, size) in bad.chain(good) {
        let file = fs::File::create(scratch.path("source").join(name)).unwrap();
        file.set_len(size).unwrap();
    }
    scratch
}

pub(super) fn into(scratch: &Scratch, behaviour: &str, crimes: &[&str]) -> Ended {
    let sink = hostile(behaviour, crimes, &scratch.path("granted"));
    run(scratch, &scratch.pipeline_between(&scratch.local("source"), &sink, LIMITS))
}

/// Moves an object of this size into each crime: each fails with its code, the good ones are moved.
pub(super) fn fail_alone(crimes: &[(&str, &str)], size: u64) {
    let names: Vec<_> = crimes.iter().map(|(name, _)| *name).collect();
    let scratch = stage(&names, size);
    let ended = into(&scratch, "none", &names);
    ended.expect_code(2);
    assert_eq!(codes(&ended), expected(crimes));
    assert_eq!(ended.objects("moved"), 3);
}

/// More than the engine holds on the way to a sink.
const LARGE: u64 = 600_000;

#[test]
fn a_put_that_breaks_its_instance_fails_alone() {
    let mut crimes: Vec<_> = ["put", "stat"].iter().flat_map(|call| ways(call)).collect();
    crimes.push(("late-trap".to_owned(), "trap"));
    fail_alone(&crimes.iter().map(|(name, code)| (name.as_str(), *code)).collect::<Vec<_>>(), LARGE);
}

#[test]
fn a_put_that_lies_fails_alone() {
    let crimes = [
        ("stuck-put", "timeout"),
        ("deaf-put", "timeout"),
        ("tired-put", "timeout"),
        ("hasty-put", "protocol"),
        ("half-put", "protocol"),
        ("false-put", "no-space"),
        ("misname-put", "protocol"),
        ("missize-put", "checksum-mismatch"),
        ("mischeck-put", "checksum-mismatch"),
        ("oversized-put", "protocol"),
        ("misname-stat", "protocol"),
        // What's taken back is deleted, and that breaks the instance.
        ("loop-delete", "checksum-mismatch"),
        ("trap-delete", "checksum-mismatch"),
    ];
    fail_alone(&crimes, LARGE);
}

#[test]
fn a_put_that_never_looked_at_its_bytes_is_found() {
    // As few as the engine holds on the way: the sink has to have taken them all the same.
    fail_alone(&[("hasty-put", "protocol"), ("deaf-put", "protocol")], 10);
}

#[test]
fn a_sink_that_cannot_be_opened_ends_the_run() {
    together(&ways("configure"), |(behaviour, code)| {
        let scratch = stage(&[], 0);
        let ended = into(&scratch, behaviour, &[]);
        ended.expect_code(3);
        assert_eq!(ended.summary()["error"]["code"], *code, "{behaviour}");
    });
}

#[test]
fn a_check_that_breaks_its_instance_is_ended() {
    together(&ways("check"), |(behaviour, code)| {
        let scratch = stage(&[], 0);
        let hostile = hostile(behaviour, &[], &scratch.path("granted"));
        let local = scratch.local("source");
        for (source, sink, end) in [(&local, &hostile, 1), (&hostile, &scratch.local("sink"), 0)] {
            let pipeline = scratch.pipeline_between(source, sink, LIMITS);
            let check = super::in_time(scratch.engine(&["check", "--json", pipeline.to_str().unwrap()]));
            check.expect_code(3);
            assert_eq!(check.events_named("check")[end]["error"]["code"], *code, "{behaviour}: {}", check.output);
        }
    });
}

#[test]
fn a_sweep_that_breaks_its_instance_does_not_keep_the_run_from_moving() {
    together(&ways("sweep"), |(behaviour, _)| {
        let scratch = stage(&[], 0);
        // A run that didn't end in order: the next one sweeps.
        into(&scratch, "trap-configure", &[]).expect_code(3);
        let ended = into(&scratch, behaviour, &[]);
        ended.expect_code(0);
        assert_eq!(ended.objects("moved"), 3, "{behaviour}");
        assert!(ended.errors.contains("left at the sink"), "{behaviour}: {}", ended.errors);
    });
}

#[test]
fn a_flipped_bit_is_found_and_repaired() {
    let scratch = stage(&["flip-put"], LARGE);
    let ended = into(&scratch, "none", &["flip-put"]);
    // One attempt isn't enough for what was flipped.
    ended.expect_code(2);
    assert_eq!(codes(&ended), expected(&[("flip-put", "checksum-mismatch")]));
    assert!(!scratch.path("granted/bad-flip-put").exists(), "what is corrupt isn't left");
    fs::remove_file(scratch.path("granted/.flipped-bad-flip-put")).unwrap();

    let limits = LIMITS.replace("attempts = 1", "attempts = 3\nmax_backoff = \"100ms\"");
    let sink = hostile("none", &["flip-put"], &scratch.path("granted"));
    let ended = run(&scratch, &scratch.pipeline_between(&scratch.local("source"), &sink, &limits));
    ended.expect_code(0);
    let summary = ended.summary();
    assert_eq!((&summary["objects"]["repaired"], &summary["retries"]), (&1.into(), &1.into()), "{summary}");
    let name = "bad-flip-put";
    assert_eq!(
        fs::read(scratch.path("granted").join(name)).unwrap(),
        fs::read(scratch.path("source").join(name)).unwrap()
    );
}
