//! The journal as an operator meets it: held by another process, of a newer engine, damaged, and started
//! over.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;

use crate::harness::{
    Scratch,
    tree::{Random, Snapshot},
};

fn journal(scratch: &Scratch) -> PathBuf {
    scratch.path("state/pipelines/test/journal.sqlite")
}

/// Changes a journal with Python's SQLite, as anybody could.
fn edit(journal: &Path, sql: &str) {
    let program = "import sqlite3, sys\n\
        with sqlite3.connect(sys.argv[1]) as connection: connection.executescript(sys.argv[2])";
    let python = Command::new("python3").args(["-c", program]).arg(journal).arg(sql).output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
}

#[test]
fn a_second_process_is_told_who_holds_the_journal() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..400).map(|_| 20_000));
    let pipeline = scratch.pipeline("[tunnel]\nmax_bandwidth = \"200 kB/s\"");
    let pipeline = pipeline.to_str().unwrap();
    let mut first = scratch.start_apart(&["run", "--json", pipeline]);
    while !first.printed().contains("\"moved\"") {
        assert!(first.ended().is_none(), "it ended before a second one could begin");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    for more in [&[] as &[&str], &["--restart"]] {
        let second = scratch.engine(&[&["run", pipeline], more].concat());
        second.expect_code(3);
        assert!(second.errors.contains(&format!("process {} holds the journal", first.pid())), "{}", second.errors);
    }
    first.signal(Signal::SIGINT);
    let first = first.wait();
    first.expect_code(130);
    assert_eq!(first.summary()["state"], "interrupted", "the first one went on until it was told to stop");
}

#[test]
fn a_journal_of_a_newer_engine_is_refused_and_left_as_it_is() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), [10, 20]);
    let pipeline = scratch.pipeline("");
    scratch.run(&pipeline).expect_code(0);
    edit(&journal(&scratch), "PRAGMA user_version = 99");
    let (pipeline, before) = (pipeline.to_str().unwrap(), fs::read(journal(&scratch)).unwrap());
    for command in
        [&["run", pipeline] as &[&str], &["run", "--restart", pipeline], &["report", "test"], &["verify", pipeline]]
    {
        let ended = scratch.engine(command);
        ended.expect_code(3);
        let said = [ended.output.as_str(), ended.errors.as_str()].concat();
        assert!(said.contains("is of version 99") && said.contains("the engine that wrote it"), "{command:?}: {said}");
    }
    let status = scratch.engine(&["status"]);
    assert!(status.expect_code(3).output.contains("version 99"), "{}", status.output);
    assert_eq!(fs::read(journal(&scratch)).unwrap(), before);
}

/// As the first version of the tables was.
#[test]
fn a_journal_of_an_older_engine_is_brought_up_to_date() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..20).map(|number| number * 10));
    let pipeline = scratch.pipeline("");
    scratch.run(&pipeline).expect_code(0);
    edit(
        &journal(&scratch),
        "DROP TABLE folders; ALTER TABLE runs DROP COLUMN worked; ALTER TABLE runs DROP COLUMN resumed; \
         PRAGMA user_version = 1",
    );
    let status = scratch.engine(&["status"]);
    assert!(status.expect_code(3).output.contains("`engine run` brings it up to date"), "{}", status.output);
    let run = scratch.run(&pipeline);
    run.expect_code(0);
    assert_eq!((run.objects("moved"), run.objects("skipped")), (0, 20), "what it knew is known");
    scratch.engine(&["status"]).expect_code(0);
    let manifest = scratch.engine(&["report", "test", "--manifest", "--format", "json"]);
    assert_eq!(manifest.expect_code(0).output.lines().count(), 20);
}

/// What a run can't make out of its journal is done again, once the journal is moved away.
#[test]
fn a_damaged_journal_is_said_and_moving_it_away_loses_nothing() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..30).map(|number| number * 100));
    let pipeline = scratch.pipeline("");
    scratch.run(&pipeline).expect_code(0);
    for (sql, commands) in [
        ("UPDATE objects SET size = -1", &["report", "verify"] as &[&str]),
        ("UPDATE objects SET key = '../' || key WHERE key = 'd000/f00007'", &["verify"]),
        ("ALTER TABLE objects RENAME TO things", &["run", "report", "verify"]),
    ] {
        let kept = fs::read(journal(&scratch)).unwrap();
        edit(&journal(&scratch), sql);
        for command in commands {
            let mut arguments = vec![*command, pipeline.to_str().unwrap()];
            if *command == "report" {
                arguments.push("--manifest");
            }
            let ended = scratch.engine(&arguments);
            ended.expect_code(3);
            let said = [ended.output.as_str(), ended.errors.as_str()].concat();
            assert!(said.contains("journal.sqlite"), "{command} after {sql}: {said}");
        }
        fs::write(journal(&scratch), kept).unwrap();
    }
    let whole = fs::read(journal(&scratch)).unwrap();
    fs::write(journal(&scratch), &whole[..whole.len() / 2]).unwrap();
    let ended = scratch.run(&pipeline);
    ended.expect_code(3);
    assert!([ended.output, ended.errors].concat().contains("move it away"), "it says what to do");
    fs::remove_file(journal(&scratch)).unwrap();
    let again = scratch.run(&pipeline);
    again.expect_code(0);
    assert_eq!((again.objects("moved"), again.objects("skipped")), (0, 30), "the sink has it all");
}

#[test]
fn a_restart_finds_what_was_changed_behind_the_engines_back() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..20).map(|number| number * 100));
    let pipeline = scratch.pipeline("");
    scratch.run(&pipeline).expect_code(0);
    fs::remove_file(scratch.path("sink/d000/f00003")).unwrap();
    fs::write(scratch.path("sink/d000/f00005"), "somebody's").unwrap();
    let unnoticed = scratch.run(&pipeline);
    unnoticed.expect_code(0);
    assert_eq!((unnoticed.objects("moved"), unnoticed.objects("skipped")), (0, 20));
    let restarted = scratch.engine(&["run", "--json", "--restart", pipeline.to_str().unwrap()]);
    restarted.expect_code(0);
    assert_eq!((restarted.objects("moved"), restarted.objects("skipped")), (2, 18));
    Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
}
