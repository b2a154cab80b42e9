//! What somebody else puts between the comparison and the put isn't replaced unseen: the store is asked
//! to put only on what was compared.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::harness::{
    Scratch,
    seaweed::Seaweed,
    store::Store,
    wire::{Canned, Wire},
};

/// A store that says once that what is there isn't what was compared.
#[test]
fn what_changed_since_it_was_compared_is_compared_again() {
    static PUTS: AtomicU64 = AtomicU64::new(0);
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    for (folder, text) in [("source", "newer and longer"), ("old", "old")] {
        fs::create_dir_all(scratch.path(folder)).unwrap();
        fs::write(scratch.path(folder).join("a"), text).unwrap();
    }
    server.client(&["fill", "archive", scratch.path("old").to_str().unwrap()]);
    let wire = Wire::answering(server.port(), |line| {
        let first = line.starts_with("PUT ") && PUTS.fetch_add(1, Ordering::Relaxed) == 0;
        let words = "At least one of the pre-conditions you specified did not hold";
        first.then(|| Canned::error(412, "PreconditionFailed", words))
    });
    let bucket = server.end_at(&wire.endpoint(), "archive");
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &bucket, ""));
    run.expect_code(0);
    assert_eq!((run.objects("moved"), run.summary()["retries"].as_u64()), (1, Some(1)));
    let count = |method: &str| wire.lines().iter().filter(|(_, line)| line.starts_with(method)).count();
    // Looked at before each of the two puts, both of which name what was seen.
    assert_eq!((count("HEAD "), count("PUT ")), (2, 2), "{:?}", wire.lines());
    let puts = wire.heads().into_iter().filter(|(_, head)| head.starts_with("PUT "));
    assert!(puts.into_iter().all(|(_, head)| head.contains("\r\nif-match: ")), "{:?}", wire.lines());
    let fetched = scratch.path("fetched");
    server.client(&["fetch", "archive", fetched.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(fetched.join("a")).unwrap(), "newer and longer");
}

/// A store that knows no conditions is found out, and given none from then on.
#[test]
fn a_store_without_conditions_is_found_out() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    for (folder, text) in [("source", "newer and longer"), ("old", "old")] {
        fs::create_dir_all(scratch.path(folder)).unwrap();
        for name in ["a", "b", "c"] {
            fs::write(scratch.path(folder).join(name), text).unwrap();
        }
    }
    server.client(&["fill", "archive", scratch.path("old").to_str().unwrap()]);
    let wire = Wire::answering(server.port(), |head| {
        let conditional = head.starts_with("PUT ") && head.contains("\r\nif-match: ");
        conditional.then(|| Canned::error(501, "NotImplemented", "A header you provided implies functionality"))
    });
    let bucket = server.end_at(&wire.endpoint(), "archive");
    let more = "[transfer]\nworkers = 1\nmax_backoff = \"100ms\"";
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &bucket, more));
    run.expect_code(0);
    assert_eq!((run.objects("moved"), run.summary()["retries"].as_u64()), (3, Some(1)), "{:?}", wire.lines());
    let fetched = scratch.path("fetched");
    server.client(&["fetch", "archive", fetched.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(fetched.join("c")).unwrap(), "newer and longer");
}
