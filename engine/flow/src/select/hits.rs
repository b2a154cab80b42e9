//! How often each rule of a selection decided, for the report. Decides nothing itself.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A kind of rule, by its key in a pipeline file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Only,
    Prefixes,
    Include,
    IncludeRegex,
    Exclude,
    ExcludeRegex,
    ModifiedAfter,
    ModifiedBefore,
    MinSize,
    MaxSize,
}

/// How often one rule decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleHits {
    /// As it's written: `include = "**/*.tif"`.
    pub rule: String,
    /// Objects that it let in (`only`, `prefixes`, `include` and `include_regex`) or left out (the
    /// others). Rules are asked in the order of [`Rule`], and an object that one kind refuses
    /// reaches none of the later ones; every pattern of a list that matches counts.
    pub hits: u64,
}

/// The rules as they're written, with a count for each; clones count together. The default counts
/// nothing but `only`.
#[derive(Debug, Clone, Default)]
pub struct Hits(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    only: AtomicU64,
    /// By the number of the kind, then in the order of the list.
    written: [Vec<Counter>; Rule::ALL.len()],
}

#[derive(Debug)]
struct Counter {
    written: String,
    hits: AtomicU64,
}

// === impl Rule ===

impl Rule {
    /// In the order in which an object meets them.
    pub const ALL: [Self; 10] = [
        Self::Only,
        Self::Prefixes,
        Self::Include,
        Self::IncludeRegex,
        Self::Exclude,
        Self::ExcludeRegex,
        Self::ModifiedAfter,
        Self::ModifiedBefore,
        Self::MinSize,
        Self::MaxSize,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Prefixes => "prefixes",
            Self::Include => "include",
            Self::IncludeRegex => "include_regex",
            Self::Exclude => "exclude",
            Self::ExcludeRegex => "exclude_regex",
            Self::ModifiedAfter => "modified_after",
            Self::ModifiedBefore => "modified_before",
            Self::MinSize => "min_size",
            Self::MaxSize => "max_size",
        }
    }
}

// === impl Hits ===

impl Hits {
    /// The same rules, counting from zero.
    pub fn fresh(&self) -> Self {
        let counters = self.rules().map(|(rule, counter)| (rule, counter.written.clone()));
        counters.collect()
    }

    /// Whether somebody wants to know about this kind.
    pub(super) fn counts(&self, rule: Rule) -> bool {
        !self.0.written[rule as usize].is_empty()
    }

    pub(super) fn count(&self, rule: Rule, index: usize) {
        if let Some(counter) = self.0.written[rule as usize].get(index) {
            counter.hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count_only(&self) {
        self.0.only.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn only(&self) -> u64 {
        self.0.only.load(Ordering::Relaxed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RuleHits> + '_ {
        self.rules().map(|(rule, counter)| RuleHits {
            rule: format!("{} = {}", rule.as_str(), counter.written),
            hits: counter.hits.load(Ordering::Relaxed),
        })
    }

    fn rules(&self) -> impl Iterator<Item = (Rule, &Counter)> + '_ {
        let kinds = Rule::ALL.into_iter().zip(&self.0.written);
        kinds.flat_map(|(rule, counters)| counters.iter().map(move |counter| (rule, counter)))
    }
}

/// Each rule with its value as it's written. Those of one kind come in the order of its list.
impl FromIterator<(Rule, String)> for Hits {
    fn from_iter<I: IntoIterator<Item = (Rule, String)>>(rules: I) -> Self {
        let mut counters = Counters::default();
        for (rule, written) in rules {
            counters.written[rule as usize].push(Counter { written, hits: AtomicU64::new(0) });
        }
        Self(Arc::new(counters))
    }
}
