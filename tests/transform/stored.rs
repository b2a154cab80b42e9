//! Into a bucket, which wants every size before the first byte, and back; and how much memory that takes.

use std::fs;

use super::{COMPRESS, DECOMPRESS, assert_comes_back, fill};
use crate::harness::{
    Scratch,
    age::Key,
    peak_kib,
    seaweed::Seaweed,
    tree::{Random, Snapshot},
};

/// 40 MiB in parts of 5 MiB, two at a time: what waits for its size, the chunks in flight, and the engine.
const MOST_KIB: u64 = 160 * 1024;

#[test]
fn a_bucket_holds_what_age_reads_in_parts_too() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    fill(&scratch.path("source"));
    fs::write(scratch.path("source/large"), Random::seeded().bytes(13 << 20)).unwrap();
    let server = Seaweed::start(&scratch, &["one"]);
    let more = format!("{}[transfer]\npart_size = \"5 MiB\"\nworkers = 3\n", key.encrypting());
    let path = scratch.pipeline_between(&scratch.local("source"), &server.end("one"), &more);
    let ended = scratch.run(&path);
    ended.expect_code(0);
    // 12 of them and the large one; the link can't be held there.
    assert_eq!((ended.objects("moved"), ended.objects("skipped")), (13, 1));
    let again = scratch.run(&path);
    assert_eq!((again.code, again.objects("moved")), (Some(0), 0));

    // By an independent client, for an independent program.
    let plain = "connector = \"s3\"";
    assert!(server.end("one").starts_with(plain));
    scratch.forget();
    let fetch = scratch.pipeline_between(&server.end("one"), &scratch.local("sink"), "");
    scratch.run(&fetch).expect_code(0);
    let stored = Snapshot::of(&scratch.path("sink"));
    let files = stored.items().keys().filter(|name| name.to_string_lossy().ends_with(".age"));
    assert_eq!(files.count(), 13);
    let large = key.decrypt(&fs::read(scratch.path("sink/large.age")).unwrap()).unwrap();
    assert!(large == fs::read(scratch.path("source/large")).unwrap());

    // And by the way back.
    scratch.forget();
    fs::remove_file(scratch.path("source/link")).unwrap();
    let back = scratch.pipeline_between(&server.end("one"), &scratch.local("back"), &key.decrypting());
    scratch.run(&back).expect_code(0);
    for name in Snapshot::of(&scratch.path("back")).items().keys() {
        let path = scratch.path("back").join(name);
        if path.is_file() {
            assert!(fs::read(&path).unwrap() == fs::read(scratch.path("source").join(name)).unwrap(), "{name:?}");
        }
    }
}

#[test]
fn memory_is_bounded_by_the_parts() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    fs::create_dir(scratch.path("source")).unwrap();
    for name in ["a", "b"] {
        fs::write(scratch.path("source").join(name), Random::seeded().bytes(40 << 20)).unwrap();
    }
    let server = Seaweed::start(&scratch, &["one"]);
    let more = format!("{}[transfer]\npart_size = \"5 MiB\"\nworkers = 2\n", key.encrypting());
    let path = scratch.pipeline_between(&scratch.local("source"), &server.end("one"), &more);
    // What is compiled the first time isn't the transfer's.
    scratch.engine(&["validate", path.to_str().unwrap()]).expect_code(0);
    let mut running = scratch.start(&["run", "--json", path.to_str().unwrap()]);
    let mut peak = 0;
    while running.ended().is_none() {
        peak = peak.max(peak_kib(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ended = running.wait();
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), 2);
    assert!(peak > 0 && peak < MOST_KIB, "{peak} KiB");
}

#[test]
fn a_bomb_is_unpacked_in_bounded_memory_and_no_further_than_its_limit() {
    let scratch = Scratch::in_memory();
    fs::create_dir(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/bomb"), vec![0; 256 << 20]).unwrap();
    scratch.run(&scratch.pipeline(COMPRESS)).expect_code(0);
    assert!(fs::metadata(scratch.path("sink/bomb.zst")).unwrap().len() < 1 << 20);
    scratch.forget();
    let limits = "[limits]\nmax_object = \"100 MiB\"\nmemory = \"16 MiB\"\n";
    let back = |more: &str| scratch.pipeline_between(&scratch.local("sink"), &scratch.local("back"), more);
    let ended = scratch.run(&back(&format!("{DECOMPRESS}{limits}")));
    ended.expect_code(2);
    assert_eq!(ended.failures(), [("bomb".to_owned(), "too-large".to_owned())]);
    assert!(Snapshot::of(&scratch.path("back")).items().is_empty());
    scratch.forget();
    assert_comes_back(&scratch, &format!("{DECOMPRESS}[limits]\nmemory = \"16 MiB\"\n"));
}
