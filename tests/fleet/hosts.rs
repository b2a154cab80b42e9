//! The same as in `sharing.rs` on hosts of their own, as far as the network goes: one of them is cut off while it
//! moves. What is cut off stops when its lease ends, the other has the whole tunnel then, and both go on together
//! afterwards. Then one run of three, to which everything happens in turn.

use std::{fs, time::Duration};

use super::{
    runs::moved,
    sharing::{AWAY, IDLE, LEASE_OVER, LIMIT, arguments, fill, wait_until_moving},
};
use crate::harness::{
    Running, Scratch,
    nats::Nats,
    network::Network,
    rates::{MIB, SETTLED, measure},
    tree::{Random, Snapshot},
};

/// What a busy machine reaches at least: more than the half that one of two has.
const LEAST: f64 = 0.7;

#[test]
fn a_host_that_is_cut_off_stops_and_the_other_has_its_share() {
    let scratch = Scratch::in_memory();
    fill(&scratch);
    let network = Network::new(2);
    let nats = Nats::start_at(&scratch, &network.address(), "");
    let fleet = [("CULVERT_FLEET", &*nats.url())];
    let create = ["tunnel", "create", "shared", "--max-bandwidth", "20 MiB/s"];
    scratch.start_within(&network.namespace(0), "desk", &create, &fleet).wait().expect_code(0);
    let mut runs: Vec<Running> = (0..2)
        .map(|number| {
            let (name, arguments) = arguments(&scratch, number);
            let arguments = arguments.each_ref().map(String::as_str);
            scratch.start_within(&network.namespace(number), &name, &arguments, &fleet)
        })
        .collect();
    wait_until_moving(&runs);
    measure(&mut runs, SETTLED);
    measure(&mut runs, Duration::from_secs(10)).stays_within(LIMIT, LEAST);

    network.pull(0);
    let ending = measure(&mut runs, LEASE_OVER + Duration::from_secs(1));
    assert!(ending.most_over(LIMIT) / LIMIT < 0.1, "a second has {} too many", ending.most_over(LIMIT));
    let mut alone = runs.split_off(1);
    let other = std::thread::spawn(move || {
        let measured = measure(&mut alone, AWAY);
        (alone, measured)
    });
    let stopped = measure(&mut runs, AWAY);
    assert!(stopped.each[0] < IDLE, "it went on without a lease: {:?}", stopped.each);
    let (mut alone, whole) = other.join().unwrap();
    whole.stays_within(LIMIT, LEAST);
    runs.append(&mut alone);

    network.plug(0);
    wait_until_moving(&runs);
    measure(&mut runs, SETTLED);
    measure(&mut runs, Duration::from_secs(8)).stays_within(LIMIT, LEAST);
    for run in runs {
        run.kill();
    }
}

/// Files of the one run, each of this many bytes: 31 s at the tunnel's rate, so that some are left after all that
/// happens to it.
const FILES: usize = 5000;
const SIZE: usize = 64 * 1024;
const RATE: f64 = 10.0 * MIB;
/// Objects of a page, the unit that an agent takes and that another one takes over.
const PAGE: usize = 256;

/// What journals and output add to the objects' bytes, and a tenth more in any one second.
const MOST: f64 = 1.1;

/// Moves on, within the tunnel's limit.
fn goes_on(runs: &mut [Running]) {
    wait_until_moving(runs);
    measure(runs, SETTLED);
    let measured = measure(runs, Duration::from_secs(3));
    let share = measured.rate() / RATE;
    assert!((0.5..MOST).contains(&share), "the sum is {share:.4} of the limit");
    assert!(measured.most_over(MOST * RATE) / RATE < 0.1, "a second has {} too many", measured.most_over(RATE));
}

/// No second has more than the limit, whatever is cut off.
fn is_bounded(runs: &mut [Running], time: Duration) {
    let measured = measure(runs, time);
    assert!(measured.most_over(MOST * RATE) / RATE < 0.1, "a second has {} too many", measured.most_over(RATE));
}

#[test]
fn one_run_of_three_hosts_ends_whole_whoever_is_cut_off_or_killed() {
    let scratch = Scratch::in_memory();
    Random::seeded().fill(&scratch.path("source"), std::iter::repeat_n(SIZE, FILES));
    let network = Network::new(3);
    let mut nats = Nats::start_at(&scratch, &network.address(), "");
    let url = nats.url();
    let fleet = [("CULVERT_FLEET", url.as_str())];
    let create = ["tunnel", "create", "shared", "--max-bandwidth", "10 MiB/s"];
    scratch.start_within(&network.namespace(0), "desk", &create, &fleet).wait().expect_code(0);
    let pipeline = scratch.pipeline("tunnel = \"shared\"\n[transfer]\nworkers = 2\n");
    let text = fs::read_to_string(&pipeline).unwrap().replace("[tunnel]\n", "");
    fs::write(&pipeline, text).unwrap();
    let arguments = ["run", "--json", pipeline.to_str().unwrap()];
    let mut runs: Vec<Running> = (0..3)
        .map(|number| scratch.start_within(&network.namespace(number), &format!("host-{number}"), &arguments, &fleet))
        .collect();
    goes_on(&mut runs);

    // The server is cut off from all of them.
    (0..3).for_each(|number| network.pull(number));
    is_bounded(&mut runs, LEASE_OVER);
    let stopped = measure(&mut runs, AWAY - LEASE_OVER);
    assert!(stopped.each.iter().all(|bytes| *bytes < IDLE), "it went on without a lease: {:?}", stopped.each);
    (0..3).for_each(|number| network.plug(number));
    goes_on(&mut runs);

    // One agent is, and comes back.
    network.pull(2);
    is_bounded(&mut runs, LEASE_OVER + Duration::from_secs(2));
    network.plug(2);
    is_bounded(&mut runs, SETTLED);

    // One is killed; the server is started again.
    let printed = scratch.path("stdout-host-1");
    runs.remove(1).kill();
    is_bounded(&mut runs, SETTLED);
    nats.end();
    is_bounded(&mut runs, Duration::from_secs(3));
    nats.begin();

    let mut times = std::collections::HashMap::<String, u32>::new();
    let killed = moved(&fs::read_to_string(printed).unwrap());
    let mut ends = Vec::new();
    for run in runs {
        let run = run.wait();
        run.expect_code(0);
        moved(&run.output).into_iter().for_each(|key| *times.entry(key).or_default() += 1);
        ends.push(run.summary()["fleet"].clone());
    }
    killed.into_iter().for_each(|key| *times.entry(key).or_default() += 1);
    // A folder's time may be that of a file which the one that was cut off put once more, late.
    let source = Snapshot::of(&scratch.path("source")).files();
    source.assert_equals(&Snapshot::of(&scratch.path("sink")).files());
    let twice = times.values().filter(|times| **times > 1).count();
    eprintln!("{twice} objects were moved twice");
    // What the killed one and the one that was cut off had in hand: two pages each at most.
    assert!(twice <= 4 * PAGE, "{twice} objects were moved twice");
    assert!(times.values().all(|times| *times <= 2), "an object was moved three times");
    assert_eq!(ends.iter().filter(|fleet| fleet["ended_here"] == true).count(), 1, "{ends:?}");
    for fleet in &ends {
        let figure = |name: &str| fleet["objects"][name].as_u64().unwrap();
        assert_eq!(figure("listed"), source.objects(), "{fleet}");
        assert_eq!(figure("moved") + figure("skipped"), source.objects(), "{fleet}");
        assert_eq!(figure("failed"), 0, "{fleet}");
    }
}
