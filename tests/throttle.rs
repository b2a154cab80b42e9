//! The tunnel, measured from outside: what the sink's own file system says that it holds, so that the
//! engine's journal doesn't count.
//! That a credit is never granted above the limit is proven with exact time in `engine/flow`; here
//! the bytes themselves are watched, with the real clock of a shared machine.

use std::time::{Duration, Instant};

use crate::harness::{
    Running, Scratch,
    disk::Disk,
    tree::{Random, Snapshot},
};

const MIB: f64 = 1_048_576.0;
const LIMIT: f64 = 20.0 * MIB;
/// Largest chunk, which a window may have over the limit's share.
const CHUNK: f64 = 256.0 * 1024.0;
/// What a file system in memory counts by: objects of whole pages take what they have.
const PAGE: usize = 4096;
/// How often a busy machine is given another chance to be fast enough; never to be too fast.
const TURNS: usize = 3;
/// Room for everything that's moved.
const DISK: u64 = 512 << 20;

/// Bytes at the sink at moments since the start.
type Samples = Vec<(f64, f64)>;

fn watch(mut running: Running, sink: &Disk) -> Samples {
    let begin = Instant::now();
    let mut samples = Vec::new();
    while running.ended().is_none() {
        let used = u32::try_from(sink.used()).unwrap();
        samples.push((begin.elapsed().as_secs_f64(), f64::from(used)));
        std::thread::sleep(Duration::from_millis(5));
    }
    running.wait().expect_code(0);
    samples
}

/// Most bytes in any window of this many seconds, over the limit's share of the window as it was
/// really sampled.
fn most_over_share(samples: &Samples, window: f64, limit: f64) -> f64 {
    let mut most = f64::MIN;
    let mut first = 0;
    for last in 0..samples.len() {
        while samples[last].0 - samples[first].0 > window {
            first += 1;
        }
        let (seconds, bytes) = (samples[last].0 - samples[first].0, samples[last].1 - samples[first].1);
        most = most.max(bytes - limit * seconds);
    }
    most
}

fn run_at(limit: &str, workers: usize, verify: &str, sizes: impl Iterator<Item = usize>) -> Samples {
    let scratch = Scratch::in_memory();
    let sink = Disk::mount(scratch.path("sink"), DISK);
    Random::seeded().fill(&scratch.path("source"), sizes);
    let pipeline = scratch.pipeline(&format!(
        "[tunnel]\nmax_bandwidth = \"{limit}\"\n[transfer]\nworkers = {workers}\nverify = \"{verify}\"\npart_size = \"8 MiB\""
    ));
    let samples = watch(scratch.start(&["run", pipeline.to_str().unwrap()]), &sink);
    Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
    samples
}

/// Moves it all once and holds every window against the limit. Returns the average, over the limit.
fn keeps_to_its_limit(workers: usize, verify: &str) -> f64 {
    // 220 MiB, of 20 KiB to 1,000 KiB: of larger files the engine has the disk set the blocks aside at once,
    // and what it holds would say nothing about what was written. Parts are watched in `s3/wire.rs`.
    let sizes = (0..1000).map(|number| match number {
        n if n % 5 == 0 => 250 * PAGE,
        n => (5 + n % 6) * PAGE,
    });
    let samples = run_at("20 MiB/s", workers, verify, sizes);
    // From the first to the last byte that moved, and without the burst that an idle tunnel has.
    let moving: Vec<_> = samples.windows(2).filter(|pair| pair[1].1 - pair[0].1 > 4096.0).collect();
    let (first, last) = (moving.first().unwrap()[0], moving.last().unwrap()[1]);
    let average = (last.1 - first.1) / (last.0 - first.0) / LIMIT;
    let second = most_over_share(&samples, 1.0, LIMIT);
    let tenth = most_over_share(&samples, 0.1, LIMIT);
    eprintln!("{workers} workers: average {average:.4}, 1 s +{second:.0}, 100 ms +{tenth:.0}");
    assert!(average < 1.01, "{workers} workers: {average:.4} of the limit");
    assert!(second < 0.05 * LIMIT, "{workers} workers: {second:.0} bytes over a second's share");
    // Credits in hand when a worker is held up by the machine are spent late: at most one each,
    // of half a chunk.
    let in_hand = CHUNK / 2.0 * f64::from(u32::try_from(workers).unwrap().min(16));
    assert!(tenth < CHUNK + in_hand, "{workers} workers: {tenth:.0} bytes over a tenth's share");
    average
}

#[test]
fn twenty_mebibytes_a_second_with_1_and_16_workers() {
    for (workers, verify) in [(1, "size"), (16, "checksum")] {
        // A machine that does other things too can only slow it down.
        let reached = (0..TURNS).any(|_| keeps_to_its_limit(workers, verify) > 0.99);
        assert!(reached, "{workers} workers: never within 1 % of the limit");
    }
}

#[test]
fn one_kibibyte_a_second() {
    let begin = Instant::now();
    run_at("1 KiB/s", 2, "checksum", [4096, 4096, 2048].into_iter());
    // 10 KiB, of which a burst of 4 KiB may pass at once.
    let took = begin.elapsed().as_secs_f64();
    assert!((5.5..12.0).contains(&took), "{took} s");
}
