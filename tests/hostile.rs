//! Connectors that break the rules: each ends in a clear error for its object or its run within the
//! configured time, the engine goes on, and nothing is written outside the sink's root.

mod batch;
mod component;
mod describe;
mod listing;
mod sandbox;
mod sink;
mod source;
mod transform;
mod upload;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{DirBuilderExt, symlink},
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::harness::{Ended, Scratch};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Short ones, so that every crime is found soon. One attempt: a second one is the same crime again.
const LIMITS: &str = "[transfer]\nattempts = 1\nworkers = 2\npart_size = \"5 MiB\"\n[limits]\nmemory = \"64 MiB\"\n\
                      compute_timeout = \"500ms\"\ncall_timeout = \"1s\"\nidle_timeout = \"1s\"\nlisting_timeout = \"2s\"";

/// Longest that a run may take: some timeouts one after the other, on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// What a connector that broke its instance is reported with, by the way it did it.
const WAYS: [(&str, &str); 7] = [
    ("loop", "limit"),
    ("allocate", "limit"),
    ("trap", "trap"),
    ("panic", "trap"),
    ("overflow", "trap"),
    ("sleep", "timeout"),
    ("spin", "timeout"),
];

/// The hostile connector, built once by this process; cargo itself keeps processes apart.
pub(crate) fn guest() -> &'static Path {
    build("culvert-hostile")
}

/// A connector of the tests', built once by this process.
fn build(package: &'static str) -> &'static Path {
    static BUILT: Mutex<BTreeMap<&str, &Path>> = Mutex::new(BTreeMap::new());
    BUILT.lock().unwrap_or_else(PoisonError::into_inner).entry(package).or_insert_with(|| {
        let target = Path::new(ROOT).join("target/guests");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(ROOT).args(["build", "--locked", "--quiet", "--profile", "guest"]);
        cargo.args(["--target", "wasm32-wasip2", "--package", package, "--target-dir"]).arg(&target);
        // What the outer cargo was told is about the host.
        for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(name);
        }
        assert!(cargo.status().unwrap().success(), "{package} doesn't compile");
        // For as long as the tests run.
        let built = target.join(format!("wasm32-wasip2/guest/{}.wasm", package.replace('-', "_")));
        Box::leak(built.into_boxed_path())
    })
}

/// A folder of a test's own in memory. Components that were compiled for an earlier test aren't
/// compiled again: that would take longer than most crimes.
fn scratch() -> Scratch {
    let scratch = Scratch::in_memory();
    let compiled = Path::new(ROOT).join("target/guests/compiled");
    for folder in [&compiled, &scratch.path("state")] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).unwrap();
    }
    symlink(compiled.canonicalize().unwrap(), scratch.path("state/components")).unwrap();
    scratch
}

/// The table of the hostile connector: what its instances do, and crimes of which each is committed
/// on an object of its own. It imports files whatever it does with them, so it needs a folder; made
/// if it isn't there.
fn hostile(behaviour: &str, objects: &[&str], folder: &Path) -> String {
    fs::create_dir_all(folder).unwrap();
    let connector = guest().display();
    format!("connector = \"{connector}\"\nbehaviour = \"{behaviour}\"\nobjects = {objects:?}\npath = {folder:?}")
}

/// A run that ends in time.
fn run(scratch: &Scratch, pipeline: &Path) -> Ended {
    in_time(scratch.run(pipeline))
}

fn in_time(ended: Ended) -> Ended {
    assert!(ended.took < BOUND, "it took {:?}", ended.took);
    assert!(!ended.output.contains('\u{1b}') && !ended.errors.contains('\u{1b}'), "a guest's escapes were printed");
    ended
}

/// Code of each failed object, in the keys' order, without the `bad-` that each begins with.
fn codes(ended: &Ended) -> Vec<(String, String)> {
    let mut codes = ended.failures();
    for (key, _) in &mut codes {
        *key = key.strip_prefix("bad-").unwrap_or(key).to_owned();
    }
    codes.sort();
    codes
}

/// What [`codes`] should be.
fn expected(crimes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut codes: Vec<_> = crimes.iter().map(|(key, code)| ((*key).to_owned(), (*code).to_owned())).collect();
    codes.sort();
    codes
}

/// Each way that there is to go wrong in a call, with its code.
fn ways(call: &str) -> Vec<(String, &'static str)> {
    WAYS.iter().map(|(way, code)| (format!("{way}-{call}"), *code)).collect()
}

/// Runs `case` for all of them, a few at a time: most of them wait for a timeout.
fn together<T: Sync>(cases: &[T], case: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let take = || cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(it) = take() {
                    case(it);
                }
            });
        }
    });
}
