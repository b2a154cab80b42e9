//! A process that's killed while it writes: the journal opens, is whole, and has what was flushed.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use super::*;

/// Where the child writes; only set by the parent.
const CHILD_PATH: &str = "CULVERT_TEST_JOURNAL";
const TEST: &str = "journal::tests::killed::a_killed_process_leaves_a_journal_that_opens";
/// Objects between two words of the child.
const STEP: usize = 100;

/// Writes for ever, and says how much is flushed.
fn child(path: &str) {
    let identity = Place::new().identity;
    let journal = Journal::open(path.as_ref(), &identity).expect("it opens");
    begin(&journal);
    let has = names(&journal, Wanted::Manifest).len();
    for number in has.. {
        journal.record(moved(&format!("{number:08}"))).expect("recorded");
        if number % STEP == STEP - 1 {
            journal.flush().expect("written");
            writeln!(std::io::stderr(), "flushed {}", number + 1).expect("the parent listens");
        }
    }
}

#[test]
fn a_killed_process_leaves_a_journal_that_opens() {
    if let Ok(path) = env::var(CHILD_PATH) {
        return child(&path);
    }
    let place = Place::new();
    let mut expected = 0;
    for round in 1..=10_usize {
        let mut command = Command::new(env::current_exe().expect("this test"));
        command.args(["--exact", TEST, "--nocapture"]).env(CHILD_PATH, place.path());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut said = lines.filter_map(|line| line.expect("text").strip_prefix("flushed ")?.parse::<usize>().ok());
        // Killed after as many words as the round has, in the middle of the next.
        expected = said.nth(round - 1).expect("it writes until it's killed");
        process.kill().expect("it's killed");
        process.wait().expect("it ended");

        let journal = place.open();
        let started = begin(&journal);
        assert_eq!((started.run, started.resumed), (1, true));
        let written = names(&journal, Wanted::Moved(1));
        assert!(written.len() >= expected, "{} of {expected} in round {round}", written.len());
        assert!(written.iter().enumerate().all(|(number, name)| *name == format!("{number:08}")), "without gaps");
        let check = rusqlite::Connection::open(place.path()).expect("it opens");
        let check: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
        assert_eq!(check, "ok");
    }
    assert!(expected >= STEP * 10);
}
