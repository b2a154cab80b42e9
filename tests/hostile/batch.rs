//! Hostile batches: whatever one does, its objects are moved one by one.

use std::fs;

use super::{LIMITS, hostile, in_time, scratch, together, ways};
use crate::harness::{Ended, Scratch, tree::Snapshot};

/// One worker, so that what is queued together goes together.
fn run(scratch: &Scratch, source: &str, sink: &str) -> Ended {
    let limits = LIMITS.replace("workers = 2", "workers = 1\noverwrite = \"always\"");
    let pipeline = scratch.pipeline_between(source, sink, &limits);
    in_time(scratch.engine(&["run", pipeline.to_str().unwrap(), "--json", "--log-level", "debug"]))
}

/// Everything was moved, and a batch was tried before: unless it's no crime, it failed.
fn assert_moved(ended: &Ended, crime: &str, objects: u64) {
    ended.expect_code(0);
    assert_eq!((ended.objects("moved"), ended.objects("failed")), (objects, 0), "{crime}");
    let noticed = ended.errors.contains("a batch failed") || ended.errors.contains("an object of a batch failed");
    assert_eq!(noticed, crime != "honest-batch", "{crime}: {}", ended.errors);
}

fn crimes(call: &str, special: &[&str]) -> Vec<String> {
    let ways = ways(call).into_iter().map(|(name, _)| name);
    ways.chain(special.iter().map(|name| (*name).to_owned())).collect()
}

#[test]
fn a_batch_that_is_read_harms_nobody() {
    let special = [
        "honest-batch",
        "shorter-batch",
        "longer-batch",
        "refused-batch",
        "stuck-batch",
        "silent-batch",
        "false-batch",
    ];
    together(&crimes("read-batch", &special), |crime| {
        let scratch = scratch();
        let source = hostile(crime, &[], &scratch.path("granted"));
        let ended = run(&scratch, &source, &scratch.local("sink"));
        assert_moved(&ended, crime, 5);
        let sink = Snapshot::of(&scratch.path("sink"));
        for name in sink.items().keys() {
            assert_eq!(fs::read(scratch.path("sink").join(name)).unwrap(), [7; 10], "{crime}: {name:?}");
        }
    });
}

#[test]
fn a_batch_that_is_put_harms_nobody() {
    let special = [
        "honest-batch",
        "hasty-batch",
        "half-batch",
        "fewer-batch",
        "more-batch",
        "no-batch",
        "huge-batch",
        "missize-batch",
        "mischeck-batch",
        "missum-batch",
        "failed-batch",
    ];
    together(&crimes("put-batch", &special), |crime| {
        let scratch = scratch();
        fs::create_dir(scratch.path("source")).unwrap();
        for number in 0..20 {
            fs::write(scratch.path("source").join(format!("good-{number}")), [7; 10]).unwrap();
        }
        let sink = hostile(crime, &[], &scratch.path("granted"));
        let ended = run(&scratch, &scratch.local("source"), &sink);
        assert_moved(&ended, crime, 20);
    });
}
