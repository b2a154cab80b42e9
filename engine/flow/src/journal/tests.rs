//! The journal by itself: what comes back, what's refused, and what a crash leaves.

mod damaged;
mod killed;

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tempfile::TempDir;

use super::*;
use crate::{
    compare::SkipReason,
    memory::{at, error, key, object},
    object::{Algorithm, Checksums, Kind, Object},
    rules::Overwrite,
    run::{Grade, State},
    sink::Receipt,
};

struct Place {
    folder: TempDir,
    identity: Identity,
}

impl Place {
    fn new() -> Self {
        let identity = Identity { source: "a".into(), sink: "b".into(), selection: "all".into() };
        Self { folder: TempDir::new().expect("a folder"), identity }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.sqlite")
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path(), &self.identity).expect("it opens")
    }
}

fn file(name: &str, size: u64) -> Object {
    Object { version: Some(format!("{name}-{size}").into()), ..object(name, Kind::File, Some(size)) }
}

fn moved(name: &str) -> Entry {
    let checksums = [(Algorithm::Crc64Nvme, vec![7; 8]), (Algorithm::Sha256, vec![9; 32])].into();
    let proof = Proof { checksums, grade: Some(Grade::Checksum(Algorithm::Sha256)), attempts: 2 };
    Entry::Moved { item: Item::of(&file(name, 10)), proof, now: at(5_000) }
}

fn summary(state: State) -> Summary {
    Summary {
        listed: 0,
        moved: 0,
        skipped: 0,
        failed: 0,
        deleted: 0,
        repaired: 0,
        bytes_moved: 0,
        retries: 0,
        seconds: 0.0,
        state,
    }
}

fn begin(journal: &Journal) -> Started {
    journal.begin(1, &Arc::default()).expect("it begins")
}

fn names(journal: &Journal, wanted: Wanted) -> Vec<String> {
    let reader = journal.reader().expect("it reads");
    reader.records(wanted).map(|record| record.expect("a record").name).collect()
}

