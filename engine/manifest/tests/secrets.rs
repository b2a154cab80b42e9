//! What came from a variable or a file, and what a connector calls secret, is in no text that this
//! crate makes.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/environment.rs"]
mod common;

use std::path::Path;

use common::{SECRET, TestEnvironment, schema};
use culvert_manifest::{Secret, parse};

const PIPELINE: &str = r#"
name = "p"
[tunnel]
[source]
connector = "local"
path = "a"
[sink]
connector = "store"
endpoint = "https://me:s3cr3t-value@example.com"
bucket = "b"
access_key = { file = "/run/secrets/key" }
password = "s3cr3t-value"
proxy = { user = { env = "SECRET" }, token = "s3cr3t-value" }
"#;

#[test]
fn nothing_prints_a_secret() {
    let pipeline = parse(Path::new("p.toml"), PIPELINE, &TestEnvironment::new()).unwrap();
    let mut schema = schema("store", "sink").unwrap();
    // Too short, which is said without saying what is.
    let problems = pipeline.sink.check(&schema).unwrap_err();
    schema["properties"]["access_key"]["minLength"] = 1.into();
    let config = pipeline.sink.check(&schema).unwrap();
    let grants = pipeline.sink.grants(&schema);

    let secret = Secret::new(SECRET);
    let printed = [
        format!("{pipeline:?}"),
        format!("{:#?}", pipeline.sink),
        format!("{config:?}"),
        format!("{grants:?}"),
        format!("{secret:?} {secret}"),
        format!("{problems:?} {problems} {}", problems.render()),
    ];
    for text in &printed {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(problems.to_string().contains("access_key"));

    // The connector gets all of it, without the file's line break.
    let config = config.expose();
    assert_eq!(config["access_key"], SECRET);
    assert_eq!(config["password"], SECRET);
    assert_eq!(config["proxy"]["user"], SECRET);
}

/// Wherever the syntax breaks, the line of a secret stays unseen.
#[test]
fn a_syntax_error_shows_no_secret() {
    for cut in 1..PIPELINE.len() {
        for broken in ["\"", "\n", "[", "=", "'''"] {
            let text = format!("{}{broken}{}", &PIPELINE[..cut], &PIPELINE[cut..]);
            if let Err(problems) = parse(Path::new("p.toml"), &text, &TestEnvironment::new()) {
                for problem in &problems {
                    let shown = problem.render();
                    assert!(!shown.contains("s3cr3t"), "{shown}");
                }
            }
        }
    }
}

#[test]
fn a_schema_error_shows_no_value_that_the_schema_does_not_name() {
    let pipeline = parse(Path::new("p.toml"), PIPELINE, &TestEnvironment::new()).unwrap();
    for schema in [
        serde_json::json!(false),
        serde_json::json!({ "additionalProperties": { "maxLength": 1 } }),
        serde_json::json!({ "patternProperties": { ".": { "enum": [1] } } }),
        serde_json::json!({ "anyOf": [{ "required": ["x"] }, { "properties": { "password": { "const": "x" } } }] }),
        serde_json::json!({ "properties": { "proxy": { "properties": { "token": { "x-secret": true, "pattern": "^x" } } } } }),
    ] {
        let problems = pipeline.sink.check(&schema);
        // The last passes where it asks for nothing.
        let shown = format!("{problems:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
