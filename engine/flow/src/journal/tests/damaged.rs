//! Journals that something or somebody has changed: cut off, overwritten, with other tables, with values
//! that no engine writes. Each is refused with a word that says so, or read as far as it goes; nothing
//! panics or goes on for ever, and a file that's refused stays as it is.

use std::{path::Path, sync::OnceLock};

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;

const RUN: i64 = 2;

/// What's wrong with a file of so many thousandths.
#[derive(Debug, Clone)]
enum Damage {
    CutOff(usize),
    Flipped(usize, u8),
    Overwritten(usize, u8),
    Swapped(usize, usize),
}

/// A journal with some of everything, in the second run, and what's still in its log.
fn intact() -> &'static (Vec<u8>, Vec<u8>) {
    static INTACT: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    INTACT.get_or_init(|| {
        let place = Place::new();
        {
            let journal = place.open();
            begin(&journal);
            for number in 0..1_500 {
                journal.record(moved(&format!("{number:05}"))).expect("recorded");
            }
            journal.end(&summary(State::Finished), true).expect("written");
        }
        let journal = place.open();
        assert_eq!(begin(&journal).run, RUN);
        let item = Item::of(&file("large", 100));
        journal.record(Entry::Begun { id: 1, item, token: "token".into(), part_size: 10 }).expect("recorded");
        let receipt = Receipt { part: 3, token: "etag".into() };
        journal.record(Entry::Part { upload: 1, receipt, checksums: Checksums::new() }).expect("recorded");
        journal.record(moved("00003")).expect("recorded");
        journal.record(Entry::Position(Some(key("00003")))).expect("recorded");
        let failed = Entry::Failed { name: "a\u{7}".into(), error: error(Code::IO), attempts: 3 };
        journal.record(failed).expect("recorded");
        journal.flush().expect("written");
        let read = |ending: &str| fs::read(format!("{}{ending}", place.path().display())).expect("there");
        (read(""), read("-wal"))
    })
}

/// Puts both files where a killed process would have left them.
fn put(place: &Place, main: &[u8], log: &[u8]) {
    fs::write(place.path(), main).expect("written");
    if !log.is_empty() {
        fs::write(place.folder.path().join("journal.sqlite-wal"), log).expect("written");
    }
}

/// Everything that is done with a journal; what was refused.
fn used(path: &Path, identity: &Identity) -> Vec<Error> {
    let mut refused = Vec::new();
    let read = |reader: &Reader, refused: &mut Vec<Error>| {
        refused.extend(reader.runs(10).err());
        refused.extend(reader.counts(RUN).err());
        refused.extend(reader.record("00003").err());
        for wanted in [Wanted::Manifest, Wanted::Everything, Wanted::Seen(RUN), Wanted::Failed(RUN)] {
            refused.extend(reader.records(wanted).find_map(Result::err));
        }
    };
    match Reader::open(path) {
        Ok(reader) => read(&reader, &mut refused),
        Err(error) => refused.push(error),
    }
    let journal = match Journal::open(path, identity) {
        Ok(journal) => journal,
        Err(error) => {
            refused.push(error);
            return refused;
        }
    };
    let run = || {
        journal.begin(1, &Arc::default())?;
        let (uploads, _) = journal.look(Lookup::open_uploads)?;
        for upload in uploads.values() {
            journal.look(|lookup| lookup.parts(upload.id))?;
        }
        journal.look(|lookup| lookup.get(&key("00003")))?;
        journal.look(|lookup| lookup.has_seen_below(&key("folder"), RUN))?;
        let reason = (&SkipReason::Done).into();
        journal.record(Entry::Unchanged { keys: vec![key("00004"), key("00700")], reason })?;
        journal.record(moved("new"))?;
        journal.record(Entry::Failed { name: "00005".into(), error: error(Code::IO), attempts: 1 })?;
        journal.record(Entry::Ended(1))?;
        journal.end(&summary(State::Finished), true)
    };
    refused.extend(run().err());
    drop(journal);
    refused
}

