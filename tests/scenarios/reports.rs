//! The report of a round: its files are read by Python and checked by `sha256sum`, never by the engine.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;

use crate::harness::Scratch;

/// Names that a report must be able to say.
const NAMES: [&str; 4] = ["a, \"b\".txt", "back\\slash", "new\nline", "süß/ünïcode"];

/// A source with odd names, one object that is left out and one that can't be put.
fn stage() -> Scratch {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("source/süß")).unwrap();
    fs::create_dir_all(scratch.path("sink/clash/inside")).unwrap();
    for name in NAMES {
        fs::write(scratch.path("source").join(name), format!("the content of {name}")).unwrap();
    }
    fs::write(scratch.path("source/scrap.tmp"), "x").unwrap();
    fs::write(scratch.path("source/clash"), "a file, where the sink has a folder").unwrap();
    scratch
}

/// A CSV as Python reads it: its rows by their keys.
fn rows(csv: &Path) -> BTreeMap<String, Value> {
    let program = "import csv, json, sys\n\
        print(json.dumps(list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8')))))";
    let python = Command::new("python3").args(["-c", program]).arg(csv).output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let rows: Vec<Value> = serde_json::from_slice(&python.stdout).unwrap();
    rows.into_iter().map(|row| (row["key"].as_str().unwrap().to_owned(), row)).collect()
}

fn lines(jsonl: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(jsonl).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["key"].as_str().unwrap().to_owned(), row)).collect()
}

fn sha256sum_check(folder: &Path, sums: &Path) {
    let checked =
        Command::new("sha256sum").args(["--check", "--strict"]).arg(sums).current_dir(folder).output().unwrap();
    let (output, errors) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{output}{errors}");
    assert_eq!(output.lines().count(), NAMES.len(), "{output}");
}

const RULES: &str =
    "[select]\nexclude = [\"*.tmp\"]\n[transfer]\nattempts = 2\nmax_backoff = \"100ms\"\n[report]\nsha256sums = true";

#[test]
fn what_a_run_did_is_in_its_files() {
    let scratch = stage();
    let pipeline = scratch.pipeline(RULES);
    let run = scratch.run(&pipeline);
    run.expect_code(2);
    let folder = scratch.path("state/pipelines/test/report");
    let moved = rows(&folder.join("moved.csv"));
    assert_eq!(moved.keys().collect::<Vec<_>>(), NAMES);
    for (name, row) in &moved {
        let size = format!("the content of {name}").len().to_string();
        assert_eq!((&row["kind"], &row["size"], &row["attempts"]), (&"file".into(), &size.into(), &"1".into()));
        assert_eq!(row["grade"], "checksum:crc64-nvme");
    }
    let manifest = rows(&folder.join("manifest.csv"));
    assert_eq!(manifest.keys().collect::<Vec<_>>(), NAMES);
    assert!(manifest[NAMES[0]]["checksums"].as_str().unwrap().contains("crc64-nvme:"), "{manifest:?}");
    let failed = rows(&folder.join("failed.csv"));
    let (key, code) = &run.failures()[0];
    assert_eq!((failed.len(), &failed[key]["code"]), (1, &Value::from(code.as_str())));
    assert_eq!(rows(&folder.join("skipped.csv"))["scrap.tmp"]["reason"], "excluded");
    assert!(rows(&folder.join("deleted.csv")).is_empty());
    for list in ["manifest", "moved", "skipped", "failed", "deleted"] {
        let (rows, lines) =
            (rows(&folder.join(list).with_extension("csv")), lines(&folder.join(list).with_extension("jsonl")));
        assert!(rows.keys().eq(lines.keys()), "{list}: {rows:?} {lines:?}");
    }
    let summary: Value = serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
    for what in ["listed", "moved", "skipped", "failed"] {
        assert_eq!(summary["objects"][what], run.objects(what), "{what}: {summary}");
    }
    assert_eq!(summary["rules"][0]["hits"], 1, "{summary}");
    assert_eq!(summary["run"], run.summary()["run"]);
    assert_eq!(fs::read_to_string(folder.join("rounds.jsonl")).unwrap().lines().count(), 1);
    sha256sum_check(&scratch.path("sink"), &folder.join("SHA256SUMS"));
}

#[test]
fn what_failed_is_retried_alone() {
    let scratch = stage();
    let pipeline = scratch.pipeline(RULES);
    scratch.run(&pipeline).expect_code(2);
    fs::remove_dir_all(scratch.path("sink/clash")).unwrap();
    let failed = scratch.path("state/pipelines/test/report/failed.csv");
    let again = scratch.engine(&["run", "--json", "--only", failed.to_str().unwrap(), pipeline.to_str().unwrap()]);
    again.expect_code(0);
    let moved: Vec<_> = again.events_named("moved").iter().map(|event| event["key"].clone()).collect();
    assert_eq!(moved, ["clash"]);
    assert!(rows(&failed).is_empty(), "the report is the last round's");
    assert_eq!(rows(&scratch.path("state/pipelines/test/report/manifest.csv")).len(), NAMES.len() + 1);
}

