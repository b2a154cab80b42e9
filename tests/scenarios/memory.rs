//! Memory is bounded by configuration, not by the number or the size of the objects.

use std::fs;

use crate::harness::{Scratch, peak_kib, tree::Random};

/// Runs the scratch's pipeline and returns its peak memory in MiB.
fn peak_mib(scratch: &Scratch, more: &str) -> u64 {
    let pipeline =
        scratch.pipeline_between(&scratch.local("source"), &format!("{}\nfsync = false", scratch.local("sink")), more);
    let mut running = scratch.start(&["run", pipeline.to_str().unwrap()]);
    let mut peak = 0;
    while running.ended().is_none() {
        peak = peak.max(peak_kib(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.wait().expect_code(0);
    assert!(peak > 0, "the run was too short to be measured");
    peak / 1024
}

#[test]
fn large_objects_take_no_more_than_small_ones() {
    let scratch = Scratch::in_memory();
    Random::seeded().fill(&scratch.path("source"), [128 << 20, 128 << 20]);
    let peak = peak_mib(&scratch, "[transfer]\nworkers = 4");
    assert!(peak < 150, "{peak} MiB");
}

/// The tree of 500,000 is `cargo bench`'s; this one tells a list in memory just as well.
#[test]
fn many_objects_take_no_more_than_few() {
    let scratch = Scratch::in_memory();
    for folder in 0..10 {
        let folder = scratch.path(&format!("source/{folder}"));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..3000 {
            fs::File::create(folder.join(format!("a-rather-long-name-for-an-empty-file-{file:06}"))).unwrap();
        }
    }
    let peak = peak_mib(&scratch, "[transfer]\nworkers = 4");
    assert!(peak < 100, "{peak} MiB");
}
