//! `delete_extra`: what goes, what stays, and what makes everything stay.

use globset::{Glob, GlobSetBuilder};

use super::{journaled::Journaled, *};
use crate::{
    journal::Wanted,
    memory::{SinkFault, SourceFault, error, key, object},
    rules::{ByteSize, DeleteExtra},
};

const READABLE: [&str; 6] = ["parts", "directories", "symlinks", "modified", "checksum:crc64-nvme", "read-back"];

fn mirror(max_percent: u8) -> DeleteExtra {
    DeleteExtra { max_percent, keep: vec!["reports/".into()] }
}

/// Twenty files in three folders, mirrored.
async fn mirrored() -> Journaled {
    let stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&READABLE));
    for folder in ["a", "a/deep", "b"] {
        stage.source.folder(folder);
    }
    (0..10).for_each(|number| stage.source.file(&format!("a/{number}"), 10));
    (0..5).for_each(|number| stage.source.file(&format!("a/deep/{number}"), 10));
    (0..5).for_each(|number| stage.source.file(&format!("b/{number}"), 10));
    let mut journaled = Journaled::new(stage);
    journaled.stage.job.delete_extra = Some(mirror(30));
    let summary = journaled.stage.run().await;
    assert_eq!((summary.state, summary.moved, summary.deleted), (State::Finished, 20, 0));
    journaled
}

fn put(journaled: &Journaled, text: &str, kind: Kind) {
    let there = object(text, kind, Some(3));
    lock(&journaled.stage.sink.objects).insert(key(text), (there, vec![1, 2, 3]));
}

fn deleted(journaled: &Journaled) -> Vec<String> {
    journaled.stage.told().into_iter().filter(|told| !told.starts_with("skipped")).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_source_has_lost_goes() {
    let mut journaled = mirrored().await;
    for name in ["a/3", "a/deep/4"] {
        journaled.stage.source.remove(name);
    }
    put(&journaled, "foreign", Kind::File);
    put(&journaled, "reports/moved.csv", Kind::File);
    let summary = journaled.stage.run().await;
    assert_eq!((summary.state, summary.deleted), (State::Finished, 3));
    assert_eq!(deleted(&journaled), ["deleted a/3", "deleted a/deep/4", "deleted foreign"]);
    assert_eq!(journaled.names(Wanted::Deleted), ["a/3", "a/deep/4", "foreign"]);
    assert_eq!(journaled.names(|_| Wanted::Manifest).len(), 18);
    assert!(lock(&journaled.stage.sink.objects).remove(&key("reports/moved.csv")).is_some());
    journaled.stage.assert_identical();
    assert_eq!(journaled.stage.run().await.deleted, 0);
    assert_eq!(journaled.names(|_| Wanted::Everything).len(), 18, "what is gone for good is forgotten");
}

#[tokio::test(start_paused = true)]
async fn folders_go_with_what_was_in_them() {
    let mut journaled = mirrored().await;
    let names: Vec<_> = lock(&journaled.stage.source.items).keys().cloned().collect();
    for name in names.iter().filter(|name| name.as_str().starts_with("a/deep")) {
        journaled.stage.source.remove(name.as_str());
    }
    put(&journaled, "c", Kind::Directory);
    put(&journaled, "c/d", Kind::Directory);
    let summary = journaled.stage.run().await;
    assert_eq!(summary.state, State::Finished);
    journaled.stage.assert_identical();
    // Five files, their folder, an empty folder, and the one that held it.
    assert_eq!(summary.deleted, 8);
}

#[tokio::test(start_paused = true)]
async fn what_the_selection_does_not_take_stays_and_holds_its_folder() {
    let mut journaled = mirrored().await;
    let mut exclude = GlobSetBuilder::new();
    exclude.add(Glob::new("a/deep/[0-3]").expect("a glob"));
    journaled.stage.job.selection.exclude = Some(exclude.build().expect("globs"));
    journaled.stage.job.selection.max_size = Some(ByteSize(1_000));
    let names: Vec<_> = lock(&journaled.stage.source.items).keys().cloned().collect();
    for name in names.iter().filter(|name| name.as_str().starts_with("a/deep")) {
        journaled.stage.source.remove(name.as_str());
    }
    put(&journaled, "large", Kind::File);
    lock(&journaled.stage.sink.objects).get_mut(&key("large")).expect("there").0.size = Some(1_001);
    journaled.stage.run().await;
    assert_eq!(deleted(&journaled), ["deleted a/deep/4"]);
    assert!(lock(&journaled.stage.sink.objects).contains_key(&key("a/deep")));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_excluded_at_the_source_is_not_extra() {
    let mut journaled = mirrored().await;
    journaled.stage.job.selection.min_size = Some(ByteSize(10));
    // At the source it's too small now; at the sink it's of the size that's asked for.
    journaled.stage.source.change("b/1", 9);
    journaled.stage.run().await;
    assert_eq!(deleted(&journaled), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn too_many_are_too_many() {
    let mut journaled = mirrored().await;
    (0..7).for_each(|number| journaled.stage.source.remove(&format!("a/{number}")));
    let State::Failed(error) = journaled.stage.run().await.state else { panic!("35 % of 20 would go") };
    assert_eq!(error.code, Code::LIMIT);
    assert!(error.message.contains("7 of the sink's 20"), "{error}");
    assert_eq!(deleted(&journaled), Vec::<String>::new());
    journaled.stage.job.delete_extra = Some(mirror(35));
    assert_eq!(journaled.stage.run().await.deleted, 7);
}

#[tokio::test(start_paused = true)]
async fn a_failure_or_an_empty_source_deletes_nothing() {
    let mut journaled = mirrored().await;
    journaled.stage.source.remove("a/3");
    journaled.stage.source.change("a/4", 11);
    journaled.stage.sink.fault("put", "a/4", [SinkFault::Fail(error(Code::PERMISSION_DENIED))]);
    journaled.stage.run().await;
    assert_eq!(deleted(&journaled).len(), 2, "a failure and the reason: {:?}", deleted(&journaled));

    journaled.stage.source.fault("list", "b", vec![SourceFault::Fail(error(Code::PERMISSION_DENIED))]);
    assert_eq!(journaled.stage.run().await.deleted, 0);
    journaled.stage.source.fault("list", "b", vec![SourceFault::Fail(error(Code::IO)); 9]);
    let summary = journaled.stage.run().await;
    assert!(matches!(summary.state, State::Failed(_)), "what's in the folder is unknown");
    assert_eq!(summary.deleted, 0);

    let mut journaled = mirrored().await;
    journaled.stage.job.delete_extra = Some(mirror(100));
    lock(&journaled.stage.source.items).clear();
    assert_eq!(journaled.stage.run().await.deleted, 0);
    assert_eq!(deleted(&journaled), ["kept the source listed nothing"]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_be_listed_to_its_end_keeps_everything() {
    let mut journaled = mirrored().await;
    journaled.stage.source.remove("a/3");
    let fault = SourceFault::Fail(error(Code::IO));
    journaled.stage.sink.read_back.fault("list", "b", vec![fault; 9]);
    assert!(matches!(journaled.stage.run().await.state, State::Failed(_)));
    assert_eq!(deleted(&journaled), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn it_is_refused_where_it_could_not_be_safe() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&READABLE));
    stage.job.delete_extra = Some(mirror(10));
    assert!(matches!(stage.run().await.state, State::Failed(_)), "without a journal");
    let mut journaled = Journaled::new(Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK)));
    journaled.stage.job.delete_extra = Some(mirror(10));
    assert!(matches!(journaled.stage.run().await.state, State::Failed(_)), "without read-back");
}
