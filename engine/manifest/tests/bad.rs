//! Each `bad/*.toml` is a file that must be refused, with exactly the problems in the snapshot beside
//! it. Adding a file is adding a test: `INSTA_UPDATE=always cargo test -p culvert-manifest` writes
//! its snapshot, and its author reads it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/environment.rs"]
mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{SECRET, TestEnvironment, schema};
use culvert_manifest::{Endpoint, Problems, parse, parse_engine};

/// Fewer files than this means that the folder wasn't found.
const FEWEST_FILES: usize = 30;

fn problems(path: &Path) -> Option<Problems> {
    let text = fs::read_to_string(path).unwrap();
    let name = Path::new(path.file_name().unwrap());
    let environment = TestEnvironment::new();
    if name.to_str().unwrap().starts_with("engine-") {
        return parse_engine(name, &text, &environment).err();
    }
    let pipeline = match parse(name, &text, &environment) {
        Ok(pipeline) => pipeline,
        Err(problems) => return Some(problems),
    };
    let check = |endpoint: &Endpoint| {
        // A connector without this role asks for nothing at all.
        let schema = schema(&endpoint.connector, endpoint.role.as_str()).unwrap_or(false.into());
        endpoint.check(&schema).err()
    };
    [check(&pipeline.source), check(&pipeline.sink)].into_iter().flatten().reduce(|mut all, other| {
        all.append(other);
        all
    })
}

#[test]
fn every_bad_file_is_refused_as_its_snapshot_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= FEWEST_FILES, "only {} files in {}", files.len(), folder.display());

    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in &files {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let problems = problems(path).unwrap_or_else(|| panic!("{name}.toml was taken"));
            let rendered = problems.render();
            assert!(!rendered.contains(SECRET) && !problems.to_string().contains(SECRET), "{name} shows a secret");
            assert!(!format!("{problems:?}").contains(SECRET), "{name} shows a secret in Debug");
            insta::assert_snapshot!(name, rendered);
        }
    });
}
