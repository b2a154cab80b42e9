//! A fleet's machines take one artifact: by the lock, which goes with a task, and by the digests that a run
//! compares.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Stage, count, refused};
use crate::harness::{Ended, nats::Nats};

/// What will be so is so within this.
const DEADLINE: Duration = Duration::from_secs(60);
const RATE: &str = "256 KiB/s";

#[test]
fn a_task_of_a_fleet_brings_its_lock() {
    let stage = Stage::new();
    let nats = Nats::start(&stage.scratch);
    let url = nats.url();
    let fleet = [("CULVERT_FLEET", url.as_str())];
    let desk = |arguments: &[&str]| -> Ended { stage.scratch.start_on("desk", arguments, &fleet).wait() };
    let first = stage.push("", "stable");
    let pipeline = stage.pipeline(&stage.place("stable"), "");
    let text = fs::read_to_string(&pipeline).unwrap().replace("[tunnel]\n", "tunnel = \"line\"\n");
    fs::write(&pipeline, text).unwrap();
    let file = pipeline.to_str().unwrap();
    desk(&["tunnel", "create", "line"]).expect_code(0);
    desk(&["agent", "create", "mover", "--tunnel", "line"]).expect_code(0);
    refused(&desk(&["task", "create", "nightly", file]), 1, &["pipeline.lock"]);
    desk(&["connector", "pull", file]).expect_code(0);
    desk(&["task", "create", "nightly", file]).expect_code(0);
    // The agent's machine has neither file, and the tag has moved.
    fs::remove_file(&pipeline).unwrap();
    fs::remove_file(stage.scratch.path("pipeline.lock")).unwrap();
    let second = stage.push("newer", "stable");
    let agent = stage.scratch.start_on("mover", &["agent", "start", "mover"], &fleet);
    desk(&["task", "start", "nightly"]).expect_code(0);
    let begin = Instant::now();
    loop {
        let shown = desk(&["task", "show", "nightly", "--json"]);
        let shown: Value = serde_json::from_str(&shown.expect_code(0).output).unwrap();
        if shown["state"] == "finished" {
            break;
        }
        assert!(begin.elapsed() < DEADLINE && shown["state"] != "failed", "{shown}\n{}", agent.logged());
        std::thread::sleep(Duration::from_millis(50));
    }
    stage.source.assert_equals(&crate::harness::tree::Snapshot::of(&stage.scratch.path("sink")));
    let kept = stage.scratch.path("state-mover/connectors/sha256");
    assert!(kept.join(&first.sha256).exists() && !kept.join(&second.sha256).exists());
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    agent.wait().expect_code(0);
}

#[test]
fn a_machine_with_another_artifact_moves_nothing() {
    let stage = Stage::new();
    let nats = Nats::start(&stage.scratch);
    let url = nats.url();
    let fleet = [("CULVERT_FLEET", url.as_str())];
    // With the tunnel's rate some 15 s: the first is at it when the second comes.
    crate::harness::tree::Random::seeded().fill(&stage.scratch.path("source"), std::iter::repeat_n(65536, 60));
    let pull = |machine: &str, mark: &str| {
        // Each has pulled the tag at another time.
        stage.push(mark, "stable");
        let pipeline = stage.pipeline(&stage.place("stable"), "");
        let text = fs::read_to_string(&pipeline).unwrap().replace("[tunnel]\n", "tunnel = \"line\"\n");
        let folder = stage.scratch.path(machine);
        fs::create_dir_all(&folder).unwrap();
        let pipeline = folder.join("pipeline.toml");
        fs::write(&pipeline, text).unwrap();
        stage.scratch.engine(&["connector", "pull", pipeline.to_str().unwrap()]).expect_code(0);
        pipeline
    };
    let [first, second] = [("one", ""), ("two", "newer")].map(|(machine, mark)| pull(machine, mark));
    let desk = stage.scratch.start_on("desk", &["tunnel", "create", "line", "--max-bandwidth", RATE], &fleet);
    desk.wait().expect_code(0);
    let run = |machine: &str, pipeline: &Path| {
        stage.scratch.start_on(machine, &["run", "--json", pipeline.to_str().unwrap()], &fleet)
    };
    let first = run("one", &first);
    let begin = Instant::now();
    while !first.printed().contains("\"moved\"") {
        assert!(begin.elapsed() < DEADLINE, "it doesn't move: {}\n{}", first.printed(), first.logged());
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = run("two", &second).wait();
    refused(&second, 1, &["build", "oci://"]);
    assert_eq!(count(&stage.scratch.path("state-two/pipelines/test/report")), 0);
    first.kill();
}