#[test]
fn what_was_written_comes_back() {
    let place = Place::new();
    let journal = place.open();
    let run = begin(&journal).run;
    journal.record(moved("b")).expect("recorded");
    let late = Object { modified: Some(at(0) - Duration::from_nanos(1_500_000_001)), ..file("a", 1) };
    journal.record(Entry::Skipped { item: Item::of(&late), reason: (&SkipReason::TooOld).into() }).expect("recorded");
    let failed = Entry::Failed { name: "c\n".into(), error: error(Code::NO_SPACE), attempts: 3 };
    journal.record(failed).expect("recorded");
    journal.end(&summary(State::Finished), true).expect("written");

    let reader = journal.reader().expect("it reads");
    let records: Vec<_> = reader.records(Wanted::Everything).map(|record| record.expect("a record")).collect();
    assert_eq!(records.iter().map(|record| record.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c\n"]);
    assert_eq!(records[0].outcome, Outcome::Skipped("too-old"));
    assert_eq!(records[0].modified, late.modified);
    let b = &records[1];
    assert_eq!((b.outcome, b.at_sink, b.run, b.size, b.attempts), (Outcome::Moved, true, run, Some(10), 2));
    assert_eq!((b.grade, b.moved), (Some(Grade::Checksum(Algorithm::Sha256)), Some(at(5_000))));
    assert_eq!(b.checksums[&Algorithm::Sha256], [9; 32]);
    assert_eq!(b.checksums[&Algorithm::Crc64Nvme], [7; 8]);
    assert_eq!((records[2].code.as_deref(), records[2].attempts), (Some("no-space"), 3));
    assert_eq!(names(&journal, Wanted::Manifest), ["b"]);
    assert_eq!(names(&journal, Wanted::Failed(run)), ["c\n"]);
    assert_eq!(names(&journal, Wanted::Skipped(run)), ["a"]);
    let counts = reader.counts(run).expect("counts");
    assert_eq!((counts.moved, counts.failed, counts.skipped), (1, 1, vec![("too-old", 1)]));
    let last = reader.last_run().expect("read").expect("a run");
    assert_eq!((last.state, last.process), (RunState::Finished, std::process::id()));
}

#[test]
fn an_object_is_done_while_it_is_the_same_and_the_rules_are() {
    let place = Place::new();
    let journal = place.open();
    let run = begin(&journal).run;
    let skipped =
        |name: &str, reason: SkipReason| Entry::Skipped { item: Item::of(&file(name, 10)), reason: (&reason).into() };
    for entry in [
        moved("m"),
        skipped("s", SkipReason::Same),
        skipped("e", SkipReason::Exists),
        skipped("x", SkipReason::Excluded),
    ] {
        journal.record(entry).expect("recorded");
    }
    journal.flush().expect("written");
    let done = |object: &Object, overwrite, run| {
        let known = journal.look(|lookup| lookup.get(&object.key)).expect("looked up");
        known.is_some_and(|known| known.is_done(&Item::of(object), overwrite, run))
    };
    let rules = [Overwrite::IfDifferent, Overwrite::IfNewer, Overwrite::Never, Overwrite::Always];
    let by_rule = |object: &Object, run| rules.map(|overwrite| done(object, overwrite, run));
    assert_eq!(by_rule(&file("m", 10), run), [true, true, true, true]);
    assert_eq!(by_rule(&file("m", 10), run + 1), [true, true, true, false]);
    assert_eq!(by_rule(&file("m", 11), run), [false; 4]);
    assert_eq!(by_rule(&file("s", 10), run + 1), [true, true, false, false]);
    assert_eq!(by_rule(&file("e", 10), run + 1), [false, false, true, false]);
    assert_eq!(by_rule(&file("x", 10), run + 1), [false; 4]);
    assert_eq!(by_rule(&file("unheard of", 10), run), [false; 4]);
    // Without versions, both times and sizes must be known.
    let known = Item::of(&Object { version: None, ..file("m", 10) });
    assert!(known.is_same(&known.clone()));
    assert!(!known.is_same(&Item { modified: known.modified.map(|modified| modified + 1), ..known.clone() }));
    let timeless = Item { modified: None, ..known };
    assert!(!timeless.is_same(&timeless.clone()));
}

#[test]
fn an_object_left_alone_keeps_its_proof_and_a_lost_one_does_not() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    for name in ["kept", "lost", "another"] {
        journal.record(moved(name)).expect("recorded");
    }
    let changed =
        |name: &str, reason: SkipReason| Entry::Skipped { item: Item::of(&file(name, 11)), reason: (&reason).into() };
    journal.record(changed("kept", SkipReason::Exists)).expect("recorded");
    journal.record(Entry::Lost(key("lost"))).expect("recorded");
    journal.record(changed("another", SkipReason::Same)).expect("recorded");
    journal.flush().expect("written");
    let reader = journal.reader().expect("it reads");
    let record = |name: &str| reader.record(name).expect("read").expect("there");
    assert_eq!((record("kept").size, record("kept").checksums.len()), (Some(10), 2));
    assert!(!record("lost").at_sink);
    assert_eq!((record("another").at_sink, record("another").checksums), (true, Checksums::new()));
    assert_eq!(names(&journal, Wanted::Manifest), ["another", "kept"]);
}

#[test]
fn a_run_that_was_killed_is_resumed_and_loses_its_last_group_only() {
    let place = Place::new();
    let journal = place.open();
    let first = begin(&journal);
    assert!(!first.resumed);
    journal.record(moved("a")).expect("recorded");
    journal.flush().expect("written");
    journal.record(moved("b")).expect("recorded");
    journal.record(Entry::Die).expect("recorded");
    drop(journal);

    let journal = place.open();
    let second = begin(&journal);
    assert_eq!((second.run, second.resumed), (first.run, true));
    assert_eq!(names(&journal, Wanted::Moved(first.run)), ["a"]);
    journal.record(moved("b")).expect("recorded");
    journal.end(&summary(State::Finished), true).expect("written");
    let last = journal.reader().expect("it reads").last_run().expect("read").expect("a run");
    assert_eq!((last.moved, last.listed), (2, 2), "both processes' work counts once");
    assert_eq!(begin(&journal), Started { run: first.run + 1, resumed: false, after: None });
}

/// A night between two processes is no part of a run's time.
#[test]
fn the_time_of_a_run_is_that_of_its_processes() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    journal.end(&summary(State::Interrupted), false).expect("written");
    drop(journal);
    let last = |journal: &Journal| journal.reader().expect("it reads").last_run().expect("read").expect("a run");
    let journal = place.open();
    // It began two hours ago, was worked on for a minute and a half in two goes, and then left alone.
    let now = codes::millis(SystemTime::now());
    let connection = rusqlite::Connection::open(place.path()).expect("it opens");
    let sql = "UPDATE runs SET started = ?1, resumed = ?2, updated = ?3, ended = ?3, worked = 60000";
    connection.execute(sql, [now - 7_200_000, now - 3_600_000, now - 3_570_000]).expect("written");
    assert_eq!(last(&journal).duration(), Duration::from_secs(90));
    begin(&journal);
    let resumed = last(&journal);
    assert_eq!((resumed.worked, resumed.state), (Duration::from_secs(90), RunState::Running));
    assert!(resumed.duration() < Duration::from_secs(300), "{:?}", resumed.duration());
    journal.end(&summary(State::Finished), true).expect("written");
    assert!(last(&journal).duration() < Duration::from_secs(300));
}

