//! A sink that's listed instead of being asked for each object.

use super::*;
use crate::memory::{SourceFault, error, key};

const READABLE: [&str; 6] = ["parts", "directories", "symlinks", "modified", "checksum:crc64-nvme", "read-back"];
/// Objects that come in batches too small to list for: 1, 2 and 4.
const ASKED: usize = 7;

/// Fifty files in a folder, of which the sink has the last three.
fn stage() -> Stage {
    let stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&READABLE));
    stage.source.folder("folder");
    for number in 0..50 {
        let name = format!("folder/{number:02}");
        stage.source.file(&name, 10);
        if number >= 47 {
            let there = crate::memory::object(&name, Kind::File, Some(10));
            lock(&stage.sink.objects).insert(key(&name), (there, vec![0; 10]));
        }
    }
    stage
}

async fn asked(mut stage: Stage) -> usize {
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.skipped), (47, 3));
    // The folder itself is looked at or put at the end.
    stage.sink.stats.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn only_what_is_there_is_asked_for() {
    let stage = stage();
    let (sink, lists) = (Arc::clone(&stage.sink), Arc::clone(&stage.sink.read_back));
    assert_eq!(asked(stage).await, ASKED + 3);
    assert_eq!(*lock(&lists.lists), [("folder".to_owned(), None)], "listed once");
    assert_eq!(lock(&sink.objects).len(), 51);
}

#[tokio::test(start_paused = true)]
async fn where_listing_fails_each_is_asked_for() {
    for fault in [error(Code::PERMISSION_DENIED), error(Code::IO), crate::memory::trap()] {
        let stage = stage();
        stage.sink.read_back.fault("list", "folder", [SourceFault::Fail(fault)]);
        assert_eq!(asked(stage).await, 50);
    }
    let stage = stage();
    let unreadable = crate::object::Entry::Unreadable { name: "?".into(), error: error(Code::INVALID_KEY) };
    stage.sink.read_back.script("folder", vec![Ok(unreadable)]);
    assert_eq!(asked(stage).await, 50);
}

#[tokio::test(start_paused = true)]
async fn in_a_folder_that_is_not_there_nothing_is() {
    let mut stage = stage();
    lock(&stage.sink.objects).clear();
    stage.source.folder("folder/deep");
    (0..50).for_each(|number| stage.source.file(&format!("folder/deep/{number:02}"), 1));
    stage.sink.read_back.fault("list", "folder", [SourceFault::Fail(error(Code::NOT_FOUND))]);
    let summary = stage.run().await;
    assert_eq!(summary.moved, 100);
    assert_eq!(stage.sink.stats.load(Ordering::Relaxed), ASKED);
    assert_eq!(lock(&stage.sink.read_back.lists).len(), 1, "nothing below is listed");
    stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_the_same_with_a_view() {
    let stage = stage();
    let plan = stage.plan().await;
    assert_eq!((plan.moves.objects, plan.overwrites.objects, plan.skips.objects), (47, 0, 3));
    assert_eq!(stage.sink.stats.load(Ordering::Relaxed), ASKED + 3);
}
