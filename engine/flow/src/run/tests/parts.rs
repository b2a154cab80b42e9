//! Large objects in parts, by several workers.

use super::*;
use crate::{
    memory::{SinkFault, SourceFault, error, trap},
    object::Algorithm,
};

/// One object of ten parts and a bit.
fn large() -> Stage {
    let mut sink = MemorySink::new(&SINK);
    sink.put_time = Duration::from_millis(5);
    let stage = Stage::new(MemorySource::new(&SOURCE), sink);
    stage.source.file("a", 100_001);
    stage
}

#[tokio::test(start_paused = true)]
async fn three_workers_write_parts_side_by_side() {
    let mut stage = large();
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.bytes_moved), (1, 100_001));
    stage.assert_identical();
    assert_eq!(stage.sink.most_parts_in_flight.load(Ordering::Relaxed), 3);
    assert_eq!(stage.sink.log(), ["commit a"]);
    let graded = lock(&stage.events)
        .iter()
        .any(|event| matches!(event, Event::ObjectMoved { grade: Some(Grade::Checksum(Algorithm::Crc64Nvme)), .. }));
    assert!(graded, "the checksums of the parts add up to the whole object's");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_wants_order_gets_one_part_after_the_other() {
    let mut stage = large();
    let words: Vec<_> = SINK.into_iter().chain(["ordered-parts"]).collect();
    stage.sink = Arc::new(MemorySink::new(&words));
    stage.source.file("b", 30_000);
    stage.sink.fault("write-part", "2", [SinkFault::Fail(error(Code::TIMEOUT)), SinkFault::Fail(error(Code::CROWDED))]);
    stage.run().await;
    assert_eq!(stage.told(), ["moved a 1", "moved b 1"]);
    stage.assert_identical();
    let log = lock(&stage.sink.part_log).clone();
    for token in ["a#", "b#"] {
        let parts: Vec<_> = log.iter().filter(|(upload, _)| upload.starts_with(token)).map(|(_, part)| *part).collect();
        assert!(parts.is_sorted() && parts.len() >= 3, "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_ranges_or_parts_an_object_goes_in_one_piece() {
    for (source, sink) in [(&[][..], &SINK[..]), (&SOURCE[..], &["modified"][..])] {
        let mut stage = Stage::new(MemorySource::new(source), MemorySink::new(sink));
        stage.source.file("a", 100_001);
        stage.run().await;
        assert_eq!(stage.sink.log(), ["put a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_is_tried_again_by_itself() {
    let faults =
        [SinkFault::Fail(error(Code::TIMEOUT)), SinkFault::FailEarly(error(Code::IO)), SinkFault::Fail(trap())];
    for fault in faults {
        let mut stage = large();
        stage.sink.fault("write-part", "4", [fault]);
        let summary = stage.run().await;
        assert_eq!((stage.told(), summary.retries), (vec!["moved a 1".to_owned()], 1));
        stage.assert_identical();
        let sent: usize = lock(&stage.sink.arrivals).iter().map(|(_, bytes)| bytes).sum();
        assert!((100_001..=110_001).contains(&sent), "{sent} bytes: no other part was sent again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_keeps_failing_aborts_the_upload() {
    let mut stage = large();
    stage.source.file("b", 1);
    stage.sink.fault("write-part", "4", vec![SinkFault::Fail(error(Code::NO_SPACE))]);
    let summary = stage.run().await;
    assert_eq!(stage.told(), ["failed a no-space 1", "moved b 1"]);
    assert_eq!(summary.state, State::Finished);
    assert!(stage.sink.log().contains(&"abort a#0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_between_its_parts_starts_over() {
    let mut stage = large();
    // Whichever part is read as the second one finds another object.
    stage.source.fault("read", "a", [SourceFault::Break(9, error(Code::IO)), SourceFault::Change]);
    stage.run().await;
    assert_eq!(stage.told(), ["moved a 2"]);
    stage.assert_identical();
    assert_eq!(stage.sink.log(), ["abort a#0", "commit a"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_verification_starts_over_and_leaves_nothing() {
    for overwrite in [Overwrite::IfDifferent, Overwrite::Never] {
        let mut stage = large();
        stage.job.transfer.overwrite = overwrite;
        stage.sink.fault("commit", "a", [SinkFault::Corrupt]);
        stage.run().await;
        assert_eq!(stage.told(), ["moved a 2"], "{overwrite:?}");
        stage.assert_identical();

        let mut stage = large();
        stage.job.transfer.overwrite = overwrite;
        stage.sink.fault("commit", "a", vec![SinkFault::Corrupt; 9]);
        stage.run().await;
        assert_eq!(stage.told(), ["failed a checksum-mismatch 4"], "{overwrite:?}");
        assert_eq!(stage.sink.bytes("a"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_tried_again() {
    let mut stage = large();
    stage.sink.fault("commit", "a", [SinkFault::Fail(error(Code::UNAVAILABLE)), SinkFault::Fail(trap())]);
    stage.run().await;
    assert_eq!(stage.told(), ["moved a 1"]);
    stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn open_uploads_come_before_new_objects() {
    let mut stage = large();
    for number in 0..50 {
        stage.source.file(&format!("b-{number}"), 25_000);
    }
    let seen = Arc::new(Mutex::new(0));
    let (most, sink) = (Arc::clone(&seen), Arc::clone(&stage.sink));
    stage.job.events = Arc::new(move |_| {
        let mut most = lock(&most);
        *most = lock(&sink.uploads).len().max(*most);
    });
    let summary = stage.run().await;
    assert_eq!(summary.moved, 51);
    assert!(*lock(&seen) <= 4, "{} uploads at the same time with 3 workers", *lock(&seen));
}
