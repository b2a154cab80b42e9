//! `engine apply`: files in, a plan, and a state folder that is as they say.

use std::fs;

use serde_json::Value;

use super::refused;
use crate::harness::{
    Ended, Scratch,
    tree::{Random, Snapshot},
};

const TUNNELS: &str = r#"
[tunnels.line]
max_bandwidth = "20 MiB/s"
schedule = ["mon-fri 08:00-18:00 10 MiB/s"]
timezone = "Europe/Berlin"

[agents.nas]
tunnel = "line"
network = "vpc"
bind = "127.0.0.1"
weight = 3
"#;

fn apply(scratch: &Scratch, more: &[&str]) -> Ended {
    let folder = scratch.path("files");
    scratch.engine(&[&["apply", "-f", folder.to_str().unwrap()], more].concat())
}

fn write(scratch: &Scratch, name: &str, text: &str) {
    let file = scratch.path("files").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// Two files: one with a tunnel and its agent, one with the rest.
fn write_all(scratch: &Scratch) {
    write(scratch, "tunnels.toml", TUNNELS);
    let (source, sink) = (scratch.local("source"), scratch.local("sink"));
    let task = "[tasks.nightly]\nfile = \"pipelines/nightly.toml\"\nagent = \"nas\"\n";
    write(scratch, "work.toml", &format!("[sources.scans]\n{source}\n[sinks.archive]\n{sink}\n{task}"));
    let ends = "[source]\naddress = \"scans\"\n[sink]\naddress = \"archive\"\n";
    write(scratch, "pipelines/nightly.toml", &format!("name = \"nightly\"\ntunnel = \"line\"\n{ends}"));
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.expect_code(0).output).unwrap()
}

fn shown(scratch: &Scratch, kind: &str, name: &str) -> Value {
    json(&scratch.engine(&[kind, "show", name, "--json"]))
}

/// Of each change: its action, kind and name.
fn changes(plan: &Value) -> Vec<String> {
    let all = plan["changes"].as_array().unwrap().iter();
    all.map(|it| format!("{} {} {}", it["action"], it["kind"], it["name"]).replace('"', "")).collect()
}

#[test]
fn files_become_what_there_is_and_a_second_time_nothing_is_to_be_done() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..10).map(|_| 20_000));
    write_all(&scratch);
    // Without a word of agreement there is a plan and nothing more.
    let asked = apply(&scratch, &[]);
    refused(&asked, "nothing was changed; --yes carries the plan out");
    assert!(asked.output.contains("+ tunnel line\n    max_bandwidth = \"20 MiB/s\"\n"), "{}", asked.output);
    assert!(asked.output.contains("5 to create, 0 to change, 0 to delete"), "{}", asked.output);
    let plan = json(&apply(&scratch, &["--json"]));
    let create = ["tunnel line", "agent nas", "address archive", "address scans", "task nightly"];
    assert_eq!(changes(&plan), create.map(|it| format!("create {it}")));
    assert_eq!(plan["applied"], false);
    assert_eq!(scratch.engine(&["tunnel", "list", "--json"]).expect_code(0).output, "[]\n");

    let done = json(&apply(&scratch, &["--json", "--yes"]));
    assert_eq!((changes(&done).len(), &done["applied"]), (5, &true.into()));
    let tunnel = shown(&scratch, "tunnel", "line");
    assert_eq!((&tunnel["limits"]["max_bandwidth"], &tunnel["weights"]["nas"]), (&(20 << 20).into(), &3.into()));
    let agent = shown(&scratch, "agent", "nas");
    assert_eq!((&agent["network"], &agent["bind"]), (&"vpc".into(), &"127.0.0.1".into()));
    assert_eq!(shown(&scratch, "task", "nightly")["state"], "new");
    let again = apply(&scratch, &[]);
    assert_eq!(again.expect_code(0).output, "nothing to do\n");
    let again = json(&apply(&scratch, &["--json", "--prune"]));
    assert_eq!((changes(&again).len(), &again["applied"]), (0, &true.into()));

    let pipeline = scratch.path("files/pipelines/nightly.toml");
    scratch.engine(&["run", pipeline.to_str().unwrap(), "--agent", "nas"]).expect_code(0);
    Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
    assert_eq!(apply(&scratch, &["--yes"]).expect_code(0).output, "nothing to do\n", "a run changes nothing of it");
}

#[test]
fn what_differs_is_changed_and_what_is_not_named_stays_until_it_is_pruned() {
    let scratch = Scratch::new();
    write_all(&scratch);
    apply(&scratch, &["--yes"]).expect_code(0);
    scratch.engine(&["tunnel", "set", "line", "--weight", "other=2"]).expect_code(0);
    let text = TUNNELS.replace("20 MiB/s", "30 MiB/s").replace("weight = 3", "weight = 2");
    write(&scratch, "tunnels.toml", &text.replace("bind = \"127.0.0.1\"\n", ""));
    let ended = apply(&scratch, &["--yes"]);
    let expected = "~ tunnel line\n    max_bandwidth = \"20 MiB/s\" -> \"30 MiB/s\"\n\
                    ~ agent nas\n    weight = 3 -> 2\n    bind = \"127.0.0.1\" -> none\n";
    assert_eq!(ended.expect_code(0).output, format!("{expected}0 to create, 2 to change, 0 to delete\ndone\n"));
    let tunnel = shown(&scratch, "tunnel", "line");
    assert_eq!((&tunnel["weights"]["nas"], &tunnel["weights"]["other"]), (&2.into(), &2.into()));

    // An agent moves to another tunnel, the task is gone: its tunnel and the task aren't named any more.
    fs::remove_file(scratch.path("files/work.toml")).unwrap();
    write(&scratch, "tunnels.toml", "[tunnels.new]\n[agents.nas]\ntunnel = \"new\"\n");
    let ended = apply(&scratch, &["--yes"]);
    let left = "left alone, for no file names them: task nightly, address archive, address scans, tunnel line";
    assert!(ended.expect_code(0).output.contains(left), "{}", ended.output);
    assert_eq!(shown(&scratch, "agent", "nas")["tunnel"], "new");
    assert_eq!(shown(&scratch, "tunnel", "line")["weights"], serde_json::json!({"other": 2}));
    let ended = json(&apply(&scratch, &["--yes", "--prune", "--json"]));
    let gone = ["task nightly", "address archive", "address scans", "tunnel line"];
    assert_eq!(changes(&ended), gone.map(|it| format!("delete {it}")));
    assert_eq!(scratch.engine(&["address", "list", "--json"]).expect_code(0).output, "[]\n");
    assert_eq!(apply(&scratch, &["--prune"]).expect_code(0).output, "nothing to do\n");
}

