//! One tunnel and several `engine run`, measured from outside: what the kernel counted as written by each
//! process. That leases never add up to more than the limit is proven with simulated time in
//! `engine/flow`; here real processes share a real file.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::harness::{
    Running, Scratch,
    rates::{MIB, SAMPLE, SETTLED, measure, written},
    tree::Random,
};

const LIMIT: f64 = 20.0 * MIB;
/// Within which a run that has begun is moving.
const DEADLINE: Duration = Duration::from_secs(60);
/// The source is one file of 8 MiB under so many names: more than any run moves here.
const NAMES: usize = 400;

struct Stage {
    scratch: Scratch,
    runs: Vec<Running>,
}

// === impl Stage ===

impl Stage {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let whole = scratch.path("whole");
        fs::write(&whole, Random::seeded().bytes(8 << 20)).unwrap();
        fs::create_dir(scratch.path("source")).unwrap();
        for name in 0..NAMES {
            fs::hard_link(&whole, scratch.path(&format!("source/{name}"))).unwrap();
        }
        let stage = Self { scratch, runs: Vec::new() };
        stage.scratch.engine(&["tunnel", "create", "shared", "--max-bandwidth", "20 MiB/s"]).expect_code(0);
        stage
    }

    /// Starts runs until there are so many, each with a sink of its own, and waits until all move.
    fn grow(&mut self, runs: usize) {
        for number in self.runs.len()..runs {
            let name = format!("run-{number}");
            let text = format!(
                "name = \"{name}\"\ntunnel = \"shared\"\n[transfer]\nworkers = 2\nverify = \"size\"\n[source]\n{}\n[sink]\n{}\n",
                self.scratch.local("source"),
                self.scratch.local(&name),
            );
            let file = self.scratch.path(&format!("{name}.toml"));
            fs::write(&file, text).unwrap();
            self.runs.push(self.scratch.start_apart(&["run", file.to_str().unwrap()]));
        }
        let begin = Instant::now();
        while self.runs.iter().any(|run| written(run) < 4.0 * MIB) {
            assert!(begin.elapsed() < DEADLINE, "not all runs move: {}", self.runs[0].logged());
            std::thread::sleep(SAMPLE);
        }
    }
}

#[test]
fn two_and_four_runs_share_and_one_that_is_killed_leaves_its_share() {
    let mut stage = Stage::new();
    for runs in [2, 4] {
        stage.grow(runs);
        measure(&mut stage.runs, SETTLED);
        measure(&mut stage.runs, Duration::from_secs(20)).holds(LIMIT);
    }
    stage.runs.remove(0).kill();
    let lost = measure(&mut stage.runs, Duration::from_secs(5));
    let over = lost.most_over(LIMIT) / LIMIT;
    assert!(over < 0.1, "a second has {over:.3} of the limit over it");
    measure(&mut stage.runs, Duration::from_secs(5)).holds(LIMIT);

    stage.scratch.engine(&["tunnel", "set", "shared", "--max-bandwidth", "10 MiB/s"]).expect_code(0);
    measure(&mut stage.runs, Duration::from_secs(2));
    measure(&mut stage.runs, Duration::from_secs(10)).holds(LIMIT / 2.0);
    for run in stage.runs {
        run.kill();
    }
}