#[test]
fn the_listing_goes_on_where_everything_before_is_done() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    journal.record(Entry::Position(Some(key("m")))).expect("recorded");
    journal.end(&summary(State::Interrupted), true).expect("written");
    assert_eq!(begin(&journal).after, Some(key("m")));
    drop(journal);
    // Another selection passed over other objects.
    let other = Identity { selection: "some".into(), ..place.identity.clone() };
    let journal = Journal::open(&place.path(), &other).expect("it opens");
    assert_eq!(begin(&journal).after, None);
    journal.record(Entry::Position(Some(key("m")))).expect("recorded");
    journal.end(&summary(State::Finished), true).expect("written");
    assert_eq!(begin(&journal).after, None, "a new run lists everything");
    // What has failed must be come across again.
    journal.record(Entry::Position(Some(key("m")))).expect("recorded");
    journal.record(Entry::Failed { name: "a".into(), error: error(Code::IO), attempts: 1 }).expect("recorded");
    journal.record(Entry::Position(Some(key("n")))).expect("recorded");
    journal.end(&summary(State::Interrupted), true).expect("written");
    assert_eq!(begin(&journal).after, None);
}

#[test]
fn uploads_and_their_parts_come_back_until_they_end() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    let item = Item::of(&file("a", 100));
    let begun = |id, token: &str| Entry::Begun { id, item: item.clone(), token: token.into(), part_size: 10 };
    let part = |upload, number| {
        let checksums = [(Algorithm::Crc32c, vec![1, 2, 3, 4])].into();
        Entry::Part { upload, receipt: Receipt { part: number, token: format!("etag-{number}") }, checksums }
    };
    for entry in [begun(1, "first"), part(1, 2), part(1, 1)] {
        journal.record(entry).expect("recorded");
    }
    journal.flush().expect("written");
    let (uploads, next) = journal.look(Lookup::open_uploads).expect("read");
    let upload = &uploads[&key("a")];
    assert_eq!((upload.id, upload.token.as_str(), upload.part_size, next), (1, "first", 10, 2));
    assert!(upload.is_of(&item) && !upload.is_of(&Item::of(&file("a", 101))));
    let parts = journal.look(|lookup| lookup.parts(1)).expect("read");
    assert_eq!(parts.iter().map(|(receipt, _)| receipt.part).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(parts[0].1[&Algorithm::Crc32c], [1, 2, 3, 4]);
    // Another one of the same object takes its place, parts and all.
    journal.record(begun(2, "second")).expect("recorded");
    journal.record(begun(1, "third")).expect("recorded");
    journal.flush().expect("written");
    assert!(journal.look(|lookup| lookup.parts(1)).expect("read").is_empty());
    journal.record(Entry::Ended(1)).expect("recorded");
    journal.flush().expect("written");
    assert!(journal.look(Lookup::open_uploads).expect("read").0.is_empty());
}

