//! One run on three machines: each object is moved once, the trees are equal, one report adds up, whoever dies
//! meanwhile. The tunnel is slow enough that all three take part.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::Fleet;
use crate::harness::{
    Running, Scratch,
    tree::{Random, Snapshot},
};

/// Files of the tree; with their sizes about 4 s at the tunnel's rate.
const FILES: usize = 3000;
const SIZE: usize = 8192;
const RATE: &str = "6 MiB/s";
/// Within which a run that has begun moves.
const DEADLINE: Duration = Duration::from_secs(60);

struct Stage {
    fleet: Fleet,
    pipeline: PathBuf,
    source: Snapshot,
}

/// What an agent printed, whether it lived to its end or not.
pub(super) fn moved(printed: &str) -> Vec<String> {
    let lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == "moved").map(|line| line["key"].as_str().unwrap().to_owned()).collect()
}

// === impl Stage ===

impl Stage {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.path("source");
        Random::seeded().fill(&source, std::iter::repeat_n(SIZE, FILES));
        fs::create_dir_all(source.join("deep/er/empty")).unwrap();
        std::os::unix::fs::symlink("d000/f00000", source.join("link")).unwrap();
        let pipeline = scratch.pipeline("tunnel = \"shared\"\n[transfer]\nworkers = 2\n");
        let text = fs::read_to_string(&pipeline).unwrap().replace("[tunnel]\n", "");
        fs::write(&pipeline, text).unwrap();
        let source = Snapshot::of(&source);
        let fleet = Fleet::new(scratch);
        fleet.engine("a", &["tunnel", "create", "shared", "--max-bandwidth", RATE]).expect_code(0);
        Self { fleet, pipeline, source }
    }

    fn start(&self, machine: &str) -> Running {
        self.fleet.start(machine, &["run", "--json", self.pipeline.to_str().unwrap()])
    }

    /// Waits until so many objects were moved by this agent.
    fn wait_until_moved(run: &Running, objects: usize) {
        let begin = Instant::now();
        while moved(&run.printed()).len() < objects {
            assert!(begin.elapsed() < DEADLINE, "it doesn't move: {}\n{}", run.printed(), run.logged());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the others' ends, and holds what all did against the tree. `lost`: what those printed that died.
    fn check(&self, runs: Vec<(&str, Running)>, lost: Vec<String>) {
        let mut times = HashMap::<String, u32>::new();
        let (mut ended, mut parts) = (Vec::new(), Vec::new());
        lost.iter().for_each(|key| *times.entry(key.clone()).or_default() += 1);
        for (machine, run) in runs {
            let run = run.wait();
            run.expect_code(0);
            let keys = moved(&run.output);
            assert!(!keys.is_empty(), "{machine} moved nothing");
            parts.push(keys.len() as u64);
            keys.into_iter().for_each(|key| *times.entry(key).or_default() += 1);
            let summary = run.summary();
            assert_eq!(summary["state"], "finished", "{summary}");
            ended.push((machine, summary["fleet"].clone()));
        }
        self.source.assert_equals(&Snapshot::of(&self.fleet.scratch.path("sink")));
        let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "moved more than once: {twice:?}");

        let objects = self.source.objects();
        let here: Vec<_> = ended.iter().filter(|(_, fleet)| fleet["ended_here"] == true).collect();
        assert_eq!(here.len(), 1, "one ends the run: {ended:?}");
        for (_, fleet) in &ended {
            let figure = |name: &str| fleet["objects"][name].as_u64().unwrap();
            assert_eq!(figure("listed"), objects, "{fleet}");
            assert_eq!(figure("moved") + figure("skipped"), objects, "{fleet}");
            assert_eq!(figure("failed"), 0, "{fleet}");
            if lost.is_empty() {
                assert_eq!((figure("moved"), parts.iter().sum::<u64>()), (objects, objects), "{fleet}");
            }
        }
        let machine = here[0].0;
        let report = self.fleet.engine(machine, &["report", "test", "--format", "json"]);
        let report: Value = serde_json::from_str(report.expect_code(0).output.trim()).unwrap();
        let figures = &report["objects"];
        assert_eq!(figures["listed"].as_u64(), Some(objects), "{report}");
        assert_eq!(figures["moved"], here[0].1["objects"]["moved"], "{report}");
        let listed = self.fleet.engine(machine, &["report", "test", "--moved", "--format", "json"]);
        assert_eq!(listed.output.lines().count() as u64, figures["moved"].as_u64().unwrap());
    }
}

