//! Copies inside a store: no byte passes the engine or its tunnel, and where the store refuses to copy
//! the bytes do.

use std::{fs, path::Path};

use crate::harness::{
    Scratch,
    s3s::S3s,
    seaweed::{CONFINED_KEY, CONFINED_SECRET, Seaweed, end},
    store::Store,
    tree::Random,
    wire::Wire,
};

/// Larger than a copied part, which is 16 times `part_size`.
const LARGE: usize = 81 << 20;
const SMALL: [&str; 4] = ["a.txt", "with space", "b/c d", "umlaut-ü"];

/// Fills the bucket `one`.
fn fill(scratch: &Scratch, server: &dyn Store) {
    let mut random = Random::seeded();
    for name in SMALL {
        let path = scratch.path("filled").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, random.bytes(3000)).unwrap();
    }
    fs::write(scratch.path("filled/large"), random.bytes(LARGE)).unwrap();
    server.ask(&["fill", "one", scratch.path("filled").to_str().unwrap()]);
}

fn assert_copied(scratch: &Scratch, server: &dyn Store, fetched: &Path) {
    server.ask(&["fetch", "two", fetched.to_str().unwrap(), "copied/"]);
    for name in SMALL.iter().chain(&["large"]) {
        let (there, here) =
            (fs::read(fetched.join(name)).unwrap(), fs::read(scratch.path("filled").join(name)).unwrap());
        assert!(there == here, "{name} differs");
    }
    assert!(server.uploads("two").is_empty());
}

/// Requests that read an object's bytes.
fn reads(wire: &Wire) -> usize {
    let is_read = |line: &str| line.starts_with("GET /one/") && !line.contains("list-type=");
    wire.lines().iter().filter(|(_, line)| is_read(line)).count()
}

/// `by` is what proves objects that were copied in one go.
pub(crate) fn copies(scratch: &Scratch, server: &dyn Store, by: &str) {
    fill(scratch, server);
    let wire = Wire::before(server.port());
    let (one, two) = (server.end_at(&wire.endpoint(), "one"), server.end_at(&wire.endpoint(), "two"));
    let two = format!("{two}\nprefix = \"copied/\"");
    // At this rate the bytes would take hours.
    let limits = "[tunnel]\nmax_bandwidth = \"4 KiB/s\"\n[transfer]\npart_size = \"5 MiB\"";
    let run = scratch.run(&scratch.pipeline_between(&one, &two, limits));
    run.expect_code(0);
    assert_eq!((run.objects("moved"), reads(&wire)), (SMALL.len() as u64 + 1, 0), "{:?}", wire.lines());
    let passed: u64 = wire.passed().iter().map(|(_, bytes)| bytes).sum();
    assert!(passed < 1 << 20, "{passed} bytes passed");
    for moved in run.events_named("moved") {
        // Nobody has looked at the bytes of what was copied in parts, and no figure of the store's says more.
        let by = if moved["key"] == "large" { "size" } else { by };
        assert_eq!(moved["verified"], by, "{moved}");
    }
    assert_copied(scratch, server, &scratch.path("fetched"));

    scratch.forget();
    let off = "[transfer]\nserver_side_copy = false\noverwrite = \"always\"";
    scratch.run(&scratch.pipeline_between(&one, &two, off)).expect_code(0);
    assert!(reads(&wire) > SMALL.len(), "{:?}", wire.lines());
    assert_copied(scratch, server, &scratch.path("fetched again"));
}

#[test]
fn the_store_copies_and_no_byte_passes() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["one", "two"]);
    copies(&scratch, &server, "md5");
}

#[test]
fn s3s_copies_and_no_byte_passes() {
    let scratch = Scratch::in_memory();
    let server = S3s::start(&scratch, &["one", "two"]);
    // It lists no ETags, so there is nothing to compare the copy's with.
    copies(&scratch, &server, "size");
}

#[test]
fn where_the_key_may_not_read_the_source_the_bytes_pass() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["one", "two"]);
    sends_what_it_may_not_copy(&scratch, &server, |at| end(at, "two", CONFINED_KEY, CONFINED_SECRET));
}

/// `two`: that bucket at this endpoint, by a key that may touch no other.
pub(crate) fn sends_what_it_may_not_copy(scratch: &Scratch, server: &dyn Store, two: fn(&str) -> String) {
    fill(scratch, server);
    let wire = Wire::before(server.port());
    let one = server.end_at(&wire.endpoint(), "one");
    let two = format!("{}\nprefix = \"copied/\"", two(&wire.endpoint()));
    let run = scratch.run(&scratch.pipeline_between(&one, &two, "[transfer]\nworkers = 2\npart_size = \"5 MiB\""));
    run.expect_code(0);
    assert_eq!(run.summary()["retries"], 0);
    assert!(reads(&wire) > SMALL.len(), "{:?}", wire.lines());
    assert_copied(scratch, server, &scratch.path("fetched"));
}
