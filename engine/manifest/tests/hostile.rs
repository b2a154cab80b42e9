//! Files and schemas made to hurt: each ends soon, with problems or without, and never in a panic.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/environment.rs"]
mod common;

use std::path::Path;

use common::{TestEnvironment, schema};
use culvert_manifest::{MAX_FILE_BYTES, MAX_PROBLEMS, Pipeline, Problems, parse, parse_engine, pipeline_schema};
use proptest::prelude::*;
use serde_json::json;

const GOOD: &str = "name = \"p\"\n[tunnel]\n[source]\nconnector = \"local\"\npath = \"a\"\n[sink]\nconnector = \"local\"\npath = \"b\"\n";

fn read(text: &str) -> Result<Pipeline, Problems> {
    parse(Path::new("h.toml"), text, &TestEnvironment::new())
}

#[test]
fn a_large_file_is_refused_unread() {
    let text = format!("{GOOD}#{}", "x".repeat(MAX_FILE_BYTES));
    let problems = read(&text).unwrap_err();
    assert_eq!(problems.count(), 1);
}

#[test]
fn deep_nesting_ends_in_a_problem() {
    let dots = vec!["a"; 79].join(".");
    let deep = [
        format!("{GOOD}x = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{GOOD}x = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000)),
        format!("{GOOD}{} = 1", vec!["a"; 100_000].join(".")),
        format!("{GOOD}[{}]", vec!["a"; 100_000].join(".")),
        // Each level is allowed by itself.
        format!("{GOOD}x = {}1{}", format!("{{{dots}=").repeat(70), "}".repeat(70)),
        // And what the parser itself throws away.
        format!("{GOOD}x = 1\nx = {}1{}", format!("{{{dots}=").repeat(70), "}".repeat(70)),
    ];
    for text in deep {
        assert!(read(&text).is_err());
    }
}

#[test]
fn many_problems_are_counted() {
    let keys: String = (0..50_000).map(|number| format!("k{number} = 1\n")).collect();
    let problems = read(&format!("{keys}{GOOD}")).unwrap_err();
    assert_eq!((problems.iter().count(), problems.count()), (MAX_PROBLEMS, 50_000));
    assert!(problems.render().ends_with("and 49900 more problems"));
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let problems = read(&format!("\"a\\u001b[31m\" = 1\nname = \"\\u001b[2J\"\n{}", &GOOD[10..])).unwrap_err();
    assert!(problems.count() >= 2);
    assert!(!problems.render().contains('\u{1b}'), "{}", problems.render());
}

#[test]
fn a_broken_schema_is_the_connectors_fault() {
    let pipeline = read(GOOD).unwrap();
    for schema in [
        json!({ "type": 5 }),
        json!({ "$ref": "#" }),
        json!({ "$ref": "https://example.com/schema.json" }),
        json!({ "properties": { "path": { "pattern": "(" } } }),
        json!({ "properties": { "path": { "pattern": "((a{1000}){1000}){1000}" } } }),
        json!({ "properties": { "path": { "allOf": [{ "$ref": "#/properties/path" }] } } }),
    ] {
        let problems = pipeline.source.check(&schema).unwrap_err();
        assert!(problems.to_string().contains("the connector's own schema"), "{problems}");
        let _ = pipeline.source.grants(&schema);
    }
    for schema in [json!(null), json!(5), json!([]), json!("x")] {
        assert!(pipeline.source.check(&schema).is_err(), "{schema}");
    }
}

#[test]
fn a_number_that_is_none_is_refused() {
    let pipeline = read(&GOOD.replace("path = \"b\"", "path = nan")).unwrap();
    let problems = pipeline.sink.check(&schema("local", "sink").unwrap()).unwrap_err();
    assert!(problems.to_string().contains("finite"), "{problems}");
}

#[test]
fn the_editors_schema_is_a_schema() {
    assert!(jsonschema::validator_for(&pipeline_schema(&[])).is_ok());
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = (read(&text), parse_engine(Path::new("h.toml"), &text, &TestEnvironment::new()));
    }

    /// A good file with a piece of it replaced: near enough to TOML to get far.
    #[test]
    fn no_damage_panics(start in 0..GOOD.len(), length in 0_usize..20, piece in "[\\[\\]{}=\"'.a0\\n\u{e9}\u{1f600}-]{0,6}") {
        let end = (start + length).min(GOOD.len());
        let text = format!("{}{piece}{}", &GOOD[..start], &GOOD[end..]);
        match read(&text) {
            Ok(pipeline) => {
                let _ = pipeline.source.check(&schema("local", "source").unwrap_or_default());
            }
            Err(problems) => {
                prop_assert!(problems.count() > 0);
                let _ = problems.render();
            }
        }
    }
}
