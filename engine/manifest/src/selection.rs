//! `[select]` as rules that can't be invalid, each with its text for the report. Asks no object.

use culvert_flow::{
    rules::Selection,
    select::{Hits, Rule},
};
use globset::{Glob, GlobSet, GlobSetBuilder};
use regex::{RegexSet, RegexSetBuilder};

use crate::{
    document::{Context, Place},
    item::{self, MAX_REGEXES_MEMORY_BYTES},
    problem::Invalid,
    section::{Listed, Section},
};

/// A selection while its table is read.
struct Reader<'a, 'b> {
    table: Section,
    context: &'a mut Context<'b>,
    /// What the report shows of each rule.
    written: Vec<(Rule, String)>,
}

pub(crate) fn selection(table: Section, context: &mut Context<'_>) -> Selection {
    Reader { table, context, written: Vec::new() }.read()
}

// === impl Reader ===

impl Reader<'_, '_> {
    fn read(mut self) -> Selection {
        let [before, max_size] = [Rule::ModifiedBefore, Rule::MaxSize].map(|rule| self.place(rule));
        for rule in [Rule::ModifiedAfter, Rule::ModifiedBefore, Rule::MinSize, Rule::MaxSize] {
            self.written.extend(self.table.written(rule.as_str()).map(|written| (rule, written)));
        }
        let prefixes = self.table.list(Rule::Prefixes.as_str(), self.context, item::prefix);
        let selection = Selection {
            only: None,
            prefixes: self.noted(Rule::Prefixes, prefixes),
            include: self.globs(Rule::Include),
            include_regex: self.regexes(Rule::IncludeRegex),
            exclude: self.globs(Rule::Exclude),
            exclude_regex: self.regexes(Rule::ExcludeRegex),
            modified_after: self.table.time(Rule::ModifiedAfter.as_str(), self.context),
            modified_before: self.table.time(Rule::ModifiedBefore.as_str(), self.context),
            min_size: self.table.size(Rule::MinSize.as_str(), self.context),
            max_size: self.table.size(Rule::MaxSize.as_str(), self.context),
            hits: Hits::default(),
        };
        self.refuse_emptiness(&selection, before, max_size);
        Selection { hits: self.written.into_iter().collect(), ..selection }
    }

    fn place(&self, rule: Rule) -> Option<Place> {
        self.table.place(rule.as_str(), self.context)
    }

    /// None without any glob.
    fn globs(&mut self, rule: Rule) -> Option<GlobSet> {
        let place = self.place(rule)?;
        let globs = self.table.list(rule.as_str(), self.context, item::glob);
        let mut set = GlobSetBuilder::new();
        self.noted(rule, globs).into_iter().for_each(|glob: Glob| {
            set.add(glob);
        });
        let built = set.build().map_err(|_| too_large("globs"));
        built.map_err(|invalid| self.context.report(place, invalid)).ok().filter(|set| !set.is_empty())
    }

    /// None without any expression.
    fn regexes(&mut self, rule: Rule) -> Option<RegexSet> {
        let place = self.place(rule)?;
        let regexes = self.table.list(rule.as_str(), self.context, item::regex);
        let regexes = self.noted(rule, regexes);
        let built = RegexSetBuilder::new(regexes).size_limit(MAX_REGEXES_MEMORY_BYTES).build();
        let built = built.map_err(|_| too_large("regular expressions"));
        built.map_err(|invalid| self.context.report(place, invalid)).ok().filter(|set| !set.is_empty())
    }

    fn noted<T>(&mut self, rule: Rule, items: Vec<Listed<T>>) -> Vec<T> {
        let items = items.into_iter().map(|Listed { value, written }| {
            self.written.push((rule, written));
            value
        });
        items.collect()
    }

    /// Bounds that contradict each other.
    fn refuse_emptiness(&mut self, selection: &Selection, before: Option<Place>, max_size: Option<Place>) {
        if let (Some(after), Some(end), Some(place)) = (selection.modified_after, selection.modified_before, before)
            && end.time <= after.time
        {
            let message = "it isn't later than modified_after, so nothing is selected";
            self.context.report(place, Invalid::new(message, "swap the two, or leave one out"));
        }
        if let (Some(min), Some(max), Some(place)) = (selection.min_size, selection.max_size, max_size)
            && max < min
        {
            let message = "it's smaller than min_size, so nothing is selected";
            self.context.report(place, Invalid::new(message, "swap the two, or leave one out"));
        }
    }
}

fn too_large(what: &str) -> Invalid {
    Invalid::new(format!("the {what} are too large together"), "write fewer or simpler ones")
}