#[test]
fn what_is_in_use_is_neither_pruned_nor_changed() {
    let scratch = Scratch::new();
    write_all(&scratch);
    Random::seeded().fill(&scratch.path("source"), (0..100).map(|_| 20_000));
    write(&scratch, "tunnels.toml", &TUNNELS.replace("20 MiB/s", "100 kB/s"));
    apply(&scratch, &["--yes"]).expect_code(0);
    let pipeline = scratch.path("files/pipelines/nightly.toml");
    let running = scratch.start_apart(&["run", pipeline.to_str().unwrap(), "--agent", "nas"]);
    let begin = std::time::Instant::now();
    while shown(&scratch, "agent", "nas")["state"] != "busy" {
        assert!(begin.elapsed().as_secs() < 60, "{}", running.logged());
    }
    fs::remove_file(scratch.path("files/work.toml")).unwrap();
    // A limit is for those who run too; where one connects from isn't.
    write(&scratch, "tunnels.toml", &TUNNELS.replace("bind = \"127.0.0.1\"\n", ""));
    refused(&apply(&scratch, &["--yes"]), "tunnels.toml:7: agents.nas: the agent is running the pipeline \"nightly\"");
    write(&scratch, "tunnels.toml", "[tunnels.line]\n");
    let process = running.pid();
    let ended = apply(&scratch, &["--yes", "--prune"]);
    refused(&ended, &format!("the agent \"nas\" is in use by process {process}"));
    refused(&ended, &format!("the task \"nightly\" is in use by process {process}"));
    assert_eq!(shown(&scratch, "agent", "nas")["bind"], "127.0.0.1");
    // What stays needs what isn't named.
    write(&scratch, "tunnels.toml", "[agents.nas]\ntunnel = \"line\"\n");
    refused(&apply(&scratch, &["--yes", "--prune"]), "tunnels.toml:2: agents.nas.tunnel = \"line\": no file names");
    running.kill();
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_file_and_line() {
    let scratch = Scratch::new();
    let secret = "hunter2-in-clear";
    write(
        &scratch,
        "a.toml",
        "[tunnels.line]\nmax_bandwidth = \"20 MiB\"\nwieght = 1\n[agents.nas]\nbind = \"no such\"\n",
    );
    let bucket = "connector = \"s3\"\nendpoint = \"http://127.0.0.1:9\"\nregion = \"r\"\nbucket = \"bucket\"\n";
    let keys = format!("access_key_id = \"key\"\nsecret_access_key = \"{secret}\"\n");
    write(
        &scratch,
        "b.toml",
        &format!("[tunnels.line]\n[agents.office]\ntunnel = \"nowhere\"\n[sinks.archive]\n{bucket}{keys}"),
    );
    write(
        &scratch,
        "c.toml",
        "[tasks.one]\nfile = \"pipelines/one.toml\"\nagent = \"nobody\"\n[tasks.two]\nfile = \"two\"\n",
    );
    let source = scratch.local("source");
    let pipeline =
        format!("name = \"one\"\ntunnel = \"gone\"\n[source]\n{source}\ncolour = 1\n[sink]\naddress = \"archive\"\n");
    write(&scratch, "pipelines/one.toml", &pipeline);
    write(&scratch, "d.toml", "not TOML\n");
    let ended = apply(&scratch, &["--yes"]);
    for says in [
        "a.toml:2: tunnels.line.max_bandwidth = \"20 MiB\"",
        "a.toml:3: tunnels.line.wieght: unknown key",
        "a.toml:4: agents.nas.tunnel: the key is missing",
        "b.toml:1: tunnels.line: the name is taken in ",
        "b.toml:3: agents.office.tunnel = \"nowhere\": there is no such tunnel",
        "b.toml:10: sinks.archive.secret_access_key: a secret can't be written here",
        "c.toml:2: tasks.one.file = \"pipelines/one.toml\": its pipeline names the tunnel \"gone\"",
        "one.toml:6: source.colour",
        "c.toml:3: tasks.one.agent = \"nobody\": there is no such agent",
        "c.toml:5: tasks.two.file = \"two\": can't read the pipeline",
        "d.toml:1: this isn't TOML",
    ] {
        refused(&ended, says);
    }
    assert!(!ended.errors.contains(secret), "{}", ended.errors);
    assert_eq!(scratch.engine(&["tunnel", "list", "--json"]).expect_code(0).output, "[]\n");
    fs::remove_dir_all(scratch.path("files")).unwrap();
    refused(&apply(&scratch, &[]), "can't read the folder");
    write(&scratch, "readme.txt", "");
    refused(&apply(&scratch, &[]), "there is no *.toml file");
}
