//! Nobody is told anything unasked, and no collector changes what a run does.

use std::fs;

use super::{ALONE, fill, named, run};
use crate::harness::{
    Scratch,
    otlp::Collector,
    seaweed::free_ports,
    tree::{Random, Snapshot},
};

#[test]
fn nothing_is_told_unasked() {
    let scratch = Scratch::new();
    fill(&scratch, &[("one.bin", ALONE)]);
    let collector = Collector::start();
    let pipeline = scratch.pipeline("");
    scratch
        .start_as(&["run", pipeline.to_str().unwrap()], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")])
        .wait()
        .expect_code(0);
    assert!(collector.requests().is_empty());
    // The variable that other programs know asks for it too.
    scratch.forget();
    fs::remove_dir_all(scratch.path("sink")).unwrap();
    let asked = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()), ("OTEL_SERVICE_NAME", "nightly".to_owned())];
    let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    scratch.start_as(&["run", pipeline.to_str().unwrap()], &asked).wait().expect_code(0);
    assert_eq!(named(&collector.spans(), "object").len(), 1);
    assert!(collector.services().iter().all(|service| service == "nightly"));
    // Without traces, logs are as they were.
    let shown = scratch.engine(&["run", pipeline.to_str().unwrap(), "--restart", "--log-level", "trace"]);
    assert!(shown.expect_code(0).errors.contains("TRACE"), "nothing is logged");
    // Commands that move nothing say nothing, and logs are without spans.
    let before = collector.requests().len();
    scratch.start_as(&["validate", pipeline.to_str().unwrap()], &asked).wait().expect_code(0);
    assert_eq!(collector.requests().len(), before);
    let logged = run(&scratch, &pipeline, &collector, &["--restart", "--log-level", "trace"]);
    assert!(!logged.expect_code(0).errors.contains("culvert.key"), "{}", logged.errors);
}

#[test]
fn a_wrong_url_is_refused_and_not_shown() {
    let scratch = Scratch::new();
    fill(&scratch, &[("one.bin", ALONE)]);
    let pipeline = scratch.pipeline("");
    for url in ["127.0.0.1:4318", "http://me:hunter2@127.0.0.1:4318"] {
        let ended = scratch.engine(&["run", pipeline.to_str().unwrap(), "--trace-otlp", url]);
        ended.expect_code(1);
        assert!(ended.errors.contains("--trace-otlp") && !ended.errors.contains("hunter2"), "{}", ended.errors);
    }
    assert!(!scratch.path("sink").exists());
}

#[test]
fn a_collector_that_is_down_or_stands_still_changes_nothing() {
    let scratch = Scratch::in_memory();
    let source = scratch.path("source");
    // More objects of their own than spans that wait: 3 spans each at least.
    Random::seeded().fill(&source, std::iter::repeat_n(66_000, 3000));
    let source = Snapshot::of(&source);
    let pipeline = scratch.pipeline("[transfer]\nworkers = 2\n[select]\nmin_size = \"65537 B\"");
    let down = format!("http://127.0.0.1:{}", free_ports()[0]);
    let stalled = Collector::stalled();
    for url in [down, stalled.url()] {
        scratch.forget();
        let ended = scratch.engine(&["run", "--json", pipeline.to_str().unwrap(), "--trace-otlp", &url]);
        ended.expect_code(0);
        assert_eq!((ended.objects("moved"), ended.objects("failed")), (3000, 0));
        source.assert_equals(&Snapshot::of(&scratch.path("sink")));
        fs::remove_dir_all(scratch.path("sink")).unwrap();
        // It's said once, and at the end how many are missing.
        let (takes, lost) = (ended.errors.matches("takes no spans").count(), ended.errors.matches("lost=").count());
        assert!(takes <= 1 && lost == 1, "{}", ended.errors);
    }
}

#[test]
fn an_agent_hands_it_on_to_its_runs() {
    let scratch = Scratch::new();
    fill(&scratch, &[("one.bin", ALONE)]);
    let collector = Collector::start();
    let engine = |arguments: &[&str]| scratch.engine(arguments);
    engine(&["tunnel", "create", "line"]).expect_code(0);
    engine(&["agent", "create", "mover", "--tunnel", "line"]).expect_code(0);
    let pipeline = scratch.pipeline("");
    let text = fs::read_to_string(&pipeline).unwrap().replace("[tunnel]\n", "tunnel = \"line\"\n");
    fs::write(&pipeline, text).unwrap();
    engine(&["task", "create", "nightly", pipeline.to_str().unwrap(), "--agent", "mover"]).expect_code(0);
    let agent = scratch.start_apart(&["agent", "start", "mover", "--trace-otlp", &collector.url(), "--trace-keys"]);
    engine(&["task", "start", "nightly"]).expect_code(0);
    let begin = std::time::Instant::now();
    while named(&collector.spans(), "run").is_empty() {
        assert!(begin.elapsed() < std::time::Duration::from_secs(60), "no trace\n{}", agent.logged());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let spans = collector.spans();
    assert_eq!(named(&spans, "object")[0].get("culvert.key"), "one.bin");
    assert_eq!(named(&spans, "run")[0].get("culvert.tunnel"), "line");
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    agent.wait().expect_code(0);
}
