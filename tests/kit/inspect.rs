//! `engine connector inspect --pipeline`: what a component may reach, in words and as JSON.

use std::fs;

use serde_json::{Value, json};

use crate::{
    harness::{Ended, Scratch},
    hostile::guest,
};

fn inspect(scratch: &Scratch, connector: &str, source: &str, sink: &str, more: &[&str]) -> Ended {
    let pipeline = scratch.pipeline_between(source, sink, "");
    let asked = ["connector", "inspect", connector, "--pipeline", pipeline.to_str().unwrap()];
    scratch.start_as(&[&asked[..], more].concat(), &[("KIT_PASSWORD", "hunter2")]).wait()
}

fn reach(scratch: &Scratch, connector: &str, source: &str, sink: &str) -> Vec<Value> {
    let ended = inspect(scratch, connector, source, sink, &["--json"]);
    ended.expect_code(0);
    assert!(!ended.output.contains("hunter2"), "a secret was shown");
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(said["sha256"].as_str().unwrap().len(), 64);
    said["reach"].as_array().unwrap().clone()
}

#[test]
fn a_folder_is_said_with_its_rights() {
    let scratch = Scratch::new();
    let (source, sink) = (scratch.local("source"), scratch.local("sink"));
    let reach = reach(&scratch, "local", &source, &sink);
    let expected = |role: &str, below: &str, writable: bool| {
        json!({
            "role": role, "folder": {"path": scratch.path(below), "writable": writable}, "http": [], "tcp": null,
            "secrets": [], "kept_secrets": [], "identity": "none", "time": false, "random": true,
        })
    };
    assert_eq!(reach, [expected("source", "source", false), expected("sink", "sink", true)]);
    let words = inspect(&scratch, "local", &source, &sink, &[]);
    words.expect_code(0);
    for sentence in [
        format!("{} and what is below it, read only", scratch.path("source").display()),
        format!("{} and what is below it, read and write", scratch.path("sink").display()),
        "as [sink] of ".to_owned(),
        "HTTP        none".to_owned(),
        "no: its clocks stand still".to_owned(),
        "no variable, argument, standard stream or process".to_owned(),
    ] {
        assert!(words.output.contains(&sentence), "{sentence:?} isn't in:\n{}", words.output);
    }
}

#[test]
fn servers_and_secrets_are_said_by_name() {
    let scratch = Scratch::new();
    let s3 = "connector = \"s3\"\nendpoint = \"https://s3.example.com\"\nregion = \"r\"\nbucket = \"archive\"";
    let keys = format!("{s3}\naccess_key_id = \"AK\"\nsecret_access_key = {{ env = \"KIT_PASSWORD\" }}");
    let local = scratch.local("sink");
    let found = reach(&scratch, "s3", &keys, &local);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["http"], json!(["https://s3.example.com:443", "https://archive.s3.example.com:443"]));
    assert_eq!(found[0]["kept_secrets"], json!(["source.secret_access_key"]));
    assert_eq!((&found[0]["secrets"], &found[0]["folder"]), (&json!([]), &Value::Null));
    assert_eq!((&found[0]["identity"], &found[0]["time"]), (&json!("table"), &json!(true)));
    assert_eq!(reach(&scratch, "s3", s3, &local)[0]["identity"], "found");

    let ftp = "connector = \"ftp\"\nendpoint = \"ftp://ftp.example.com\"\nuser = \"u\"\npassword = { env = \"KIT_PASSWORD\" }";
    let found = reach(&scratch, "ftp", ftp, &local);
    assert_eq!(found[0]["tcp"], "ftp.example.com:21");
    assert_eq!(found[0]["secrets"], json!(["source.password"]));
    let words = inspect(&scratch, "ftp", ftp, &local, &[]);
    assert!(words.output.contains("source.password (in clear)"), "{}", words.output);
}

#[test]
fn what_nothing_covers_is_refused_with_the_sentence_of_a_run() {
    let scratch = Scratch::new();
    // It imports files, and this pipeline names no folder.
    let source = format!("connector = {:?}\nbehaviour = \"none\"", guest());
    fs::create_dir(scratch.path("sink")).unwrap();
    let pipeline = scratch.pipeline_between(&source, &scratch.local("sink"), "");
    let run = scratch.run(&pipeline).summary();
    let message = run["error"]["message"].as_str().unwrap();
    let sentence = &message[message.find("the connector imports ").unwrap()..];
    let ended = inspect(&scratch, guest().to_str().unwrap(), &source, &scratch.local("sink"), &[]);
    ended.expect_code(1);
    assert!(ended.errors.contains(sentence), "{sentence:?} isn't in: {}", ended.errors);
}

#[test]
fn a_component_that_the_pipeline_doesnt_use_is_told_apart() {
    let scratch = Scratch::new();
    let ended = inspect(&scratch, "s3", &scratch.local("source"), &scratch.local("sink"), &[]);
    ended.expect_code(1);
    assert!(ended.errors.contains("none is the component"), "{}", ended.errors);
}
