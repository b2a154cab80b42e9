//! A connector built against the released contract runs; one of another line of versions is told which side
//! is to be updated.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::{Contract, ROOT};
use crate::harness::{Ended, Scratch};

const BUILT: &str = "@0.1.0";

/// Built once by this process; cargo itself keeps processes apart.
fn frozen() -> &'static Path {
    static COMPONENT: OnceLock<PathBuf> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let target = Path::new(ROOT).join("target/guests");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(ROOT).args(["build", "--locked", "--quiet", "--profile", "guest"]);
        cargo.args(["--target", "wasm32-wasip2", "--package", "culvert-frozen", "--target-dir"]).arg(&target);
        // What the outer cargo was told is about the host.
        for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(name);
        }
        assert!(cargo.status().unwrap().success(), "the frozen connector doesn't compile");
        target.join("wasm32-wasip2/guest/culvert_frozen.wasm")
    })
}

/// The same component as if it had been built against another version: names of one length, wherever they are.
fn of_version(scratch: &Scratch, version: &str) -> PathBuf {
    assert_eq!(version.len(), BUILT.len());
    let mut bytes = fs::read(frozen()).unwrap();
    let mut count = 0;
    let package = b"culvert:connector/";
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(package.len()).position(|window| window == package) {
        at += found + package.len();
        let rest = bytes[at..].iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
        let place = at + rest..at + rest + BUILT.len();
        if bytes.get(place.clone()) == Some(BUILT.as_bytes()) {
            bytes[place].copy_from_slice(version.as_bytes());
            count += 1;
        }
    }
    assert!(count >= 3, "{count} names with a version");
    let path = scratch.path(&format!("frozen{version}.wasm"));
    fs::write(&path, bytes).unwrap();
    path
}

fn run(scratch: &Scratch, component: &Path) -> Ended {
    let source = format!("connector = \"{}\"", component.display());
    scratch.run(&scratch.pipeline_between(&source, &scratch.local("sink"), ""))
}

#[test]
fn a_connector_of_the_released_contract_runs() {
    let scratch = Scratch::new();
    let ended = run(&scratch, frozen());
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), 1);
    assert_eq!(fs::read_to_string(scratch.path("sink/frozen.txt")).unwrap(), "built against 0.1.0\n");
}

#[test]
fn so_does_one_of_another_version_of_its_line() {
    let scratch = Scratch::new();
    let ended = run(&scratch, &of_version(&scratch, "@0.1.7"));
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), 1);
}

#[test]
fn one_of_another_line_is_told_which_side_to_update() {
    let scratch = Scratch::new();
    let (major, minor, _) = Contract::of_this_tree().version();
    assert_eq!((major, minor), (0, 1), "choose versions around the new one here");
    for (version, words) in [
        ("@0.2.0", ["0.2.0", "update the engine"]),
        ("@1.0.0", ["1.0.0", "update the engine"]),
        ("@0.0.9", ["0.0.9", "update the connector"]),
    ] {
        let component = of_version(&scratch, version);
        let refused = run(&scratch, &component);
        refused.expect_code(1);
        for word in words.into_iter().chain(["source.connector", "this engine has 0.1.0"]) {
            assert!(refused.errors.contains(word), "no {word:?} in {}", refused.errors);
        }
        assert!(!scratch.path("sink/frozen.txt").exists());
    }
}
