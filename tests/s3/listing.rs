//! A large bucket: its listing isn't kept in memory, and objects move before it ends.

use crate::harness::{Scratch, peak_kib, seaweed::Seaweed};

/// Pages of a thousand; the goal of 100,000 is measured by hand, since filling takes minutes.
const OBJECTS: u64 = 5000;
/// Peak memory of a run with two workers in KiB, whatever the bucket holds.
const MAX_PEAK_KIB: u64 = 96 * 1024;

#[test]
fn pages_are_moved_as_they_come() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    server.client(&["numbered", "archive", &OBJECTS.to_string()]);
    let sink = format!("{}\nfsync = false", scratch.local("sink"));
    let pipeline = scratch.pipeline_between(&server.end("archive"), &sink, "[transfer]\nworkers = 2");
    // Compiles the connectors: what that takes isn't the listing's.
    scratch.engine(&["check", pipeline.to_str().unwrap()]).expect_code(0);
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    let mut peak = 0;
    while running.ended().is_none() {
        peak = peak.max(peak_kib(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ended = running.wait();
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), OBJECTS);
    eprintln!("peak {peak} KiB");
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
}
