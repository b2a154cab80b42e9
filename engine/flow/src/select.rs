//! Whether the pipeline's selection takes an object. Looks at its key, size and time only, and at no
//! store.
//!
//! Time is linear in the key for every rule: globs and regular expressions are automata, and never
//! go back.

mod hits;
mod keys;
pub mod only;

use std::time::SystemTime;

use globset::GlobSet;
use regex::RegexSet;

pub use self::{
    hits::{Hits, Rule, RuleHits},
    keys::KeySet,
};
use crate::{
    compare::SkipReason,
    object::{Key, Kind, Object},
    rules::{Moment, Selection},
};

/// Why an object stays where it is; none if it's selected. Sizes and times are asked of files only,
/// and a rule about something that the store can't tell lets the object through: moving it is the
/// error that loses nothing.
pub(crate) fn refusal(object: &Object, selection: &Selection) -> Option<SkipReason> {
    if let Some(reason) = refused_by_key(&object.key, selection) {
        return Some(reason);
    }
    if object.kind != Kind::File {
        return None;
    }
    let by_time = object.modified.and_then(|modified| refused_by_time(modified, selection));
    by_time.or_else(|| refused_by_size(object.size?, selection))
}

fn refused_by_key(key: &Key, selection: &Selection) -> Option<SkipReason> {
    let Selection { hits, .. } = selection;
    if let Some(only) = &selection.only {
        if !only.contains(key) {
            return Some(SkipReason::NotIncluded);
        }
        hits.count_only();
    }
    let key = key.as_str();
    let globs = |globs, rule| any_glob(globs, key, rule, hits);
    let regexes = |regexes, rule| any_regex(regexes, key, rule, hits);
    let included = (selection.prefixes.is_empty() || any_prefix(&selection.prefixes, key, hits))
        && selection.include.as_ref().is_none_or(|set| globs(set, Rule::Include))
        && selection.include_regex.as_ref().is_none_or(|set| regexes(set, Rule::IncludeRegex));
    if !included {
        return Some(SkipReason::NotIncluded);
    }
    let excluded = selection.exclude.as_ref().is_some_and(|set| globs(set, Rule::Exclude))
        || selection.exclude_regex.as_ref().is_some_and(|set| regexes(set, Rule::ExcludeRegex));
    excluded.then_some(SkipReason::Excluded)
}

fn any_prefix(prefixes: &[String], key: &str, hits: &Hits) -> bool {
    let mut any = false;
    for (index, _) in prefixes.iter().enumerate().filter(|(_, prefix)| key.starts_with(prefix.as_str())) {
        any = true;
        hits.count(Rule::Prefixes, index);
    }
    any
}

/// Which of several match is only found out for the counts.
fn any_glob(globs: &GlobSet, key: &str, rule: Rule, hits: &Hits) -> bool {
    if globs.len() < 2 || !hits.counts(rule) {
        let any = globs.is_match(key);
        if any {
            hits.count(rule, 0);
        }
        return any;
    }
    // Takes memory only once something matches.
    let mut matching = Vec::new();
    globs.matches_into(key, &mut matching);
    matching.iter().for_each(|index| hits.count(rule, *index));
    !matching.is_empty()
}

fn any_regex(regexes: &RegexSet, key: &str, rule: Rule, hits: &Hits) -> bool {
    if regexes.len() < 2 || !hits.counts(rule) {
        let any = regexes.is_match(key);
        if any {
            hits.count(rule, 0);
        }
        return any;
    }
    let matching = regexes.matches(key);
    matching.iter().for_each(|index| hits.count(rule, index));
    matching.matched_any()
}

fn refused_by_time(modified: SystemTime, selection: &Selection) -> Option<SkipReason> {
    if selection.modified_after.is_some_and(|after| modified < after.time) {
        selection.hits.count(Rule::ModifiedAfter, 0);
        return Some(SkipReason::TooOld);
    }
    if selection.modified_before.is_some_and(|before| modified >= before.time) {
        selection.hits.count(Rule::ModifiedBefore, 0);
        return Some(SkipReason::TooNew);
    }
    None
}

fn refused_by_size(size: u64, selection: &Selection) -> Option<SkipReason> {
    if selection.min_size.is_some_and(|least| size < least.0) {
        selection.hits.count(Rule::MinSize, 0);
        return Some(SkipReason::TooSmall);
    }
    if selection.max_size.is_some_and(|most| size > most.0) {
        selection.hits.count(Rule::MaxSize, 0);
        return Some(SkipReason::TooLarge);
    }
    None
}

// === impl Selection ===

impl Selection {
    /// How often each rule has decided, in the order in which an object meets them.
    pub fn hits(&self) -> Vec<RuleHits> {
        let only = self.only.as_ref().map(|only| {
            let rule = format!("{} = {} keys", Rule::Only.as_str(), only.len());
            RuleHits { rule, hits: self.hits.only() }
        });
        only.into_iter().chain(self.hits.iter()).collect()
    }

    /// The selection of a round that starts at `now`: ages count back from there, hits from zero.
    pub fn for_round(&self, now: SystemTime) -> Self {
        let moved = |moment: Moment| {
            let time = moment.age.and_then(|age| now.checked_sub(age)).unwrap_or(moment.time);
            Moment { time, ..moment }
        };
        Self {
            modified_after: self.modified_after.map(moved),
            modified_before: self.modified_before.map(moved),
            hits: self.hits.fresh(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests;
