//! Hostile listings, and sources that can't be opened, with the real `local` connector as their sink.

use std::{fs, time::Duration};

use super::{LIMITS, hostile, in_time, run, scratch, together, ways};
use crate::harness::{Ended, Scratch, peak_kib, tree::Snapshot};

/// Most that an engine may take while a connector tries to fill it, in MiB: two instances of at most
/// 64 and what a call may hold on its way.
const MAX_MEMORY_MIB: u64 = 200;

fn stage(behaviour: &str) -> (Scratch, std::path::PathBuf) {
    let scratch = scratch();
    let source = hostile(behaviour, &[], &scratch.path("granted"));
    let pipeline = scratch.pipeline_between(&source, &scratch.local("root/sink"), LIMITS);
    (scratch, pipeline)
}

fn list(behaviour: &str) -> (Scratch, Ended) {
    let (scratch, pipeline) = stage(behaviour);
    let ended = run(&scratch, &pipeline);
    // Nothing but the sink's own folder.
    let around = fs::read_dir(scratch.path("root")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(around.collect::<Vec<_>>(), ["sink"], "{behaviour}");
    (scratch, ended)
}

fn names(scratch: &Scratch) -> Vec<String> {
    let sink = Snapshot::of(&scratch.path("root/sink"));
    sink.items().keys().map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn a_source_that_cannot_be_opened_or_listed_ends_the_run() {
    let cases: Vec<_> = ["configure", "list"].iter().flat_map(|call| ways(call)).collect();
    together(&cases, |(behaviour, code)| {
        let (_scratch, ended) = list(behaviour);
        ended.expect_code(3);
        assert_eq!(ended.summary()["state"], "failed", "{behaviour}");
        assert_eq!(ended.summary()["error"]["code"], *code, "{behaviour}");
    });
}

#[test]
fn a_listing_that_is_not_whole_fails_the_run_but_not_what_it_listed() {
    let cases = [("stalled-listing", "timeout"), ("endless-listing", "timeout"), ("false-listing", "io")];
    together(&cases, |(behaviour, code)| {
        let (scratch, ended) = list(behaviour);
        ended.expect_code(3);
        assert_eq!(ended.summary()["error"]["code"], *code, "{behaviour}");
        for number in 0..5 {
            assert_eq!(fs::read(scratch.path(&format!("root/sink/good-{number}"))).unwrap(), [7; 10], "{behaviour}");
        }
        let partial = Snapshot::of(&scratch.path("root/sink"));
        assert!(partial.items().values().all(is_whole), "{behaviour}");
    });
}

/// Every object of these listings has the same bytes.
fn is_whole(item: &crate::harness::tree::Item) -> bool {
    matches!(item, crate::harness::tree::Item::File { bytes, .. } if *bytes == [7; 10])
}

#[test]
fn keys_that_lead_out_are_reported_and_never_written() {
    let (scratch, ended) = list("keys");
    ended.expect_code(2);
    let failures = ended.failures();
    assert_eq!(failures.len(), 11, "{failures:?}");
    assert!(failures.iter().all(|(_, code)| code == "invalid-key"), "{failures:?}");
    assert_eq!(names(&scratch), ["good-0", "good-1", "good-2", "good-3", "good-4"]);
}

#[test]
fn folders_that_lead_out_or_never_end_are_reported() {
    let (scratch, ended) = list("folders");
    ended.expect_code(2);
    let keys = [("../up".to_owned(), "invalid-key".to_owned()), ("again".to_owned(), "invalid-key".to_owned())];
    assert_eq!(ended.failures(), keys);
    assert_eq!(names(&scratch), ["good-0", "good-1", "good-2", "good-3", "good-4"]);

    let (_scratch, ended) = list("deep-folders");
    ended.expect_code(2);
    let failures = ended.failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].1, "limit");
    assert_eq!(ended.objects("moved"), 5);
}

#[test]
fn oversized_records_are_refused() {
    let (_scratch, ended) = list("records");
    ended.expect_code(2);
    let codes: Vec<_> = ended.failures().into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes, ["protocol", "protocol", "io"]);
    // The record of an odd kind is skipped; none of them floods the report.
    assert_eq!(ended.objects("skipped"), 1);
    assert!(ended.output.len() < 50_000, "{} bytes", ended.output.len());
}

#[test]
fn numbers_at_the_ends_of_their_types_break_nothing() {
    let (scratch, pipeline) = stage("extremes");
    let plan = in_time(scratch.engine(&["plan", "--json", pipeline.to_str().unwrap()]));
    plan.expect_code(2);
    let ended = run(&scratch, &pipeline);
    ended.expect_code(2);
    assert_eq!(ended.objects("moved"), 5);
    assert_eq!(ended.objects("failed"), 3);
    assert_eq!(names(&scratch), ["good-0", "good-1", "good-2", "good-3", "good-4"]);
}

#[test]
fn terminal_escapes_are_not_printed() {
    let (scratch, pipeline) = stage("escapes");
    let pipeline = pipeline.to_str().unwrap();
    let run: &[&str] = &["run", pipeline, "--log-level", "debug"];
    for arguments in [run, &["plan", pipeline, "--list", "--log-level", "debug"]] {
        let ended = in_time(scratch.engine(arguments));
        ended.expect_code(2);
        assert!(!ended.output.contains('\u{7}') && !ended.errors.contains('\u{7}'));
        assert!(ended.output.contains("good-0") || arguments[0] == "run", "{}", ended.output);
    }
}

#[test]
fn a_wide_listing_does_not_sit_in_memory() {
    let (scratch, pipeline) = stage("wide-listing");
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    let mut peak = 0;
    while running.ended().is_none() {
        peak = peak.max(peak_kib(running.pid()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let ended = in_time(running.wait());
    ended.expect_code(3);
    assert_eq!(ended.summary()["error"]["code"], "timeout");
    assert!(ended.objects("failed") > 100);
    assert!(peak > 0 && peak / 1024 < MAX_MEMORY_MIB, "{peak} KiB");
}
