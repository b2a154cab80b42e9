//! Connectors that lie about themselves or break down over it, before anything is granted.

use std::{fs, path::PathBuf};

use super::{guest, in_time, scratch, together};
use crate::harness::Scratch;

/// Where the crime stands in the component; see `describe.rs` of the guest.
const PLACE: &[u8] = b"culvert-hostile-describe:";
const HONEST: &[u8] = b"none            ";

/// The hostile connector with this crime written into it.
fn committing(scratch: &Scratch, crime: &str) -> PathBuf {
    let mut bytes = fs::read(guest()).unwrap();
    let honest = [PLACE, HONEST].concat();
    let places: Vec<_> = bytes
        .windows(honest.len())
        .enumerate()
        .filter(|(_, it)| *it == honest)
        .map(|(at, _)| at + PLACE.len())
        .collect();
    assert_eq!(places.len(), 1, "the component has one place for its crime");
    let word = format!("{crime:<width$}", width = HONEST.len());
    bytes[places[0]..places[0] + HONEST.len()].copy_from_slice(word.as_bytes());
    let path = scratch.path(&format!("{crime}.wasm"));
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_description_that_breaks_the_rules_is_refused() {
    let crimes = [
        // The first one takes as long as all the others: a description has ten seconds.
        "loop",
        "allocate",
        "trap",
        "panic",
        "overflow",
        "bad-name",
        "bad-version",
        "long-version",
        "many-words",
        "escaping-word",
        "huge-schema",
        "no-json",
        "no-object",
        "no-schema",
        "deep-schema",
    ];
    together(&crimes, |crime| {
        let scratch = scratch();
        let component = committing(&scratch, crime);
        let ended = in_time(scratch.engine(&["connector", "inspect", component.to_str().unwrap()]));
        ended.expect_code(1);
        assert!(ended.errors.contains(&format!("{crime}.wasm")), "{}", ended.errors);
        assert!(ended.errors.len() < 10_000, "{crime}: {} bytes", ended.errors.len());
    });
}

#[test]
fn a_schema_that_a_validator_could_choke_on_is_refused() {
    together(&["circle", "remote", "slow-pattern"], |crime| {
        let scratch = scratch();
        let component = committing(&scratch, crime);
        fs::create_dir(scratch.path("granted")).unwrap();
        let folder = scratch.path("granted");
        let source =
            format!("connector = {component:?}\nbehaviour = \"hoard-listing-that-there-is-not\"\npath = {folder:?}");
        let pipeline = scratch.pipeline_between(&source, &scratch.local("sink"), "");
        let ended = in_time(scratch.engine(&["validate", pipeline.to_str().unwrap()]));
        ended.expect_code(1);
        assert!(ended.took < std::time::Duration::from_secs(10), "{crime}: {:?}", ended.took);
    });
}

#[test]
fn nothing_is_seen_before_anything_is_granted() {
    let scratch = scratch();
    let component = committing(&scratch, "look");
    let ended = in_time(scratch.engine(&["connector", "inspect", "--json", component.to_str().unwrap()]));
    ended.expect_code(0);
    let described: serde_json::Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(described["version"], "0.0.0", "folders, variables, seconds");
}

#[test]
fn a_schema_with_terminal_escapes_does_not_reach_the_terminal() {
    let scratch = scratch();
    let component = committing(&scratch, "escapes");
    in_time(scratch.engine(&["connector", "inspect", component.to_str().unwrap()])).expect_code(0);
}
