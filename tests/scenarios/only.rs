//! `--only`: runs that are confined to a list, in each form that a list may have.

use std::{fs, path::Path};

use serde_json::Value;

use crate::harness::{Ended, Scratch};

const NAMES: [&str; 5] = ["a", "b, \"c\"", "d e/f+g", "h", "süß"];

fn stage() -> (Scratch, String) {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("source/d e")).unwrap();
    for name in NAMES {
        fs::write(scratch.path("source").join(name), name).unwrap();
    }
    let pipeline = scratch.pipeline("[select]\nexclude = [\"h\"]").to_str().unwrap().to_owned();
    (scratch, pipeline)
}

fn moved(ended: &Ended) -> Vec<String> {
    ended.expect_code(0);
    let mut moved: Vec<_> =
        ended.events_named("moved").iter().map(|event| event["key"].as_str().unwrap().to_owned()).collect();
    moved.sort();
    moved
}

fn write(scratch: &Scratch, name: &str, list: &str) -> String {
    let path = scratch.path(name);
    fs::write(&path, list).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_list_may_have_any_of_its_forms() {
    // As S3 writes it, without a first row of names: bucket, key, size.
    let inventory = "\"bucket\",\"d+e/f%2Bg\",\"5\"\n\"bucket\",\"s%C3%BC%C3%9F\",\"4\"\n\"bucket\",\"gone\",\"1\"\n";
    let named = "Size,Object\n1,a\n6,\"b, \"\"c\"\"\"\n";
    for (list, name, more, expected) in [
        ("a\nd e/f+g\nh\nnot there\n", "keys.txt", &[] as &[&str], ["a", "d e/f+g"]),
        (named, "named.csv", &["--only-column", "Object"], ["a", "b, \"c\""]),
        (inventory, "inventory.csv", &["--only-column", "2", "--only-url-encoded"], ["d e/f+g", "süß"]),
        // Its name needn't say that it's a CSV.
        (named, "mapped", &["--only-column", "Object"], ["a", "b, \"c\""]),
    ] {
        let (scratch, pipeline) = stage();
        let list = write(&scratch, name, list);
        let plan = scratch.engine(&[&["plan", "--json", "--only", &list, &pipeline], more].concat());
        assert_eq!(plan.expect_code(0).events().pop().unwrap()["move"]["objects"], 2, "{name}");
        let run = scratch.engine(&[&["run", "--json", "--only", &list, &pipeline], more].concat());
        assert_eq!(moved(&run), expected, "{name}");
        assert!(!Path::new(&scratch.path("sink/h")).exists(), "what the selection leaves out stays left out");
        // The rest comes without a list; what is done stays done.
        let rest = scratch.engine(&["run", "--json", &pipeline]);
        assert_eq!(moved(&rest).len(), 2, "{name}");
    }
}

#[test]
fn a_list_may_come_from_standard_input() {
    let (scratch, pipeline) = stage();
    let lines = scratch.engine_fed(&["run", "--json", "--only", "-", &pipeline], "a\n\nsüß\n");
    assert_eq!(moved(&lines), ["a", "süß"]);
    let csv = "code,key\nio,\"b, \"\"c\"\"\"\n";
    let csv = scratch.engine_fed(&["run", "--json", "--only", "-", "--only-column", "key", &pipeline], csv);
    assert_eq!(moved(&csv), ["b, \"c\""]);
    let nothing = scratch.engine_fed(&["run", "--json", "--only", "-", &pipeline], "");
    assert_eq!(moved(&nothing), Vec::<String>::new(), "an empty list is one");
}

#[test]
fn a_list_that_cannot_be_taken_moves_nothing() {
    for (list, name, more, words) in [
        ("a\n../b\n/c\n", "keys.txt", &[] as &[&str], ["line 2", "line 3"]),
        ("a\r\n", "keys.txt", &[], ["line 1", "CR LF"]),
        ("name\na\n", "list.csv", &[], ["no column \"key\"", "\"name\""]),
        ("key\n%zz\n", "list.csv", &["--only-url-encoded"], ["line 2", "URL-encoded"]),
    ] {
        let (scratch, pipeline) = stage();
        let list = write(&scratch, name, list);
        let run = scratch.engine(&[&["run", "--json", "--only", &list, &pipeline], more].concat());
        run.expect_code(1);
        assert!(words.iter().all(|word| run.errors.contains(word)), "{words:?}: {}", run.errors);
        assert!(!scratch.path("sink/a").exists());
    }
    let (scratch, pipeline) = stage();
    scratch.engine(&["run", "--only", "/no/such/list", &pipeline]).expect_code(1);
    scratch.engine(&["run", "--only-column", "2", &pipeline]).expect_code(1);
}

/// A list is another selection: what it leaves out isn't missing at the source.
#[test]
fn a_list_deletes_nothing_that_is_not_on_it() {
    let (scratch, pipeline) = stage();
    let mirror = scratch.pipeline("[transfer]\ndelete_extra = true\nmax_delete_percent = 100");
    assert_eq!(Path::new(&pipeline), mirror);
    scratch.engine(&["run", &pipeline]).expect_code(0);
    for name in ["a", "h"] {
        fs::remove_file(scratch.path("source").join(name)).unwrap();
    }
    let run = scratch.engine_fed(&["run", "--json", "--only", "-", &pipeline], "a\nsüß\n");
    run.expect_code(0);
    let deleted: Vec<Value> = run.events_named("deleted").iter().map(|event| event["key"].clone()).collect();
    assert_eq!(deleted, ["a"]);
    assert!(scratch.path("sink/h").exists());
}
