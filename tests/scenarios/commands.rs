//! The commands beside `run`: what they say, and that they write nothing.

use std::fs;

use serde_json::Value;

use crate::harness::{Scratch, tree::Snapshot};

#[test]
fn a_plan_makes_no_sink_folder() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "12345").unwrap();
    let pipeline = scratch.pipeline("");
    let plan = scratch.engine(&["plan", "--json", "--list", pipeline.to_str().unwrap()]);
    plan.expect_code(0);
    let last = plan.events().pop().unwrap();
    assert_eq!((&last["move"]["objects"], &last["move"]["bytes"]), (&Value::from(1), &Value::from(5)));
    assert!(!scratch.path("sink").exists());
}

#[test]
fn a_check_proves_both_ends_and_leaves_nothing() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("source")).unwrap();
    fs::create_dir(scratch.path("sink")).unwrap();
    let pipeline = scratch.pipeline("");
    scratch.engine(&["check", pipeline.to_str().unwrap()]).expect_code(0);
    assert!(Snapshot::of(&scratch.path("sink")).items().is_empty());
    fs::remove_dir(scratch.path("source")).unwrap();
    let check = scratch.engine(&["check", "--json", pipeline.to_str().unwrap()]);
    check.expect_code(3);
    let ends: Vec<_> = check.events_named("check").iter().map(|event| event["ok"].clone()).collect();
    assert_eq!(ends, [false, true]);
}

#[test]
fn a_wrong_file_is_refused_with_all_its_problems() {
    let scratch = Scratch::new();
    let path = scratch.path("bad.toml");
    let text = "name = \"Bad Name\"\n[tunnel]\nmax_bandwidth = \"50mb\"\n[source]\nconnector = \"local\"\npath = \"/tmp\"\n\
                [sink]\nconnector = \"local\"\npath = \"/tmp/x\"\n[transfer]\nwrokers = 3\n";
    fs::write(&path, text).unwrap();
    for command in ["run", "validate", "plan", "check"] {
        let ended = scratch.engine(&[command, path.to_str().unwrap()]);
        ended.expect_code(1);
        for place in ["bad.toml:1", "bad.toml:3", "bad.toml:11"] {
            assert!(ended.errors.contains(place), "{command}: {}", ended.errors);
        }
    }
}

#[test]
fn what_would_go_wrong_later_is_refused_at_once() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("source/inner")).unwrap();
    let local = scratch.local("source");
    for (source, sink, word) in [
        (local.as_str(), scratch.local("source/inner"), "lies in the source"),
        (local.as_str(), scratch.local("source"), "lies in the source"),
        ("connector = \"lokal\"\npath = \"/tmp\"", scratch.local("sink"), "did you mean \"local\""),
        ("connector = \"./none.wasm\"\npath = \"/tmp\"", scratch.local("sink"), "can't read the file"),
        (local.as_str(), format!("{}\nfsnyc = true", scratch.local("sink")), "fsync"),
        (local.as_str(), "connector = \"local\"".to_owned(), "path"),
    ] {
        let pipeline = scratch.pipeline_between(source, &sink, "");
        let ended = scratch.run(&pipeline);
        ended.expect_code(1);
        assert!(ended.errors.contains(word), "{word:?} isn't in: {}", ended.errors);
    }
}

#[test]
fn connectors_say_what_they_are() {
    let scratch = Scratch::new();
    let inspected = scratch.engine(&["connector", "inspect", "local", "--json"]);
    inspected.expect_code(0);
    let local: Value = serde_json::from_str(&inspected.output).unwrap();
    assert_eq!(local["name"], "local");
    assert_eq!(local["source_schema"]["properties"]["path"]["x-grant"], "folder");
    let imports = local["imports"].to_string();
    assert!(!imports.contains("sockets") && !imports.contains("http"), "{imports}");
    let list = scratch.engine(&["connector", "list"]);
    list.expect_code(0);
    assert!(list.output.contains("local"));
    scratch.engine(&["completions", "bash"]).expect_code(0);
    scratch.engine(&["connector", "inspect", "nothing"]).expect_code(1);
}

#[test]
fn the_schema_knows_the_built_in_connectors() {
    let scratch = Scratch::new();
    let schema = scratch.engine(&["schema"]);
    schema.expect_code(0);
    let schema: Value = serde_json::from_str(&schema.output).unwrap();
    assert!(schema.to_string().contains("fsync") && schema["properties"]["tunnel"].is_object());
}
