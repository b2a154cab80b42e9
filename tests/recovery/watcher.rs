//! Reads a sink all the time: what stands under a final name must be what the source has, whole.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::harness::tree::{Item, Snapshot};

/// Between two looks.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

pub(super) struct Watcher {
    stop: Arc<AtomicBool>,
    /// Files looked at.
    thread: JoinHandle<usize>,
}

// === impl Watcher ===

impl Watcher {
    pub(super) fn start(sink: PathBuf, source: Snapshot) -> Self {
        Self::start_but_for(sink, source, &[])
    }

    /// Looks at everything but files of these names, which change meanwhile.
    pub(super) fn start_but_for(sink: PathBuf, source: Snapshot, names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(OsString::from).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            // By path and inode: what was whole once needs no second look.
            let mut whole = HashSet::new();
            while !told.load(Ordering::Relaxed) {
                look((&sink, &names), &sink, &source, &mut whole);
                thread::sleep(PAUSE);
            }
            whole.len()
        });
        Self { stop, thread }
    }

    /// Fails if anything partial was seen, or nothing at all.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let looked_at = self.thread.join().expect("nothing partial under a final name");
        assert!(looked_at > 0, "the watcher saw no file");
    }
}

fn look((root, but_for): (&Path, &[OsString]), folder: &Path, source: &Snapshot, whole: &mut HashSet<(OsString, u64)>) {
    // What is gone between the listing and the look was temporary.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let name = path.strip_prefix(root).unwrap().as_os_str().to_owned();
        if metadata.is_dir() {
            look((root, but_for), &path, source, whole);
            continue;
        }
        let is_temporary = name.to_string_lossy().contains(".culvert-");
        if !is_temporary && !but_for.contains(&name) && !whole.contains(&(name.clone(), metadata.ino())) {
            let Some(Item::File { bytes, .. }) = source.items().get(&name) else {
                panic!("{name:?} isn't in the source");
            };
            let Ok(seen) = fs::read(&path) else { continue };
            assert!(seen == *bytes, "{name:?} is partial: {} of {} bytes", seen.len(), bytes.len());
            whole.insert((name, metadata.ino()));
        }
    }
}
