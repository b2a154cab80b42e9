//! Transforms with the real binary: what Debian's `zstd` and `age` make of what the engine wrote, and the
//! other way round; what a wrong key, a flipped bit and a killed engine leave behind.

mod encrypted;
mod failing;
mod packed;
mod stored;

use std::{fs, path::Path};

use crate::harness::{
    Scratch,
    tree::{Item, Random, Snapshot},
};

const COMPRESS: &str = "[[transform]]\nconnector = \"zstd\"\nmode = \"compress\"\n";
const DECOMPRESS: &str = "[[transform]]\nconnector = \"zstd\"\nmode = \"decompress\"\n";

/// A pipeline between two folders of the scratch.
fn pipeline(scratch: &Scratch, from: &str, to: &str, more: &str) -> std::path::PathBuf {
    scratch.forget();
    scratch.pipeline_between(&scratch.local(from), &scratch.local(to), more)
}

/// Files of all sorts: empty, of a byte, of blocks' and chunks' sizes and around them, random and not.
fn fill(folder: &Path) {
    let mut random = Random::seeded();
    fs::create_dir_all(folder.join("deep/er")).unwrap();
    for size in [0, 1, 100, 65_535, 65_536, 65_537, 262_144, 1 << 20, (1 << 20) + 1, 3_000_000] {
        fs::write(folder.join(format!("deep/random-{size}")), random.bytes(size)).unwrap();
    }
    let line = b"the quick brown fox jumps over the lazy dog, again and again\n";
    fs::write(folder.join("deep/er/text"), line.repeat(50_000)).unwrap();
    fs::write(folder.join("zeros"), vec![0; 20 << 20]).unwrap();
    std::os::unix::fs::symlink("deep/er/text", folder.join("link")).unwrap();
}

/// Every file of the sink, read by `read`, is what the source has; its key ends in `suffix`.
fn assert_reads(scratch: &Scratch, suffix: &str, read: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let (source, sink) = (Snapshot::of(&scratch.path("source")), Snapshot::of(&scratch.path("sink")));
    assert_eq!(source.items().len(), sink.items().len());
    for (path, item) in source.items() {
        let Item::File { bytes, modified, .. } = item else {
            assert!(sink.items().contains_key(path), "{path:?}");
            continue;
        };
        let mut key = path.clone();
        key.push(suffix);
        let Some(Item::File { bytes: stored, modified: kept, .. }) = sink.items().get(&key) else {
            panic!("{key:?} isn't at the sink");
        };
        let back = read(stored).unwrap_or_else(|| panic!("{key:?} can't be read"));
        assert!(back == *bytes, "{key:?} isn't what the source has");
        assert_eq!(kept, modified, "{key:?}");
    }
}

/// There and back: the sink of the way back is what the source was.
fn assert_comes_back(scratch: &Scratch, more: &str) {
    let back = scratch.run(&pipeline(scratch, "sink", "back", more));
    back.expect_code(0);
    Snapshot::of(&scratch.path("back")).assert_equals(&Snapshot::of(&scratch.path("source")));
}
