//! `engine address`: named ends, and pipelines that use them. No secret is ever in the state folder.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::refused;
use crate::harness::{
    Ended, Scratch,
    tree::{Random, Snapshot},
};

fn address(scratch: &Scratch, arguments: &[&str]) -> Ended {
    scratch.engine(&[&["address"], arguments].concat())
}

fn table(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    let file = scratch.path(&format!("{name}.toml"));
    fs::write(&file, text).unwrap();
    file
}

fn create(scratch: &Scratch, name: &str, role: &str, text: &str) -> Ended {
    let file = table(scratch, name, text);
    address(scratch, &["create", name, "--role", role, file.to_str().unwrap()])
}

#[test]
fn a_pipeline_names_its_ends() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..10).map(|_| 20_000));
    let text = "name = \"test\"\n[tunnel]\n[source]\naddress = \"nas\"\n[sink]\naddress = \"archive\"\n";
    let pipeline = table(&scratch, "pipeline", text);
    let ended = scratch.run(&pipeline);
    refused(&ended, "`engine address create nas --role source FILE`");
    refused(&ended, "`engine address create archive --role sink FILE`");
    create(&scratch, "nas", "source", &scratch.local("source")).expect_code(0);
    create(&scratch, "archive", "sink", &format!("# a comment\n{}", scratch.local("sink"))).expect_code(0);
    refused(&create(&scratch, "nas", "source", &scratch.local("source")), "already");
    for name in ["nas", "archive"] {
        let checked = address(&scratch, &["check", name]);
        assert_eq!(checked.expect_code(0).output, format!("address {name}: ok\n"));
    }
    assert!(!scratch.path("sink").exists(), "nothing was left");

    scratch.run(&pipeline).expect_code(0);
    Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
    let list: Value = serde_json::from_str(&address(&scratch, &["list", "--json"]).expect_code(0).output).unwrap();
    assert_eq!(
        (&list[0]["address"], &list[0]["role"], &list[1]["address"]),
        (&"archive".into(), &"sink".into(), &"nas".into())
    );
    let shown = address(&scratch, &["show", "archive"]);
    assert_eq!(shown.expect_code(0).output, format!("# sink\n{}\n", scratch.local("sink")));

    // The other end isn't this one, and an address is the whole table.
    let mixed =
        "name = \"mixed\"\n[tunnel]\n[source]\naddress = \"archive\"\n[sink]\naddress = \"archive\"\npath = \"x\"\n";
    let ended = scratch.run(&table(&scratch, "mixed", mixed));
    refused(&ended, "there is no source address \"archive\"");
    refused(&ended, "the address has every key of this table");
    address(&scratch, &["delete", "nas"]).expect_code(0);
    refused(&address(&scratch, &["check", "nas"]), "`engine address create nas`");
    fs::remove_dir_all(scratch.path("source")).unwrap();
    create(&scratch, "nas", "source", &scratch.local("source")).expect_code(0);
    address(&scratch, &["check", "nas"]).expect_code(3);
}

#[test]
fn a_secret_is_taken_by_reference_only() {
    let scratch = Scratch::new();
    let secret = "hunter2-in-clear";
    let bucket = "connector = \"s3\"\nendpoint = \"http://127.0.0.1:9\"\nregion = \"r\"\nbucket = \"bucket\"\n";
    let ended = create(
        &scratch,
        "bucket",
        "sink",
        &format!("{bucket}access_key_id = \"key\"\nsecret_access_key = \"{secret}\" # {secret}\n"),
    );
    refused(&ended, "a secret can't be written here");
    assert!(!ended.errors.contains(secret), "{}", ended.errors);
    let file = table(&scratch, "secret", secret);
    let reference = format!("{{ file = \"{}\" }}", file.display());
    let text = format!("{bucket}access_key_id = {reference}\nsecret_access_key = {reference} # {secret}\n");
    create(&scratch, "bucket", "sink", &text).expect_code(0);
    let shown = address(&scratch, &["show", "bucket"]);
    assert!(shown.expect_code(0).output.contains(&format!("secret_access_key = {reference}")), "{}", shown.output);
    for entry in fs::read_dir(scratch.path("state")).unwrap() {
        let path = entry.unwrap().path();
        let found = path.is_file() && fs::read(&path).unwrap().windows(secret.len()).any(|it| it == secret.as_bytes());
        assert!(!found, "the secret is in {}", path.display());
    }
}
