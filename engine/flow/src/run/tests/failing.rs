//! Faults of objects and instances: what's tried again, what's given up, and what's left behind.

use super::*;
use crate::memory::{SinkFault, SourceFault, error, trap};

/// One file, of which the sink has nothing.
fn one(length: usize) -> Stage {
    let stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    stage.source.file("a", length);
    stage
}

/// A run whose one object arrives at this attempt, byte by byte.
async fn arrives(mut stage: Stage, attempt: u32) -> Stage {
    let summary = stage.run().await;
    assert_eq!(stage.told(), [format!("moved a {attempt}")]);
    assert_eq!(summary.retries, u64::from(attempt) - 1);
    stage.assert_identical();
    stage
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_source_that_go_away() {
    let faults = [
        SourceFault::Fail(error(Code::UNAVAILABLE)),
        SourceFault::Break(0, error(Code::IO)),
        SourceFault::Break(1, error(Code::CONNECTION_FAILED)),
        SourceFault::Truncate(0),
        SourceFault::Truncate(9),
        SourceFault::Longer,
        SourceFault::Oversized,
        SourceFault::Change,
        SourceFault::Break(1, trap()),
        SourceFault::Fail(trap()),
    ];
    for fault in faults {
        let stage = one(10);
        // A limit makes chunks smaller than the object: 2 KiB.
        stage.source.file("a", 4_000);
        stage.job.tunnel.set_limits(Limits {
            max_bandwidth: std::num::NonZeroU64::new(1024).map(crate::rules::ByteRate),
            ..Limits::default()
        });
        stage.source.fault("read", "a", [fault.clone()]);
        let stage = arrives(stage, 2).await;
        assert_eq!(stage.sink.left_behind.load(Ordering::Relaxed), 0, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_sink_that_go_away() {
    let faults = [
        SinkFault::Fail(error(Code::THROTTLED)),
        SinkFault::FailEarly(error(Code::IO)),
        SinkFault::Corrupt,
        SinkFault::Misname,
        SinkFault::Fail(trap()),
    ];
    for fault in faults {
        let stage = one(1_000);
        stage.sink.fault("put", "a", [fault]);
        arrives(stage, 2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_says_done_too_early_is_caught_by_the_size() {
    let stage = one(9_000);
    stage.job.tunnel.set_limits(Limits {
        max_bandwidth: std::num::NonZeroU64::new(1024).map(crate::rules::ByteRate),
        ..Limits::default()
    });
    stage.sink.fault("put", "a", [SinkFault::Hasty]);
    arrives(stage, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_stops_and_only_repeats_what_the_engine_said_is_tried_again() {
    let stage = one(9_000);
    stage.job.tunnel.set_limits(Limits {
        max_bandwidth: std::num::NonZeroU64::new(1024).map(crate::rules::ByteRate),
        ..Limits::default()
    });
    stage.sink.fault("put", "a", [SinkFault::Echo]);
    arrives(stage, 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_sinks_error_is_the_cause_where_the_sink_went_first() {
    let mut stage = one(9_000);
    stage.sink.fault("put", "a", [SinkFault::FailEarly(error(Code::NO_SPACE))]);
    stage.run().await;
    assert_eq!(stage.told(), ["failed a no-space 1"]);
}

#[tokio::test(start_paused = true)]
async fn what_keeps_failing_is_reported_and_the_run_goes_on() {
    let mut stage = one(10);
    stage.source.file("b", 10);
    stage.source.fault("read", "a", vec![SourceFault::Fail(error(Code::IO)); 9]);
    let summary = stage.run().await;
    assert_eq!(stage.told(), ["failed a io 4", "moved b 1"]);
    assert_eq!((summary.state, summary.failed, summary.retries), (State::Finished, 1, 3));
    // Three pauses of at most 200, 400 and 800 ms.
    assert!(summary.seconds < 1.5, "{} s", summary.seconds);
}

#[tokio::test(start_paused = true)]
async fn a_trap_costs_an_instance_and_a_second_one_the_object() {
    let mut stage = one(10);
    stage.job.transfer.workers = NonZeroUsize::MIN;
    stage.source.file("b", 10);
    stage.sink.fault("put", "a", vec![SinkFault::Fail(trap()); 9]);
    stage.run().await;
    assert_eq!(stage.told(), ["failed a trap 2", "moved b 1"]);
    // The first, one for each trap, and one that sweeps up behind them.
    assert_eq!(stage.sink.opened.load(Ordering::Relaxed), 4);
    // The lister's and the worker's.
    assert_eq!(stage.source.opened.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_asks_for_time_gets_it() {
    let mut stage = one(10);
    let throttled = Error { retry_after: Some(Duration::from_secs(30)), ..error(Code::THROTTLED) };
    stage.sink.fault("put", "a", [SinkFault::Fail(throttled)]);
    let summary = stage.run().await;
    assert_eq!(stage.told(), ["moved a 2"]);
    assert!((30.0..30.3).contains(&summary.seconds), "{} s", summary.seconds);
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_object_is_not_left_under_its_name() {
    for overwrite in [Overwrite::Never, Overwrite::IfDifferent] {
        let mut stage = one(10);
        stage.job.transfer.overwrite = overwrite;
        stage.sink.fault("put", "a", vec![SinkFault::Corrupt; 9]);
        stage.run().await;
        assert_eq!(stage.told(), ["failed a checksum-mismatch 4"]);
        assert_eq!(stage.sink.bytes("a"), None);
        assert_eq!(stage.sink.log().last().map(String::as_str), Some("delete a"));
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_do_not_add_up_to_the_sources_checksum_never_become_visible() {
    let stage = one(1_000);
    {
        let mut items = lock(&stage.source.items);
        let (object, bytes) = items.get_mut(&crate::memory::key("a")).expect("it's there");
        let mut hasher = crate::hash::Hasher::new([crate::object::Algorithm::Md5]);
        hasher.update(bytes);
        object.checksums = hasher.finish();
    }
    stage.source.fault("read", "a", [SourceFault::Flip]);
    let stage = arrives(stage, 2).await;
    assert_eq!(stage.sink.log(), ["put a"], "put once, and whole");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_by_now_is_reported() {
    let mut stage = one(10);
    stage.source.fault("read", "a", [SourceFault::Fail(error(Code::NOT_FOUND))]);
    stage.run().await;
    assert_eq!(stage.told(), ["failed a not-found 1"]);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_put_it_meanwhile() {
    let mut stage = one(10);
    stage.job.transfer.overwrite = Overwrite::Never;
    stage.sink.fault("put", "a", [SinkFault::Fail(error(Code::ALREADY_EXISTS))]);
    let summary = stage.run().await;
    assert_eq!((stage.told(), summary.failed), (vec!["skipped a exists".to_owned()], 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_sink_ends_the_run_after_twenty_objects_in_a_row() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    for number in 0..100 {
        let name = format!("{number:03}");
        stage.source.file(&name, 1);
        // One that works starts the count anew.
        if number != 10 {
            stage.sink.fault("put", &name, [SinkFault::Fail(error(Code::NO_SPACE))]);
        }
    }
    stage.job.transfer.workers = NonZeroUsize::MIN;
    let summary = stage.run().await;
    assert_eq!((summary.moved, summary.failed), (1, 30));
    assert!(matches!(summary.state, State::Failed(error) if error.code == Code::NO_SPACE));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_opened_ends_the_run_at_once() {
    for (source_refuses, code) in [(true, Code::INVALID_CONFIG), (false, Code::UNAUTHENTICATED)] {
        let (mut source, mut sink) = (MemorySource::new(&SOURCE), MemorySink::new(&SINK));
        source.file("a", 1);
        source.refuses = source_refuses.then(|| error(code.clone()));
        sink.refuses = (!source_refuses).then(|| error(code.clone()));
        let mut stage = Stage::new(source, sink);
        let summary = stage.run().await;
        assert_eq!((summary.moved, summary.failed, summary.seconds), (0, 0, 0.0));
        assert!(matches!(summary.state, State::Failed(error) if error.code == code));
    }
}

/// A worker that dies with an object in hand must neither hang the run nor be overlooked.
#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_ends_the_run() {
    struct Deadly;
    impl Spawn for Deadly {
        fn spawn(&self, name: String, work: Work) -> LocalFuture<Result<(), Lost>> {
            match name.as_str() {
                "lister" => Here.spawn(name, work),
                _ => Here.spawn(name, Box::new(|| Box::pin(async { panic!("as the test wants") }))),
            }
        }
    }
    let stage = one(10);
    for number in 0..2_000 {
        stage.source.file(&format!("{number}"), 0);
    }
    let (source, sink) = (Arc::new(Arc::clone(&stage.source)), Arc::new(Arc::clone(&stage.sink)));
    let summary = LocalSet::new().run_until(run(stage.job.clone(), source, sink, &Deadly)).await;
    assert!(matches!(summary.state, State::Failed(error) if error.code == Code::INTERNAL));
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_out_of_reach_may_have_left_is_swept_at_the_end() {
    for (code, swept) in [
        (Code::CONNECTION_FAILED, true),
        (Code::TIMEOUT, true),
        (Code::PERMISSION_DENIED, false),
        (Code::THROTTLED, false),
    ] {
        let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
        for name in ["a", "b", "c"] {
            stage.source.file(name, 10);
        }
        stage.sink.fault("put", "b", [SinkFault::Fail(error(code.clone()))]);
        assert_eq!(stage.run().await.state, State::Finished);
        let log = stage.sink.log();
        assert_eq!(log.iter().any(|line| line == "sweep"), swept, "{code}: {log:?}");
        assert!(!swept || log.last().is_some_and(|line| line == "sweep"), "behind everything else: {log:?}");
    }
}
