//! Runs that are killed with SIGKILL at random moments, disks that fill up or turn read-only, sources
//! that change: what the next run finds, and what a reader of the sink sees meanwhile.

mod watcher;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use culvert_flow::journal::Reader;
use nix::sys::signal::Signal;

use self::watcher::Watcher;
use crate::{
    harness::{
        Running, Scratch,
        disk::Disk,
        tree::{Random, Snapshot},
    },
    scenarios::temporary_files,
};

/// Fifty are asked for; a few more, since one may come too late.
const KILLS: usize = 52;
const WORKERS: u64 = 4;
const PART_BYTES: u64 = 5 << 20;
/// Besides parts, what a worker may have in flight: a small object.
const SMALL_BYTES: u64 = 20_000;
const LIMIT_BYTES: u64 = 24 << 20;
/// What is written down together: what was moved in a tenth of a second may be missing from a journal, and
/// on a busy machine its thread comes late.
const GROUP_BYTES: u64 = LIMIT_BYTES / 4;
/// Kills of each run that has other troubles besides.
const KILLS_BESIDES: usize = 8;

fn fill(random: &mut Random, root: &Path) -> u64 {
    let sizes: Vec<_> = (0..1200).map(|number| if number % 200 == 100 { 23 << 20 } else { number * 16 }).collect();
    random.fill(root, sizes.iter().copied());
    sizes.iter().sum::<usize>() as u64
}

/// Bytes that the process has read, all its threads together, once it stands still.
fn bytes_read(running: &Running) -> u64 {
    running.signal(Signal::SIGSTOP);
    let proc = format!("/proc/{}", running.pid());
    loop {
        let stat = fs::read_to_string(format!("{proc}/stat")).unwrap();
        let state = stat.rsplit_once(')').unwrap().1.trim_start().chars().next();
        if matches!(state, Some('T' | 'Z')) {
            break;
        }
        std::thread::yield_now();
    }
    let io = fs::read_to_string(format!("{proc}/io")).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap_or(0)
}

