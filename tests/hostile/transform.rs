//! Hostile transforms between real ends: each of their crimes fails its own object, in time, and leaves
//! nothing of it at the sink.

use std::{fs, path::Path};

use super::{ROOT, build, codes, expected, in_time, run, scratch};
use crate::harness::{Scratch, tree::Snapshot};

/// The hostile transform, built once by this process.
fn guest() -> &'static Path {
    build("culvert-hostile-transform")
}

/// A pipeline behind it, with these keys.
fn pipeline(scratch: &Scratch, keys: &str) -> std::path::PathBuf {
    let limits = super::LIMITS.to_owned() + "\nmax_object = \"2 MiB\"";
    scratch.pipeline(&format!("{limits}\n[[transform]]\nconnector = {:?}\n{keys}", guest()))
}

fn filled(names: &[&str]) -> Scratch {
    let scratch = scratch();
    fs::create_dir(scratch.path("source")).unwrap();
    for name in names {
        fs::write(scratch.path("source").join(name), vec![3; 600_000]).unwrap();
    }
    scratch
}

#[test]
fn a_transform_that_breaks_the_rules_fails_its_object_alone() {
    let crimes = [
        ("endless", "too-large"),
        ("more", "too-large"),
        ("empty", "timeout"),
        ("short", "internal"),
        ("deaf", "timeout"),
        ("hoard", "limit"),
        ("false", "io"),
        ("silent", "timeout"),
        ("loop", "limit"),
        ("allocate", "limit"),
        ("trap", "trap"),
        ("spin", "timeout"),
        ("apply-refuse", "corrupt"),
        ("apply-loop", "limit"),
        ("apply-trap", "trap"),
        ("apply-spin", "timeout"),
    ];
    let names: Vec<String> = crimes.iter().map(|(crime, _)| format!("bad-{crime}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.extend(["good-0", "good-1", "good-2"]);
    let scratch = filled(&names);
    let ended = run(&scratch, &pipeline(&scratch, ""));
    ended.expect_code(2);
    assert_eq!(codes(&ended), expected(&crimes));
    assert_eq!(ended.objects("moved"), 3);
    let sink = Snapshot::of(&scratch.path("sink"));
    let there: Vec<_> = sink.items().keys().map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(there, ["good-0", "good-1", "good-2"]);
    for name in there {
        assert!(fs::read(scratch.path("sink").join(&name)).unwrap() == vec![3; 600_000], "{name}");
    }
}

#[test]
fn a_transform_that_cannot_be_configured_ends_the_run_before_it_begins() {
    let slash = "append = \"/../../x\"";
    let long = format!("append = \"{}\"", "x".repeat(100));
    for keys in [slash, &long, "behaviour = \"loop\"", "behaviour = \"trap\"", "behaviour = \"spin\""] {
        let scratch = filled(&["file"]);
        let ended = in_time(scratch.run(&pipeline(&scratch, keys)));
        ended.expect_code(1);
        assert!(ended.errors.contains("transform[0]"), "{}", ended.errors);
        assert!(!scratch.path("sink").exists());
    }
}

#[test]
fn a_connector_that_is_no_transform_is_refused() {
    let scratch = filled(&["file"]);
    let local = scratch.pipeline("[[transform]]\nconnector = \"local\"\npath = \"/\"");
    let ended = scratch.run(&local);
    ended.expect_code(1);
    assert!(ended.errors.contains("can't be a transform"), "{}", ended.errors);
    let source = format!("connector = {:?}", guest());
    let ended = scratch.run(&scratch.pipeline_between(&source, &scratch.local("sink"), ""));
    ended.expect_code(1);
    assert!(ended.errors.contains("can't be a source"), "{}", ended.errors);
    assert!(Path::new(ROOT).join("wit/transform.wit").exists());
}
