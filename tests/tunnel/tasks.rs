//! `engine task`: in the guided order tunnel, agent, task, with a run in the background that is paused,
//! resumed and stopped.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::refused;
use crate::harness::{
    Ended, Scratch,
    tree::{Random, Snapshot},
};

/// What a task says within it is what it will say.
const DEADLINE: Duration = Duration::from_secs(60);

/// Ends what is still running when a test has failed.
struct Stopped<'a>(&'a Scratch);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = task(self.0, &["stop", "nightly"]);
        }
    }
}

fn task(scratch: &Scratch, arguments: &[&str]) -> Ended {
    scratch.engine(&[&["task"], arguments].concat())
}

fn shown(scratch: &Scratch) -> Value {
    serde_json::from_str(&task(scratch, &["show", "nightly", "--json"]).expect_code(0).output).unwrap()
}

fn shows(scratch: &Scratch, what: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let it = shown(scratch);
        if what(&it) {
            return it;
        }
        let log = fs::read_to_string(scratch.path("state/tasks/nightly.log")).unwrap_or_default();
        assert!(begin.elapsed() < DEADLINE, "{it}: {log}");
    }
}

fn write(scratch: &Scratch, file: &Path) {
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("sink"));
    fs::write(file, format!("name = \"archive\"\ntunnel = \"line\"\n{ends}")).unwrap();
}

#[test]
fn a_task_is_started_paused_resumed_and_stopped() {
    let scratch = Scratch::new();
    let _stopped = Stopped(&scratch);
    Random::seeded().fill(&scratch.path("source"), (0..100).map(|_| 20_000));
    let file = scratch.path("archive.toml");
    write(&scratch, &file);
    let file = file.to_str().unwrap();
    refused(&task(&scratch, &["start", "nightly"]), "`engine task create nightly`");
    refused(&task(&scratch, &["create", "nightly", file]), "engine tunnel create line");
    scratch.engine(&["tunnel", "create", "line", "--max-bandwidth", "200 kB/s"]).expect_code(0);
    refused(&task(&scratch, &["create", "nightly", file, "--agent", "nas"]), "`engine agent create nas`");
    scratch.engine(&["agent", "create", "nas", "--tunnel", "line"]).expect_code(0);
    task(&scratch, &["create", "nightly", file, "--agent", "nas"]).expect_code(0);
    assert_eq!(shown(&scratch)["state"], "new");
    refused(&task(&scratch, &["pause", "nightly"]), "isn't running");
    refused(&task(&scratch, &["resume", "nightly"]), "isn't paused");

    task(&scratch, &["start", "nightly"]).expect_code(0);
    let it = shows(&scratch, |it| it["moved"].as_u64().is_some_and(|moved| moved > 0));
    assert_eq!(it["state"], "running");
    refused(&task(&scratch, &["start", "nightly"]), "is being run by process");
    refused(&task(&scratch, &["delete", "nightly"]), "is running");
    task(&scratch, &["pause", "nightly"]).expect_code(0);
    let it = shown(&scratch);
    assert_eq!((&it["state"], &it["process"]), (&"paused".into(), &Value::Null));

    task(&scratch, &["resume", "nightly"]).expect_code(0);
    shows(&scratch, |it| it["state"] == "running");
    task(&scratch, &["stop", "nightly"]).expect_code(0);
    assert_eq!(shown(&scratch)["state"], "stopped");

    scratch.engine(&["tunnel", "set", "line", "--max-bandwidth", "200 MiB/s"]).expect_code(0);
    task(&scratch, &["start", "nightly"]).expect_code(0);
    let it = shows(&scratch, |it| it["state"] == "finished");
    assert_eq!(it["moved"], 100, "nothing twice: {it}");
    Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
    assert!(task(&scratch, &["list"]).expect_code(0).output.contains("nightly  finished  archive   nas    100"));
    task(&scratch, &["delete", "nightly"]).expect_code(0);
    assert_eq!(task(&scratch, &["list", "--json"]).expect_code(0).output, "[]\n");
}

#[test]
fn what_a_run_says_when_it_cannot_begin_is_shown() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..100).map(|_| 20_000));
    scratch.engine(&["tunnel", "create", "line", "--max-bandwidth", "200 kB/s"]).expect_code(0);
    scratch.engine(&["agent", "create", "nas", "--tunnel", "line"]).expect_code(0);
    let file = scratch.path("archive.toml");
    write(&scratch, &file);
    task(&scratch, &["create", "nightly", file.to_str().unwrap(), "--agent", "nas"]).expect_code(0);
    fs::remove_file(&file).unwrap();
    refused(&task(&scratch, &["start", "nightly"]), "can't read the pipeline");
    write(&scratch, &file);

    // Somebody else works as its agent.
    let other = scratch.path("other.toml");
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("elsewhere"));
    fs::write(&other, format!("name = \"other\"\ntunnel = \"line\"\n{ends}")).unwrap();
    let running = scratch.start_apart(&["run", other.to_str().unwrap(), "--agent", "nas"]);
    let begin = Instant::now();
    while !scratch.engine(&["agent", "show", "nas"]).expect_code(0).output.contains("busy") {
        assert!(begin.elapsed() < DEADLINE, "{}", running.logged());
    }
    let ended = task(&scratch, &["start", "nightly"]);
    ended.expect_code(3);
    assert!(ended.errors.contains("is running the pipeline \"other\""), "{}", ended.errors);
    assert_eq!(shown(&scratch)["process"], Value::Null);
    running.kill();
}