#[test]
fn the_report_command_says_what_the_files_say() {
    let scratch = stage();
    let pipeline = scratch.pipeline(RULES);
    scratch.engine(&["report", "test"]).expect_code(1);
    scratch.run(&pipeline).expect_code(2);
    let folder = scratch.path("state/pipelines/test/report");
    for list in ["manifest", "moved", "skipped", "failed", "deleted"] {
        for (format, ending) in [("csv", "csv"), ("json", "jsonl")] {
            let shown = scratch.engine(&["report", "test", &format!("--{list}"), "--format", format]);
            shown.expect_code(0);
            let written = fs::read_to_string(folder.join(format!("{list}.{ending}"))).unwrap();
            assert_eq!(shown.output, written, "{list} {format}");
        }
    }
    let sums = scratch.engine(&["report", pipeline.to_str().unwrap(), "--sha256sums"]);
    assert_eq!(sums.expect_code(0).output, fs::read_to_string(folder.join("SHA256SUMS")).unwrap());
    let shown = scratch.engine(&["report", "test"]);
    assert_eq!(shown.expect_code(0).output, fs::read_to_string(folder.join("summary.txt")).unwrap());
    let table = scratch.engine(&["report", "test", "--moved"]);
    assert_eq!(table.expect_code(0).output.lines().count(), NAMES.len() + 1, "one line each: {}", table.output);
    scratch.engine(&["report", "no-such"]).expect_code(1);
    scratch.engine(&["report", "test", "--format", "csv"]).expect_code(1);
    scratch.engine(&["report", "test", "--moved", "--failed"]).expect_code(1);
}

#[test]
fn the_report_is_put_at_the_sink_too() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    let pipeline = scratch.pipeline(
        "[transfer]\ndelete_extra = true\nmax_delete_percent = 100\n[report]\nto_sink = true\nprefix = \"reports/test-\"",
    );
    let mut expected = Vec::new();
    for round in 1..=2 {
        let run = scratch.run(&pipeline);
        run.expect_code(0);
        expected.push(format!("test-{}", run.summary()["run"].as_str().unwrap()));
        let there = scratch.path("sink/reports").join(&expected[round - 1]);
        let home = scratch.path("state/pipelines/test/report");
        let mut names: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names.len(), 13, "five lists twice, two summaries, the rounds; no sums: {names:?}");
        for name in names {
            assert_eq!(fs::read(there.join(&name)).unwrap(), fs::read(home.join(&name)).unwrap(), "{name:?}");
        }
    }
    let mut reports: Vec<_> = fs::read_dir(scratch.path("sink/reports"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    reports.sort();
    expected.sort();
    assert_eq!(reports, expected, "the second round deletes no report of the first");
    // Nor does it leave what a killed process had laid out for the sink.
    fs::create_dir_all(scratch.path("state/pipelines/test/for-the-sink-abcdef/reports")).unwrap();
    scratch.run(&pipeline).expect_code(0);
    let left = fs::read_dir(scratch.path("state/pipelines/test")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with(".tmp") || name.starts_with("for-the-sink-")), "{left:?}");
}

/// As if its process had been killed between the end of the round and its report.
#[test]
fn a_report_that_is_missing_is_made_up_for() {
    let scratch = stage();
    let pipeline = scratch.pipeline(&format!("{RULES}\nto_sink = true"));
    scratch.run(&pipeline).expect_code(2);
    let folder = scratch.path("state/pipelines/test/report");
    let lists = ["manifest.csv", "moved.jsonl", "failed.csv", "skipped.csv", "SHA256SUMS"];
    let written = lists.map(|name| fs::read(folder.join(name)).unwrap());
    fs::remove_dir_all(&folder).unwrap();
    scratch.run(&pipeline).expect_code(2);
    let rounds = fs::read_to_string(folder.join("rounds.jsonl")).unwrap();
    let rounds: Vec<Value> = rounds.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |round: &Value| (round["number"].as_u64().unwrap(), round["objects"]["moved"].as_u64().unwrap());
    assert_eq!(rounds.iter().map(of).collect::<Vec<_>>(), [(1, NAMES.len() as u64), (2, 0)]);
    // The second round's lists stand at home by now; both are at the sink.
    let made_up = scratch.path("sink/.culvert-reports").join(rounds[0]["run"].as_str().unwrap());
    for (name, written) in lists.iter().zip(&written) {
        assert!(fs::read(made_up.join(name)).unwrap() == *written, "{name}");
    }
}
