//! Directories get their attributes last, deepest first.

use super::*;
use crate::memory::{SinkFault, error};

fn position(log: &[String], line: &str) -> usize {
    log.iter().position(|each| each == line).unwrap_or_else(|| panic!("{line} isn't in {log:?}"))
}

#[tokio::test(start_paused = true)]
async fn attributes_come_after_the_content_and_deepest_first() {
    let mut sink = MemorySink::new(&SINK);
    sink.put_time = Duration::from_millis(7);
    let mut stage = Stage::new(MemorySource::new(&SOURCE), sink);
    let folders = ["a", "a/b", "a/b/c", "a/d", "e"];
    for folder in folders {
        stage.source.folder(folder);
        for number in 0..5 {
            stage.source.file(&format!("{folder}/{number}"), number * 4_000);
        }
    }
    stage.source.folder("a/b/empty");
    let summary = stage.run().await;
    assert_eq!((summary.state, summary.moved, summary.listed), (State::Finished, 26, 26));
    stage.assert_identical();
    let log = stage.sink.log();
    for folder in folders {
        let due = position(&log, &format!("put {folder}"));
        let below = format!("{folder}/");
        let last = log.iter().rposition(|line| line.split_once(' ').is_some_and(|(_, key)| key.starts_with(&below)));
        assert!(last.is_some_and(|last| last < due), "{folder} in {log:?}");
        assert_eq!(log.iter().filter(|line| **line == format!("put {folder}")).count(), 1);
    }
    assert!(position(&log, "put a/b/c") < position(&log, "put a/b"));
    assert!(position(&log, "put a/b/empty") < position(&log, "put a/b"));
    assert!(position(&log, "put a/b") < position(&log, "put a"));
}

#[tokio::test(start_paused = true)]
async fn only_directories_that_changed_are_put_again() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    for folder in ["a", "a/b", "c"] {
        stage.source.folder(folder);
        stage.source.file(&format!("{folder}/file"), 10);
    }
    stage.run().await;
    lock(&stage.sink.log).clear();
    stage.source.file("a/b/new", 10);
    stage.run().await;
    assert_eq!(stage.sink.log(), ["put a/b/new", "put a/b", "put a"]);

    lock(&stage.sink.log).clear();
    for (object, _) in lock(&stage.source.items).values_mut() {
        if object.key.as_str() == "c" {
            object.attributes.insert("posix.mode".into(), "0700".into());
        }
    }
    stage.run().await;
    assert_eq!(stage.sink.log(), ["put c"]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_of_which_nothing_is_selected_is_not_made() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    for folder in ["a", "a/b", "c"] {
        stage.source.folder(folder);
        stage.source.file(&format!("{folder}/file"), 10);
    }
    let mut include = globset::GlobSetBuilder::new();
    include.add(globset::Glob::new("c/*").expect("a glob"));
    stage.job.selection.include = Some(include.build().expect("globs"));
    stage.run().await;
    assert_eq!(stage.sink.log(), ["put c/file", "put c"]);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_fails_is_counted_and_its_parents_are_still_put() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    for folder in ["a", "a/b"] {
        stage.source.folder(folder);
        stage.source.file(&format!("{folder}/file"), 10);
    }
    stage.sink.fault("put", "a/b", [SinkFault::Fail(error(Code::PERMISSION_DENIED))]);
    let summary = stage.run().await;
    assert_eq!(stage.told(), ["failed a/b permission-denied 1", "moved a/b/file 1", "moved a/file 1"]);
    assert_eq!((summary.listed, summary.failed), (3, 1));
    assert_eq!(stage.sink.log().last().map(String::as_str), Some("put a"));
}

#[tokio::test(start_paused = true)]
async fn deep_and_wide_trees_do_not_pile_up() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    let mut deep = String::from("0");
    for depth in 0..200 {
        stage.source.folder(&deep);
        deep = format!("{deep}/{depth}");
    }
    stage.source.file(&deep, 1);
    for number in 0..3_000 {
        stage.source.folder(&format!("wide-{number}"));
        stage.source.file(&format!("wide-{number}/file"), 0);
    }
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.state), (3_001, State::Finished));
    stage.assert_identical();
}
