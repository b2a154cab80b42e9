//! What happens to an object that the sink already has, and what isn't selected at all.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use crate::harness::{Ended, Scratch, tree::Snapshot};

/// The sink has an older, a newer, an equal and no version of what the source has.
fn stage() -> Scratch {
    let scratch = Scratch::new();
    let now = SystemTime::now() - Duration::from_secs(1000);
    for end in ["source", "sink"] {
        fs::create_dir(scratch.path(end)).unwrap();
    }
    let write = |path: &str, content: &str, age: u64| {
        let path = scratch.path(path);
        fs::write(&path, content).unwrap();
        fs::File::open(path).unwrap().set_modified(now - Duration::from_secs(age)).unwrap();
    };
    write("source/fresher", "new", 0);
    write("sink/fresher", "old", 100);
    write("source/staler", "old", 100);
    write("sink/staler", "new", 0);
    write("source/same", "same", 0);
    write("sink/same", "same", 0);
    write("source/missing", "missing", 0);
    scratch
}

fn moved(run: &Ended) -> Vec<String> {
    let mut keys: Vec<_> =
        run.events_named("moved").iter().map(|event| event["key"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

#[test]
fn each_mode_overwrites_what_it_says() {
    for (mode, expected) in [
        ("never", vec!["missing"]),
        ("if-newer", vec!["fresher", "missing"]),
        ("if-different", vec!["fresher", "missing", "staler"]),
        ("always", vec!["fresher", "missing", "same", "staler"]),
    ] {
        let scratch = stage();
        let before = Snapshot::of(&scratch.path("sink"));
        let pipeline = scratch.pipeline(&format!("[transfer]\noverwrite = \"{mode}\""));
        let plan = scratch.engine(&["plan", "--json", pipeline.to_str().unwrap()]);
        plan.expect_code(0);
        Snapshot::of(&scratch.path("sink")).assert_equals(&before);
        let planned = plan.events().pop().unwrap();
        let run = scratch.run(&pipeline);
        run.expect_code(0);
        assert_eq!(moved(&run), expected, "{mode}");
        let objects = |what: &str| planned[what]["objects"].as_u64().unwrap();
        assert_eq!(objects("move") + objects("overwrite"), run.objects("moved"), "{mode}: {planned}");
        assert_eq!((objects("move"), objects("skip")), (1, run.objects("skipped")), "{mode}: {planned}");
    }
}

#[test]
fn a_folder_is_not_replaced_by_a_file_nor_the_other_way_round() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("source/was-file")).unwrap();
    fs::write(scratch.path("source/was-file/inner"), "x").unwrap();
    fs::write(scratch.path("source/was-folder"), "x").unwrap();
    fs::create_dir_all(scratch.path("sink/was-folder")).unwrap();
    fs::write(scratch.path("sink/was-folder/precious"), "x").unwrap();
    fs::write(scratch.path("sink/was-file"), "precious").unwrap();
    let before = Snapshot::of(&scratch.path("sink"));
    let run = scratch.run(&scratch.pipeline("[transfer]\nattempts = 1"));
    run.expect_code(2);
    let mut failed: Vec<_> = run.failures().into_iter().map(|(key, _)| key).collect();
    failed.sort();
    assert!(failed.contains(&"was-folder".to_owned()) && failed.contains(&"was-file/inner".to_owned()), "{failed:?}");
    let after = Snapshot::of(&scratch.path("sink"));
    assert_eq!(after.items().keys().collect::<Vec<_>>(), before.items().keys().collect::<Vec<_>>());
}

#[test]
fn a_selection_moves_what_it_lets_through() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("source/tmp")).unwrap();
    for (name, size) in [("a.tif", 10), ("b.txt", 10), ("large.tif", 5000), ("tmp/c.tif", 10)] {
        fs::write(scratch.path("source").join(name), vec![0; size]).unwrap();
    }
    let select = "[select]\ninclude = [\"**/*.tif\"]\nexclude = [\"tmp/**\"]\nmax_size = \"1 KiB\"";
    let run = scratch.run(&scratch.pipeline(select));
    run.expect_code(0);
    assert_eq!(moved(&run), ["a.tif"]);
    assert_eq!(run.objects("skipped"), 3);
    assert!(!scratch.path("sink/tmp").exists(), "nothing in it was selected");
}
