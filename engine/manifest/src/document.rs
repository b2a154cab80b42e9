//! A file's text and the places in it. Decides nothing about what may be shown: a [`Place`] says it.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use crate::{
    environment::Environment,
    problem::{Excerpt, Invalid, Problem, Problems},
};

/// The text may hold secrets, so there is no `Debug`.
pub(crate) struct Document {
    path: PathBuf,
    text: String,
    /// Byte offset of the first byte of each line.
    lines: Vec<usize>,
}

/// Where a problem is and what of the file may be shown there.
#[derive(Default, Clone)]
pub(crate) struct Place {
    /// Dotted.
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    /// Bytes to show; empty: none.
    pub(crate) shown: Range<usize>,
    /// Bytes to underline, which also give line and column.
    pub(crate) marked: Range<usize>,
}

/// What reading a file needs and gathers.
pub(crate) struct Context<'a> {
    pub(crate) document: Arc<Document>,
    pub(crate) environment: &'a dyn Environment,
    /// One moment for the whole file.
    pub(crate) now: SystemTime,
    pub(crate) problems: Problems,
}

// === impl Document ===

impl Document {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        Self { path: path.to_owned(), text: text.to_owned(), lines }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the line that holds this offset, without its end.
    pub(crate) fn line_of(&self, offset: usize) -> Range<usize> {
        let index = self.lines.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.lines[index];
        let end = self.lines.get(index + 1).map_or(self.text.len(), |next| next - 1);
        start..end
    }

    pub(crate) fn problem(&self, place: Place, invalid: Invalid) -> Problem {
        let offset = place.marked.start.min(self.text.len());
        let start = self.line_of(offset).start;
        let shown = self.text.get(place.shown.clone()).filter(|text| !text.is_empty());
        let marked = offset.saturating_sub(place.shown.start)..place.marked.end.saturating_sub(place.shown.start);
        Problem {
            path: self.path.clone(),
            line: self.lines.partition_point(|start| *start <= offset),
            column: self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1,
            key: place.key,
            value: place.value,
            message: invalid.message,
            fix: invalid.fix,
            excerpt: shown.map(|text| Excerpt::new(text, marked)),
        }
    }
}

// === impl Context ===

impl<'a> Context<'a> {
    pub(crate) fn new(document: Document, environment: &'a dyn Environment) -> Self {
        Self { document: Arc::new(document), environment, now: environment.now(), problems: Problems::default() }
    }

    pub(crate) fn report(&mut self, place: Place, invalid: Invalid) {
        self.problems.push(self.document.problem(place, invalid));
    }
}
