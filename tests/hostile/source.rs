//! Hostile sources, with the real `local` connector as their sink.

use std::{fs, os::unix::fs::symlink};

use super::{LIMITS, hostile, run};
use crate::harness::{Ended, Scratch, tree::Snapshot};

fn from(behaviour: &str) -> (Scratch, Ended) {
    let scratch = Scratch::new();
    let pipeline =
        scratch.pipeline_between(&hostile(behaviour, &scratch.path("empty")), &scratch.local("root/sink"), LIMITS);
    let ended = run(&scratch, &pipeline);
    // Nothing but the sink's own folder.
    let around: Vec<_> = fs::read_dir(scratch.path("root"))
        .map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().file_name()).collect());
    assert!(around.is_empty() || around == ["sink"], "{behaviour}: {around:?}");
    (scratch, ended)
}

fn codes(ended: &Ended) -> Vec<String> {
    let mut codes: Vec<_> = ended.failures().into_iter().map(|(key, code)| format!("{key} {code}")).collect();
    codes.sort();
    codes
}

/// The five good objects are whole, and there is nothing else.
fn assert_good_ones(scratch: &Scratch, behaviour: &str) {
    let sink = Snapshot::of(&scratch.path("root/sink"));
    let names: Vec<_> = sink.items().keys().map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["good-0", "good-1", "good-2", "good-3", "good-4"], "{behaviour}");
    for name in names {
        assert_eq!(fs::read(scratch.path("root/sink").join(name)).unwrap(), [7; 10], "{behaviour}");
    }
}

#[test]
fn a_bad_object_fails_alone() {
    for (behaviour, code) in [
        ("loop-read", "limit"),
        ("allocate-read", "limit"),
        ("trap-read", "trap"),
        ("overflow-read", "trap"),
        ("misname-read", "protocol"),
        ("longer", "changed"),
        ("shorter", "truncated"),
        ("stuck-data", "timeout"),
        ("endless-data", "changed"),
        ("silent-outcome", "timeout"),
        ("false-outcome", "io"),
        ("escapes", "internal"),
    ] {
        let (scratch, ended) = from(behaviour);
        ended.expect_code(2);
        assert_eq!(codes(&ended), [format!("bad {code}")], "{behaviour}");
        assert_eq!(ended.objects("moved"), 5, "{behaviour}");
        assert_good_ones(&scratch, behaviour);
    }
}

#[test]
fn a_source_that_cannot_be_opened_or_listed_ends_the_run() {
    for (behaviour, code) in [
        ("loop-configure", "limit"),
        ("allocate-configure", "limit"),
        ("trap-configure", "trap"),
        ("loop-list", "limit"),
        ("allocate-list", "limit"),
        ("trap-list", "trap"),
        ("overflow-list", "trap"),
        ("stalled-listing", "timeout"),
        ("endless-listing", "timeout"),
    ] {
        let (_scratch, ended) = from(behaviour);
        ended.expect_code(3);
        assert_eq!(ended.summary()["state"], "failed", "{behaviour}");
        assert_eq!(ended.summary()["error"]["code"], code, "{behaviour}");
    }
}

#[test]
fn keys_that_lead_out_are_reported_and_never_written() {
    let (scratch, ended) = from("keys");
    ended.expect_code(2);
    let failures = ended.failures();
    assert_eq!(failures.len(), 9, "{failures:?}");
    assert!(failures.iter().all(|(_, code)| code == "invalid-key"), "{failures:?}");
    assert_eq!(ended.objects("moved"), 6);
    assert_eq!(Snapshot::of(&scratch.path("root/sink")).items().len(), 6);
}

#[test]
fn a_folder_that_leads_out_or_contains_itself_is_reported() {
    let (_scratch, ended) = from("folders");
    assert!(matches!(ended.code, Some(2 | 3)), "{:?}", ended.code);
    assert!(ended.objects("failed") > 0);
}

#[test]
fn oversized_records_are_refused() {
    let (_scratch, ended) = from("records");
    ended.expect_code(2);
    let failures = ended.failures();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures.iter().all(|(key, _)| key.len() < 10_000));
}

#[test]
fn a_wide_listing_does_not_sit_in_memory() {
    let scratch = Scratch::new();
    let pipeline = scratch.pipeline_between(
        &hostile("wide-listing", &scratch.path("empty")),
        &hostile("none", &scratch.path("void")),
        LIMITS,
    );
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    let mut peak = 0;
    while running.ended().is_none() {
        peak = peak.max(crate::harness::peak_kib(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.wait();
    assert!(peak / 1024 < 250, "{peak} KiB");
}

#[test]
fn nothing_of_the_machine_is_seen() {
    let (scratch, ended) = from("environment");
    ended.expect_code(0);
    // No variable, no argument, and a clock that stands still.
    assert!(scratch.path("root/sink/env-0-0-0").exists(), "{}", ended.output);
}

#[test]
fn a_source_neither_leaves_nor_changes_its_folder() {
    for behaviour in ["leave-root", "write-source"] {
        let scratch = Scratch::new();
        let folder = scratch.path("granted");
        fs::create_dir(&folder).unwrap();
        fs::write(scratch.path("secret"), "secret").unwrap();
        symlink("..", folder.join("link")).unwrap();
        let source = hostile(behaviour, &folder);
        let ended = run(&scratch, &scratch.pipeline_between(&source, &scratch.local("sink"), LIMITS));
        assert_eq!(Snapshot::of(&folder).items().len(), 1, "something was planted");
        if behaviour == "leave-root" {
            assert_eq!(codes(&ended), ["bad permission-denied"]);
        } else {
            ended.expect_code(0);
            assert!(scratch.path("sink/refused").exists());
        }
    }
}
