//! Stores that have few places: workers step aside and nothing fails for it.

use super::*;
use crate::memory::{SinkFault, SourceFault, error};

#[tokio::test(start_paused = true)]
async fn workers_without_a_place_leave_the_work_to_the_others() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    for name in ["a", "b", "c", "d", "e", "f"] {
        stage.source.file(name, 100);
    }
    // Three workers: two may step aside, the last one tries again by itself.
    for name in ["a", "b"] {
        stage.sink.fault("put", name, [SinkFault::Fail(error(Code::CROWDED))]);
    }
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.failed, summary.retries), (6, 0, 0));
    stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn the_last_worker_tries_again_and_then_gives_up() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    stage.source.file("a", 100);
    stage.job.transfer.workers = NonZeroUsize::MIN;
    stage.source.fault("read", "a", vec![SourceFault::Fail(error(Code::CROWDED)); 4]);
    let summary = stage.run().await;
    assert_eq!((summary.failed, summary.retries), (1, 3));
    assert_eq!(stage.told(), ["failed a crowded 4"]);
}

#[tokio::test(start_paused = true)]
async fn parts_are_left_to_the_others_too() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    stage.source.file("a", 45_000);
    stage.source.fault("read", "a", vec![SourceFault::Fail(error(Code::CROWDED)); 2]);
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.failed), (1, 0));
    stage.assert_identical();
}
