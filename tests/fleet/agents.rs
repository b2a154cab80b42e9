//! Agents that take tasks: on one machine, and several of a fleet together; what `engine top` shows of them.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::Fleet;
use crate::harness::{
    Ended, Running, Scratch,
    tree::{Random, Snapshot},
};

/// What will be so is so within this.
const DEADLINE: Duration = Duration::from_secs(60);
/// With the tunnel's rate some 5 s.
const FILES: usize = 1200;
const SIZE: usize = 8192;
const RATE: &str = "2 MiB/s";

/// Gives commands, on this machine or on a fleet.
type Engine<'a> = dyn Fn(&[&str]) -> Ended + 'a;

fn json(engine: &Engine<'_>, arguments: &[&str]) -> Value {
    let ended = engine(&[arguments, &["--json"]].concat());
    serde_json::from_str(ended.expect_code(0).output.trim()).unwrap()
}

/// Waits until an agent or a task is in this state.
fn wait_until(engine: &Engine<'_>, kind: &str, name: &str, state: &str) {
    let begin = Instant::now();
    loop {
        let shown = json(engine, &[kind, "show", name]);
        if shown["state"] == state {
            return;
        }
        assert!(begin.elapsed() < DEADLINE, "{kind} {name} isn't {state}: {shown}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn tree(scratch: &Scratch) -> Snapshot {
    let source = scratch.path("source");
    Random::seeded().fill(&source, std::iter::repeat_n(SIZE, FILES));
    Snapshot::of(&source)
}

fn pipeline(scratch: &Scratch) -> PathBuf {
    let file = scratch.path("archive.toml");
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("sink"));
    fs::write(&file, format!("name = \"archive\"\ntunnel = \"line\"\n{ends}")).unwrap();
    file
}

/// Whether `engine top` has a row with these cells side by side.
fn tops(engine: &Engine<'_>, cells: &[&str]) {
    let top = engine(&["top", "--once"]);
    let has = |line: &str| line.split_whitespace().collect::<Vec<_>>().windows(cells.len()).any(|row| row == cells);
    assert!(top.expect_code(0).output.lines().any(has), "no {cells:?} in\n{}", top.output);
}

#[test]
fn an_agent_takes_its_task_ends_in_order_and_goes_on() {
    let scratch = Scratch::in_memory();
    let source = tree(&scratch);
    let engine = |arguments: &[&str]| scratch.engine(arguments);
    engine(&["tunnel", "create", "line", "--max-bandwidth", RATE]).expect_code(0);
    engine(&["agent", "create", "mover", "--tunnel", "line"]).expect_code(0);
    let file = pipeline(&scratch);
    engine(&["task", "create", "nightly", file.to_str().unwrap(), "--agent", "mover"]).expect_code(0);
    wait_until(&engine, "agent", "mover", "offline");
    let agent = scratch.start_apart(&["agent", "start", "mover"]);
    wait_until(&engine, "agent", "mover", "online");
    engine(&["agent", "start", "mover"]).expect_code(1);
    engine(&["task", "start", "nightly"]).expect_code(0);
    wait_until(&engine, "agent", "mover", "busy");
    tops(&engine, &["mover", "line", "busy", "archive"]);
    tops(&engine, &["nightly", "running", "archive"]);
    engine(&["task", "pause", "nightly"]).expect_code(0);
    wait_until(&engine, "agent", "mover", "online");
    assert_eq!(json(&engine, &["task", "show", "nightly"])["state"], "paused");
    engine(&["task", "resume", "nightly"]).expect_code(0);
    wait_until(&engine, "agent", "mover", "busy");

    agent.signal(Signal::SIGTERM);
    agent.wait().expect_code(0);
    wait_until(&engine, "agent", "mover", "offline");
    let interrupted = json(&engine, &["task", "show", "nightly"]);
    assert_eq!(interrupted["process"], Value::Null, "{interrupted}");
    let so_far = interrupted["moved"].as_u64().unwrap();
    assert!((1..FILES as u64).contains(&so_far), "{interrupted}");

    let agent = scratch.start_apart(&["agent", "start", "mover"]);
    wait_until(&engine, "task", "nightly", "finished");
    assert_eq!(json(&engine, &["task", "show", "nightly"])["moved"].as_u64(), Some(FILES as u64));
    source.assert_equals(&Snapshot::of(&scratch.path("sink")));
    wait_until(&engine, "agent", "mover", "online");
    agent.signal(Signal::SIGTERM);
    agent.wait().expect_code(0);
}

#[test]
fn the_live_view_is_drawn_and_ends_with_its_key() {
    const TERMINAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/harness/terminal.py");
    const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/python");
    let scratch = Scratch::new();
    scratch.engine(&["tunnel", "create", "line", "--max-bandwidth", RATE]).expect_code(0);
    scratch.engine(&["agent", "create", "mover", "--tunnel", "line"]).expect_code(0);
    let mut command = Command::new(PYTHON);
    command.args([TERMINAL, "q", "tunnels,line,mover,offline,tasks", env!("CARGO_BIN_EXE_engine"), "top"]);
    let output = command.arg("--state-dir").arg(scratch.path("state")).env("TERM", "xterm").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_run_of_an_agent_that_is_killed_ends_with_it() {
    let scratch = Scratch::in_memory();
    tree(&scratch);
    let engine = |arguments: &[&str]| scratch.engine(arguments);
    engine(&["tunnel", "create", "line", "--max-bandwidth", RATE]).expect_code(0);
    engine(&["agent", "create", "mover", "--tunnel", "line"]).expect_code(0);
    let file = pipeline(&scratch);
    engine(&["task", "create", "nightly", file.to_str().unwrap(), "--agent", "mover"]).expect_code(0);
    let agent = scratch.start_apart(&["agent", "start", "mover"]);
    wait_until(&engine, "agent", "mover", "online");
    engine(&["task", "start", "nightly"]).expect_code(0);
    wait_until(&engine, "agent", "mover", "busy");
    agent.kill();
    wait_until(&engine, "task", "nightly", "interrupted");
    wait_until(&engine, "agent", "mover", "offline");
}

#[test]
fn agents_of_a_fleet_take_a_task_together() {
    let fleet = Fleet::new(Scratch::in_memory());
    let source = tree(&fleet.scratch);
    let engine = |arguments: &[&str]| fleet.engine("desk", arguments);
    engine(&["tunnel", "create", "line", "--max-bandwidth", RATE]).expect_code(0);
    let file = pipeline(&fleet.scratch);
    engine(&["task", "create", "nightly", file.to_str().unwrap()]).expect_code(0);
    // The other machines don't have it.
    fs::remove_file(&file).unwrap();
    let agents: Vec<Running> = ["one", "two"]
        .iter()
        .map(|name| {
            engine(&["agent", "create", name, "--tunnel", "line"]).expect_code(0);
            let agent = fleet.start(name, &["agent", "start", name]);
            wait_until(&engine, "agent", name, "online");
            agent
        })
        .collect();
    engine(&["task", "start", "nightly"]).expect_code(0);
    wait_until(&engine, "agent", "one", "busy");
    wait_until(&engine, "agent", "two", "busy");
    tops(&engine, &["one", "line", "busy", "archive"]);
    tops(&engine, &["nightly", "running", "archive"]);
    tops(&engine, &["line", "2", "MiB/s"]);
    engine(&["task", "pause", "nightly"]).expect_code(0);
    wait_until(&engine, "agent", "one", "online");
    wait_until(&engine, "agent", "two", "online");
    assert_eq!(json(&engine, &["task", "show", "nightly"])["state"], "paused");
    engine(&["task", "resume", "nightly"]).expect_code(0);
    wait_until(&engine, "task", "nightly", "finished");
    source.assert_equals(&Snapshot::of(&fleet.scratch.path("sink")));

    let [one, two] = <[Running; 2]>::try_from(agents).ok().unwrap();
    one.kill();
    wait_until(&engine, "agent", "one", "offline");
    two.signal(Signal::SIGTERM);
    two.wait().expect_code(0);
    assert_eq!(json(&engine, &["agent", "show", "two"])["state"], "offline", "it says when it goes");
}
