//! A run's figures, the same for people and for programs. Counts what it's shown, and reads nothing.

use std::{collections::BTreeMap, fmt::Write as _};

use culvert_flow::{
    journal::{Outcome, Record, RunRecord},
    select::RuleHits,
};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::list::{grade, rfc3339};

/// What a report says of a run in all.
pub(crate) struct Figures {
    pub(crate) id: String,
    pub(crate) pipeline: String,
    pub(crate) run: RunRecord,
    /// Objects at the sink, as far as the pipeline's runs know.
    pub(crate) manifest: u64,
    /// Objects of this run by outcome, counted row by row.
    pub(crate) rows: Rows,
    pub(crate) skips: BTreeMap<&'static str, u64>,
    pub(crate) grades: BTreeMap<String, u64>,
    pub(crate) rules: Vec<RuleHits>,
}

#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) moved: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    pub(crate) deleted: u64,
}

// === impl Figures ===

impl Figures {
    pub(crate) fn new(id: &str, pipeline: &str, run: RunRecord, rules: Vec<RuleHits>) -> Self {
        let (skips, grades) = (BTreeMap::new(), BTreeMap::new());
        let (id, pipeline, rows) = (id.to_owned(), pipeline.to_owned(), Rows::default());
        Self { id, pipeline, run, manifest: 0, rows, skips, grades, rules }
    }

    /// Counts one record, if it's this run's.
    pub(crate) fn count(&mut self, record: &Record) {
        self.manifest += u64::from(record.at_sink);
        if record.run != self.run.id {
            return;
        }
        match record.outcome {
            Outcome::Moved => {
                self.rows.moved += 1;
                let grade = record.grade.map_or_else(|| "none".to_owned(), grade);
                *self.grades.entry(grade).or_default() += 1;
            }
            Outcome::Failed => self.rows.failed += 1,
            Outcome::Deleted => self.rows.deleted += 1,
            Outcome::Skipped(reason) => {
                self.rows.skipped += 1;
                *self.skips.entry(reason).or_default() += 1;
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        let Self { run, rows, .. } = self;
        let rules: Vec<_> = self.rules.iter().map(|rule| json!({"rule": rule.rule, "hits": rule.hits})).collect();
        json!({
            "run": self.id,
            "number": run.id,
            "pipeline": self.pipeline,
            "round": run.round,
            "state": run.state.as_str(),
            "error": run.error,
            "started": rfc3339(run.started),
            "ended": run.ended.and_then(rfc3339),
            "seconds": seconds(run),
            "objects": {
                "listed": run.listed, "moved": rows.moved, "skipped": rows.skipped, "failed": rows.failed,
                "deleted": rows.deleted, "repaired": run.repaired, "manifest": self.manifest,
            },
            "bytes": {"moved": run.bytes_moved},
            "retries": run.retries,
            "skipped": self.skips,
            "grades": self.grades,
            "rules": rules,
        })
    }

    /// Lines for people, the last one without its end.
    pub(crate) fn text(&self) -> String {
        let Self { run, rows, .. } = self;
        let or_dash = |time| rfc3339(time).unwrap_or_else(|| "-".to_owned());
        let mut text = format!("pipeline  {}, run {}, round {}\n", self.pipeline, self.id, run.round);
        let ended = run.ended.map_or_else(|| "not yet".to_owned(), or_dash);
        let _ = writeln!(text, "state     {}, began {}, ended {ended}", run.state.as_str(), or_dash(run.started));
        let rate = HumanBytes(rate(run));
        let _ = writeln!(text, "listed    {}", run.listed);
        let _ = writeln!(
            text,
            "moved     {}, {} in {:.1} s ({rate}/s)",
            rows.moved,
            HumanBytes(run.bytes_moved),
            seconds(run)
        );
        for (grade, objects) in &self.grades {
            let _ = writeln!(text, "            {grade}: {objects}");
        }
        let _ = writeln!(text, "skipped   {}", rows.skipped);
        for (reason, objects) in &self.skips {
            let _ = writeln!(text, "            {reason}: {objects}");
        }
        let _ = writeln!(text, "failed    {}", rows.failed);
        let _ = writeln!(text, "deleted   {}", rows.deleted);
        let _ = writeln!(text, "repaired  {}, retries {}", run.repaired, run.retries);
        let _ = write!(text, "manifest  {} objects", self.manifest);
        for rule in &self.rules {
            let _ = write!(text, "\nrule      {}: {}", crate::output::one_line(&rule.rule), rule.hits);
        }
        if let Some(error) = &run.error {
            let _ = write!(text, "\nstopped   {}", crate::output::one_line(error));
        }
        text
    }
}

/// How long a run has been worked on, until its figures were written.
pub(crate) fn seconds(run: &RunRecord) -> f64 {
    run.duration().as_secs_f64()
}

/// Bytes moved per second while it was worked on.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people: three digits of it are shown"
)]
pub(crate) fn rate(run: &RunRecord) -> u64 {
    let seconds = seconds(run);
    if seconds > 0.0 { (run.bytes_moved as f64 / seconds) as u64 } else { 0 }
}
