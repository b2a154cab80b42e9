//! A run that's stopped: at once, and tidily.

use tokio::time::{Instant, sleep};

use super::*;
use crate::memory::{SinkFault, error};

/// Ten objects in one piece and one in a hundred parts, each taking its time.
fn slow() -> Stage {
    let (mut source, mut sink) = (MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    source.chunk_time = Duration::from_secs(3);
    sink.put_time = Duration::from_secs(3);
    for number in 0..10 {
        source.file(&format!("{number}"), 10);
    }
    source.file("large", 1_000_000);
    Stage::new(source, sink)
}

/// Stops a run after a while; tells how long it took to end.
async fn stop_after(stage: &mut Stage, pause: Duration) -> (Summary, Duration) {
    let cancel = stage.job.cancel.clone();
    let stopped = Mutex::new(None);
    let stop = async {
        sleep(pause).await;
        *lock(&stopped) = Some(Instant::now());
        cancel.cancel();
    };
    let (summary, ()) = tokio::join!(stage.run(), stop);
    let took = lock(&stopped).expect("it was stopped").elapsed();
    (summary, took)
}

#[tokio::test(start_paused = true)]
async fn at_any_moment_a_run_ends_in_time_and_leaves_nothing() {
    for moment in 0..40 {
        let mut stage = slow();
        let (summary, took) = stop_after(&mut stage, Duration::from_millis(250 + 500 * moment)).await;
        assert_eq!(summary.state, State::Interrupted);
        assert!(took <= Duration::from_secs(4), "{took:?} at moment {moment}");
        assert_eq!(summary.failed, 0, "what was interrupted hasn't failed");
        assert!(lock(&stage.sink.uploads).is_empty(), "an upload is left at moment {moment}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_gets_time_to_remove_its_temporary_file() {
    let mut stage = slow();
    let sink = Arc::get_mut(&mut stage.sink).expect("not shared yet");
    sink.clean_time = Duration::from_millis(1_900);
    // All are waiting for bytes now.
    let (_, took) = stop_after(&mut stage, Duration::from_secs(1)).await;
    assert_eq!(stage.sink.left_behind.load(Ordering::Relaxed), 0);
    assert_eq!(took, Duration::from_millis(1_900));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_is_left_alone_after_two_seconds() {
    let mut stage = slow();
    for number in 0..10 {
        stage.sink.fault("put", &number.to_string(), [SinkFault::Hang]);
    }
    let (summary, took) = stop_after(&mut stage, Duration::from_secs(60)).await;
    assert_eq!(summary.state, State::Interrupted);
    assert_eq!(took, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn an_abort_that_hangs_is_given_up() {
    let mut stage = slow();
    stage.sink.fault("abort", "large#0", [SinkFault::Hang]);
    let (_, took) = stop_after(&mut stage, Duration::from_secs(100)).await;
    assert!(took <= Duration::from_secs(4), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn pauses_and_lines_end_too() {
    let mut stage = slow();
    let later = Error { retry_after: Some(Duration::from_secs(600)), ..error(Code::THROTTLED) };
    for number in 0..10 {
        stage.sink.fault("stat", &number.to_string(), vec![SinkFault::Fail(later.clone()); 9]);
    }
    let (_, took) = stop_after(&mut stage, Duration::from_secs(60)).await;
    assert_eq!(took, Duration::ZERO);

    let mut stage = slow();
    let slowest = std::num::NonZeroU64::new(1).map(crate::rules::ByteRate);
    stage.job.tunnel.set_limits(Limits { max_bandwidth: slowest, ..Limits::default() });
    let (_, took) = stop_after(&mut stage, Duration::from_secs(60)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(stage.job.tunnel.usage().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_the_end_changes_nothing() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    stage.source.file("a", 1);
    assert_eq!(stage.run().await.state, State::Finished);
    stage.job.cancel.cancel();
    assert_eq!(stage.run().await.state, State::Interrupted);
}
