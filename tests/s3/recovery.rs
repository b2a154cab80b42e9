//! kill -9 in the middle of an upload in parts: the next run goes on with it, sends no part again that
//! the store has, and leaves no upload behind.

use std::{fs, time::Duration};

use nix::sys::signal::Signal;

use crate::harness::{Scratch, s3s::S3s, seaweed::Seaweed, store::Store, tree::Random, wire::Wire};

const PART: usize = 5 << 20;
const PARTS: usize = 12;
const WORKERS: usize = 2;

/// Requests that send a part.
fn parts(wire: &Wire) -> usize {
    wire.lines().iter().filter(|(_, line)| line.starts_with("PUT ") && line.contains("partNumber=")).count()
}

#[test]
fn parts_that_the_store_has_are_not_sent_again() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    goes_on_with_an_upload(&scratch, &server);
}

#[test]
fn parts_that_s3s_has_are_not_sent_again() {
    let scratch = Scratch::in_memory();
    let server = S3s::start(&scratch, &["archive"]);
    goes_on_with_an_upload(&scratch, &server);
}

pub(crate) fn goes_on_with_an_upload(scratch: &Scratch, server: &dyn Store) {
    fs::create_dir_all(scratch.path("source")).unwrap();
    let bytes = Random::seeded().bytes(PART * PARTS - 12_345);
    fs::write(scratch.path("source/large"), &bytes).unwrap();
    let wire = Wire::before(server.port());
    let pipeline = |tunnel: &str| {
        let bucket = server.end_at(&wire.endpoint(), "archive");
        let more = format!("[tunnel]\n{tunnel}\n[transfer]\nworkers = {WORKERS}\npart_size = \"5 MiB\"");
        scratch.pipeline_between(&scratch.local("source"), &bucket, &more)
    };
    let slow = pipeline("max_bandwidth = \"20 MiB/s\"");
    let mut running = scratch.start(&["run", slow.to_str().unwrap()]);
    while parts(&wire) < 6 {
        assert!(running.ended().is_none(), "the run ended before it could be killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal(Signal::SIGKILL);
    while running.ended().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.ask_json(&["listed", "archive"]), serde_json::json!([]));

    let before = parts(&wire);
    scratch.run(&pipeline("")).expect_code(0);
    // What was in flight is sent again, and a part whose receipt wasn't in the journal yet.
    let after = parts(&wire) - before;
    eprintln!("{before} parts before, {after} after, of {PARTS}");
    assert!(after < PARTS && before + after <= PARTS + 2 * WORKERS, "{before} and {after} of {PARTS}");
    let fetched = scratch.path("fetched");
    server.ask(&["fetch", "archive", fetched.to_str().unwrap()]);
    assert!(fs::read(fetched.join("large")).unwrap() == bytes, "the object differs");
    assert!(server.uploads("archive").is_empty());
    // What the journal remembers was held against what the store has, on however many pages.
    let is_first = |line: &str| line.contains("uploadId=") && !line.contains("part-number-marker=");
    let listed = wire.lines().iter().filter(|(_, line)| line.starts_with("GET ") && is_first(line)).count();
    assert_eq!(listed, 1);
}
