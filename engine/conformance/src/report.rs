//! How the suite ended, case by case. Rendered by `json`, `junit` and `table`.

pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod table;

use crate::subject::Description;

/// All cases that were asked for, in their order.
#[derive(Debug, Clone)]
pub struct Report {
    pub description: Description,
    /// Makes the same bytes again.
    pub seed: u64,
    /// The folder below which everything was written.
    pub root: String,
    pub ended: Vec<Ended>,
}

/// One case that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    pub theme: &'static str,
    pub name: &'static str,
    /// What is checked.
    pub about: &'static str,
    pub verdict: Verdict,
    pub seconds: f64,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// With a remark, which may be empty.
    Passed(String),
    /// What was expected, and what came.
    Failed(String),
    /// Why there was nothing to test.
    NotApplicable(String),
}

/// How many of each there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) not_applicable: usize,
}

// === impl Report ===

impl Report {
    /// Whether no case failed.
    pub fn is_good(&self) -> bool {
        self.counts().failed == 0
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for ended in &self.ended {
            match ended.verdict {
                Verdict::Passed(_) => counts.passed += 1,
                Verdict::Failed(_) => counts.failed += 1,
                Verdict::NotApplicable(_) => counts.not_applicable += 1,
            }
        }
        counts
    }
}

// === impl Verdict ===

impl Verdict {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Failed(_) => "failed",
            Self::NotApplicable(_) => "n/a",
        }
    }

    /// What there is to say about it.
    pub fn text(&self) -> &str {
        match self {
            Self::Passed(text) | Self::Failed(text) | Self::NotApplicable(text) => text,
        }
    }
}

#[cfg(test)]
pub(crate) fn example() -> Report {
    let ended = |name, verdict| Ended { theme: "putting", name, about: "it's stored", verdict, seconds: 0.25 };
    let description = Description {
        name: "local".to_owned(),
        version: "0.1.0".to_owned(),
        digest: "ab".repeat(32),
        source_schema: None,
        sink_schema: None,
        capabilities: culvert_flow::object::Capabilities::default(),
    };
    let cases = vec![
        ended("put-empty", Verdict::Passed(String::new())),
        ended("put-large", Verdict::Failed("expected 3 bytes, got <2> & \"x\" \u{1b}[31m".to_owned())),
        ended("upload-whole", Verdict::NotApplicable("no \"parts\" capability".to_owned())),
    ];
    Report { description, seed: 7, root: "culvert-conformance-7".to_owned(), ended: cases }
}
