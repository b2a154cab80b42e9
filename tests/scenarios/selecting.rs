//! Every rule of `[select]` from end to end, and how often each has decided.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::harness::Scratch;

const DAY: Duration = Duration::from_secs(24 * 3600);

const RULES: &str = "[select]
prefixes = [\"photos/\", \"scans/\"]
include = [\"**/*.tif\", \"**/*.jpg\"]
include_regex = ['/[0-9]{4}']
exclude = [\"**/draft*\"]
exclude_regex = ['~']
modified_after = \"30d\"
modified_before = \"2d\"
min_size = \"10 B\"
max_size = \"1 kB\"";

/// Name, size, age in days, and why it stays.
const FILES: [(&str, usize, u32, &str); 13] = [
    ("photos/2024-a.tif", 100, 10, ""),
    ("photos/2024-b.jpg", 10, 29, ""),
    ("scans/2025.tif", 1000, 3, ""),
    ("other/2024.tif", 100, 10, "not-included"),
    ("photos/2024.png", 100, 10, "not-included"),
    ("photos/nought.tif", 100, 10, "not-included"),
    ("photos/2024/draft.tif", 100, 10, "excluded"),
    ("photos/2024/draft-2.tif", 100, 10, "excluded"),
    ("scans/2024~.tif", 100, 10, "excluded"),
    ("scans/2024-old.tif", 100, 40, "too-old"),
    ("scans/2024-new.tif", 100, 1, "too-new"),
    ("scans/2024-small.tif", 9, 10, "too-small"),
    ("scans/2024-large.tif", 1001, 10, "too-large"),
];

#[test]
fn every_rule_decides_and_is_counted() {
    let scratch = Scratch::new();
    for (name, size, days, _) in FILES {
        let path = scratch.path("source").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![7; size]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - DAY * days).unwrap();
    }
    let run = scratch.run(&scratch.pipeline(RULES));
    run.expect_code(0);
    for (name, .., reason) in FILES {
        assert_eq!(scratch.path("sink").join(name).exists(), reason.is_empty(), "{name}");
    }
    let skipped = scratch.engine(&["report", "test", "--skipped", "--format", "json"]);
    let rows = skipped.expect_code(0).output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut rows: Vec<_> = rows.map(|row| (row["key"].clone(), row["reason"].clone())).collect();
    rows.sort_by_key(|(key, _)| key.to_string());
    let mut expected: Vec<_> = FILES.iter().filter(|(.., reason)| !reason.is_empty()).collect();
    expected.sort();
    let expected: Vec<_> =
        expected.iter().map(|(name, .., reason)| (Value::from(*name), Value::from(*reason))).collect();
    assert_eq!(rows, expected);

    let summary: Value =
        serde_json::from_slice(&fs::read(scratch.path("state/pipelines/test/report/summary.json")).unwrap()).unwrap();
    let hits: Vec<_> = summary["rules"].as_array().unwrap().iter().map(|rule| rule["hits"].as_u64().unwrap()).collect();
    let rules: Vec<_> =
        summary["rules"].as_array().unwrap().iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    // Of each list its items; what one kind of rule refuses isn't shown to the next.
    assert_eq!(hits, [6, 6, 10, 1, 10, 2, 1, 1, 1, 1, 1], "{rules:?}");
    let people = scratch.engine(&["report", "test"]);
    assert!(people.expect_code(0).output.contains("**/draft*"), "{}", people.output);
}
