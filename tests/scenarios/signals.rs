//! Ctrl-C and SIGTERM in the middle of a run, and what the next run finds.

use std::{path::Path, time::Duration};

use nix::sys::signal::Signal;

use crate::harness::{
    Ended, Running, Scratch,
    tree::{Random, Snapshot},
};

/// How soon a run that was told to stop must be gone.
const STOP_BOUND: Duration = Duration::from_secs(5);

fn fill(scratch: &Scratch) {
    let sizes = (0..300).map(|number| if number % 60 == 59 { 12 << 20 } else { 20_000 });
    Random::seeded().fill(&scratch.path("source"), sizes);
}

fn pipeline(scratch: &Scratch, tunnel: &str) -> std::path::PathBuf {
    scratch.pipeline(&format!("[tunnel]\n{tunnel}\n[transfer]\nworkers = 6\npart_size = \"5 MiB\""))
}

/// Starts a run and waits until it has moved something.
fn under_way(scratch: &Scratch, pipeline: &Path) -> Running {
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    while !running.printed().contains("\"moved\"") {
        assert!(running.ended().is_none(), "the run ended before it could be stopped");
        std::thread::sleep(Duration::from_millis(2));
    }
    running
}

fn stopped(running: Running, signal: Signal) -> Ended {
    let begin = std::time::Instant::now();
    running.signal(signal);
    let ended = running.wait();
    assert!(begin.elapsed() < STOP_BOUND, "stopping took {:?}", begin.elapsed());
    ended.expect_code(130);
    ended
}

/// Under final names there's nothing partial. What bears a temporary name is an upload that the next
/// run goes on with: at most one for each large file.
fn assert_clean(scratch: &Scratch) {
    let sink = Snapshot::of(&scratch.path("sink"));
    let is_temporary = |path: &&std::ffi::OsString| path.to_string_lossy().contains(".culvert-");
    let left: Vec<_> = sink.items().keys().filter(is_temporary).cloned().collect();
    assert!(left.len() <= 5, "left behind: {left:?}");
    sink.without(&left).assert_no_partial_of(&Snapshot::of(&scratch.path("source")));
}

#[test]
fn a_signal_ends_a_run_in_order_and_the_next_completes_it() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let scratch = Scratch::new();
        fill(&scratch);
        let throttled = pipeline(&scratch, "max_bandwidth = \"8 MiB/s\"");
        let ended = stopped(under_way(&scratch, &throttled), signal);
        assert_eq!(ended.summary()["state"], "interrupted");
        assert_clean(&scratch);
        scratch.run(&pipeline(&scratch, "")).expect_code(0);
        Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
    }
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let scratch = Scratch::new();
    fill(&scratch);
    let throttled = pipeline(&scratch, "max_bandwidth = \"8 MiB/s\"");
    let running = under_way(&scratch, &throttled);
    running.signal(Signal::SIGKILL);
    let mut running = running;
    while running.ended().is_none() {
        std::thread::yield_now();
    }
    drop(running);
    let before = Snapshot::of(&scratch.path("sink"));
    let source = Snapshot::of(&scratch.path("source"));
    let is_temporary = |path: &&std::ffi::OsString| path.to_string_lossy().contains(".culvert-");
    let temporary: Vec<_> = before.items().keys().filter(is_temporary).cloned().collect();
    before.without(&temporary).assert_no_partial_of(&source);
    let next = scratch.run(&pipeline(&scratch, ""));
    next.expect_code(0);
    // The others are uploads, which it went on with.
    let removed = next.events_named("swept")[0]["removed"].as_u64().unwrap();
    assert!(removed <= temporary.len() as u64, "{removed} of {}", temporary.len());
    Snapshot::of(&scratch.path("sink")).assert_equals(&source);
}

#[test]
fn a_second_signal_ends_at_once() {
    let scratch = Scratch::new();
    fill(&scratch);
    // So slow that nothing in flight could end by itself.
    let throttled = pipeline(&scratch, "max_bandwidth = \"300 kB/s\"");
    let running = under_way(&scratch, &throttled);
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGTERM);
    let ended = running.wait();
    ended.expect_code(130);
}
