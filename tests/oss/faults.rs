//! What the service does wrong, or asks for: a CRC that differs, a part that arrived otherwise, a clock
//! that differs, time to be left alone.

use std::fs;

use serde_json::json;

use crate::harness::{Ended, Scratch, oss::Oss, store::Store, tree::Random, wire::Wire};

/// Seconds by which the service's clock is ahead.
const HOURS: i64 = 3 * 3600;

/// Sends files of these sizes; gives the run, the server and the bytes of the last file.
fn send(scratch: &Scratch, settings: serde_json::Value, sizes: &[usize], more: &str) -> (Ended, Oss, Vec<u8>) {
    let server = Oss::start_with(scratch, &["archive"], settings);
    let mut random = Random::seeded();
    fs::create_dir_all(scratch.path("source")).unwrap();
    let mut bytes = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        bytes = random.bytes(*size);
        fs::write(scratch.path(&format!("source/f{number}")), &bytes).unwrap();
    }
    let more = format!("[transfer]\nworkers = 1\nmax_backoff = \"100ms\"\n{more}");
    let ended = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &server.bucket("archive"), &more));
    (ended, server, bytes)
}

fn fetched(scratch: &Scratch, server: &Oss, name: &str) -> Vec<u8> {
    let folder = scratch.path("fetched");
    server.ask(&["fetch", "archive", folder.to_str().unwrap()]);
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn an_object_with_another_crc_is_sent_again() {
    let scratch = Scratch::new();
    let (ended, server, bytes) = send(&scratch, json!({"faults": {"crc-put": [0]}}), &[70_000], "");
    ended.expect_code(0);
    assert_eq!(ended.objects("repaired"), 1);
    assert!(fetched(&scratch, &server, "f0") == bytes);
}

#[test]
fn parts_with_another_crc_are_never_completed() {
    let scratch = Scratch::new();
    let more = "part_size = \"5 MiB\"";
    let (ended, server, bytes) = send(&scratch, json!({"faults": {"crc-part": [1]}}), &[(11 << 20) + 5], more);
    ended.expect_code(0);
    assert_eq!(ended.objects("repaired"), 1);
    assert!(fetched(&scratch, &server, "f0") == bytes);
    assert_eq!(server.ask_json(&["uploads", "archive"]), json!([]));
}

#[test]
fn a_completion_that_tells_no_crc_is_looked_up() {
    let scratch = Scratch::new();
    let more = "part_size = \"5 MiB\"";
    let (ended, _, _) = send(&scratch, json!({"faults": {"skip-crc": [0]}}), &[11 << 20], more);
    ended.expect_code(0);
    assert_eq!(ended.events_named("moved")[0]["verified"], "crc64-xz");
}

#[test]
fn a_busy_service_is_left_alone_and_asked_again() {
    let scratch = Scratch::new();
    let (ended, _, _) = send(&scratch, json!({"faults": {"busy-put": [0, 2]}}), &[1000, 2000, 3000], "");
    ended.expect_code(0);
    assert_eq!((ended.objects("moved"), ended.summary()["retries"].as_u64()), (3, Some(2)));
    let retry = &ended.events_named("retry")[0];
    assert_eq!(retry["code"], "throttled", "{retry}");
    assert!(ended.output.contains("UploadTrafficRateLimitExceeded"), "{}", ended.output);
}

#[test]
fn the_pause_is_as_long_as_the_service_asks_for() {
    let scratch = Scratch::new();
    let faults = json!({"faults": {"busy-put": [0], "limit-put": [0]}, "delay": 700});
    let (ended, _, _) = send(&scratch, faults, &[1000], "");
    ended.expect_code(0);
    let retries = ended.events_named("retry");
    let codes: Vec<_> = retries.iter().map(|retry| retry["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["throttled", "throttled"]);
    for (retry, word) in retries.iter().zip(["UploadTrafficRateLimitExceeded", "QpsLimitExceeded"]) {
        assert!(retry["message"].as_str().unwrap().contains(word), "{retry}");
        // What was asked for, and at most the longest pause of the engine's own.
        let pause = retry["pause_seconds"].as_f64().unwrap();
        assert!((0.7..=0.8).contains(&pause), "{retry}");
    }
}

#[test]
fn a_copy_with_another_crc_is_made_again() {
    let scratch = Scratch::new();
    let server = Oss::start_with(&scratch, &["one", "two"], json!({"faults": {"crc-copy": [0]}}));
    let bytes = Random::seeded().bytes(70_000);
    fs::create_dir_all(scratch.path("filled")).unwrap();
    fs::write(scratch.path("filled/a"), &bytes).unwrap();
    server.ask(&["fill", "one", scratch.path("filled").to_str().unwrap()]);
    let more = "[transfer]\nmax_backoff = \"100ms\"";
    let ended = scratch.run(&scratch.pipeline_between(&server.bucket("one"), &server.bucket("two"), more));
    ended.expect_code(0);
    assert_eq!((ended.objects("repaired"), ended.objects("moved")), (1, 1));
    assert_eq!(ended.events_named("moved")[0]["verified"], "crc64-xz");
    assert_eq!(server.ask_json(&["crcs", "one"]), server.ask_json(&["crcs", "two"]));
}

#[test]
fn a_clock_that_differs_is_corrected() {
    for (name, offset) in [("ahead", HOURS), ("behind", -HOURS)] {
        let scratch = Scratch::new();
        let (ended, server, _) = send(&scratch, json!({"offset": offset}), &[1000, 2000, 3000], "attempts = 2");
        ended.expect_code(0);
        assert_eq!(ended.objects("moved"), 3, "{name}");
        // Once for each instance, and never again.
        let wire = Wire::before(server.port());
        scratch.forget();
        let end = server.end_at(&wire.endpoint(), "archive");
        let down = scratch.pipeline_between(&end, &scratch.local("sink"), "[transfer]\nworkers = 1");
        scratch.run(&down).expect_code(0);
        assert!(wire.requests() <= 8, "{:?}", wire.lines());
    }
}
