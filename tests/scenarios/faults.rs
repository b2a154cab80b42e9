//! Disks that are full, that can't be written, sources that change or aren't there.

use std::{fs, io::Write};

use super::temporary_files;
use crate::harness::{
    Scratch,
    disk::Disk,
    tree::{Random, Snapshot},
};

#[test]
fn a_full_disk_is_said_and_nothing_half_written_is_left() {
    for part_size in ["5 MiB", "1 GiB"] {
        let scratch = Scratch::new();
        let disk = Disk::mount(scratch.path("sink"), 24 << 20);
        let sizes = (0..40).map(|number| if number % 10 == 9 { 7 << 20 } else { 300_000 });
        Random::seeded().fill(&scratch.path("source"), sizes);
        let transfer = format!("[transfer]\nattempts = 1\nworkers = 4\npart_size = \"{part_size}\"");
        let run = scratch.run(&scratch.pipeline(&transfer));
        assert!(matches!(run.code, Some(2 | 3)), "{:?}", run.code);
        let codes: Vec<_> = run.failures().into_iter().map(|(_, code)| code).collect();
        assert!(!codes.is_empty() && codes.iter().all(|code| code == "no-space"), "{codes:?}");
        Snapshot::of(&scratch.path("sink")).assert_no_partial_of(&Snapshot::of(&scratch.path("source")));
        assert_eq!(temporary_files(&scratch.path("sink")), Vec::<String>::new());
        drop(disk);
    }
}

#[test]
fn a_read_only_sink_is_said() {
    let scratch = Scratch::new();
    let disk = Disk::mount(scratch.path("sink"), 1 << 20);
    disk.make_read_only();
    fs::create_dir(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "x").unwrap();
    let pipeline = scratch.pipeline("[transfer]\nattempts = 1");
    let run = scratch.run(&pipeline);
    run.expect_code(2);
    assert_eq!(run.failures(), [("a".to_owned(), "read-only".to_owned())]);
    scratch.engine(&["check", pipeline.to_str().unwrap()]).expect_code(3);
    drop(disk);
}

#[test]
fn a_source_that_is_not_there_ends_the_run() {
    let scratch = Scratch::new();
    let run = scratch.engine(&["run", "--json", scratch.pipeline("").to_str().unwrap()]);
    run.expect_code(3);
    assert_eq!(run.summary()["state"], "failed");
    assert!(run.summary()["error"]["message"].as_str().unwrap().contains("source"), "{}", run.output);
}

#[test]
fn a_file_that_grows_or_goes_is_never_silently_wrong() {
    let scratch = Scratch::in_memory();
    let source = scratch.path("source");
    let mut random = Random::seeded();
    random.fill(&source, [4 << 20, 4 << 20, 4 << 20]);
    let pipeline = scratch.pipeline("[tunnel]\nmax_bandwidth = \"4 MiB/s\"\n[transfer]\nworkers = 3\nattempts = 2");
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    // While all three are on their way, one grows and one goes.
    let sink = scratch.path("sink");
    while running.ended().is_none() && !(sink.exists() && Snapshot::of(&sink).items().len() >= 4) {
        std::thread::yield_now();
    }
    let mut growing = fs::OpenOptions::new().append(true).open(source.join("d000/f00000")).unwrap();
    growing.write_all(b"more").unwrap();
    fs::remove_file(source.join("d000/f00001")).unwrap();
    let run = running.wait();
    let failed: Vec<_> = run.failures().into_iter().map(|(key, _)| key).collect();
    let there = Snapshot::of(&sink);
    there.assert_no_partial_of(&{
        // What the deleted one had is what the same seed makes again.
        let again = scratch.path("again");
        Random::seeded().fill(&again, [4 << 20, 4 << 20, 4 << 20]);
        fs::copy(source.join("d000/f00000"), again.join("d000/f00000")).unwrap();
        Snapshot::of(&again)
    });
    let arrived = |name: &str| there.items().contains_key(std::ffi::OsStr::new(name));
    for name in ["d000/f00000", "d000/f00001", "d000/f00002"] {
        assert!(arrived(name) || failed.contains(&name.to_owned()), "{name} is neither there nor reported");
    }
    assert_eq!(run.code, Some(if failed.is_empty() { 0 } else { 2 }));
}
