//! Index pages: a whole tree with odd names, what is the same isn't read again, ranges, changes on the way.

use std::fs;

use super::{bytes, put, source};
use crate::{
    harness::{Scratch, nginx::Nginx},
    kit::files,
};

/// What nginx, a file system and a key all bear.
const NAMES: [&str; 9] = [
    "plain.bin",
    "folder/a b.bin",
    "folder/deeper/ü +%&'.bin",
    "folder/deeper/question?.bin",
    "folder/#hash;semi=1.bin",
    "folder/[brackets] (round).bin",
    "folder/percent%20twice.bin",
    "empty",
    "folder/.hidden",
];

#[test]
fn a_tree_is_moved_and_then_left_alone() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    for (seed, name) in (0..).zip(NAMES) {
        put(&server, name, &bytes(if name == "empty" { 0 } else { 5_000 }, seed));
    }
    put(&server, "large.bin", &bytes(20 << 20, 9));
    let source = source(&format!("index = \"{}\"", server.url("")));
    let pipeline = scratch.pipeline_between(&source, &scratch.local("sink"), "[transfer]\npart_size = \"5 MiB\"");
    let first = scratch.run(&pipeline);
    first.expect_code(0);
    let (mut sent, moved) = (files(&server.path("")), files(&scratch.path("sink")));
    // nginx leaves hidden names out of its pages.
    sent.remove(std::path::Path::new("folder/.hidden")).unwrap();
    assert_eq!(sent.len(), NAMES.len());
    assert!(sent == moved, "{:?} isn't {:?}", moved.keys(), sent.keys());
    let ranges = server.requests().iter().filter(|it| it.starts_with("GET /large.bin 206 bytes=")).count();
    assert_eq!(ranges, 4, "{:?}", server.requests());

    let before = server.requests().len();
    let second = scratch.run(&pipeline);
    second.expect_code(0);
    assert_eq!((second.objects("moved"), second.objects("skipped")), (0, sent.len() as u64));
    assert!(server.requests()[before..].iter().all(|it| !it.contains("bin 20") || it.starts_with("HEAD ")));

    put(&server, "plain.bin", &bytes(6_000, 77));
    let third = scratch.run(&pipeline);
    third.expect_code(0);
    assert_eq!(third.objects("moved"), 1);
    assert_eq!(fs::read(scratch.path("sink/plain.bin")).unwrap(), bytes(6_000, 77));
}

#[test]
fn a_server_without_tags_has_times_for_versions() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    put(&server, "a.bin", &bytes(1 << 20, 1));
    let source = source(&format!("index = \"{}\"", server.url("no-tags/")));
    let pipeline = scratch.pipeline_between(&source, &scratch.local("sink"), "");
    scratch.run(&pipeline).expect_code(0);
    assert_eq!(fs::read(scratch.path("sink/a.bin")).unwrap(), bytes(1 << 20, 1));
    assert_eq!(scratch.run(&pipeline).objects("skipped"), 1);
}

#[test]
fn a_server_without_ranges_is_read_as_a_whole() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    put(&server, "a.bin", &bytes(1 << 20, 1));
    let source = source(&format!("index = \"{}\"", server.url("no-ranges/")));
    scratch.run(&scratch.pipeline_between(&source, &scratch.local("sink"), "")).expect_code(0);
    assert_eq!(fs::read(scratch.path("sink/a.bin")).unwrap(), bytes(1 << 20, 1));
}

#[test]
fn a_server_that_is_busy_or_refuses_is_told_by_its_code() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    put(&server, "a.bin", b"private");
    let run = |path: &str, more: &str| {
        scratch.forget();
        let source = source(&format!("index = \"{}\"\n{more}", server.url(path)));
        scratch.run(&scratch.pipeline_between(&source, &scratch.local("sink"), "[transfer]\nattempts = 1"))
    };
    for (path, code) in [("busy/", "unavailable"), ("private/", "unauthenticated"), ("nowhere/", "not-found")] {
        let ended = run(path, "");
        ended.expect_code(3);
        assert_eq!(ended.summary()["error"]["code"], code, "{path}");
    }
    run("private/", "authorization = \"Bearer secret_word\"").expect_code(0);
    assert_eq!(fs::read(scratch.path("sink/a.bin")).unwrap(), b"private");
}
