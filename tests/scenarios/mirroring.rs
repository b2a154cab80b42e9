//! `delete_extra` from end to end: what goes, and each guard that makes everything stay.

use std::{fs, path::PathBuf};

use crate::harness::{
    Ended, Scratch,
    tree::{Random, Snapshot},
};

const MIRROR: &str = "delete_extra = true\nattempts = 1";

/// Forty files, mirrored.
fn mirrored(more: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..40).map(|number| number * 10));
    let pipeline = scratch.pipeline(&format!("{more}\n[transfer]\n{MIRROR}"));
    scratch.run(&pipeline).expect_code(0);
    (scratch, pipeline)
}

fn forget(scratch: &Scratch, names: std::ops::Range<usize>) {
    for number in names {
        fs::remove_file(scratch.path(&format!("source/d000/f{number:05}"))).unwrap();
    }
}

fn files(scratch: &Scratch) -> usize {
    fs::read_dir(scratch.path("sink/d000")).unwrap().count()
}

fn deleted(ended: &Ended) -> usize {
    ended.events_named("deleted").len()
}

#[test]
fn what_the_source_has_lost_goes_and_what_is_left_out_stays() {
    let (scratch, pipeline) = mirrored("[select]\nexclude = [\"kept/**\"]");
    forget(&scratch, 0..3);
    fs::create_dir(scratch.path("sink/kept")).unwrap();
    fs::write(scratch.path("sink/kept/theirs"), "x").unwrap();
    fs::write(scratch.path("sink/extra"), "x").unwrap();
    let run = scratch.run(&pipeline);
    run.expect_code(0);
    assert_eq!((deleted(&run), run.objects("deleted")), (4, 4));
    assert!(scratch.path("sink/kept/theirs").exists());
    // The folder that was deleted from has another time now.
    let left: Vec<_> = ["d000", "kept", "kept/theirs"].map(Into::into).to_vec();
    let snapshot = |folder| Snapshot::of(&scratch.path(folder)).without(&left);
    snapshot("sink").assert_equals(&snapshot("source"));
    let report = scratch.engine(&["report", "test", "--deleted", "--format", "csv"]);
    let keys = "key\nd000/f00000\nd000/f00001\nd000/f00002\nextra\n";
    assert_eq!(report.expect_code(0).output, keys);
}

#[test]
fn more_than_may_go_stays() {
    let (scratch, pipeline) = mirrored("");
    forget(&scratch, 0..5);
    let run = scratch.run(&pipeline);
    run.expect_code(3);
    assert_eq!((deleted(&run), files(&scratch)), (0, 40));
    let error = &run.summary()["error"];
    assert_eq!(error["code"], "limit");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("5 of the sink's 40") && message.contains("max_delete_percent"), "{message}");
    // Unless it's told otherwise.
    let text = fs::read_to_string(&pipeline).unwrap().replace(MIRROR, &format!("{MIRROR}\nmax_delete_percent = 15"));
    fs::write(&pipeline, text).unwrap();
    let run = scratch.run(&pipeline);
    run.expect_code(0);
    assert_eq!((deleted(&run), files(&scratch)), (5, 35));
}

#[test]
fn an_empty_source_deletes_nothing() {
    let (scratch, pipeline) = mirrored("");
    let text = fs::read_to_string(&pipeline).unwrap().replace(MIRROR, &format!("{MIRROR}\nmax_delete_percent = 100"));
    fs::write(&pipeline, text).unwrap();
    fs::remove_dir_all(scratch.path("source/d000")).unwrap();
    let run = scratch.run(&pipeline);
    run.expect_code(0);
    assert_eq!((deleted(&run), files(&scratch)), (0, 40));
    assert_eq!(run.events_named("nothing-deleted").len(), 1);
    // A source that isn't there at all is another thing.
    fs::remove_dir(scratch.path("source")).unwrap();
    let run = scratch.run(&pipeline);
    run.expect_code(3);
    assert_eq!(files(&scratch), 40);
}

#[test]
fn a_failure_deletes_nothing() {
    let (scratch, pipeline) = mirrored("");
    forget(&scratch, 0..1);
    fs::create_dir_all(scratch.path("sink/clash/inside")).unwrap();
    fs::write(scratch.path("source/clash"), "a file, where the sink has a folder").unwrap();
    let run = scratch.run(&pipeline);
    run.expect_code(2);
    assert_eq!((deleted(&run), files(&scratch)), (0, 40));
    assert_eq!(run.events_named("nothing-deleted").len(), 1);
    fs::remove_dir_all(scratch.path("sink/clash")).unwrap();
    let run = scratch.run(&pipeline);
    run.expect_code(0);
    assert_eq!((deleted(&run), files(&scratch)), (1, 39));
}
