//! Every sample pipeline is valid, and the one of the README's first command moves what it says.

use std::{fs, path::Path};

use crate::harness::{
    Scratch,
    tree::{Item, Snapshot},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn every_sample_is_valid() {
    let mut count = 0;
    // One folder of compiled connectors for all.
    let scratch = Scratch::new();
    let variable = regex::Regex::new(r#"\{ env = "[A-Z0-9_]+" \}"#).unwrap();
    for entry in fs::read_dir(Path::new(ROOT).join("pipelines")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "toml") {
            // Samples take values from variables; any will do here.
            let text = fs::read_to_string(entry.path()).unwrap();
            let text = variable.replace_all(&text, "\"/tmp/x\"");
            let path = scratch.path("sample.toml");
            fs::write(&path, &*text).unwrap();
            scratch.engine(&["validate", path.to_str().unwrap()]).expect_code(0);
            count += 1;
        }
    }
    assert!(count >= 2, "{count} samples");
}

#[test]
fn the_readmes_pipeline_is_valid() {
    let scratch = Scratch::new();
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let path = scratch.path("readme.toml");
    fs::write(&path, text).unwrap();
    scratch.engine(&["validate", path.to_str().unwrap()]).expect_code(0);
}

#[test]
fn the_quickstart_moves_real_files() {
    let scratch = Scratch::new();
    let text = fs::read_to_string(Path::new(ROOT).join("pipelines/quickstart.toml")).unwrap();
    let source = Path::new(ROOT).join("wit");
    let text = text.replace("\"wit\"", &format!("\"{}\"", source.display()));
    let text = text.replace("\"target/quickstart\"", &format!("\"{}\"", scratch.path("sink").display()));
    let path = scratch.path("quickstart.toml");
    fs::write(&path, text).unwrap();
    let run = scratch.run(&path);
    run.expect_code(0);
    let sink = Snapshot::of(&scratch.path("sink"));
    sink.assert_equals(&Snapshot::of(&source));
    let files = sink.items().values().filter(|item| matches!(item, Item::File { .. })).count();
    assert!(files >= 5 && run.objects("moved") == files as u64);
}
