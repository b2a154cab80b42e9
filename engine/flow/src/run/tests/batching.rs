//! Small objects that go together, and those that must not.

use super::*;
use crate::{
    memory::{SinkFault, SourceFault, error, key, trap},
    object::Algorithm,
    rules::ByteRate,
    transfer::MAX_BATCH_OBJECTS,
};

const FILES: usize = 200;
const SIZE: usize = 1_000;

/// Small files, all of which are to be moved, between ends that take batches.
fn stage() -> Stage {
    let sink = [&SINK[..], &["put-batch"]].concat();
    let mut stage = Stage::new(MemorySource::new(&["range-read", "read-batch"]), MemorySink::new(&sink));
    for number in 0..FILES {
        stage.source.file(&format!("{number:03}"), SIZE);
    }
    stage.job.transfer.overwrite = Overwrite::Always;
    stage
}

/// A run at the end of which everything is at the sink, at the first attempt and once.
async fn arrives(stage: &mut Stage) -> Summary {
    let summary = stage.run().await;
    assert_eq!(summary.state, State::Finished);
    assert_eq!((summary.moved, summary.failed, summary.retries), (FILES as u64, 0, 0));
    let told: Vec<_> = lock(&stage.source.items).keys().map(|key| format!("moved {key} 1")).collect();
    assert_eq!(stage.told(), told);
    stage.assert_identical();
    summary
}

/// Objects that were put by themselves.
fn alone(stage: &Stage) -> usize {
    stage.sink.log().iter().filter(|line| line.starts_with("put ")).count()
}

