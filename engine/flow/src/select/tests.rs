//! What each rule takes and leaves, and what it counts.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use globset::{Glob, GlobSetBuilder};

use super::*;
use crate::{object::Checksums, rules::ByteSize};

fn globs(globs: &[&str]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(Glob::new(glob).expect("a glob"));
    }
    Some(set.build().expect("globs"))
}

fn regexes(regexes: &[&str]) -> Option<RegexSet> {
    Some(RegexSet::new(regexes).expect("regular expressions"))
}

fn key(key: &str) -> Key {
    Key::parse(key).expect("a key")
}

fn only(keys: &[&str]) -> Option<Arc<KeySet>> {
    Some(Arc::new(keys.iter().map(|name| key(name)).collect()))
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn moment(seconds: u64) -> Option<Moment> {
    Some(at(seconds).into())
}

fn file(name: &str) -> Object {
    Object {
        key: key(name),
        kind: Kind::File,
        size: Some(10),
        modified: Some(at(100)),
        version: None,
        checksums: Checksums::new(),
        attributes: Default::default(),
    }
}

#[test]
fn every_rule_must_let_an_object_through() {
    let all = Selection::default();
    let prefixes = |prefixes: &[&str]| prefixes.iter().map(|prefix| (*prefix).to_owned()).collect::<Vec<_>>();
    let cases = [
        (all.clone(), None),
        (Selection { only: only(&["x", "a/b.tif"]), ..all.clone() }, None),
        (Selection { only: only(&["a", "a/b", "A/b.tif"]), ..all.clone() }, Some(SkipReason::NotIncluded)),
        (Selection { only: only(&[]), ..all.clone() }, Some(SkipReason::NotIncluded)),
        (Selection { prefixes: prefixes(&["b/", "a/"]), ..all.clone() }, None),
        (Selection { prefixes: prefixes(&["a/b."]), ..all.clone() }, None),
        (Selection { prefixes: prefixes(&["b", "/a"]), ..all.clone() }, Some(SkipReason::NotIncluded)),
        (Selection { include: globs(&["**/*.tif"]), ..all.clone() }, None),
        (Selection { include: globs(&["*.jpg"]), ..all.clone() }, Some(SkipReason::NotIncluded)),
        (Selection { include_regex: regexes(&["x", r"b\.tif?$"]), ..all.clone() }, None),
        (Selection { include_regex: regexes(&["^b"]), ..all.clone() }, Some(SkipReason::NotIncluded)),
        (
            Selection { include: globs(&["**/*.tif"]), include_regex: regexes(&["c"]), ..all.clone() },
            Some(SkipReason::NotIncluded),
        ),
        (Selection { exclude: globs(&["a/**"]), ..all.clone() }, Some(SkipReason::Excluded)),
        (Selection { exclude_regex: regexes(&["x", "/b"]), ..all.clone() }, Some(SkipReason::Excluded)),
        (Selection { exclude_regex: regexes(&["^/"]), ..all.clone() }, None),
        (Selection { modified_after: moment(100), ..all.clone() }, None),
        (Selection { modified_after: moment(101), ..all.clone() }, Some(SkipReason::TooOld)),
        (Selection { modified_before: moment(101), ..all.clone() }, None),
        (Selection { modified_before: moment(100), ..all.clone() }, Some(SkipReason::TooNew)),
        (Selection { min_size: Some(ByteSize(11)), ..all.clone() }, Some(SkipReason::TooSmall)),
        (Selection { max_size: Some(ByteSize(9)), ..all.clone() }, Some(SkipReason::TooLarge)),
        (Selection { min_size: Some(ByteSize(10)), max_size: Some(ByteSize(10)), ..all }, None),
    ];
    for (number, (selection, expected)) in cases.into_iter().enumerate() {
        assert_eq!(refusal(&file("a/b.tif"), &selection), expected, "case {number}");
    }
}

#[test]
fn a_folder_has_no_size_and_what_a_store_cannot_tell_is_moved() {
    let selection = Selection { min_size: Some(ByteSize(11)), modified_after: moment(200), ..Default::default() };
    let folder = Object { kind: Kind::Directory, ..file("a") };
    assert_eq!(refusal(&folder, &selection), None);
    let unknown = Object { size: None, modified: None, ..file("a") };
    assert_eq!(refusal(&unknown, &selection), None);
}

/// Every rule there is, so that each object says which it reached.
fn counted() -> Selection {
    let written = [
        (Rule::MaxSize, "\"20 B\""),
        (Rule::MinSize, "\"5 B\""),
        (Rule::Prefixes, "\"a\""),
        (Rule::Prefixes, "\"a/\""),
        (Rule::Include, "\"**\""),
        (Rule::Include, "\"*/*.tif\""),
        (Rule::IncludeRegex, "\"a\""),
        (Rule::Exclude, "\"a/tmp/**\""),
        (Rule::ExcludeRegex, "\"x\""),
        (Rule::ExcludeRegex, "\"xx\""),
        (Rule::ModifiedAfter, "\"30d\""),
        (Rule::ModifiedBefore, "\"1h\""),
    ];
    Selection {
        only: None,
        prefixes: vec!["a".into(), "a/".into()],
        include: globs(&["**", "*/*.tif"]),
        include_regex: regexes(&["a"]),
        exclude: globs(&["a/tmp/**"]),
        exclude_regex: regexes(&["x", "xx"]),
        modified_after: moment(50),
        modified_before: moment(150),
        min_size: Some(ByteSize(5)),
        max_size: Some(ByteSize(20)),
        hits: written.into_iter().map(|(rule, written)| (rule, written.to_owned())).collect(),
    }
}

fn hits(selection: &Selection) -> Vec<(String, u64)> {
    selection.hits().into_iter().map(|rule| (rule.rule, rule.hits)).collect()
}

#[test]
fn each_rule_counts_what_it_decided() {
    let selection = counted();
    let clone = selection.clone();
    for name in ["a/b.tif", "a1", "b", "a/tmp/1", "a/xx", "a/x"] {
        refusal(&file(name), &selection);
    }
    for (size, modified) in [(4, 100), (21, 100), (10, 49), (10, 150)] {
        refusal(&Object { size: Some(size), modified: Some(at(modified)), ..file("a/c") }, &clone);
    }
    let expected = [
        ("prefixes = \"a\"", 9),
        ("prefixes = \"a/\"", 8),
        ("include = \"**\"", 9),
        ("include = \"*/*.tif\"", 1),
        ("include_regex = \"a\"", 9),
        ("exclude = \"a/tmp/**\"", 1),
        ("exclude_regex = \"x\"", 2),
        ("exclude_regex = \"xx\"", 1),
        ("modified_after = \"30d\"", 1),
        ("modified_before = \"1h\"", 1),
        ("min_size = \"5 B\"", 1),
        ("max_size = \"20 B\"", 1),
    ];
    let expected: Vec<(String, u64)> = expected.into_iter().map(|(rule, hits)| (rule.to_owned(), hits)).collect();
    assert_eq!(hits(&selection), expected);
    assert_eq!(hits(&clone), expected, "clones count together");
}

#[test]
fn a_list_of_keys_counts_what_was_found() {
    let selection = Selection { only: only(&["a", "b", "gone"]), ..Default::default() };
    for name in ["a", "b", "c"] {
        refusal(&file(name), &selection);
    }
    assert_eq!(hits(&selection), [("only = 3 keys".to_owned(), 2)]);
}

#[test]
fn a_round_counts_from_zero_and_ages_count_from_its_start() {
    let age = |seconds, age| Some(Moment { time: at(seconds), age: Some(Duration::from_secs(age)) });
    let first = Selection { modified_before: age(90, 10), only: only(&["a"]), ..counted() };
    refusal(&file("a"), &first);
    let second = first.for_round(at(1_000));
    assert_eq!(second.modified_before, age(990, 10));
    assert_eq!(second.modified_after, moment(50), "a fixed time stays");
    assert_eq!((first.hits().len(), second.hits().len()), (13, 13));
    assert!(first.hits().iter().any(|rule| rule.hits > 0));
    assert!(second.hits().iter().all(|rule| rule.hits == 0));
    refusal(&file("a"), &second);
    assert_eq!(hits(&second)[0], ("only = 1 keys".to_owned(), 1));
}

/// What makes backtracking engines hang: an automaton doesn't mind.
#[test]
fn no_pattern_takes_long() {
    let selection = Selection {
        include: globs(&["*a*a*a*a*a*a*a*a*a*a*a*b", "**/**/**/**/x"]),
        exclude_regex: regexes(&["(a*)*b", "(a|aa)+$x"]),
        ..Default::default()
    };
    let long = file(&"a".repeat(crate::object::MAX_KEY_BYTES));
    assert_eq!(refusal(&long, &selection), Some(SkipReason::NotIncluded));
    let selection = Selection { include: None, ..selection };
    assert_eq!(refusal(&long, &selection), None);
}
