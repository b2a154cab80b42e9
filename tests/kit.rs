//! What a third party does: a new project, its tests, its component, the suite, a pipeline, by the commands
//! that the project's own README names.

mod bench;
mod inspect;
mod new;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::Scratch;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// How a command of a shell ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Where the projects of the tests are made: always in the same places, so that cargo builds what they
/// depend on once. What it has built there before is put aside, and back by [`keep_built`].
pub(crate) fn place(name: &str) -> PathBuf {
    let all = Path::new(ROOT).join("target/guests/kit");
    fs::create_dir_all(&all).unwrap();
    let place = all.canonicalize().unwrap().join(name);
    if place.join("target").exists() {
        fs::rename(place.join("target"), place.with_extension("built")).unwrap();
    }
    if place.exists() {
        fs::remove_dir_all(&place).unwrap();
    }
    place
}

/// Gives a project what cargo has built of it before, but for the stores in it.
pub(crate) fn keep_built(place: &Path) {
    let built = place.with_extension("built");
    if built.exists() {
        fs::rename(&built, place.join("target")).unwrap();
    }
    for store in ["target/store", "target/moved"].map(|store| place.join(store)) {
        if store.exists() {
            fs::remove_dir_all(store).unwrap();
        }
    }
}

/// A command as somebody types it in this folder, with this `engine`. Cargo reaches no network: what the
/// engine was built with is all that a project needs.
pub(crate) fn shell(scratch: &Scratch, folder: &Path, line: &str) -> Said {
    let engine = Path::new(env!("CARGO_BIN_EXE_engine")).parent().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder);
    shell.env("PATH", format!("{}:{}", engine.display(), env::var("PATH").unwrap()));
    shell.env("CULVERT_STATE_DIR", scratch.path("state")).env("CARGO_NET_OFFLINE", "true");
    // What the outer cargo was told is about the host.
    for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        shell.env_remove(name);
    }
    let ended = shell.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: ended.status.code(), output: text(ended.stdout), errors: text(ended.stderr) }
}

/// The bytes of all files below a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(each) = folders.pop() {
        for entry in fs::read_dir(&each).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                found.insert(entry.strip_prefix(folder).unwrap().to_owned(), fs::read(&entry).unwrap());
            }
        }
    }
    found
}

// === impl Said ===

impl Said {
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "output:\n{}\nerrors:\n{}", self.output, self.errors);
        self
    }
}
