//! The same as in `sharing.rs` on hosts of their own, as far as the network goes: one of them is cut off while it
//! moves. What is cut off stops when its lease ends, the other has the whole tunnel then, and both go on together
//! afterwards.

use std::time::Duration;

use super::sharing::{AWAY, IDLE, LEASE_OVER, LIMIT, arguments, fill, wait_until_moving};
use crate::harness::{
    Running, Scratch,
    nats::Nats,
    network::Network,
    rates::{SETTLED, measure},
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
