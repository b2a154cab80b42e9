//! What is within what: run, objects, attempts, parts, calls; and what isn't told.

use std::{collections::HashSet, fs};

use super::{ALONE, children, fill, hash, named, operations, run};
use crate::harness::{
    Scratch,
    otlp::{Collector, Span},
    tree::Snapshot,
};

const TRANSFER: &str = "[transfer]\nworkers = 2\npart_size = \"5 MiB\"\nattempts = 2\n";
/// Three parts.
const LARGE: usize = 11 << 20;

/// One trace, whose spans all lie within spans that were told, in place and in time.
fn is_whole(spans: &[Span]) {
    let ids: HashSet<_> = spans.iter().map(|span| span.id.as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "an id twice");
    assert_eq!(spans.iter().map(|span| span.trace.as_str()).collect::<HashSet<_>>().len(), 1, "more than one trace");
    let roots: Vec<_> = spans.iter().filter(|span| span.parent.is_empty()).collect();
    assert_eq!(roots.len(), 1, "{roots:?}");
    assert_eq!(roots[0].name, "run");
    for span in spans {
        assert!(span.nanos.0 <= span.nanos.1, "{span:?}");
        assert!(span.parent.is_empty() || ids.contains(span.parent.as_str()), "no parent of {span:?}");
        if let Some(parent) = spans.iter().find(|parent| parent.id == span.parent) {
            assert!(parent.nanos.0 <= span.nanos.0 && span.nanos.1 <= parent.nanos.1, "{span:?} in {parent:?}");
        }
    }
}

#[test]
fn a_run_is_a_tree() {
    let scratch = Scratch::new();
    let source = fill(&scratch, &[("one-private-name.bin", ALONE), ("two.bin", ALONE), ("large.bin", LARGE)]);
    let collector = Collector::start();
    let ended = run(&scratch, &scratch.pipeline(TRANSFER), &collector, &[]);
    ended.expect_code(0);
    source.assert_equals(&Snapshot::of(&scratch.path("sink")));
    let spans = collector.spans();
    is_whole(&spans);
    let root = named(&spans, "run")[0];
    assert_eq!((root.get("culvert.pipeline"), root.get("culvert.state")), ("test", "finished"));
    assert_eq!((root.number("culvert.moved"), root.number("culvert.failed"), root.number("culvert.round")), (3, 0, 1));
    assert_eq!((root.get("culvert.source"), root.get("culvert.sink")), ("local", "local"));
    assert_eq!(root.get("culvert.run"), ended.summary()["run"].as_str().unwrap());
    assert!(operations(&spans, root).contains(&"list".to_owned()));

    let objects = children(&spans, root, "object");
    assert_eq!((objects.len(), named(&spans, "object").len()), (3, 3));
    assert!(named(&spans, "batch").is_empty());
    for (key, size) in [("one-private-name.bin", ALONE), ("two.bin", ALONE), ("large.bin", LARGE)] {
        let object = objects.iter().find(|it| it.get("culvert.key_sha256") == hash(key)).unwrap();
        assert_eq!((object.number("culvert.size"), object.get("culvert.outcome")), (size as u64, "moved"));
        let attempts = children(&spans, object, "attempt");
        assert_eq!((attempts.len(), attempts[0].number("culvert.attempt")), (1, 1));
        assert!(!object.is_error && !attempts[0].is_error && !attempts[0].has("error.type"));
        let (calls, parts) = (operations(&spans, attempts[0]), children(&spans, object, "part"));
        if size == LARGE {
            assert_eq!(calls.last().unwrap(), "begin", "{calls:?}");
            assert_eq!(operations(&spans, object), ["commit"]);
            let mut numbers: Vec<_> =
                parts.iter().map(|part| (part.number("culvert.part"), part.number("culvert.bytes"))).collect();
            numbers.sort_unstable();
            let rest = (LARGE - (10 << 20)) as u64;
            assert_eq!(numbers, [(1, 5 << 20), (2, 5 << 20), (3, rest)]);
            for part in parts {
                let attempts = children(&spans, part, "attempt");
                assert_eq!(attempts.len(), 1);
                assert_eq!(operations(&spans, attempts[0]), ["read", "write-part"]);
            }
        } else {
            assert!(parts.is_empty());
            assert_eq!(calls[calls.len() - 2..], ["read", "put"], "{calls:?}");
        }
    }
    let ends: HashSet<_> = named(&spans, "call")
        .iter()
        .map(|call| (call.get("culvert.operation").to_owned(), call.get("culvert.end").to_owned()))
        .collect();
    for (operation, end) in [("list", "source"), ("read", "source"), ("put", "sink"), ("commit", "sink")] {
        assert!(ends.contains(&(operation.to_owned(), end.to_owned())), "{ends:?}");
    }
    assert!(collector.requests().iter().all(|request| request == "post /v1/traces http/1.1"));
    assert!(collector.services().iter().all(|service| service == "culvert"));
    // Neither a key nor where the files are is told.
    for text in ["private-name", scratch.path("").to_str().unwrap()] {
        assert!(!collector.heard_of(text), "{text:?} was told");
    }
}