/// Kills it at a moment between its start and a while after its first object; returns what it had read,
/// or none if it had ended by itself, with one of `codes`.
fn kill_at_random(mut running: Running, random: &mut Random, codes: &[i32]) -> Option<u64> {
    if !random.next().is_multiple_of(4) {
        while running.ended().is_none() && !running.printed().contains("\"started\"") {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(Duration::from_micros(random.next() % 250_000));
    if running.ended().is_some() {
        let ended = running.wait();
        assert!(ended.code.is_some_and(|code| codes.contains(&code)), "{:?}: {}", ended.code, ended.errors);
        return None;
    }
    let read = bytes_read(&running);
    running.signal(Signal::SIGKILL);
    while running.ended().is_none() {
        std::thread::yield_now();
    }
    Some(read)
}

fn journal(scratch: &Scratch) -> PathBuf {
    scratch.path("state/pipelines/test/journal.sqlite")
}

/// The journal opens, or there is none yet.
fn assert_journal_opens(scratch: &Scratch) {
    let journal = journal(scratch);
    match Reader::open(&journal).and_then(|reader| reader.runs(10)) {
        Ok(runs) => assert!(runs.len() <= 10),
        Err(error) => assert!(!journal.exists(), "the journal doesn't open after a kill: {error}"),
    }
}

/// Bytes of the objects and parts that a journal says are at the sink. Python's SQLite looks at a copy: it
/// would tidy up what the next run is to find.
fn bytes_done(scratch: &Scratch) -> u64 {
    const PROGRAM: &str = "import sqlite3, sys\n\
        objects = 'SELECT coalesce(sum(size), 0) FROM objects WHERE kind = 0 AND settled = 1'\n\
        parts = 'SELECT coalesce(sum(min(part_size, size - (number - 1) * part_size)), 0) \
                 FROM parts JOIN uploads ON uploads.id = parts.upload'\n\
        journal = sqlite3.connect(sys.argv[1])\n\
        print(journal.execute(objects).fetchone()[0] + journal.execute(parts).fetchone()[0])";
    let journal = journal(scratch);
    if !journal.exists() {
        return 0;
    }
    let copy = scratch.path("copy");
    for ending in ["", "-wal"] {
        let _ = fs::remove_file(format!("{}{ending}", copy.display()));
        let file = format!("{}{ending}", journal.display());
        if Path::new(&file).exists() {
            fs::copy(file, format!("{}{ending}", copy.display())).unwrap();
        }
    }
    let python = Command::new("python3").args(["-c", PROGRAM]).arg(&copy).output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    String::from_utf8(python.stdout).unwrap().trim().parse().unwrap()
}

/// Bytes that a run reads which has nothing to move: components, journal.
fn bytes_read_idle(scratch: &Scratch, pipeline: &str) -> u64 {
    let mut running = scratch.start(&["run", "--json", pipeline]);
    let mut idle = 0;
    while running.ended().is_none() {
        let io = fs::read_to_string(format!("/proc/{}/io", running.pid())).unwrap_or_default();
        idle = io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap_or(idle);
    }
    running.wait().expect_code(0);
    idle
}

#[test]
fn fifty_kills_lose_nothing_and_show_nothing_partial() {
    let scratch = Scratch::in_memory();
    let mut random = Random::seeded();
    let total = fill(&mut random, &scratch.path("source"));
    let source = Snapshot::of(&scratch.path("source"));
    let transfer = format!("[transfer]\nworkers = {WORKERS}\npart_size = \"5 MiB\"\nverify = \"size\"");
    let pipeline = scratch.pipeline(&format!("[tunnel]\nmax_bandwidth = \"{LIMIT_BYTES} B/s\"\n{transfer}"));
    let pipeline = pipeline.to_str().unwrap();
    let watcher = Watcher::start(scratch.path("sink"), source.clone());
    // Of each kill: what the process had read, and what of it the journal has besides what it had before.
    let (mut kills, mut done) = (Vec::new(), 0);
    for kill in 1..=KILLS {
        let running = scratch.start(&["run", "--json", pipeline]);
        let read = kill_at_random(running, &mut random, &[0]);
        assert_journal_opens(&scratch);
        let before = std::mem::replace(&mut done, bytes_done(&scratch));
        assert!(done >= before, "{before} bytes were done before kill {kill}, {done} after it");
        kills.extend(read.map(|read| (read, done - before)));
    }
    let last = scratch.start(&["run", "--json", pipeline]);
    last.wait().expect_code(0);
    watcher.stop();
    Snapshot::of(&scratch.path("sink")).assert_equals(&source);
    assert_eq!(temporary_files(&scratch.path("sink")), Vec::<String>::new());
    assert!(kills.len() >= 50, "only {} of the runs were still at work when they were to be killed", kills.len());
    let idle = bytes_read_idle(&scratch, pipeline);
    let lost = kills.iter().map(|(read, done)| read.saturating_sub(idle + done));
    let (most, all) = (lost.clone().max().unwrap_or(0), lost.sum::<u64>());
    let bound = WORKERS * (PART_BYTES + SMALL_BYTES) + GROUP_BYTES;
    // Shown by `--success-output`: the figure is the point of the test.
    eprintln!(
        "{} kills, {total} bytes; read in vain: {all}, by one kill at most {most} (bound {bound}); {idle} when idle",
        kills.len()
    );
    assert!(most <= bound, "a kill cost {most} bytes, more than the {bound} in flight");
}

#[test]
fn a_disk_that_was_full_is_filled_once_it_has_room() {
    let scratch = Scratch::new();
    let disk = Disk::mount(scratch.path("sink"), 30 << 20);
    let sizes = (0..40).map(|number| if number % 10 == 9 { 12 << 20 } else { 300_000 });
    let mut random = Random::seeded();
    random.fill(&scratch.path("source"), sizes);
    let source = Snapshot::of(&scratch.path("source"));
    let transfer = "[transfer]\nattempts = 1\nworkers = 4\npart_size = \"5 MiB\"";
    let pipeline = scratch.pipeline(&format!("[tunnel]\nmax_bandwidth = \"24 MiB/s\"\n{transfer}"));
    let watcher = Watcher::start(scratch.path("sink"), source.clone());
    // While it fills, and when it's full.
    for _ in 0..KILLS_BESIDES {
        let running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
        kill_at_random(running, &mut random, &[2, 3]);
        assert_journal_opens(&scratch);
    }
    let full = scratch.run(&pipeline);
    assert!(matches!(full.code, Some(2 | 3)), "{:?}", full.code);
    assert!(full.failures().iter().all(|(_, code)| code == "no-space"), "{:?}", full.failures());
    disk.resize(120 << 20);
    scratch.run(&scratch.pipeline(transfer)).expect_code(0);
    watcher.stop();
    Snapshot::of(&scratch.path("sink")).assert_equals(&source);
}

#[test]
fn a_sink_that_turns_read_only_half_way_is_completed_once_it_can_be_written() {
    let scratch = Scratch::new();
    let disk = Disk::mount(scratch.path("sink"), 200 << 20);
    let sizes = (0..300).map(|number| if number % 60 == 59 { 12 << 20 } else { 20_000 });
    let mut random = Random::seeded();
    random.fill(&scratch.path("source"), sizes);
    let source = Snapshot::of(&scratch.path("source"));
    let transfer = "[transfer]\nattempts = 1\nworkers = 4\npart_size = \"5 MiB\"";
    let pipeline = scratch.pipeline(&format!("[tunnel]\nmax_bandwidth = \"10 MiB/s\"\n{transfer}"));
    let watcher = Watcher::start(scratch.path("sink"), source.clone());
    let start = || scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    let mut running = start();
    while !running.printed().contains("\"moved\"") {
        assert!(running.ended().is_none(), "it ended before the disk turned read-only");
        std::thread::sleep(Duration::from_millis(2));
    }
    // Refused while a file is open for writing.
    while !disk.try_make_read_only() {
        assert!(running.ended().is_none(), "it ended before the disk turned read-only");
    }
    let ended = running.wait();
    assert!(matches!(ended.code, Some(2 | 3)), "{:?}: {}", ended.code, ended.output);
    for _ in 0..KILLS_BESIDES / 2 {
        disk.make_writable();
        kill_at_random(start(), &mut random, &[0]);
        disk.make_read_only();
        kill_at_random(start(), &mut random, &[0, 2, 3]);
        assert_journal_opens(&scratch);
    }
    disk.make_writable();
    scratch.run(&scratch.pipeline(transfer)).expect_code(0);
    watcher.stop();
    Snapshot::of(&scratch.path("sink")).assert_equals(&source);
}

/// The journal's own disk: what can't be written down isn't moved on, and nothing that's moved is lost.
#[test]
fn a_journal_whose_disk_was_full_goes_on_once_it_has_room() {
    let scratch = Scratch::new();
    let state = scratch.path("state");
    let disk = Disk::mount(state.clone(), 64 << 20);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let mut random = Random::seeded();
    fs::create_dir(scratch.path("source")).unwrap();
    let pipeline = scratch.pipeline("");
    // Makes the journal, and compiles the connector.
    scratch.run(&pipeline).expect_code(0);
    random.fill(&scratch.path("source"), (0..4000).map(|number| number % 100));
    let source = Snapshot::of(&scratch.path("source"));
    let filler = state.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    let room = file.metadata().unwrap().len() - (256 << 10);
    file.set_len(room).unwrap();
    let watcher = Watcher::start(scratch.path("sink"), source.clone());
    let full = scratch.run(&pipeline);
    full.expect_code(3);
    assert_eq!(full.summary()["error"]["code"], "no-space", "{}", full.summary());
    assert!(full.objects("moved") < 4000, "{}", full.summary());
    drop(file);
    fs::remove_file(filler).unwrap();
    assert_journal_opens(&scratch);
    scratch.run(&pipeline).expect_code(0);
    watcher.stop();
    Snapshot::of(&scratch.path("sink")).assert_equals(&source);
    drop(disk);
}

#[test]
fn sources_that_grow_or_go_half_way_end_well() {
    const GROWS: &str = "d000/f00039";
    const GOES: &str = "d000/f00038";
    let scratch = Scratch::in_memory();
    let mut random = Random::seeded();
    random.fill(&scratch.path("source"), (0..40).map(|number| number * 100_000));
    let source = Snapshot::of(&scratch.path("source"));
    let (grows, goes) = (scratch.path("source").join(GROWS), scratch.path("source").join(GOES));
    let transfer = "[transfer]\nattempts = 2\nmax_backoff = \"100ms\"\nworkers = 4\npart_size = \"5 MiB\"";
    let pipeline = scratch.pipeline(&format!("[tunnel]\nmax_bandwidth = \"20 MiB/s\"\n{transfer}"));
    let watcher = Watcher::start_but_for(scratch.path("sink"), source, &[GROWS, GOES]);
    let done = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&grows).unwrap();
            while !done.load(Ordering::Relaxed) {
                std::io::Write::write_all(&mut file, b"more").unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..KILLS_BESIDES {
            let running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
            kill_at_random(running, &mut random, &[0, 2]);
            assert_journal_opens(&scratch);
        }
        let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
        while running.ended().is_none() {
            if goes.exists() && running.printed().contains("\"moved\"") {
                fs::remove_file(&goes).unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        done.store(true, Ordering::Relaxed);
        running.wait()
    });
    assert!(matches!(ended.code, Some(0 | 2)), "{:?}", ended.code);
    let is_one = |key: &str, code: &str| (key == GROWS && code == "changed") || (key == GOES && code == "not-found");
    assert!(ended.failures().iter().all(|(key, code)| is_one(key, code)), "{:?}", ended.failures());
    // It stands still now: the next run has it as it is.
    scratch.run(&scratch.pipeline(transfer)).expect_code(0);
    watcher.stop();
    let sink = Snapshot::of(&scratch.path("sink"));
    sink.without(&[GOES.into()]).assert_equals(&Snapshot::of(&scratch.path("source")).without(&[GOES.into()]));
}
