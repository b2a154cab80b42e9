//! One tunnel of a fleet and a run on each of two machines, measured from outside as in `tunnel/sharing.rs`:
//! what they write together, when the limit is changed, when the server stands still or is ended for 10 s,
//! and when one of them is killed.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::Fleet;
use crate::harness::{
    Running, Scratch,
    rates::{MIB, SAMPLE, SETTLED, measure, written},
    tree::Random,
};

pub(super) const LIMIT: f64 = 20.0 * MIB;
/// Within which a run that has begun is moving.
const DEADLINE: Duration = Duration::from_secs(60);
/// The source is one file of 8 MiB under so many names: more than any run moves here.
const NAMES: usize = 400;
/// For how long the server is away.
pub(super) const AWAY: Duration = Duration::from_secs(10);
/// A lease lasts 3 s; what was granted at its end is written a little later.
pub(super) const LEASE_OVER: Duration = Duration::from_secs(4);
/// What a run writes that doesn't move: its journal's figures and its log.
pub(super) const IDLE: f64 = 512.0 * 1024.0;

/// The arguments of a run with a sink of its own, and what it's called.
pub(super) fn arguments(scratch: &Scratch, number: usize) -> (String, [String; 2]) {
    let name = format!("run-{number}");
    let text = format!(
        "name = \"{name}\"\ntunnel = \"shared\"\n[transfer]\nworkers = 2\nverify = \"size\"\n[source]\n{}\n[sink]\n{}\n",
        scratch.local("source"),
        scratch.local(&name),
    );
    let file = scratch.path(&format!("{name}.toml"));
    fs::write(&file, text).unwrap();
    (name, ["run".to_owned(), file.to_str().unwrap().to_owned()])
}

fn start(fleet: &Fleet, number: usize) -> Running {
    let (name, arguments) = arguments(&fleet.scratch, number);
    fleet.start(&name, &arguments.each_ref().map(String::as_str))
}

/// A source of more than any run moves here: one file under many names.
pub(super) fn fill(scratch: &Scratch) {
    let whole = scratch.path("whole");
    fs::write(&whole, Random::seeded().bytes(8 << 20)).unwrap();
    fs::create_dir(scratch.path("source")).unwrap();
    for name in 0..NAMES {
        fs::hard_link(&whole, scratch.path(&format!("source/{name}"))).unwrap();
    }
}

/// Waits until each has written 4 MiB more.
pub(super) fn wait_until_moving(runs: &[Running]) {
    let (begin, before) = (Instant::now(), runs.iter().map(written).collect::<Vec<_>>());
    while runs.iter().zip(&before).any(|(run, before)| written(run) < before + 4.0 * MIB) {
        let logs: Vec<_> = runs.iter().map(Running::logged).collect();
        assert!(begin.elapsed() < DEADLINE, "not all runs move: {logs:?}");
        std::thread::sleep(SAMPLE);
    }
}

/// Nothing exceeds the limit while the server is away, and nothing moves once the leases have ended.
fn holds_without_server(runs: &mut [Running], limit: f64) {
    let ending = measure(runs, LEASE_OVER);
    assert!(ending.most_over(limit) / limit < 0.1, "a second has {} too many", ending.most_over(limit));
    let stopped = measure(runs, AWAY - LEASE_OVER);
    assert!(stopped.each.iter().all(|bytes| *bytes < IDLE), "it went on without a lease: {:?}", stopped.each);
}

#[test]
fn two_machines_share_and_nothing_exceeds_the_limit_without_the_server() {
    let scratch = Scratch::in_memory();
    fill(&scratch);
    let mut fleet = Fleet::new(scratch);
    fleet.engine("third", &["tunnel", "create", "shared", "--max-bandwidth", "20 MiB/s"]).expect_code(0);
    let mut runs: Vec<_> = (0..2).map(|number| start(&fleet, number)).collect();
    wait_until_moving(&runs);
    measure(&mut runs, SETTLED);
    measure(&mut runs, Duration::from_secs(15)).holds(LIMIT);

    fleet.engine("third", &["tunnel", "set", "shared", "--max-bandwidth", "10 MiB/s"]).expect_code(0);
    measure(&mut runs, Duration::from_secs(2));
    measure(&mut runs, Duration::from_secs(8)).holds(LIMIT / 2.0);

    fleet.nats.freeze();
    holds_without_server(&mut runs, LIMIT / 2.0);
    fleet.nats.thaw();
    wait_until_moving(&runs);
    measure(&mut runs, SETTLED);
    measure(&mut runs, Duration::from_secs(8)).holds(LIMIT / 2.0);

    fleet.nats.end();
    holds_without_server(&mut runs, LIMIT / 2.0);
    fleet.nats.begin();
    wait_until_moving(&runs);
    measure(&mut runs, SETTLED);
    measure(&mut runs, Duration::from_secs(8)).holds(LIMIT / 2.0);

    runs.remove(0).kill();
    let lost = measure(&mut runs, Duration::from_secs(5));
    assert!(lost.most_over(LIMIT / 2.0) / LIMIT < 0.05, "a second has {} too many", lost.most_over(LIMIT / 2.0));
    measure(&mut runs, Duration::from_secs(5)).holds(LIMIT / 2.0);
    for run in runs {
        run.kill();
    }
}
