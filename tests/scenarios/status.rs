//! `engine status` and `engine report` while another process runs, after it was killed, and after it's
//! done.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Running, Scratch, tree::Random};

/// At 200 kB/s they take 40 s, which leaves time to look.
const FILES: usize = 400;

fn status(scratch: &Scratch) -> Value {
    let ended = scratch.engine(&["status", "--json"]);
    ended.expect_code(0);
    serde_json::from_str(&ended.output).unwrap()
}

/// What a status says once something has been moved.
fn under_way(scratch: &Scratch, running: &mut Running) -> Value {
    loop {
        let shown = status(scratch);
        if shown[0]["run"]["objects"]["moved"].as_u64().is_some_and(|moved| moved > 0) {
            return shown;
        }
        assert!(running.ended().is_none(), "the run ended before it was looked at: {shown}");
    }
}

#[test]
fn a_machine_without_pipelines_has_none() {
    let scratch = Scratch::new();
    assert_eq!(status(&scratch), Value::Array(Vec::new()));
}

/// What an engine has made an instant before it begins, and something that isn't a journal.
#[test]
fn what_cannot_be_read_hides_nothing_else() {
    let scratch = Scratch::new();
    for (name, content) in [("begins", ""), ("foreign", "not a database, but a text that is long enough to be one")] {
        fs::create_dir_all(scratch.path("state/pipelines").join(name)).unwrap();
        fs::write(scratch.path("state/pipelines").join(name).join("journal.sqlite"), content).unwrap();
    }
    let ended = scratch.engine(&["status", "--json"]);
    ended.expect_code(3);
    let shown: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((&shown[0]["pipeline"], &shown[0]["state"]), (&"begins".into(), &"new".into()));
    assert_eq!((&shown[1]["pipeline"], &shown[1]["state"]), (&"foreign".into(), &"unreadable".into()));
}

#[test]
fn a_run_shows_while_it_runs_and_when_it_was_killed() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..FILES).map(|_| 20_000));
    let limit = "[tunnel]\nmax_bandwidth = \"200 kB/s\"\n[transfer]\nworkers = 2";
    let pipeline = scratch.pipeline(limit);
    let mut running = scratch.start_apart(&["run", pipeline.to_str().unwrap()]);
    let shown = under_way(&scratch, &mut running);
    assert_eq!((&shown[0]["pipeline"], &shown[0]["state"]), (&"test".into(), &"running".into()), "{shown}");
    assert_eq!(shown[0]["process"], running.pid());
    let rate = shown[0]["run"]["bytes_per_second"].as_u64().unwrap();
    assert!((1..=500_000).contains(&rate), "{shown}");
    let moved = scratch.engine(&["report", "test", "--moved", "--format", "json"]);
    assert!(moved.expect_code(0).output.lines().count() > 0, "a report of a run under way");
    let summary = scratch.engine(&["report", "test"]);
    assert!(summary.expect_code(0).output.contains("state     running"), "{}", summary.output);
    running.kill();
    let shown = status(&scratch);
    assert_eq!((&shown[0]["state"], &shown[0]["process"]), (&"killed".into(), &Value::Null), "{shown}");
    fs::write(&pipeline, fs::read_to_string(&pipeline).unwrap().replace("200 kB/s", "200 MB/s")).unwrap();
    scratch.run(&pipeline).expect_code(0);
    let shown = status(&scratch);
    assert_eq!(shown[0]["state"], "finished", "{shown}");
    let count = |what: &str| shown[0]["run"]["objects"][what].as_u64().unwrap();
    // What was moved in the killed process's last moment isn't in the journal: it's found at the sink.
    assert_eq!(count("moved") + count("skipped"), FILES as u64, "{shown}");
    assert!(count("moved") > FILES as u64 / 2, "{shown}");
    let people = scratch.engine(&["status"]);
    assert!(people.expect_code(0).output.starts_with("test  finished"), "{}", people.output);
}

#[test]
fn an_interrupted_run_is_said_to_be() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..FILES).map(|_| 20_000));
    let pipeline = scratch.pipeline("[tunnel]\nmax_bandwidth = \"200 kB/s\"");
    let mut running = scratch.start_apart(&["run", pipeline.to_str().unwrap()]);
    under_way(&scratch, &mut running);
    running.signal(Signal::SIGINT);
    running.wait().expect_code(130);
    assert_eq!(status(&scratch)[0]["state"], "interrupted");
    assert!(!scratch.path("state/pipelines/test/report").exists(), "the round isn't over");
}
