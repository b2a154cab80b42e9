//! A tag is followed once, and when it's asked for: what it stood for is in the lock, and another artifact or
//! another file is refused by both digests.

use std::fs;

use super::{Printed, Stage, count, refused};

#[test]
fn a_tag_is_followed_once() {
    let stage = Stage::new();
    let first = stage.push("", "stable");
    let pipeline = stage.pipeline(&stage.place("stable"), "");
    let (file, lock) = (pipeline.to_str().unwrap().to_owned(), stage.scratch.path("pipeline.lock"));
    let engine = |arguments: &[&str]| stage.scratch.engine(arguments);
    refused(&engine(&["run", &file]), 1, &["pipeline.lock", "engine connector pull"]);
    let pulled = Printed::of(engine(&["connector", "pull", &file]).expect_code(0));
    assert_eq!(pulled.digest, first.digest);
    let locked = fs::read_to_string(&lock).unwrap();
    for digest in [&first.digest, &first.sha256] {
        assert!(locked.contains(&format!("\"sha256:{digest}\"")), "{locked}");
    }
    stage.check(&stage.scratch.run(&pipeline));

    // The tag moves: runs stay with what they had, here and on a machine that has to pull it.
    let second = stage.push("newer", "stable");
    assert_ne!(second.digest, first.digest);
    for machine in ["one", "two"] {
        fs::remove_dir_all(stage.scratch.path("sink")).unwrap();
        stage.check(&stage.run_afresh(machine, &pipeline));
        let kept = stage.scratch.path(&format!("state-{machine}/connectors/sha256"));
        assert!(kept.join(&first.sha256).exists() && !kept.join(&second.sha256).exists());
    }
    let moved = engine(&["connector", "pull", &file]);
    refused(&moved, 1, &[&first.digest, &second.digest, "--update", "pipeline.lock"]);
    assert_eq!(fs::read_to_string(&lock).unwrap(), locked);
    assert_eq!(Printed::of(engine(&["connector", "pull", "--update", &file]).expect_code(0)).digest, second.digest);
    let updated = fs::read_to_string(&lock).unwrap();
    assert!(updated.contains(&second.digest) && !updated.contains(&first.digest), "{updated}");
    stage.check(&stage.scratch.run(&pipeline));
    // It's what the tag stands for: there's nothing to say.
    engine(&["connector", "pull", &file]).expect_code(0);
    assert_eq!(fs::read_to_string(&lock).unwrap(), updated);
}

#[test]
fn a_lock_that_was_changed_by_hand_is_noticed() {
    let stage = Stage::new();
    let pushed = stage.push("", "stable");
    let pipeline = stage.pipeline(&stage.place("stable"), "");
    stage.scratch.engine(&["connector", "pull", pipeline.to_str().unwrap()]).expect_code(0);
    let lock = stage.scratch.path("pipeline.lock");
    let text = fs::read_to_string(&lock).unwrap();
    let wrong = "0a".repeat(32);
    fs::write(&lock, text.replace(&pushed.sha256, &wrong)).unwrap();
    refused(&stage.scratch.run(&pipeline), 1, &[&pushed.sha256, &wrong, "--update"]);
    fs::write(&lock, text.replace("version = 1", "version = 9")).unwrap();
    refused(&stage.scratch.run(&pipeline), 1, &["pipeline.lock", "version 9"]);
    fs::write(&lock, "no lock").unwrap();
    refused(&stage.scratch.run(&pipeline), 1, &["pipeline.lock"]);
    assert_eq!(count(&stage.scratch.path("sink")), 0);
}

#[test]
fn a_file_is_what_its_sha256_says_or_nothing_of_it_runs() {
    let stage = Stage::new();
    let [good, other] = ["", "other"].map(|mark| stage.component(mark));
    let inspected = |file: &std::path::Path| {
        let ended = stage.scratch.engine(&["connector", "inspect", file.to_str().unwrap(), "--json"]);
        let it: serde_json::Value = serde_json::from_str(&ended.expect_code(0).output).unwrap();
        it["sha256"].as_str().unwrap().to_owned()
    };
    let [wanted, found] = [inspected(&good), inspected(&other)];
    let connector = good.to_str().unwrap().to_owned();
    let pipeline = stage.pipeline(&connector, &format!("sha256 = \"{wanted}\""));
    stage.check(&stage.scratch.run(&pipeline));
    fs::copy(&other, &good).unwrap();
    refused(&stage.scratch.run(&pipeline), 1, &[&wanted, &found, "source.connector"]);
    // What is no component at all isn't even compiled.
    fs::write(&good, b"garbage").unwrap();
    refused(&stage.scratch.run(&pipeline), 1, &[&wanted, "nothing of it was run"]);
    // The same for what's built in, and for what comes from a registry.
    let pipeline = stage.pipeline("local", &format!("sha256 = \"{found}\""));
    refused(&stage.scratch.run(&pipeline), 1, &[&wanted, &found]);
    let pushed = stage.push("other", "1");
    let pipeline = stage.pipeline(&pushed.reference, &format!("sha256 = \"sha256:{wanted}\""));
    refused(&stage.scratch.run(&pipeline), 1, &[&wanted, &found]);
}

#[test]
fn an_address_names_its_connector_by_digest() {
    let stage = Stage::new();
    let pushed = stage.push("", "stable");
    let table = |connector: &str| {
        let file = stage.scratch.path("table.toml");
        let text = format!("connector = \"{connector}\"\npath = \"{}\"\n", stage.scratch.path("source").display());
        fs::write(&file, text).unwrap();
        stage.scratch.engine(&["address", "create", "nas", "--role", "source", file.to_str().unwrap()])
    };
    refused(&table(&stage.place("stable")), 1, &["digest"]);
    table(&pushed.reference).expect_code(0);
    stage.scratch.engine(&["address", "check", "nas"]).expect_code(0);
    let pipeline = stage.scratch.pipeline_between("address = \"nas\"", &stage.scratch.local("sink"), "");
    stage.check(&stage.scratch.run(&pipeline));
}