#[test]
fn a_journal_has_one_holder() {
    let place = Place::new();
    let journal = place.open();
    let error = Journal::open(&place.path(), &place.identity).expect_err("it's held");
    assert_eq!(error.code, Code::IN_USE);
    assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(Reader::open(&place.path()).is_ok(), "reading is for everybody");
    assert_eq!(held_by(&place.path()), Ok(Some(std::process::id())));
    drop(journal);
    assert_eq!(held_by(&place.path()), Ok(None));
    place.open();
}

/// Those who look who holds a journal, and read it, are in nobody's way, and never see half of one.
#[test]
fn looking_disturbs_no_one_who_begins() {
    let places: Vec<_> = (0..30).map(|_| Place::new()).collect();
    let at = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(place) = places.get(at.load(Ordering::Relaxed)) {
                    held_by(&place.path()).expect("it's asked");
                    if let Err(error) = Reader::open(&place.path()) {
                        assert_eq!(error.code, Code::NOT_FOUND, "{error}");
                    }
                }
            });
        }
        // Told at the end, so that those who look end too.
        let opened: Vec<_> = places
            .iter()
            .map(|place| {
                let opened = Journal::open(&place.path(), &place.identity).map(drop);
                at.fetch_add(1, Ordering::Relaxed);
                opened
            })
            .collect();
        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    });
}

/// A log whose journal was moved away isn't played into the next one.
#[test]
fn what_outlived_its_journal_is_not_taken_for_a_part_of_the_next() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    journal.record(moved("a")).expect("recorded");
    journal.flush().expect("written");
    let log = place.folder.path().join("journal.sqlite-wal");
    let kept = fs::read(&log).expect("it's there while it's open");
    drop(journal);
    fs::remove_file(place.path()).expect("moved away");
    fs::write(&log, kept).expect("written");
    fs::write(place.folder.path().join("journal.sqlite-new"), "half made").expect("written");
    assert_eq!(names(&place.open(), Wanted::Everything), Vec::<String>::new());
}

#[test]
fn another_sink_is_refused_until_everything_is_forgotten() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    journal.record(moved("a")).expect("recorded");
    drop(journal);
    let other = Identity { sink: "another".into(), ..place.identity.clone() };
    let error = Journal::open(&place.path(), &other).expect_err("refused");
    assert_eq!(error.code, Code::INVALID_CONFIG);
    assert!(error.message.contains("--restart"), "{error}");
    assert_eq!(names(&place.open(), Wanted::Manifest), ["a"]);
    let journal = Journal::restart(&place.path(), &other).expect("it opens");
    assert_eq!(begin(&journal).run, 1);
    assert_eq!(names(&journal, Wanted::Everything), Vec::<String>::new());
}