fn spoil(bytes: &mut Vec<u8>, damage: &Damage) {
    const PAGE: usize = 4096;
    let length = bytes.len();
    let at = |thousandth: usize| thousandth * length.saturating_sub(1) / 1000;
    let page = |thousandth: usize| {
        let first = at(thousandth) / PAGE * PAGE;
        first..(first + PAGE).min(length)
    };
    match *damage {
        Damage::CutOff(place) => bytes.truncate(at(place)),
        Damage::Flipped(place, bits) => {
            if let Some(byte) = bytes.get_mut(at(place)) {
                *byte ^= bits;
            }
        }
        Damage::Overwritten(place, with) => bytes[page(place)].fill(with),
        Damage::Swapped(one, other) => {
            let (one, other) = (page(one), page(other));
            if one.len() == PAGE && other.len() == PAGE && one != other {
                let kept = bytes[one.clone()].to_vec();
                bytes.copy_within(other.clone(), one.start);
                bytes[other].copy_from_slice(&kept);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = || 0..1000_usize;
    prop_oneof![
        place().prop_map(Damage::CutOff),
        (place(), 1..=255_u8).prop_map(|(place, bits)| Damage::Flipped(place, bits)),
        // The header, where most of what matters stands.
        (Just(0_usize), 1..=255_u8).prop_map(|(place, bits)| Damage::Flipped(place, bits)),
        (place(), any::<u8>()).prop_map(|(place, with)| Damage::Overwritten(place, with)),
        (place(), place()).prop_map(|(one, other)| Damage::Swapped(one, other)),
    ]
}

fn assert_said(refused: &[Error], what: &dyn std::fmt::Debug) {
    // Bits of the identity, of the version and of the lengths may be the ones that changed.
    let codes = [Code::CORRUPT, Code::INVALID_CONFIG, Code::UNSUPPORTED, Code::NOT_FOUND, Code::IO];
    for error in refused {
        assert!(codes.contains(&error.code), "{what:?}: {error}");
        assert!(error.message.contains("journal.sqlite"), "{what:?}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_damage_is_said_or_harmless(of_main in prop::collection::vec(damage(), 0..4), of_log in prop::collection::vec(damage(), 0..3)) {
        let place = Place::new();
        let (mut main, mut log) = intact().clone();
        of_main.iter().for_each(|damage| spoil(&mut main, damage));
        of_log.iter().for_each(|damage| spoil(&mut log, damage));
        put(&place, &main, &log);
        assert_said(&used(&place.path(), &place.identity), &(of_main, of_log));
    }

    #[test]
    fn what_is_refused_is_left_as_it_is(of_main in prop::collection::vec(damage(), 1..4)) {
        let place = Place::new();
        let mut main = intact().0.clone();
        of_main.iter().for_each(|damage| spoil(&mut main, damage));
        put(&place, &main, &[]);
        match Journal::open(&place.path(), &place.identity) {
            Err(_) if !main.is_empty() => prop_assert!(fs::read(place.path()).expect("there") == main),
            _ => {}
        }
    }
}

/// Changes a journal as `sqlite3` would, and says what is refused afterwards.
fn edited(sql: &str) -> Vec<Error> {
    let place = Place::new();
    let (main, log) = intact();
    put(&place, main, log);
    let connection = Connection::open(place.path()).expect("it opens");
    connection.execute_batch(sql).expect(sql);
    drop(connection);
    let refused = used(&place.path(), &place.identity);
    assert_said(&refused, &sql);
    refused
}

#[test]
fn a_value_that_no_engine_writes_is_refused_or_means_nothing() {
    for sql in [
        "UPDATE objects SET size = -1",
        "UPDATE objects SET attempts = -1",
        "UPDATE objects SET attempts = 4294967296",
        "UPDATE objects SET version = x'00ff'",
        "UPDATE objects SET message = CAST(x'ff' AS TEXT), code = 'io'",
        "UPDATE objects SET checksums = 7",
        "UPDATE objects SET outcome = 'moved'",
        "UPDATE runs SET round = -1",
        "UPDATE runs SET process = -1",
        "UPDATE runs SET moved = 1.5",
        "UPDATE runs SET id = 9223372036854775807, state = 1 WHERE id = 2",
        "UPDATE parts SET number = -1",
        "UPDATE parts SET number = 4294967296",
        "UPDATE uploads SET part_size = 'many'",
        "DROP TABLE parts",
        "DROP TABLE meta",
        "ALTER TABLE objects DROP COLUMN grade",
        "PRAGMA user_version = -1",
        "PRAGMA application_id = 7",
    ] {
        let refused = edited(sql);
        assert!(refused.iter().any(|error| error.code == Code::CORRUPT), "{sql}: {refused:?}");
    }
    for sql in [
        "UPDATE objects SET outcome = 99, settled = 99, kind = 99, grade = 99",
        "UPDATE objects SET outcome = -99, settled = -99, kind = -99, grade = -99",
        "UPDATE objects SET modified = 9223372036854775807, moved = 9223372036854775807",
        "UPDATE objects SET modified = -9223372036854775808, moved = -9223372036854775808",
        "UPDATE objects SET checksums = x'0102', attributes = 9223372036854775807",
        "UPDATE objects SET key = '../../' || key",
        "UPDATE objects SET key = '' WHERE key = '00003'",
        "UPDATE objects SET run = 9223372036854775807",
        "UPDATE runs SET state = 99, started = 9223372036854775807, ended = -9223372036854775808",
        "UPDATE runs SET moved = 9223372036854775807, listed = 9223372036854775807, bytes = -1, listing_done = 7",
        "UPDATE runs SET id = -id",
        "DELETE FROM runs",
        "UPDATE uploads SET key = '../' || key, token = '', size = -1",
        "UPDATE uploads SET id = 9223372036854775807, part_size = -1",
        "UPDATE parts SET number = 4294967295, token = ''",
        "UPDATE position SET after = '/../'",
        "DELETE FROM meta",
        "ALTER TABLE objects ADD COLUMN theirs",
    ] {
        assert_eq!(edited(sql), Vec::new(), "{sql}");
    }
}