#[tokio::test(start_paused = true)]
async fn small_objects_go_together_under_credit() {
    let mut stage = stage();
    stage.source.file("000", 0);
    let summary = arrives(&mut stage).await;
    let batches = lock(&stage.source.batches).clone();
    assert!(batches.len() < FILES / 4, "{batches:?}");
    assert!(batches.iter().all(|(objects, _)| (2..=MAX_BATCH_OBJECTS).contains(objects)), "{batches:?}");
    assert_eq!(summary.bytes_moved, ((FILES - 1) * SIZE) as u64);
    assert_eq!(stage.job.tunnel.usage().spent_bytes, summary.bytes_moved);
    for event in lock(&stage.events).iter() {
        if let Event::ObjectMoved { grade, .. } = event {
            assert_eq!(*grade, Some(Grade::Checksum(Algorithm::Crc64Nvme)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_no_larger_than_a_credit() {
    let mut stage = stage();
    // A credit is half of 50 ms of it: 2,500 bytes.
    let max_bandwidth = std::num::NonZeroU64::new(100_000).map(ByteRate);
    stage.job.tunnel.set_limits(Limits { max_bandwidth, ..Limits::default() });
    arrives(&mut stage).await;
    let batches = lock(&stage.source.batches);
    assert!(!batches.is_empty() && batches.iter().all(|(_, bytes)| *bytes <= 2_500), "{batches:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_source_cannot_do_together_is_done_one_by_one() {
    for fault in [
        SourceFault::Fail(error(Code::IO)),
        SourceFault::Fail(trap()),
        SourceFault::Break(0, error(Code::CHANGED)),
        SourceFault::Break(0, trap()),
        SourceFault::Truncate(SIZE),
        SourceFault::Longer,
        SourceFault::Oversized,
    ] {
        let mut stage = stage();
        stage.source.fault("read-batch", "150", [fault.clone()]);
        arrives(&mut stage).await;
        assert!((1..=MAX_BATCH_OBJECTS).contains(&(alone(&stage) - 1)), "{fault:?}: {}", alone(&stage));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_sink_cannot_do_together_is_done_one_by_one() {
    for fault in [SinkFault::Fail(error(Code::IO)), SinkFault::Fail(trap()), SinkFault::Miscount, SinkFault::Hasty] {
        let mut stage = stage();
        stage.sink.fault("put-batch", "", [fault.clone()]);
        arrives(&mut stage).await;
        assert!(alone(&stage) > 1, "{fault:?}");
    }
    let mut stage = stage();
    stage.sink.fault("put-batch", "150", [SinkFault::Fail(trap())]);
    arrives(&mut stage).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_is_done_again_by_itself() {
    let mut stage = stage();
    stage.sink.fault("put-batch", "150", [SinkFault::Fail(error(Code::IO))]);
    stage.sink.fault("put-batch", "160", [SinkFault::Corrupt]);
    let summary = arrives(&mut stage).await;
    assert_eq!(summary.repaired, 1, "the one that was stored as something else");
    let log = stage.sink.log();
    let log: Vec<_> = log.iter().filter(|line| line.ends_with("150") || line.ends_with("160")).collect();
    let deleted = log.iter().position(|line| *line == "delete 160").expect("taken back");
    assert_eq!(log[deleted - 1], "put-batch 160");
    assert!(log[deleted..].contains(&&"put 160".to_owned()) && log.contains(&&"put 150".to_owned()), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_on_failing_is_given_up_alone() {
    let mut stage = stage();
    stage.sink.fault("put-batch", "150", [SinkFault::Fail(error(Code::TOO_LARGE))]);
    stage.sink.fault("put", "150", [SinkFault::Fail(error(Code::TOO_LARGE))]);
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.failed), (FILES as u64 - 1, 1));
    assert!(stage.told().contains(&"failed 150 too-large 1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_changed_since_it_was_listed_arrives_as_it_is_now() {
    let mut stage = stage();
    stage.source.fault("read-batch", "150", [SourceFault::Change]);
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.retries), (FILES as u64, 1));
    stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn what_must_be_asked_about_or_read_back_goes_alone() {
    let mut asked = stage();
    asked.job.transfer.overwrite = Overwrite::IfDifferent;
    let unversioned = stage();
    for number in 0..FILES {
        let name = format!("{number:03}");
        unversioned
            .source
            .add(crate::memory::object(&name, Kind::File, Some(SIZE as u64)), crate::memory::content(&name, SIZE));
    }
    for mut stage in [asked, unversioned] {
        arrives(&mut stage).await;
        assert_eq!((lock(&stage.source.batches).len(), alone(&stage)), (0, FILES));
    }
    let readable = [&SINK[..], &["put-batch", "read-back"]].concat();
    let mut stage = stage();
    stage.sink = Arc::new(MemorySink::new(&readable));
    stage.job.transfer.verify = Verify::Reread;
    arrives(&mut stage).await;
    assert_eq!(lock(&stage.source.batches).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_answers_holds_no_stop_up() {
    let mut stage = stage();
    stage.sink.fault("put-batch", "", [SinkFault::Hang, SinkFault::Hang, SinkFault::Hang]);
    let cancel = stage.job.cancel.clone();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
        tokio::time::Instant::now()
    };
    let (summary, stopped) = tokio::join!(stage.run(), stop);
    assert_eq!((summary.state, summary.failed), (State::Interrupted, 0));
    assert!(stopped.elapsed() <= Duration::from_secs(4), "{:?}", stopped.elapsed());
    assert!(lock(&stage.sink.objects).get(&key("199")).is_none(), "nobody went on");
}

/// Between ends of which only one takes batches.
fn half(source: &[&str], sink: &[&str]) -> Stage {
    let sink = [&SINK[..], sink].concat();
    let mut stage = Stage::new(MemorySource::new(&[&["range-read"], source].concat()), MemorySink::new(&sink));
    for number in 0..FILES {
        stage.source.file(&format!("{number:03}"), SIZE);
    }
    stage.job.transfer.overwrite = Overwrite::Always;
    stage
}

fn batches_put(stage: &Stage) -> usize {
    stage.sink.log().iter().filter(|line| line.starts_with("put-batch ")).count()
}

#[tokio::test(start_paused = true)]
async fn one_end_is_enough() {
    let mut stage = half(&["read-batch"], &[]);
    arrives(&mut stage).await;
    let batches = lock(&stage.source.batches).clone();
    assert!(!batches.is_empty() && batches.len() < FILES / 4, "{batches:?}");
    assert_eq!((stage.source.take_reads() < 10, alone(&stage)), (true, FILES));

    let mut stage = half(&[], &["put-batch"]);
    let summary = arrives(&mut stage).await;
    assert_eq!(stage.source.take_reads(), FILES);
    assert!(batches_put(&stage) > FILES - 10 && alone(&stage) < 10, "{:?}", stage.sink.log());
    assert_eq!(stage.job.tunnel.usage().spent_bytes, summary.bytes_moved);
}

/// A read or a put by itself is an attempt: it's told, waited for and counted.
#[tokio::test(start_paused = true)]
async fn what_fails_by_itself_is_tried_again() {
    for fault in [error(Code::IO), trap(), error(Code::THROTTLED)] {
        let mut stage = half(&[], &["put-batch"]);
        stage.source.fault("read", "150", [SourceFault::Fail(fault.clone())]);
        let summary = stage.run().await;
        assert_eq!((summary.moved, summary.retries), (FILES as u64, 1), "{fault}");
        assert!(stage.told().contains(&"moved 150 2".to_owned()));
        stage.assert_identical();

        let mut stage = half(&["read-batch"], &[]);
        stage.sink.fault("put", "150", [SinkFault::Fail(fault.clone())]);
        let summary = stage.run().await;
        assert_eq!((summary.moved, summary.retries), (FILES as u64, 1), "{fault}");
        assert!(stage.told().contains(&"moved 150 2".to_owned()));
        stage.assert_identical();
    }
    let mut stage = half(&[], &["put-batch"]);
    stage.source.fault("read", "150", [SourceFault::Change]);
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.retries), (FILES as u64, 1));
    stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_is_left() {
    let mut stage = half(&["read-batch"], &["read-back"]);
    stage.job.transfer.overwrite = Overwrite::Never;
    stage.sink.fault("put", "150", [SinkFault::Fail(error(Code::ALREADY_EXISTS))]);
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.skipped, summary.failed), (FILES as u64 - 1, 1, 0));
    assert!(!lock(&stage.source.batches).is_empty());
}

/// 15 ms for each: seven are read before the first has waited long enough.
#[tokio::test(start_paused = true)]
async fn a_slow_source_fills_no_batch() {
    let mut source = MemorySource::new(&["range-read"]);
    source.chunk_time = Duration::from_millis(15);
    for number in 0..FILES {
        source.file(&format!("{number:03}"), SIZE);
    }
    let mut stage = half(&[], &["put-batch"]);
    stage.source = Arc::new(source);
    arrives(&mut stage).await;
    let arrivals: Vec<_> = lock(&stage.sink.arrivals).iter().map(|(_, bytes)| *bytes).collect();
    assert!(arrivals.iter().all(|bytes| *bytes <= 7 * SIZE), "{arrivals:?}");
    assert!(arrivals.len() < FILES / 4, "{arrivals:?}");
}
