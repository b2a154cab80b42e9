//! Hostile sinks, with the real `local` connector as their source.

use std::fs;

use super::{LIMITS, hostile, run};
use crate::harness::{Ended, Scratch, tree::Snapshot};

fn stage(files: &[(&str, usize)]) -> Scratch {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("source")).unwrap();
    for (name, size) in files {
        fs::write(scratch.path("source").join(name), vec![7; *size]).unwrap();
    }
    scratch
}

fn into(scratch: &Scratch, sink: &str) -> Ended {
    run(scratch, &scratch.pipeline_between(&scratch.local("source"), sink, LIMITS))
}

#[test]
fn a_bad_object_fails_alone() {
    for (behaviour, code) in [
        ("loop-put", "limit"),
        ("allocate-put", "limit"),
        ("trap-put", "trap"),
        ("overflow-put", "trap"),
        ("loop-stat", "limit"),
        ("stuck-put", "timeout"),
        ("hasty-put", "protocol"),
        ("misname-put", "protocol"),
        ("missize-put", "checksum-mismatch"),
        ("mischeck-put", "checksum-mismatch"),
    ] {
        let scratch = stage(&[("good-0", 10), ("bad", 600_000), ("good-1", 0), ("good-2", 70_000)]);
        let ended = into(&scratch, &hostile(behaviour, &scratch.path("empty")));
        ended.expect_code(2);
        let failures = ended.failures();
        assert_eq!(failures.len(), 1, "{behaviour}: {failures:?}");
        assert_eq!(failures[0].0, "bad", "{behaviour}");
        assert_eq!(failures[0].1, code, "{behaviour}: {}", ended.output);
        assert_eq!(ended.objects("moved"), 3, "{behaviour}");
    }
}

#[test]
fn a_bad_upload_fails_alone() {
    for (behaviour, code) in [
        ("loop-begin", "limit"),
        ("huge-token", "protocol"),
        ("loop-write-part", "limit"),
        ("trap-write-part", "trap"),
        ("wrong-receipt", "protocol"),
        ("huge-receipt", "protocol"),
        ("loop-commit", "limit"),
        ("trap-commit", "trap"),
    ] {
        let scratch = stage(&[("good", 10), ("large", 11 << 20)]);
        let ended = into(&scratch, &hostile(behaviour, &scratch.path("empty")));
        ended.expect_code(2);
        assert_eq!(ended.failures(), [("large".to_owned(), code.to_owned())], "{behaviour}");
        assert_eq!(ended.objects("moved"), 1, "{behaviour}");
    }
}

#[test]
fn a_sink_that_cannot_be_opened_ends_the_run() {
    for (behaviour, code) in [("loop-configure", "limit"), ("trap-configure", "trap")] {
        let scratch = stage(&[("a", 1)]);
        let ended = into(&scratch, &hostile(behaviour, &scratch.path("empty")));
        ended.expect_code(3);
        assert_eq!(ended.summary()["error"]["code"], code, "{behaviour}");
    }
}

#[test]
fn a_check_that_never_ends_is_ended() {
    let scratch = stage(&[]);
    let pipeline =
        scratch.pipeline_between(&scratch.local("source"), &hostile("loop-check", &scratch.path("empty")), LIMITS);
    let check = scratch.engine(&["check", "--json", pipeline.to_str().unwrap()]);
    check.expect_code(3);
    assert_eq!(check.events_named("check")[1]["error"]["code"], "limit");
}

#[test]
fn a_sink_does_not_leave_its_folder() {
    let scratch = stage(&[("bad", 10)]);
    let granted = scratch.path("parent/granted");
    fs::create_dir_all(&granted).unwrap();
    let ended = into(&scratch, &hostile("leave-root", &granted));
    ended.expect_code(2);
    assert_eq!(ended.failures(), [("bad".to_owned(), "permission-denied".to_owned())]);
    let outside: Vec<_> = Snapshot::of(&scratch.path("parent")).items().keys().cloned().collect();
    assert!(outside.iter().all(|path| path.to_string_lossy().starts_with("granted")), "{outside:?}");
    assert!(!std::path::Path::new("/tmp/culvert-planted").exists());
}
