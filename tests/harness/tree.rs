//! Seeded trees, and what differs between two of them. Reads and writes with `std` alone, never
//! through a connector.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

/// What is at each path below a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Snapshot(BTreeMap<OsString, Item>);

#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum Item {
    File { bytes: Vec<u8>, mode: u32, modified: (i64, i64) },
    Directory { mode: u32, modified: (i64, i64) },
    Symlink { target: OsString },
    Other,
}

/// Pseudo-random numbers (SplitMix64): the same for the same seed, everywhere.
#[derive(Debug)]
pub(crate) struct Random(u64);

// === impl Random ===

impl Random {
    /// The seed of `CULVERT_TEST_SEED`, else a fixed one; printed, so that a failure can be repeated.
    pub(crate) fn seeded() -> Self {
        let seed = std::env::var("CULVERT_TEST_SEED").map_or(20_261_122, |seed| seed.parse().unwrap());
        eprintln!("CULVERT_TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }

    /// Files of these sizes, a hundred to a folder.
    pub(crate) fn fill(&mut self, root: &Path, sizes: impl IntoIterator<Item = usize>) {
        for (number, size) in sizes.into_iter().enumerate() {
            let folder = root.join(format!("d{:03}", number / 100));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("f{number:05}")), self.bytes(size)).unwrap();
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Everything below a folder, the folder itself left out.
    pub(crate) fn of(root: &Path) -> Self {
        let mut snapshot = Self::default();
        snapshot.add(root, root);
        snapshot
    }

    fn add(&mut self, root: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let (mode, modified) = (metadata.mode() & 0o7777, (metadata.mtime(), metadata.mtime_nsec()));
            let item = if metadata.is_file() {
                Item::File { bytes: fs::read(&path).unwrap(), mode, modified }
            } else if metadata.is_dir() {
                self.add(root, &path);
                Item::Directory { mode, modified }
            } else if metadata.is_symlink() {
                Item::Symlink { target: fs::read_link(&path).unwrap().into_os_string() }
            } else {
                Item::Other
            };
            self.0.insert(path.strip_prefix(root).unwrap().as_os_str().to_owned(), item);
        }
    }

    pub(crate) fn items(&self) -> &BTreeMap<OsString, Item> {
        &self.0
    }

    /// How many there are that count as objects: all but the folders that have something in them.
    pub(crate) fn objects(&self) -> u64 {
        let has_content = |path: &OsString| {
            let prefix = [path.as_bytes(), b"/"].concat();
            self.0.keys().any(|other| other.as_bytes().starts_with(&prefix))
        };
        let counts = |(path, item): &(&OsString, &Item)| !matches!(item, Item::Directory { .. }) || !has_content(path);
        self.0.iter().filter(counts).count() as u64
    }

    pub(crate) fn without(mut self, paths: &[OsString]) -> Self {
        self.0.retain(|path, _| !paths.contains(path));
        self
    }

    /// All but the folders.
    pub(crate) fn files(mut self) -> Self {
        self.0.retain(|_, item| !matches!(item, Item::Directory { .. }));
        self
    }

    /// Fails with the names of what differs.
    pub(crate) fn assert_equals(&self, other: &Self) {
        let mut differences = Vec::new();
        for (path, item) in &self.0 {
            match other.0.get(path) {
                None => differences.push(format!("{path:?} is missing")),
                Some(there) if there != item => differences.push(format!("{path:?}: {}", item.difference(there))),
                Some(_) => {}
            }
        }
        differences
            .extend(other.0.keys().filter(|path| !self.0.contains_key(*path)).map(|path| format!("{path:?} is extra")));
        assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    }

    /// Fails if a file here isn't exactly the source's: nothing partial, nothing foreign.
    pub(crate) fn assert_no_partial_of(&self, source: &Self) {
        for (path, item) in &self.0 {
            if let Item::File { bytes, .. } = item {
                let Some(Item::File { bytes: expected, .. }) = source.0.get(path) else {
                    panic!("{path:?} isn't in the source");
                };
                assert!(bytes == expected, "{path:?} is at the sink, but isn't what the source has");
            }
        }
    }
}

// === impl Item ===

impl Item {
    fn difference(&self, other: &Self) -> String {
        match (self, other) {
            (Self::File { bytes, .. }, Self::File { bytes: others, .. }) if bytes != others => {
                format!("{} bytes against {} other ones", bytes.len(), others.len())
            }
            (Self::File { mode, modified, .. }, Self::File { mode: other, modified: others, .. }) => {
                format!("mode {mode:o} against {other:o}, modified {modified:?} against {others:?}")
            }
            _ => format!("{self:?} against {other:?}").chars().take(300).collect(),
        }
    }
}
