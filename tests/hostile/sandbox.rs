//! What a connector can see and touch of the machine: its folder, with the rights of its role, and
//! nothing else.

use std::{fs, os::unix::fs::symlink};

use super::{LIMITS, codes, expected, hostile, run, scratch};
use crate::harness::tree::Snapshot;

#[test]
fn nothing_of_the_machine_is_seen() {
    let scratch = scratch();
    let source = hostile("environment", &[], &scratch.path("granted"));
    let ended = run(&scratch, &scratch.pipeline_between(&source, &scratch.local("sink"), LIMITS));
    ended.expect_code(0);
    // No variable, no argument, and a clock that stands still.
    assert!(scratch.path("sink/seen-0-0-0").exists(), "{}", ended.output);
    assert!(!ended.output.contains("a guest's line") && !ended.errors.contains("a guest's line"));
}

#[test]
fn a_source_neither_leaves_nor_changes_its_folder() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path("parent/granted")).unwrap();
    fs::write(scratch.path("parent/secret"), "secret").unwrap();
    fs::write(scratch.path("parent/granted/file"), "content").unwrap();
    symlink("..", scratch.path("parent/granted/link")).unwrap();
    let before = Snapshot::of(&scratch.path("parent"));
    let source = hostile("none", &["leave-source", "change-source"], &scratch.path("parent/granted"));
    let ended = run(&scratch, &scratch.pipeline_between(&source, &scratch.local("sink"), LIMITS));
    ended.expect_code(2);
    let closed = [("leave-source", "permission-denied"), ("change-source", "permission-denied")];
    assert_eq!(codes(&ended), expected(&closed), "{}", ended.output);
    before.assert_equals(&Snapshot::of(&scratch.path("parent")));
}

#[test]
fn a_sink_does_not_leave_its_folder() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path("parent/granted")).unwrap();
    fs::write(scratch.path("parent/victim"), "content").unwrap();
    fs::create_dir(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/bad-leave-sink"), "x").unwrap();
    let outside = || {
        let inside = |path: &&std::ffi::OsString| path.to_string_lossy().starts_with("granted");
        let parent = Snapshot::of(&scratch.path("parent"));
        let inside = parent.items().keys().filter(inside).cloned().collect::<Vec<_>>();
        parent.without(&inside)
    };
    let before = outside();
    let sink = hostile("none", &["leave-sink"], &scratch.path("parent/granted"));
    let ended = run(&scratch, &scratch.pipeline_between(&scratch.local("source"), &sink, LIMITS));
    ended.expect_code(2);
    assert_eq!(codes(&ended), expected(&[("leave-sink", "permission-denied")]), "{}", ended.output);
    before.assert_equals(&outside());
    assert!(scratch.path("parent/granted/up").is_symlink(), "the ways through links weren't tried");
}

#[test]
fn a_link_that_a_source_plants_leads_nothing_out_of_the_sink() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path("root/sink")).unwrap();
    let source = hostile("planted-link", &[], &scratch.path("granted"));
    let limits = LIMITS.replace("workers = 2", "workers = 1");
    let ended = run(&scratch, &scratch.pipeline_between(&source, &scratch.local("root/sink"), &limits));
    ended.expect_code(2);
    assert_eq!(ended.objects("failed"), 4, "{}", ended.output);
    // Links are kept as they are; nothing goes through them.
    assert_eq!(fs::read_link(scratch.path("root/sink/up")).unwrap(), std::path::Path::new(".."));
    assert_eq!(fs::read_dir(scratch.path("root")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(scratch.path("granted")).unwrap().count(), 0);
}
