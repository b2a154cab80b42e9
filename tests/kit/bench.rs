//! `engine connector bench`: every case of both connectors is measured, with their bytes and objects, and
//! nothing is left. Asserts no times.

use std::fs;

use serde_json::Value;

use crate::harness::{Scratch, nginx::Nginx};

const MIB: u64 = 1 << 20;

fn tables(scratch: &Scratch, roles: &[&str]) -> String {
    fs::create_dir_all(scratch.path("store")).unwrap();
    let text: String = roles.iter().map(|role| format!("[{role}]\npath = {:?}\n", scratch.path("store"))).collect();
    fs::write(scratch.path("tables.toml"), text).unwrap();
    scratch.path("tables.toml").to_str().unwrap().to_owned()
}

/// Name, bytes and objects of each case, all of which took some time.
fn cases(connector: &Value) -> Vec<(String, u64, u64)> {
    let cases = connector["cases"].as_array().unwrap().iter().map(|case| {
        assert!(case["wall_seconds"].as_f64().unwrap() > 0.0 && case["cpu_seconds"].as_f64().unwrap() > 0.0, "{case}");
        let number = |key: &str| case[key].as_u64().unwrap();
        assert!(number("memory_bytes") < 1 << 30, "{case}");
        (case["case"].as_str().unwrap().to_owned(), number("bytes"), number("objects"))
    });
    cases.collect()
}

#[test]
fn both_ends_are_put_and_read() {
    let scratch = Scratch::new();
    let tables = tables(&scratch, &["source", "sink"]);
    let asked = ["connector", "bench", "local", &tables, "--rounds", "2", "--large", "8 MiB", "--objects", "20"];
    let ended = scratch.engine(&[&asked[..], &["--json"]].concat());
    ended.expect_code(0);
    let report: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(report["rounds"], 2);
    let expected = [
        ("put-large", 8 * MIB, 1),
        ("put-small", 20 * 4096, 20),
        ("read-large", 8 * MIB, 1),
        ("read-small", 20 * 4096, 20),
    ];
    let expected = expected.map(|(name, bytes, objects)| (name.to_owned(), bytes, objects));
    assert_eq!(cases(&report["connector"]), expected);
    assert_eq!(cases(&report["against"]), expected);
    let ratios = report["cpu_ratios"].as_array().unwrap();
    assert!(ratios.len() == 4 && ratios.iter().all(|it| it["ratio"].as_f64().unwrap() > 0.0), "{ratios:?}");
    assert_eq!(fs::read_dir(scratch.path("store")).unwrap().count(), 0, "something was left");

    let table = scratch.engine(&asked);
    table.expect_code(0);
    let lines: Vec<_> = table.output.lines().collect();
    assert_eq!(lines.len(), 9, "{}", table.output);
    assert!(lines[1].starts_with("put-large") && lines[1].contains("MiB/s") && lines[3].contains("µs/object"));
}

#[test]
fn a_source_alone_is_read_as_it_is_beside_a_folder() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    fs::write(server.path("large"), vec![1; 3 << 20]).unwrap();
    (0..5).for_each(|number| fs::write(server.path(&format!("small-{number}")), vec![2; 100]).unwrap());
    fs::write(scratch.path("tables.toml"), format!("[source]\nindex = \"{}\"\n", server.url(""))).unwrap();
    let tables = scratch.path("tables.toml");
    let asked = [
        "connector",
        "bench",
        "http",
        tables.to_str().unwrap(),
        "--rounds",
        "1",
        "--large",
        "1 MiB",
        "--objects",
        "3",
        "--json",
    ];
    let ended = scratch.engine(&asked);
    ended.expect_code(0);
    let report: Value = serde_json::from_str(&ended.output).unwrap();
    let names = |end: &str| cases(&report[end]).into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    assert_eq!(cases(&report["connector"]), [("read-large".to_owned(), 3 * MIB, 1), ("read-small".to_owned(), 300, 3)]);
    assert_eq!(names("against"), ["put-large", "put-small", "read-large", "read-small"]);
    assert_eq!(report["against"]["name"], "local");
}

#[test]
fn a_store_that_fails_is_no_figure() {
    let scratch = Scratch::new();
    let tables = tables(&scratch, &["source"]);
    let ended = scratch.engine(&["connector", "bench", "local", &tables, "--rounds", "1"]);
    ended.expect_code(3);
    assert!(ended.errors.contains("no file to read"), "{}", ended.errors);
    scratch.engine(&["connector", "bench", "local", &tables, "--rounds", "0"]).expect_code(1);
    scratch.engine(&["connector", "bench", "local", &tables, "--large", "8"]).expect_code(1);
}
