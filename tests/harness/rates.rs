//! What runs write, measured from outside: what the kernel counted as written by each process.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::Running;

pub(crate) const MIB: f64 = 1_048_576.0;
/// How often the counters are read.
pub(crate) const SAMPLE: Duration = Duration::from_millis(10);
/// Until shares are fair: two looks of everybody at the ledger, and a machine that's busy.
pub(crate) const SETTLED: Duration = Duration::from_secs(3);

/// When the counters were read, at the latest, and what they said in all.
pub(crate) struct Sample {
    begin: f64,
    end: f64,
    sum: f64,
}

/// What went through during a time.
pub(crate) struct Measured {
    seconds: f64,
    samples: Vec<Sample>,
    /// Bytes of each run.
    pub(crate) each: Vec<f64>,
}

/// Bytes so far.
pub(crate) fn written(run: &Running) -> f64 {
    let counters = fs::read_to_string(format!("/proc/{}/io", run.pid())).unwrap();
    let line = counters.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
    line.trim().parse::<u32>().unwrap().into()
}

/// Watches runs for a while, in which none may end.
pub(crate) fn measure(runs: &mut [Running], time: Duration) -> Measured {
    let begin = Instant::now();
    let first: Vec<f64> = runs.iter().map(written).collect();
    let (mut samples, mut last) = (Vec::new(), first.clone());
    while begin.elapsed() < time {
        let before = begin.elapsed().as_secs_f64();
        last = runs.iter().map(written).collect();
        samples.push(Sample { begin: before, end: begin.elapsed().as_secs_f64(), sum: last.iter().sum() });
        std::thread::sleep(SAMPLE);
    }
    let ended = runs.iter_mut().any(|run| run.ended().is_some());
    assert!(!ended, "a run ended while it was measured: {}", runs[0].logged());
    let each = last.iter().zip(&first).map(|(last, first)| last - first).collect();
    Measured { seconds: samples.last().unwrap().end, samples, each }
}

// === impl Measured ===

impl Measured {
    /// Bytes per second of all.
    pub(crate) fn rate(&self) -> f64 {
        self.each.iter().sum::<f64>() / self.seconds
    }

    /// Most bytes that any window of a second has over the limit's share of it, as it was really sampled.
    pub(crate) fn most_over(&self, limit: f64) -> f64 {
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

    /// No second has too much, and all together at least this part of the limit: for what isn't about speed.
    pub(crate) fn stays_within(&self, limit: f64, least: f64) {
        let (share, over) = (self.rate() / limit, self.most_over(limit) / limit);
        eprintln!("{} runs: {share:.4} of the limit, 1 s {over:+.3}", self.each.len());
        assert!(share > least && share < 1.03, "the sum is {share:.4} of the limit");
        assert!(over < 0.1, "a second has {over:.3} of the limit over it");
    }

    pub(crate) fn holds(&self, limit: f64) {
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
