//! `engine connector test` on the built-in connectors and on real servers: every case that a store's
//! capabilities declare passes, and those that don't apply are exactly the known ones, so that a lost
//! capability is noticed.

mod command;
mod ftp;
mod http;
mod local;
pub(crate) mod oss;
mod s3;

use std::{collections::BTreeMap, fs, time::Duration};

use serde_json::Value;

use crate::harness::{Ended, Scratch};

/// Longest that the suite may take: some 90 cases, on a busy machine or a real service.
const DEADLINE: Duration = Duration::from_secs(220);
/// What a second configuration would be needed for.
pub(crate) const NO_DENIED: &[&str] = &["denied"];

/// Writes both tables; an end is both where a store is read at the place where it's written.
pub(crate) fn tables(scratch: &Scratch, name: &str, source: Option<&str>, sink: Option<&str>) -> String {
    let table = |role: &str, end: Option<&str>| end.map(|end| format!("[{role}]\n{end}\n")).unwrap_or_default();
    let path = scratch.path(name);
    fs::write(&path, format!("{}{}", table("source", source), table("sink", sink))).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs the suite with these arguments after the connector and its tables.
pub(crate) fn suite(scratch: &Scratch, connector: &str, tables: &str, more: &[&str]) -> Ended {
    let mut arguments = vec!["connector", "test", connector, tables, "--format", "json"];
    arguments.extend(more);
    scratch.start(&arguments).wait_for(DEADLINE)
}

/// Result and text of each case, by its name.
fn cases(report: &Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cases = report["cases"].as_array().unwrap().iter();
    cases.map(|case| (text(&case["name"]), (text(&case["result"]), text(&case["text"])))).collect()
}

/// Every case passed but for these, which don't apply and say why.
pub(crate) fn assert_conforms(ended: &Ended, not_applicable: &[&[&str]]) {
    assert_conforms_but_for(ended, not_applicable, &[]);
}

/// The same of a store that has these faults, and no others.
pub(crate) fn assert_conforms_but_for(ended: &Ended, not_applicable: &[&[&str]], faults: &[&str]) {
    let report: Value = serde_json::from_str(&ended.output).unwrap_or_else(|_| panic!("no report: {}", ended.errors));
    let cases = cases(&report);
    let of = |result: &str| -> Vec<(&String, &String)> {
        cases.iter().filter(|(_, (it, _))| it == result).map(|(name, (_, text))| (name, text)).collect()
    };
    let failed = of("failed");
    // What fails only sometimes is marked with a "~": a fault of ours that waits to be mended.
    let unsteady: Vec<_> = faults.iter().filter_map(|fault| fault.strip_prefix('~')).collect();
    let faults: Vec<_> = faults.iter().copied().filter(|fault| !fault.starts_with('~')).collect();
    let names: Vec<_> = failed.iter().map(|(name, _)| name.as_str()).filter(|name| !unsteady.contains(name)).collect();
    assert_eq!(names, faults, "{failed:#?}");
    let found = of("n/a");
    assert!(found.iter().all(|(_, why)| !why.is_empty()), "{found:#?}");
    let mut expected: Vec<_> = not_applicable.concat();
    expected.sort_unstable();
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected, "{found:#?}");
    ended.expect_code(if failed.is_empty() { 0 } else { 2 });
    assert_eq!(of("passed").len(), cases.len() - expected.len() - failed.len());
    let counts = ["passed", "failed", "not_applicable"].map(|count| report[count].as_u64().unwrap());
    assert_eq!(counts.iter().sum::<u64>(), cases.len() as u64);
}
