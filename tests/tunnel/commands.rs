//! `engine tunnel`: what is made, shown, changed and refused.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::refused;
use crate::harness::{Ended, Scratch, tree::Random};

/// What a tunnel says within it is what it will say.
const DEADLINE: Duration = Duration::from_secs(30);

fn tunnel(scratch: &Scratch, arguments: &[&str]) -> Ended {
    scratch.engine(&[&["tunnel"], arguments].concat())
}

fn shown(scratch: &Scratch, name: &str) -> Value {
    let ended = tunnel(scratch, &["show", name, "--json"]);
    serde_json::from_str(&ended.expect_code(0).output).unwrap()
}

#[test]
fn a_tunnel_is_made_changed_and_deleted() {
    let scratch = Scratch::new();
    let made = tunnel(
        &scratch,
        &[
            "create",
            "office",
            "--max-bandwidth",
            "20 MiB/s",
            "--max-requests-per-second",
            "50",
            "--floor",
            "1 MiB/s",
            "--schedule",
            "mon-fri 08:00-18:00 5 MiB/s",
            "--schedule",
            "22:00-06:00 unlimited",
            "--timezone",
            "Europe/Berlin",
            "--weight",
            "nas=3",
        ],
    );
    assert_eq!(made.expect_code(0).output, "tunnel office made: 20 MiB/s, 50 requests/s\n");
    let it = shown(&scratch, "office");
    assert_eq!(it["limits"]["max_bandwidth"], 20 << 20);
    assert_eq!(
        (&it["floor"], &it["weights"]["nas"], &it["timezone"]),
        (&(1 << 20).into(), &3.into(), &"Europe/Berlin".into())
    );
    assert_eq!(it["schedule"][0], "mon,tue,wed,thu,fri 08:00-18:00 5 MiB/s");
    refused(&tunnel(&scratch, &["create", "office"]), "already");

    tunnel(&scratch, &["set", "office", "--max-requests-per-second", "none", "--schedule", "none"]).expect_code(0);
    let it = shown(&scratch, "office");
    assert_eq!((&it["limits"]["max_requests_per_second"], &it["schedule"]), (&Value::Null, &Value::Array(vec![])));
    assert_eq!(it["limits_now"]["max_bandwidth"], 20 << 20);
    assert!(tunnel(&scratch, &["list"]).expect_code(0).output.contains("office  20 MiB/s"));

    tunnel(&scratch, &["delete", "office"]).expect_code(0);
    for asked in [&["show", "office"], &["set", "office"], &["delete", "office"]] {
        refused(&tunnel(&scratch, asked), "`engine tunnel create office`");
    }
}

#[test]
fn what_is_not_understood_is_said_and_nothing_is_made() {
    let scratch = Scratch::new();
    for (arguments, says) in [
        (["create", "Office", "--max-bandwidth", "1 MiB/s"], "the tunnel \"Office\""),
        (["create", "office", "--max-bandwidth", "20 MiB"], "write \"20 MiB/s\""),
        (["create", "office", "--max-requests-per-second", "0"], "from 1"),
        (["create", "office", "--schedule", "someday 08:00-18:00 1 MiB/s"], "is no day"),
        (["create", "office", "--timezone", "Europe/Atlantis"], "unknown time zone"),
        (["create", "office", "--weight", "nas"], "nas=3"),
    ] {
        refused(&tunnel(&scratch, &arguments), says);
    }
    assert_eq!(tunnel(&scratch, &["list", "--json"]).expect_code(0).output, "[]\n");
    let pipeline = scratch.path("pipeline.toml");
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("sink"));
    fs::write(&pipeline, format!("name = \"test\"\ntunnel = \"office\"\n{ends}")).unwrap();
    refused(&scratch.run(&pipeline), "engine tunnel create office");
}

#[test]
fn a_file_defines_tunnels_until_a_command_changes_them() {
    let scratch = Scratch::new();
    let config = scratch.path("engine.toml");
    let write = |limit: &str| fs::write(&config, format!("[tunnels.line]\nmax_bandwidth = \"{limit}\"\n")).unwrap();
    let with = |arguments: &[&str]| scratch.engine(&[arguments, &["--config", config.to_str().unwrap()]].concat());
    let limit = || {
        let it: Value =
            serde_json::from_str(&with(&["tunnel", "show", "line", "--json"]).expect_code(0).output).unwrap();
        it["limits"]["max_bandwidth"].as_u64().unwrap() >> 20
    };
    write("8 MiB/s");
    assert_eq!(limit(), 8);
    with(&["tunnel", "set", "line", "--max-bandwidth", "4 MiB/s"]).expect_code(0);
    assert_eq!(limit(), 4, "the file hasn't changed since");
    write("2 MiB/s");
    assert_eq!(limit(), 2);
    refused(&with(&["tunnel", "delete", "line"]), "remove [tunnels.line]");
    refused(&with(&["tunnel", "create", "line"]), "already");
}

#[test]
fn a_run_shows_on_its_tunnel_and_holds_it() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..100).map(|_| 20_000));
    tunnel(&scratch, &["create", "line", "--max-bandwidth", "200 kB/s"]).expect_code(0);
    let pipeline = scratch.path("pipeline.toml");
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("sink"));
    fs::write(&pipeline, format!("name = \"test\"\ntunnel = \"line\"\n{ends}")).unwrap();
    let running = scratch.start_apart(&["run", pipeline.to_str().unwrap()]);
    let begin = Instant::now();
    let run = loop {
        let it = shown(&scratch, "line");
        if it["runs"][0]["lease"]["bytes_per_second"] == 200_000 {
            break it["runs"][0]["run"].as_str().unwrap().to_owned();
        }
        assert!(begin.elapsed() < DEADLINE, "{it}");
    };
    assert!(run.starts_with(&format!("test@{}.", running.pid())), "{run}");
    assert!(tunnel(&scratch, &["show", "line"]).expect_code(0).output.contains(&run));
    refused(&tunnel(&scratch, &["delete", "line"]), &run);

    // What a killed run has left holds nothing up.
    running.kill();
    tunnel(&scratch, &["delete", "line"]).expect_code(0);
}

#[test]
fn who_is_done_gives_its_lease_back() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..10).map(|_| 20_000));
    tunnel(&scratch, &["create", "line", "--max-bandwidth", "100 MiB/s"]).expect_code(0);
    let pipeline = scratch.path("pipeline.toml");
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("sink"));
    fs::write(&pipeline, format!("name = \"test\"\ntunnel = \"line\"\n{ends}")).unwrap();
    let ended = scratch.run(&pipeline);
    assert_eq!(ended.expect_code(0).objects("moved"), 10);
    assert_eq!(shown(&scratch, "line")["runs"], Value::Array(vec![]));
}
