//! Schedules: one round after the other, and windows in which nothing moves.

use std::{
    fs, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{
    Running, Scratch,
    tree::{Random, Snapshot},
};

/// CPU time of a process so far, in ticks of 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // The 14th and 15th of proc(5), of which two stand before the bracket's end.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn until_it_waits(running: &mut Running) {
    while !running.logged().contains("waiting for the next round") {
        assert!(running.ended().is_none(), "it didn't wait: {}", running.printed());
        thread::sleep(Duration::from_millis(2));
    }
}

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
    // Each has its report.
    let reports = fs::read_to_string(scratch.path("state/pipelines/test/report/rounds.jsonl")).unwrap();
    let reports = reports.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let numbers =
        reports.map(|report| (report["round"].as_u64().unwrap(), report["objects"]["moved"].as_u64().unwrap()));
    assert_eq!(numbers.collect::<Vec<_>>(), [(1, 3), (2, 0), (3, 0)]);
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
    until_it_waits(&mut running);
    let before = cpu_ticks(running.pid());
    thread::sleep(Duration::from_secs(2));
    let waiting = cpu_ticks(running.pid()) - before;
    assert!(waiting <= 1, "waiting cost {waiting} ticks in 2 s");
    running.signal(Signal::SIGTERM);
    let ended = running.wait();
    ended.expect_code(130);
    assert_eq!(ended.events_named("started").len(), 0, "{}", ended.output);
    assert!(fs::read_dir(scratch.path("sink")).unwrap().next().is_none());
}

/// Takes up to a minute: windows are of whole minutes.
#[test]
fn a_window_that_closes_stops_the_round_and_the_next_one_goes_on() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..400).map(|_| 20_000));
    let minutes = |later: u64| {
        let minute = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 + later;
        format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
    };
    // Long enough for a busy machine to begin within it.
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 60;
    let window = format!("{}-{}", minutes(0), minutes(if second < 30 { 1 } else { 2 }));
    let slow = format!("[tunnel]\nmax_bandwidth = \"50 kB/s\"\n[schedule]\nwindow = [\"{window}\"]");
    let pipeline = scratch.pipeline(&slow);
    let mut running = scratch.start(&["run", "--json", "--log-level", "info", pipeline.to_str().unwrap()]);
    until_it_waits(&mut running);
    running.signal(Signal::SIGTERM);
    let ended = running.wait();
    ended.expect_code(130);
    let summary = ended.summary();
    assert_eq!(summary["state"], "interrupted", "{summary}");
    let moved = ended.objects("moved");
    assert!((1..400).contains(&moved), "{summary}");
    let temporary: Vec<_> = crate::scenarios::temporary_files(&scratch.path("sink"));
    assert_eq!(temporary, Vec::<String>::new());
    assert!(!scratch.path("state/pipelines/test/report").exists(), "the round isn't over");
    let rest = scratch.run(&scratch.pipeline(""));
    rest.expect_code(0);
    assert_eq!(rest.objects("moved"), 400 - moved, "what was done before stays done");
    Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
}
