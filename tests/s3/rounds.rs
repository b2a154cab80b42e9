//! What a round costs that finds nothing new: the listing of the source, and no request besides. Counted
//! by a proxy in between.

use crate::harness::{
    Scratch,
    seaweed::{ACCESS_KEY, SECRET, Seaweed, end},
    tree::{Random, Snapshot},
    wire::Wire,
};

/// More than a page of a listing has.
const FILES: usize = 1200;

/// Requests since the first `before`: how many list a bucket, and all others.
fn requests(wire: &Wire, before: usize) -> (usize, Vec<String>) {
    let lines = wire.lines().into_iter().skip(before).map(|(_, line)| line);
    let (listings, others): (Vec<_>, Vec<_>) =
        lines.partition(|line| line.starts_with("GET ") && line.contains("list-type=2"));
    (listings.len(), others)
}

#[test]
fn unchanged_objects_cost_no_request_beyond_the_listing() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    Random::seeded().fill(&scratch.path("source"), (0..FILES).map(|number| number % 300));
    let sink = format!("{}\nfsync = false", scratch.local("sink"));
    for up in [true, false] {
        scratch.forget();
        let wire = Wire::before(server.port());
        let bucket = end(&wire.endpoint(), "archive", ACCESS_KEY, SECRET);
        let pipeline = match up {
            true => scratch.pipeline_between(&scratch.local("source"), &bucket, ""),
            false => scratch.pipeline_between(&bucket, &sink, ""),
        };
        let run = scratch.run(&pipeline);
        run.expect_code(0);
        assert_eq!(run.objects("moved"), FILES as u64);
        let (first, others) = requests(&wire, 0);
        assert!(others.len() >= FILES, "the proxy sees them: {}", others.len());
        for round in 2..=3 {
            let before = wire.lines().len();
            let run = scratch.run(&pipeline);
            run.expect_code(0);
            assert_eq!((run.objects("moved"), run.objects("skipped")), (0, FILES as u64));
            let (listings, others) = requests(&wire, before);
            eprintln!("up: {up}, round {round}: {listings} listings ({first} in the first), others {others:?}");
            assert_eq!(others, Vec::<String>::new(), "up: {up}, round {round}");
            assert_eq!(listings, if up { 0 } else { first }, "up: {up}, round {round}");
        }
    }
    let (source, sink) = (Snapshot::of(&scratch.path("source")), Snapshot::of(&scratch.path("sink")));
    sink.assert_no_partial_of(&source);
    assert_eq!(sink.objects(), source.objects());
}
