//! What is wrong with a table, a kill in the middle, and what was changed behind the engine's back.

use std::fs;

use super::{COMPRESS, assert_reads, pipeline};
use crate::harness::{Scratch, age::Key, tree::Random};

#[test]
fn what_is_wrong_with_a_table_is_told_at_its_place() {
    let scratch = Scratch::new();
    let key = Key::generate(&scratch, "key");
    let nine = COMPRESS.repeat(9);
    let secret = fs::read_to_string(&key.file).unwrap().lines().last().unwrap().to_owned();
    let recipients = format!("recipients = [\"{}\"]", key.recipient);
    for (more, words) in [
        ("[transform]\nconnector = \"zstd\"\nmode = \"compress\"", &["two brackets"][..]),
        (&nine, &["too many transforms", "at most 8"]),
        ("[[transform]]\nmode = \"compress\"", &["transform[0].connector", "the key is missing", "zstd"]),
        ("[[transform]]\nconnector = \"zst\"", &["transform[0].connector", "did you mean \"zstd\"?"]),
        ("[[transform]]\nconnector = \"zstd\"", &["transform[0].mode", "the key is missing"]),
        (&format!("{COMPRESS}level = 3"), &["transform[0].level", "unknown key"]),
        (&format!("{COMPRESS}[[transform]]\nconnector = \"age\"\nmode = \"x\""), &["transform[1].mode"]),
        ("[[transform]]\nconnector = \"age\"\nmode = \"encrypt\"", &["transform[0].", "needs recipients"]),
        ("[[transform]]\nconnector = \"age\"\nmode = \"encrypt\"\nrecipients = [\"age1abc\"]", &["isn't a public key"]),
        (
            &format!("[[transform]]\nconnector = \"age\"\nmode = \"decrypt\"\n{recipients}\nidentity = \"{secret}\""),
            &["no recipients"],
        ),
        ("[[transform]]\nconnector = \"age\"\nmode = \"decrypt\"\nidentity = { env = \"NO_SUCH\" }", &["NO_SUCH"]),
    ] {
        let ended = scratch.engine(&["validate", pipeline(&scratch, "source", "sink", more).to_str().unwrap()]);
        ended.expect_code(1);
        for word in words {
            assert!(ended.errors.contains(word), "{more}\n{}", ended.errors);
        }
        assert!(!ended.errors.contains(&secret), "{}", ended.errors);
    }
}

#[test]
fn a_reviewer_reads_that_it_reaches_nothing() {
    let scratch = Scratch::new();
    for name in ["zstd", "age"] {
        let ended = scratch.engine(&["connector", "inspect", name]);
        ended.expect_code(0);
        assert!(ended.output.contains("roles         transform") && ended.output.contains("granted nothing"));
        assert!(ended.output.contains("  culvert:connector/types@"));
        let output = ended.output.replace("  culvert:connector/types@", "");
        for reach in ["wasi:filesystem/types@0.3", "wasi:sockets", "wasi:http", "culvert:connector/"] {
            assert!(!output.contains(&format!("  {reach}")), "{name} imports {reach}:\n{}", ended.output);
        }
    }
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    Random::seeded().fill(&scratch.path("source"), [3 << 20; 8]);
    let more = format!("{}[transfer]\nworkers = 2\n", key.encrypting());
    let slow = format!("{more}[tunnel]\nmax_bandwidth = \"8 MiB/s\"\n");
    let path = pipeline(&scratch, "source", "sink", &slow);
    let running = scratch.start(&["run", "--json", path.to_str().unwrap()]);
    let whole = || {
        let folder = fs::read_dir(scratch.path("sink/d000")).into_iter().flatten();
        folder.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".age")).count()
    };
    while whole() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.kill();
    let before = whole();
    assert!((1..8).contains(&before), "{before} of 8");
    let path = scratch.pipeline_between(&scratch.local("source"), &scratch.local("sink"), &more);
    let ended = scratch.run(&path);
    ended.expect_code(0);
    // What the journal's last group didn't have is found at the sink.
    assert!(ended.objects("moved") <= 8);
    assert_reads(&scratch, ".age", |bytes| key.decrypt(bytes));
    let again = scratch.run(&path);
    assert_eq!((again.code, again.objects("moved"), again.objects("skipped")), (Some(0), 0, 8));
}

#[test]
fn what_was_changed_at_the_sink_is_found() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    Random::seeded().fill(&scratch.path("source"), [100_000; 3]);
    let path = pipeline(&scratch, "source", "sink", &key.encrypting());
    scratch.run(&path).expect_code(0);
    scratch.engine(&["verify", path.to_str().unwrap()]).expect_code(0);
    let tampered = scratch.path("sink/d000/f00001.age");
    let mut bytes = fs::read(&tampered).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&tampered, &bytes).unwrap();
    let found = scratch.engine(&["verify", "--reread", "--json", path.to_str().unwrap()]);
    found.expect_code(2);
    assert!(found.output.contains("\"checksum\"") && found.output.contains("f00001.age"), "{}", found.output);
    bytes.pop();
    fs::write(&tampered, &bytes).unwrap();
    let found = scratch.engine(&["verify", "--json", path.to_str().unwrap()]);
    found.expect_code(2);
    assert!(found.output.contains("\"verdict\":\"size\""), "{}", found.output);
}

#[test]
fn other_transforms_want_a_journal_of_their_own() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    Random::seeded().fill(&scratch.path("source"), [1000; 2]);
    scratch.run(&pipeline(&scratch, "source", "sink", COMPRESS)).expect_code(0);
    let other = scratch.pipeline_between(&scratch.local("source"), &scratch.local("sink"), &key.encrypting());
    let ended = scratch.run(&other);
    ended.expect_code(1);
    assert!(ended.errors.contains("with other transforms") && ended.errors.contains("--restart"), "{}", ended.errors);
}