#[test]
fn three_machines_move_each_object_once() {
    let stage = Stage::new();
    let runs = ["a", "b", "c"].map(|machine| (machine, stage.start(machine)));
    stage.check(runs.into(), Vec::new());
    // A second run finds everything done, whoever lists.
    let again = stage.start("b").wait();
    assert_eq!((again.expect_code(0).objects("moved"), again.objects("failed")), (0, 0));
    assert_eq!(again.summary()["fleet"]["objects"]["skipped"].as_u64(), Some(stage.source.objects()));
}

#[test]
fn the_rest_of_one_that_is_killed_goes_to_the_others() {
    let stage = Stage::new();
    let [lister, killed, third] = ["a", "b", "c"].map(|machine| {
        let run = stage.start(machine);
        Stage::wait_until_moved(&run, 1);
        run
    });
    Stage::wait_until_moved(&killed, 100);
    let printed = stage.fleet.scratch.path("stdout-b");
    killed.kill();
    stage.check(vec![("a", lister), ("c", third)], moved(&fs::read_to_string(printed).unwrap()));
}

#[test]
fn another_lists_where_the_lister_is_killed() {
    let stage = Stage::new();
    let [lister, second, third] = ["a", "b", "c"].map(|machine| {
        let run = stage.start(machine);
        Stage::wait_until_moved(&run, 1);
        run
    });
    Stage::wait_until_moved(&lister, 100);
    let printed = stage.fleet.scratch.path("stdout-a");
    lister.kill();
    stage.check(vec![("b", second), ("c", third)], moved(&fs::read_to_string(printed).unwrap()));
}

#[test]
fn the_server_may_be_started_again_and_an_agent_stopped() {
    let mut stage = Stage::new();
    let [first, second, stopped] = ["a", "b", "c"].map(|machine| {
        let run = stage.start(machine);
        Stage::wait_until_moved(&run, 1);
        run
    });
    Stage::wait_until_moved(&stopped, 50);
    stopped.signal(Signal::SIGTERM);
    let stopped = stopped.wait();
    stopped.expect_code(130);
    stage.fleet.nats.end();
    std::thread::sleep(Duration::from_secs(5));
    stage.fleet.nats.begin();
    stage.check(vec![("a", first), ("b", second)], moved(&stopped.output));
}

#[test]
fn another_build_of_a_connector_moves_nothing() {
    const LOCAL: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/wasm32-wasip2/guest/culvert_local.wasm");
    let stage = Stage::new();
    let build = stage.fleet.scratch.path("connector.wasm");
    let component = fs::read(LOCAL).unwrap();
    fs::write(&build, &component).unwrap();
    let text = fs::read_to_string(&stage.pipeline).unwrap();
    let text = text.replacen("\"local\"", &format!("{:?}", build.to_str().unwrap()), 1);
    fs::write(&stage.pipeline, text).unwrap();
    let first = stage.start("a");
    Stage::wait_until_moved(&first, 1);
    // The same component with a section more that means nothing: an empty one without a name.
    fs::write(&build, [&component[..], &[0, 1, 0]].concat()).unwrap();
    let refused = stage.start("b").wait();
    refused.expect_code(1);
    assert!(refused.errors.contains("build of the connector"), "{}", refused.errors);
    assert!(moved(&refused.output).is_empty());
    first.wait().expect_code(0);
    stage.source.assert_equals(&Snapshot::of(&stage.fleet.scratch.path("sink")));
}

#[test]
fn what_machines_cannot_do_together_is_refused() {
    let stage = Stage::new();
    let text = fs::read_to_string(&stage.pipeline).unwrap();
    for (before, after) in [
        ("[transfer]\n", "[schedule]\nevery = \"1h\"\nrounds = 2\n[transfer]\n"),
        ("[transfer]\n", "[transfer]\ndelete_extra = true\n"),
    ] {
        fs::write(&stage.pipeline, text.replacen(before, after, 1)).unwrap();
        let refused = stage.start("a").wait();
        refused.expect_code(1);
        assert!(refused.errors.contains("--alone"), "{}", refused.errors);
    }
    fs::write(&stage.pipeline, text.replacen("[transfer]\n", "[transfer]\ndelete_extra = true\n", 1)).unwrap();
    let alone = stage.fleet.start("a", &["run", "--json", "--alone", stage.pipeline.to_str().unwrap()]).wait();
    assert_eq!(alone.expect_code(0).objects("moved"), stage.source.objects());
}