#[test]
fn keys_are_told_where_that_is_asked_for() {
    let scratch = Scratch::new();
    fill(&scratch, &[("private-name.bin", ALONE)]);
    let collector = Collector::start();
    run(&scratch, &scratch.pipeline(TRANSFER), &collector, &["--trace-keys"]).expect_code(0);
    let spans = collector.spans();
    assert_eq!(named(&spans, "object")[0].get("culvert.key"), "private-name.bin");
}

#[test]
fn a_failure_has_its_code_wherever_it_was() {
    let scratch = Scratch::new();
    fill(&scratch, &[("fits.bin", ALONE), ("taken.bin", ALONE)]);
    // A folder that isn't empty stands where the file is to be.
    fs::create_dir_all(scratch.path("sink/taken.bin/inside")).unwrap();
    let collector = Collector::start();
    let ended = run(&scratch, &scratch.pipeline(TRANSFER), &collector, &[]);
    ended.expect_code(2);
    let failures = ended.failures();
    let (_, code) = failures.iter().find(|(key, _)| key == "taken.bin").unwrap();
    let spans = collector.spans();
    is_whole(&spans);
    let objects = named(&spans, "object");
    let failed = objects.iter().find(|it| it.get("culvert.key_sha256") == hash("taken.bin")).unwrap();
    assert!(failed.is_error);
    assert_eq!((failed.get("culvert.outcome"), failed.get("error.type")), ("failed", code.as_str()));
    let attempts = children(&spans, failed, "attempt");
    let told = ended.events_named("failed")[0]["attempts"].as_u64().unwrap();
    assert_eq!(attempts.len() as u64, told);
    assert!(attempts.iter().all(|attempt| attempt.is_error && attempt.get("error.type") == code));
    let root = named(&spans, "run")[0];
    assert_eq!((root.number("culvert.moved"), root.number("culvert.failed")), (1, 1));
}

#[test]
fn small_objects_are_told_by_the_batch() {
    let scratch = Scratch::new();
    let names: Vec<_> = (0..500).map(|number| format!("small-{number:03}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 100)).collect();
    fill(&scratch, &files);
    let collector = Collector::start();
    let ended = run(&scratch, &scratch.pipeline(TRANSFER), &collector, &[]);
    assert_eq!(ended.expect_code(0).objects("moved"), 500);
    let spans = collector.spans();
    is_whole(&spans);
    let root = named(&spans, "run")[0];
    let batches = children(&spans, root, "batch");
    assert!(!batches.is_empty());
    let together: u64 = batches.iter().map(|batch| batch.number("culvert.objects")).sum();
    assert_eq!(together + named(&spans, "object").len() as u64, 500);
    for batch in batches {
        let calls = operations(&spans, batch);
        assert!(calls.contains(&"read-batch".to_owned()) && calls.contains(&"put-batch".to_owned()), "{calls:?}");
    }
}
