//! `engine agent`, and `engine run --agent`: one process at a time, on the agent's tunnel.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::refused;
use crate::{
    harness::{
        Ended, Scratch,
        oss::{ACCESS_KEY, SECRET, end},
        tree::Random,
    },
    s3::errors::said,
};

/// What an agent says within it is what it will say.
const DEADLINE: Duration = Duration::from_secs(30);

fn agent(scratch: &Scratch, arguments: &[&str]) -> Ended {
    scratch.engine(&[&["agent"], arguments].concat())
}

fn shown(scratch: &Scratch) -> Value {
    serde_json::from_str(&agent(scratch, &["show", "nas", "--json"]).expect_code(0).output).unwrap()
}

fn tunnel(scratch: &Scratch, name: &str, limit: &str) {
    scratch.engine(&["tunnel", "create", name, "--max-bandwidth", limit]).expect_code(0);
}

/// A pipeline with this line about its tunnel.
fn pipeline(scratch: &Scratch, name: &str, tunnel: &str) -> PathBuf {
    let file = scratch.path(&format!("{name}.toml"));
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local(name));
    fs::write(&file, format!("name = \"{name}\"\n{tunnel}\n{ends}")).unwrap();
    file
}

#[test]
fn an_agent_needs_a_tunnel_and_keeps_it_from_being_deleted() {
    let scratch = Scratch::new();
    refused(&agent(&scratch, &["create", "nas", "--tunnel", "line"]), "`engine tunnel create line`");
    tunnel(&scratch, "line", "1 MiB/s");
    tunnel(&scratch, "other", "1 MiB/s");
    agent(&scratch, &["create", "nas", "--tunnel", "line", "--network", "vpc", "--bind", "127.0.0.1"]).expect_code(0);
    refused(&agent(&scratch, &["create", "nas", "--tunnel", "line"]), "already");
    refused(&agent(&scratch, &["create", "two", "--tunnel", "line", "--bind", "not an address"]), "--bind");
    let it = shown(&scratch);
    assert_eq!((&it["tunnel"], &it["network"], &it["bind"]), (&"line".into(), &"vpc".into(), &"127.0.0.1".into()));
    assert_eq!((&it["state"], &it["process"]), (&"offline".into(), &Value::Null));

    refused(&scratch.engine(&["tunnel", "delete", "line"]), "nas");
    refused(&agent(&scratch, &["set", "nas", "--tunnel", "third"]), "`engine tunnel create third`");
    agent(&scratch, &["set", "nas", "--tunnel", "other", "--bind", "none"]).expect_code(0);
    scratch.engine(&["tunnel", "delete", "line"]).expect_code(0);
    assert!(agent(&scratch, &["list"]).expect_code(0).output.contains("nas    other   vpc      any   offline"));
    agent(&scratch, &["delete", "nas"]).expect_code(0);
    refused(&agent(&scratch, &["show", "nas"]), "`engine agent create nas`");
}

#[test]
fn a_run_as_an_agent_is_the_only_one_and_shows() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..100).map(|_| 20_000));
    tunnel(&scratch, "line", "200 kB/s");
    tunnel(&scratch, "other", "200 kB/s");
    let file = pipeline(&scratch, "first", "tunnel = \"line\"");
    let run = |file: &PathBuf| scratch.engine(&["run", file.to_str().unwrap(), "--agent", "nas"]);
    refused(&run(&file), "`engine agent create nas`");
    agent(&scratch, &["create", "nas", "--tunnel", "line"]).expect_code(0);
    refused(&run(&pipeline(&scratch, "elsewhere", "tunnel = \"other\"")), "asks for the tunnel \"other\"");
    refused(&run(&pipeline(&scratch, "alone", "[tunnel]\nmax_bandwidth = \"1 MiB/s\"")), "limits of its own");

    let running = scratch.start_apart(&["run", file.to_str().unwrap(), "--agent", "nas"]);
    let begin = Instant::now();
    let it = loop {
        let it = shown(&scratch);
        if it["state"] == "busy" {
            break it;
        }
        assert!(begin.elapsed() < DEADLINE, "{it}: {}", running.logged());
    };
    assert_eq!((&it["process"], &it["pipeline"]), (&running.pid().into(), &"first".into()));
    // The pipeline without a tunnel goes through the agent's, and has to wait for its turn.
    let second = pipeline(&scratch, "second", "[tunnel]");
    refused(&run(&second), "is running the pipeline \"first\"");
    refused(&agent(&scratch, &["set", "nas", "--tunnel", "other"]), "is running the pipeline \"first\"");
    refused(&agent(&scratch, &["delete", "nas"]), "is running the pipeline \"first\"");
    let tunnel = scratch.engine(&["tunnel", "show", "line", "--json"]);
    let tunnel: Value = serde_json::from_str(&tunnel.expect_code(0).output).unwrap();
    assert_eq!(tunnel["runs"][0]["run"], "nas");
    running.kill();
    assert_eq!(shown(&scratch)["state"], "offline");

    scratch.engine(&["tunnel", "set", "line", "--max-bandwidth", "200 MiB/s"]).expect_code(0);
    run(&second).expect_code(0);
}

#[test]
fn its_network_picks_the_services_endpoint() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    tunnel(&scratch, "line", "10 MiB/s");
    agent(&scratch, &["create", "nas", "--tunnel", "line", "--network", "vpc"]).expect_code(0);
    let inside = "https://oss-cn-test-internal.aliyuncs.com";
    let outside = "https://oss-cn-test.aliyuncs.com";
    let run = |own: &str| {
        let endpoint = end(inside, "archive", ACCESS_KEY, SECRET).replace(&format!("endpoint = \"{inside}\"\n"), "");
        // Nobody is there: it's said who isn't.
        let sink = format!("{endpoint}\n{own}\nproxy = \"http://127.0.0.1:9\"");
        let pipeline = scratch.pipeline_between(&scratch.local("source"), &sink, "[transfer]\nattempts = 1");
        let ended = scratch.engine(&["run", "--json", pipeline.to_str().unwrap(), "--agent", "nas"]);
        assert_ne!(ended.code, Some(0));
        said(&ended)
    };
    let at = |host: &str| host.replace("https://", "https://archive.");
    assert!(run("").contains(&at(inside)), "{}", run(""));
    assert!(run("network = \"public\"").contains(&at(outside)), "the table says it");
    agent(&scratch, &["set", "nas", "--network", "public"]).expect_code(0);
    assert!(run("").contains(&at(outside)), "{}", run(""));
    assert!(run("network = \"vpc\"").contains(&at(inside)), "the table says it");
}
