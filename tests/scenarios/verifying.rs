//! `engine verify`: what was changed at the sink behind the engine's back is found.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::harness::{Ended, Scratch, tree::Random};

/// Thirty files, moved.
fn stage() -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..30).map(|number| 10_000 + number));
    let pipeline = scratch.pipeline("");
    scratch.run(&pipeline).expect_code(0);
    (scratch, pipeline)
}

fn verify(scratch: &Scratch, pipeline: &Path, more: &[&str]) -> Ended {
    scratch.engine(&[&["verify", "--json", pipeline.to_str().unwrap()], more].concat())
}

/// Verdicts by key, in order.
fn verdicts(ended: &Ended) -> Vec<(String, String)> {
    let word = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap().to_owned();
    let mut verdicts: Vec<_> =
        ended.events_named("checked").iter().map(|event| (word(event, "key"), word(event, "verdict"))).collect();
    verdicts.sort();
    verdicts
}

/// One byte of a file is another, its size and time are the same.
fn flip(path: &Path) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 5000).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 5000).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn a_sink_as_it_was_left_is_all_right() {
    let (scratch, pipeline) = stage();
    for more in [&[] as &[&str], &["--source"], &["--reread"], &["--source", "--reread"]] {
        let ended = verify(&scratch, &pipeline, more);
        ended.expect_code(0);
        let findings = ended.events_named("findings").pop().unwrap();
        assert_eq!((&findings["ok"], &findings["checked"]), (&30.into(), &30.into()), "{more:?}");
    }
}

#[test]
fn what_is_wrong_at_the_sink_is_found() {
    let (scratch, pipeline) = stage();
    let sink = scratch.path("sink/d000");
    fs::remove_file(sink.join("f00003")).unwrap();
    fs::write(sink.join("f00005"), "short").unwrap();
    flip(&sink.join("f00007"));
    let expect = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, verdict)| (format!("d000/{name}"), (*verdict).to_owned())).collect()
    };
    let ended = verify(&scratch, &pipeline, &["--reread"]);
    ended.expect_code(2);
    assert_eq!(verdicts(&ended), expect(&[("f00003", "missing"), ("f00005", "size"), ("f00007", "checksum")]));
    fs::write(scratch.path("source/d000/f00009"), "changed since").unwrap();
    fs::remove_file(scratch.path("source/d000/f00011")).unwrap();
    let ended = verify(&scratch, &pipeline, &["--reread", "--source"]);
    ended.expect_code(2);
    let all =
        [("f00003", "missing"), ("f00005", "size"), ("f00007", "checksum"), ("f00009", "changed"), ("f00011", "gone")];
    assert_eq!(verdicts(&ended), expect(&all));
    let people = scratch.engine(&["verify", pipeline.to_str().unwrap()]);
    people.expect_code(2);
    assert!(people.output.contains("missing   d000/f00003"), "{}", people.output);
}

#[test]
fn a_sink_that_is_gone_lacks_everything() {
    let (scratch, pipeline) = stage();
    fs::remove_dir_all(scratch.path("sink")).unwrap();
    let ended = verify(&scratch, &pipeline, &[]);
    ended.expect_code(2);
    assert_eq!(verdicts(&ended).len(), 30);
    assert!(!scratch.path("sink").exists(), "it's only looked at");
}

#[test]
fn the_source_may_be_gone() {
    let (scratch, pipeline) = stage();
    fs::remove_dir_all(scratch.path("source")).unwrap();
    let ended = verify(&scratch, &pipeline, &["--reread"]);
    ended.expect_code(0);
    assert_eq!(ended.events_named("findings")[0]["ok"], 30);
    // Nothing of the source is there, or there is no source: that can't be told apart from it being away.
    let ended = verify(&scratch, &pipeline, &["--source"]);
    assert!(matches!(ended.code, Some(2 | 3)), "{:?}", ended.code);
}

#[test]
fn without_a_run_there_is_nothing_to_verify() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("source")).unwrap();
    let pipeline = scratch.pipeline("");
    verify(&scratch, &pipeline, &[]).expect_code(3);
}
