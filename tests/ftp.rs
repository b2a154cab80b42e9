//! FTP and FTPS against real servers: bytes, names and times both ways, and everything that
//! servers and networks do to them. Data is put and checked on the servers' own disks.

mod errors;
mod faults;
mod limits;
mod names;
mod resume;
mod round_trip;
mod ways;
mod windows;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{
    Scratch,
    ftp::Kind,
    tree::{Item, Random, Snapshot},
};

/// Names that FTP servers have been known to stumble over.
const NAMES: [&str; 19] = [
    "with space",
    " leading",
    "trailing ",
    "  two",
    "-dash",
    "--help",
    ".hidden",
    "[brackets]",
    "star*and?mark",
    "quote\"s and 'these'",
    "back\\slash",
    "%41%",
    "$(reboot)",
    "~tilde",
    "umlaut-ü-and-u\u{308}",
    "日本語",
    "🚰",
    "a -> b",
    "Jan 01 10:00 x",
];

/// A tree of odd names and of sizes around those of buffers.
fn fill(root: &Path, kind: Kind) {
    let mut random = Random::seeded();
    fs::create_dir_all(root).unwrap();
    // Pure-FTPd prohibits a backslash and changes a blank at the end: reported, as `errors` shows.
    let odd = |name: &str| name.contains('\\') || name.ends_with(' ');
    let names = NAMES.iter().filter(|name| kind != Kind::PureFtpd || !odd(name));
    for (number, name) in names.enumerate() {
        fs::write(root.join(name), random.bytes(number * 97)).unwrap();
        if kind == Kind::Proftpd && name.contains('*') {
            // It makes no folder of such a name: reported, as `errors` shows.
            continue;
        }
        let folder = root.join(format!("{name}.d"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(name), name).unwrap();
    }
    fs::write(root.join("n".repeat(200)), "long").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    let deep = root.join(vec!["d"; 20].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("deep"), "deep").unwrap();
    for (number, size) in [1, 65_535, 65_536, 262_144, 262_145, 3 << 20].into_iter().enumerate() {
        fs::write(root.join(format!("size-{number}")), random.bytes(size)).unwrap();
    }
    // Whole seconds: FTP has no finer ones.
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    for name in ["with space", "size-3"] {
        fs::File::open(root.join(name)).unwrap().set_modified(time).unwrap();
    }
}

/// A pipeline beside the scratch's first one: a name stands for one pair of stores.
fn second_pipeline(scratch: &Scratch, source: &str, sink: &str, more: &str) -> PathBuf {
    let first = scratch.pipeline_between(source, sink, more);
    let text = fs::read_to_string(first).unwrap().replace("name = \"test\"", "name = \"second\"");
    let path = scratch.path("second.toml");
    fs::write(&path, text).unwrap();
    path
}

/// What FTP can carry of a tree: bytes, kinds, and the times of files in whole seconds.
fn carried(root: &Path) -> Vec<(String, Option<Vec<u8>>, i64)> {
    let snapshot = Snapshot::of(root);
    let items = snapshot.items().iter().map(|(path, item)| {
        let path = path.to_str().unwrap().to_owned();
        match item {
            Item::File { bytes, modified, .. } => (path, Some(bytes.clone()), modified.0),
            _ => (path, None, 0),
        }
    });
    items.collect()
}

fn assert_carried(from: &Path, to: &Path) {
    let (from, to) = (carried(from), carried(to));
    let name = |(path, bytes, time): &(String, Option<Vec<u8>>, i64)| {
        format!("{path:?} {:?} at {time}", bytes.as_ref().map(Vec::len))
    };
    let missing: Vec<_> = from.iter().filter(|item| !to.contains(item)).map(name).collect();
    let extra: Vec<_> = to.iter().filter(|item| !from.contains(item)).map(name).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:#?}\nextra: {extra:#?}");
}
