//! Listings that break off, lie or point outside.

use super::*;
use crate::{
    memory::{SourceFault, error, object, trap},
    object::{Entry, Kind, Object},
};

fn file(text: &str) -> Result<Entry, Error> {
    Ok(Entry::Object(object(text, Kind::File, Some(1))))
}

fn folder(text: &str) -> Result<Entry, Error> {
    Ok(Entry::Folder(object(text, Kind::Directory, None)))
}

fn stage(words: &[&str]) -> Stage {
    let mut words = words.to_vec();
    words.extend(SOURCE);
    Stage::new(MemorySource::new(&words), MemorySink::new(&SINK))
}

#[tokio::test(start_paused = true)]
async fn keys_outside_the_folder_are_refused() {
    let mut stage = stage(&[]);
    stage.source.file("a/good", 1);
    stage.source.script("", vec![folder("a")]);
    stage.source.script(
        "a",
        vec![
            file("b"),
            file("ab/c"),
            file("a"),
            folder("b"),
            folder("a"),
            Ok(Entry::Folder(object("a/x", Kind::File, None))),
        ],
    );
    let summary = stage.run().await;
    assert_eq!(
        stage.told(),
        [
            "failed a invalid-key 1",
            "failed a invalid-key 1",
            "failed a/x protocol 1",
            "failed ab/c invalid-key 1",
            "failed b invalid-key 1",
            "failed b invalid-key 1"
        ]
    );
    assert_eq!((summary.state, summary.moved), (State::Finished, 0));
    assert!(stage.sink.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn keys_that_do_not_ascend_where_they_should_are_refused() {
    let mut stage = stage(&["ordered-listing"]);
    for name in ["a", "b", "c"] {
        stage.source.file(name, 1);
    }
    stage.source.script("", vec![file("b"), file("a"), file("b"), file("c")]);
    stage.run().await;
    assert_eq!(
        stage.told(),
        ["failed a protocol 1", "failed b protocol 1", "moved b 1", "moved c 1"].map(str::to_owned)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_unreadable_is_reported_by_name() {
    let mut stage = stage(&[]);
    let unreadable = Entry::Unreadable { name: "\u{fffd}\n".into(), error: error(Code::INVALID_KEY) };
    stage.source.script("", vec![Ok(unreadable)]);
    let summary = stage.run().await;
    assert_eq!(stage.told(), ["failed \u{fffd}\n invalid-key 1"]);
    assert_eq!((summary.listed, summary.state), (1, State::Finished));
}

#[tokio::test(start_paused = true)]
async fn an_ordered_listing_that_breaks_off_is_resumed_behind_the_last_key() {
    for broken in [error(Code::UNAVAILABLE), trap()] {
        let mut stage = stage(&["ordered-listing"]);
        stage.source.folder("a");
        for name in ["a/1", "a/2", "a/3", "b"] {
            stage.source.file(name, 1);
        }
        stage.source.script("a", vec![file("a/1"), file("a/2"), Err(broken.clone())]);
        let sizes_agree = |object: &mut Object| object.version = None;
        lock(&stage.source.items).values_mut().for_each(|(object, _)| sizes_agree(object));
        let summary = stage.run().await;
        assert_eq!((summary.state, summary.moved, summary.retries), (State::Finished, 4, 1));
        stage.assert_identical();
        let lists = lock(&stage.source.lists).clone();
        assert!(lists.contains(&("a".to_owned(), Some("a/2".to_owned()))), "{lists:?}");
        let root_again = lists.contains(&(String::new(), Some("a".to_owned())));
        assert_eq!(root_again, broken.instance_lost, "{lists:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_cannot_be_resumed_fails_the_run_but_not_what_was_listed() {
    let mut stage = stage(&[]);
    for name in ["a", "b"] {
        stage.source.file(name, 1);
    }
    stage.source.script("", vec![file("a"), Err(error(Code::IO))]);
    let summary = stage.run().await;
    assert_eq!(stage.told(), ["moved a 1", "unlisted  io"]);
    assert!(matches!(summary.state, State::Failed(error) if error.code == Code::IO));
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_cannot_begin_is_tried_again() {
    let mut stage = stage(&[]);
    stage.source.file("a", 1);
    stage.source.fault("list", "", vec![SourceFault::Fail(error(Code::TIMEOUT)); 3]);
    let summary = stage.run().await;
    assert_eq!((summary.state, summary.moved, summary.retries), (State::Finished, 1, 3));
    stage.source.fault("list", "", vec![SourceFault::Fail(error(Code::TIMEOUT)); 4]);
    let summary = stage.run().await;
    assert!(matches!(summary.state, State::Failed(error) if error.code == Code::TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_entered_is_a_failure_of_its_own() {
    let mut stage = stage(&[]);
    stage.source.folder("secret");
    stage.source.file("a", 1);
    stage.source.file("z", 1);
    stage.source.fault("list", "secret", [SourceFault::Fail(error(Code::PERMISSION_DENIED))]);
    let summary = stage.run().await;
    assert_eq!(stage.told(), ["failed secret permission-denied 1", "moved a 1", "moved z 1"]);
    assert_eq!(summary.state, State::Finished);
}

#[tokio::test(start_paused = true)]
async fn folders_without_end_are_entered_to_a_limit() {
    let mut stage = stage(&[]);
    let mut deep = String::from("d");
    for _ in 0..600 {
        stage.source.folder(&deep);
        deep.push_str("/d");
    }
    let summary = stage.run().await;
    let told = stage.told();
    assert_eq!((told.len(), summary.failed), (1, 1));
    assert!(told[0].starts_with("failed d/d/") && told[0].ends_with(" limit 1"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_opened_must_be_what_was_listed() {
    let mut stage = stage(&[]);
    stage.source.script("", vec![file("a")]);
    stage.source.add(Object { size: Some(2), ..object("a", Kind::File, None) }, "xy".into());
    stage.run().await;
    assert_eq!(stage.told(), ["moved a 2"]);
    stage.assert_identical();
}
