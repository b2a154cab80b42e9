//! `engine connector new`: every command of the README that it writes does what it says.

use std::fs;

use super::{ROOT, files, keep_built, place, shell};
use crate::{
    conformance::{NO_DENIED, assert_conforms, suite},
    harness::Scratch,
};

/// What the generated connector leaves out.
const NOT: &[&str] = &[
    "attributes",
    "batch-put",
    "batch-put-never",
    "batch-put-wrong-checksum",
    "batch-read",
    "batch-read-changed",
    "batch-read-missing",
    "directories",
    "directories-full",
    "dropped-part",
    "listing-after",
    "listing-ordered",
    "read-checksums",
    "sweep-keeps",
    "sweep-leaves-others",
    "sweep-removes-own",
    "symlinks",
    "upload-aborted",
    "upload-checksums",
    "upload-long-part",
    "upload-never-replaces",
    "upload-one-part",
    "upload-out-of-order",
    "upload-part-again",
    "upload-parts-told",
    "upload-replaces",
    "upload-resumed",
    "upload-short-part",
    "upload-whole",
    "upload-wrong-checksum",
];

/// Runs the commands of a project's README, one after the other; returns the project's folder.
fn follow_the_readme(scratch: &Scratch, role: &str) -> std::path::PathBuf {
    let folder = place(&format!("rust-{role}"));
    let parent = folder.parent().unwrap();
    let new = format!("engine connector new my-store --lang rust --role {role} --folder rust-{role}");
    shell(scratch, parent, &new).expect(0);
    keep_built(&folder);
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let commands: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next()).collect();
    let commands: Vec<_> =
        commands.into_iter().filter(|it| it.starts_with("cargo ") || it.starts_with("engine ")).collect();
    let words: Vec<_> = commands.iter().map(|it| it.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "cargo test",
        "cargo build --release",
        "engine connector inspect",
        "engine connector test",
        "engine run pipeline.toml",
    ];
    assert_eq!(words, expected);
    for command in commands {
        // A source has nothing to read before somebody put something there.
        if command.starts_with("engine connector test") && role == "source" {
            let store = folder.join("target/store/folder");
            fs::create_dir_all(&store).unwrap();
            fs::write(store.join("object"), b"some bytes").unwrap();
            fs::write(store.parent().unwrap().join("other"), vec![7; 300_000]).unwrap();
        }
        let said = shell(scratch, &folder, command).expect(0);
        if command.starts_with("engine connector test") {
            assert!(said.output.contains(" passed, 0 failed, "), "{}", said.output);
        }
        if command == "cargo test" {
            assert!(said.output.contains("test result: ok. 1 passed"), "{}", said.output);
        }
    }
    folder
}

fn conforms(scratch: &Scratch, folder: &std::path::Path, not: &[&[&str]]) {
    let component = folder.join("target/wasm32-wasip2/release/my_store.wasm");
    let store = folder.join("target/store");
    let tables = fs::read_to_string(folder.join("test.toml")).unwrap();
    let tables = tables.replace("\"target/store\"", &format!("{store:?}"));
    fs::write(scratch.path("test.toml"), tables).unwrap();
    let tables = scratch.path("test.toml");
    assert_conforms(&suite(scratch, component.to_str().unwrap(), tables.to_str().unwrap(), &[]), not);
}

#[test]
fn a_source_and_sink_builds_conforms_and_moves() {
    let scratch = Scratch::new();
    let folder = follow_the_readme(&scratch, "both");
    let (read, written) = (files(&folder.join("src")), files(&folder.join("target/store")));
    assert_eq!(read.len(), 6);
    assert_eq!(read, written);
    conforms(&scratch, &folder, &[NO_DENIED, NOT]);
}

#[test]
fn a_source_builds_conforms_and_moves() {
    let scratch = Scratch::new();
    let folder = follow_the_readme(&scratch, "source");
    assert_eq!(files(&folder.join("src")), files(&folder.join("target/moved")));
}

#[test]
fn a_sink_builds_conforms_and_moves() {
    let scratch = Scratch::new();
    let folder = follow_the_readme(&scratch, "sink");
    assert_eq!(files(&folder.join("src")), files(&folder.join("target/store")));
}

#[test]
fn a_project_can_use_the_sdk_of_a_checkout() {
    let scratch = Scratch::new();
    let sdk = std::path::Path::new(ROOT).join("plugins/sdk").canonicalize().unwrap();
    let line = format!("engine connector new there --role source --sdk {}", sdk.display());
    shell(&scratch, &scratch.path(""), &line).expect(0);
    let manifest = fs::read_to_string(scratch.path("there/Cargo.toml")).unwrap();
    assert!(manifest.contains(sdk.to_str().unwrap()), "{manifest}");
    assert!(!scratch.path("there/sdk").exists());
}

#[test]
fn what_is_there_already_is_never_touched() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("mine")).unwrap();
    let said = shell(&scratch, &scratch.path(""), "engine connector new mine").expect(1);
    assert!(said.errors.contains("is there already"), "{}", said.errors);
    assert_eq!(fs::read_dir(scratch.path("mine")).unwrap().count(), 0);
    for wrong in ["Mine", "../mine", "my_store", "--role none x", "--lang c x", "--sdk /nowhere x"] {
        shell(&scratch, &scratch.path(""), &format!("engine connector new {wrong}")).expect(1);
    }
}
