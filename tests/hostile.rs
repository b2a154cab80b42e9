//! Connectors that break the rules: each ends in a clear error for its object or its run within the
//! configured time, the engine goes on, and nothing is written outside the sink's root.

mod component;
mod sink;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use crate::harness::{Ended, Scratch};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Short ones, so that every crime is found soon.
const LIMITS: &str = "[transfer]\nattempts = 1\nworkers = 2\npart_size = \"5 MiB\"\n[limits]\nmemory = \"64 MiB\"\n\
                      compute_timeout = \"500ms\"\ncall_timeout = \"2s\"\nidle_timeout = \"1s\"\nlisting_timeout = \"3s\"";

/// Longest that a run may take: some timeouts one after the other, on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// The hostile connector, built once by this process; cargo itself keeps processes apart.
fn guest() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(ROOT).join("target/guests");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(ROOT).args(["build", "--locked", "--quiet", "--profile", "guest"]);
        cargo.args(["--target", "wasm32-wasip2", "--package", "culvert-hostile", "--target-dir"]).arg(&target);
        // What the outer cargo was told is about the host.
        for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(name);
        }
        assert!(cargo.status().unwrap().success(), "the hostile connector doesn't compile");
        target.join("wasm32-wasip2/guest/culvert_hostile.wasm")
    })
}

/// The table of the hostile connector. Its component imports files whatever it does with them, so it
/// needs a folder; made if it isn't there.
fn hostile(behaviour: &str, folder: &Path) -> String {
    fs::create_dir_all(folder).unwrap();
    format!("{}\npath = \"{}\"", hostile_without_folder(behaviour), folder.display())
}

fn hostile_without_folder(behaviour: &str) -> String {
    format!("connector = \"{}\"\nbehaviour = \"{behaviour}\"", guest().display())
}

/// A run that ends in time, with one of the codes that say that something failed.
fn run(scratch: &Scratch, pipeline: &Path) -> Ended {
    let ended = scratch.run(pipeline);
    assert!(ended.took < BOUND, "the run took {:?}", ended.took);
    assert!(!ended.output.contains('\u{1b}') && !ended.errors.contains('\u{1b}'), "a guest's escapes were printed");
    ended
}
