//! Schedules: one round after the other, and windows in which nothing moves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use crate::harness::{Scratch, tree::Random};

#[test]
fn rounds_follow_each_other_and_leave_alone_what_has_not_changed() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), [10, 20, 30]);
    let ended = scratch.run(&scratch.pipeline("[schedule]\nevery = \"1s\"\nrounds = 3"));
    ended.expect_code(0);
    let summaries = ended.events_named("summary");
    let numbers = |summary: &serde_json::Value| {
        [&summary["round"], &summary["objects"]["moved"], &summary["objects"]["skipped"]].map(|it| it.as_u64().unwrap())
    };
    assert_eq!(summaries.iter().map(numbers).collect::<Vec<_>>(), [[1, 3, 0], [2, 0, 3], [3, 0, 3]]);
    assert!(ended.took >= Duration::from_secs(2), "three rounds, a second apart, in {:?}", ended.took);
}

#[test]
fn nothing_moves_outside_of_its_window() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), [10]);
    // Open for an hour, half a day from now.
    let hour = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 3600 % 24;
    let (start, end) = ((hour + 12) % 24, (hour + 13) % 24);
    let pipeline = scratch.pipeline(&format!("[schedule]\nwindow = [\"{start:02}:00-{end:02}:00\"]"));
    let mut running = scratch.start(&["run", "--json", "--log-level", "info", pipeline.to_str().unwrap()]);
    while !running.logged().contains("waiting for the next round") {
        assert!(running.ended().is_none(), "it didn't wait");
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal(Signal::SIGTERM);
    let ended = running.wait();
    ended.expect_code(130);
    assert_eq!(ended.events_named("started").len(), 0, "{}", ended.output);
    assert!(std::fs::read_dir(scratch.path("sink")).unwrap().next().is_none());
}
