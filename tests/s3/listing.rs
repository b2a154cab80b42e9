//! A large bucket: its listing isn't kept in memory, and objects move before it ends.

use crate::harness::{Scratch, peak_kib, seaweed::Seaweed, store::Store};

/// Pages of a thousand; the goal of 100,000 is measured by hand, since filling takes minutes.
const OBJECTS: u64 = 5000;
/// Peak memory of a run with two workers in KiB, whatever the bucket holds.
const MAX_PEAK_KIB: u64 = 96 * 1024;

#[test]
fn pages_are_moved_as_they_come() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    moves_pages(&scratch, &server);
}

pub(crate) fn moves_pages(scratch: &Scratch, server: &dyn Store) {
    server.ask(&["numbered", "archive", &OBJECTS.to_string()]);
    let sink = format!("{}\nfsync = false", scratch.local("sink"));
    let pipeline = scratch.pipeline_between(&server.bucket("archive"), &sink, "[transfer]\nworkers = 2");
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

#[test]
fn a_listing_out_of_order_says_what_to_set() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    std::fs::create_dir_all(scratch.path("filled/b")).unwrap();
    std::fs::write(scratch.path("filled/b/1"), "").unwrap();
    std::fs::write(scratch.path("filled/b.txt"), "").unwrap();
    server.client(&["fill", "archive", scratch.path("filled").to_str().unwrap()]);
    let ordered = server.end("archive").replace("ordered_listing = false", "ordered_listing = true");
    let ended = scratch.run(&scratch.pipeline_between(&ordered, &scratch.local("sink"), ""));
    assert_ne!(ended.code, Some(0));
    assert!(ended.output.contains("set ordered_listing = false"), "{}{}", ended.output, ended.errors);
}
