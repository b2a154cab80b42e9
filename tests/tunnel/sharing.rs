//! One tunnel and several `engine run`, measured from outside: what the kernel counted as written by each
//! process. That leases never add up to more than the limit is proven with simulated time in
//! `engine/flow`; here real processes share a real file.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::harness::{Running, Scratch, tree::Random};

const MIB: f64 = 1_048_576.0;
const LIMIT: f64 = 20.0 * MIB;
/// How often the counters are read.
const SAMPLE: Duration = Duration::from_millis(10);
/// Within which a run that has begun is moving.
const DEADLINE: Duration = Duration::from_secs(60);
/// Until shares are fair: two looks of everybody at the ledger, and a machine that's busy.
const SETTLED: Duration = Duration::from_secs(3);
/// The source is one file of 8 MiB under so many names: more than any run moves here.
const NAMES: usize = 400;

/// When the counters were read, at the latest, and what they said in all.
struct Sample {
    begin: f64,
    end: f64,
    sum: f64,
}

/// What went through during a time.
struct Measured {
    seconds: f64,
    samples: Vec<Sample>,
    /// Bytes of each run.
    each: Vec<f64>,
}

struct Stage {
    scratch: Scratch,
    runs: Vec<Running>,
}

fn written(run: &Running) -> f64 {
    let counters = fs::read_to_string(format!("/proc/{}/io", run.pid())).unwrap();
    let line = counters.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
    line.trim().parse::<u32>().unwrap().into()
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

    fn measure(&mut self, time: Duration) -> Measured {
        let begin = Instant::now();
        let first: Vec<f64> = self.runs.iter().map(written).collect();
        let (mut samples, mut last) = (Vec::new(), first.clone());
        while begin.elapsed() < time {
            let before = begin.elapsed().as_secs_f64();
            last = self.runs.iter().map(written).collect();
            samples.push(Sample { begin: before, end: begin.elapsed().as_secs_f64(), sum: last.iter().sum() });
            std::thread::sleep(SAMPLE);
        }
        let ended = self.runs.iter_mut().any(|run| run.ended().is_some());
        assert!(!ended, "a run ended while it was measured: {}", self.runs[0].logged());
        let each = last.iter().zip(&first).map(|(last, first)| last - first).collect();
        Measured { seconds: samples.last().unwrap().end, samples, each }
    }
}

// === impl Measured ===

impl Measured {
    /// Bytes per second of all.
    fn rate(&self) -> f64 {
        self.each.iter().sum::<f64>() / self.seconds
    }

    /// Most bytes that any window of a second has over the limit's share of it, as it was really sampled.
    fn most_over(&self, limit: f64) -> f64 {
        let (mut first, mut most) = (0, f64::MIN);
        for last in &self.samples {
            while last.end - self.samples[first].begin > 1.0 {
                first += 1;
            }
            let from = &self.samples[first];
            most = most.max(last.sum - from.sum - limit * (last.end - from.begin));
        }
        most
    }

    fn holds(&self, limit: f64) {
        let share = self.rate() / limit;
        let over = self.most_over(limit) / limit;
        let each: Vec<f64> = self.each.iter().map(|bytes| bytes / self.seconds / limit).collect();
        eprintln!(
            "{} runs, {:.1} s: {share:.4} of the limit, each {each:.4?}, 1 s {over:+.3}",
            each.len(),
            self.seconds
        );
        assert!((share - 1.0).abs() < 0.03, "the sum is {share:.4} of the limit");
        assert!(over < 0.1, "a second has {over:.3} of the limit over it");
        let equal = 1.0 / f64::from(u32::try_from(each.len()).unwrap());
        for share in each {
            assert!((share / equal - 1.0).abs() < 0.05, "a share is {share:.4} instead of {equal:.4}");
        }
    }
}

#[test]
fn two_and_four_runs_share_and_one_that_is_killed_leaves_its_share() {
    let mut stage = Stage::new();
    for runs in [2, 4] {
        stage.grow(runs);
        stage.measure(SETTLED);
        stage.measure(Duration::from_secs(20)).holds(LIMIT);
    }
    stage.runs.remove(0).kill();
    let lost = stage.measure(Duration::from_secs(5));
    let over = lost.most_over(LIMIT) / LIMIT;
    assert!(over < 0.1, "a second has {over:.3} of the limit over it");
    stage.measure(Duration::from_secs(5)).holds(LIMIT);

    stage.scratch.engine(&["tunnel", "set", "shared", "--max-bandwidth", "10 MiB/s"]).expect_code(0);
    stage.measure(Duration::from_secs(2));
    stage.measure(Duration::from_secs(10)).holds(LIMIT / 2.0);
    for run in stage.runs {
        run.kill();
    }
}
