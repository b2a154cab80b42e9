//! One run behind transforms on two machines: each object is moved once, and is at the sink what it was made
//! of.

use std::fs;

use super::Fleet;
use crate::harness::{
    Scratch,
    age::zstd,
    tree::{Item, Random, Snapshot},
};

/// Files of the tree; with their sizes about 3 s at the tunnel's rate.
const FILES: usize = 1200;
const SIZE: usize = 8192;

#[test]
fn machines_share_a_run_behind_transforms() {
    let scratch = Scratch::in_memory();
    Random::seeded().fill(&scratch.path("source"), std::iter::repeat_n(SIZE, FILES));
    let more =
        "tunnel = \"shared\"\n[transfer]\nworkers = 2\n[[transform]]\nconnector = \"zstd\"\nmode = \"compress\"\n";
    let pipeline = scratch.pipeline(more);
    let text = fs::read_to_string(&pipeline).unwrap().replace("[tunnel]\n", "");
    fs::write(&pipeline, text).unwrap();
    let fleet = Fleet::new(scratch);
    fleet.engine("a", &["tunnel", "create", "shared", "--max-bandwidth", "3 MiB/s"]).expect_code(0);
    let runs = ["a", "b"].map(|machine| fleet.start(machine, &["run", "--json", pipeline.to_str().unwrap()]));
    let moved = runs.map(|run| {
        let ended = run.wait();
        ended.expect_code(0);
        ended.objects("moved")
    });
    assert_eq!(moved.iter().sum::<u64>(), FILES as u64, "each once: {moved:?}");
    let (source, sink) = (Snapshot::of(&fleet.scratch.path("source")), Snapshot::of(&fleet.scratch.path("sink")));
    assert_eq!(source.items().len(), sink.items().len());
    for (path, item) in source.items() {
        let Item::File { bytes, .. } = item else { continue };
        let mut key = path.clone();
        key.push(".zst");
        let Some(Item::File { bytes: stored, .. }) = sink.items().get(&key) else { panic!("{key:?} isn't there") };
        assert!(zstd(&["-d"], stored).as_ref() == Some(bytes), "{key:?}");
    }
}