#[test]
fn what_is_no_journal_is_refused_and_left_as_it_is() {
    let place = Place::new();
    drop(place.open());
    let connection = rusqlite::Connection::open(place.path()).expect("it opens");
    connection.pragma_update(None, "user_version", 99).expect("written");
    drop(connection);
    let error = Journal::open(&place.path(), &place.identity).expect_err("it's newer");
    assert_eq!(error.code, Code::UNSUPPORTED);
    assert!(error.message.contains("version 99") && error.message.contains("journal.sqlite"), "{error}");

    for content in [&b"short"[..], &[b'x'; 10_000]] {
        let place = Place::new();
        fs::write(place.path(), content).expect("written");
        let error = Journal::open(&place.path(), &place.identity).expect_err("no database");
        assert_eq!(error.code, Code::CORRUPT, "{error}");
        assert_eq!(fs::read(place.path()).expect("still there"), content);
    }

    let place = Place::new();
    let connection = rusqlite::Connection::open(place.path()).expect("it opens");
    connection.execute_batch("CREATE TABLE theirs (x)").expect("written");
    drop(connection);
    assert_eq!(Journal::open(&place.path(), &place.identity).expect_err("theirs").code, Code::CORRUPT);
    assert_eq!(Reader::open(&place.folder.path().join("none")).expect_err("not there").code, Code::NOT_FOUND);
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    for number in 0..3_000 {
        journal.record(moved(&format!("{number:05}"))).expect("recorded");
    }
    drop(journal);
    let mut content = fs::read(place.path()).expect("there");
    let pages = content.len() / 4096;
    for page in (2..pages).step_by(2) {
        content[page * 4096..page * 4096 + 2048].fill(0x5a);
    }
    fs::write(place.path(), content).expect("written");
    let error = match Journal::open(&place.path(), &place.identity) {
        Err(error) => error,
        Ok(journal) => {
            let reader = journal.reader().expect("the header is whole");
            reader.records(Wanted::Everything).find_map(Result::err).expect("the damage is found")
        }
    };
    assert_eq!(error.code, Code::CORRUPT, "{error}");
}

#[test]
fn marks_of_unchanged_objects_are_written_at_the_latest_when_it_closes() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    journal.record(moved("a")).expect("recorded");
    journal.end(&summary(State::Finished), true).expect("written");
    let run = begin(&journal).run;
    let entry = Entry::Unchanged { keys: vec![key("a")], reason: (&SkipReason::Done).into() };
    journal.record(entry).expect("recorded");
    drop(journal);
    assert_eq!(names(&place.open(), Wanted::Skipped(run)), ["a"]);
}

#[test]
fn a_position_is_never_ahead_of_the_marks_before_it() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    journal.record(moved("a")).expect("recorded");
    journal.end(&summary(State::Finished), true).expect("written");
    let run = begin(&journal).run;
    let entry = Entry::Unchanged { keys: vec![key("a")], reason: (&SkipReason::Done).into() };
    journal.record(entry).expect("recorded");
    journal.record(Entry::Position(Some(key("a")))).expect("recorded");
    // Killed in the first group after the one that wrote the position.
    let written = || {
        let reader = journal.reader().expect("it reads");
        let after = journal.look(|lookup| lookup.position()).expect("read");
        after.map(|after| (after, reader.record("a").expect("read").expect("there").run))
    };
    let (after, seen) = loop {
        if let Some(written) = written() {
            break written;
        }
        std::thread::yield_now();
    };
    assert_eq!((after, seen), (key("a"), run));
}

#[test]
fn reports_page_through_everything() {
    let place = Place::new();
    let journal = place.open();
    begin(&journal);
    let all: Vec<_> = (0..2_500).map(|number| format!("{number:05}")).collect();
    for name in all.iter().rev() {
        journal.record(moved(name)).expect("recorded");
    }
    let keys = all.iter().step_by(2).map(|name| key(name)).collect::<Vec<_>>();
    journal.end(&summary(State::Finished), true).expect("written");
    let run = begin(&journal).run;
    journal.record(Entry::Unchanged { keys, reason: (&SkipReason::Done).into() }).expect("recorded");
    journal.flush().expect("written");
    assert_eq!(names(&journal, Wanted::Manifest), all);
    assert_eq!(names(&journal, Wanted::Seen(run)).len(), 1_250);
    assert_eq!(names(&journal, Wanted::Unseen(run)).len(), 1_250);
    assert_eq!(names(&journal, Wanted::Skipped(run)).len(), 1_250);
}
