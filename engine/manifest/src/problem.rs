//! What is wrong with a file, where, and how to write it. Shows no text that may be secret: whoever
//! builds a problem decides what of the line is shown.

use std::{fmt, path::PathBuf};

/// Most problems kept of one file; the rest are counted. More can't be worked through at once.
pub const MAX_PROBLEMS: usize = 100;

/// Longest piece of a file that is shown, in characters: a line of a wide terminal.
const MAX_SHOWN_CHARS: usize = 120;

/// One thing that is wrong with a file.
///
/// `Display` is one line: `nightly.toml:7: tunnel.max_bandwidth = "50mb": unknown unit "mb"; write ...`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// Dotted, as in `tunnel.max_bandwidth`; empty where no key is concerned.
    pub key: String,
    /// As it's written in the file; none where there is none, or where it may be secret.
    pub value: Option<String>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    pub(crate) excerpt: Option<Excerpt>,
}

/// The piece of a line that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) text: String,
    /// Where the caret stands, in characters from the start of `text`.
    pub(crate) caret: usize,
    /// How many characters are underlined.
    pub(crate) length: usize,
}

/// Everything that is wrong with one file, in the order of its lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    list: Vec<Problem>,
    omitted: usize,
}

/// Why a value can't be taken, without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// A text from outside as it can be shown: quoted, control characters escaped, not too long.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

// === impl Problem ===

impl Problem {
    /// The line of `Display`, then the piece of the file with the place underlined.
    pub fn render(&self) -> String {
        let Some(excerpt) = &self.excerpt else { return self.to_string() };
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(excerpt.caret);
        let carets = "^".repeat(excerpt.length);
        format!("{self}\n{gutter} |\n{number} | {}\n{gutter} | {indent}{carets}", excerpt.text)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: ", self.path.display(), self.line)?;
        if !self.key.is_empty() {
            write!(formatter, "{}", self.key)?;
            if let Some(value) = &self.value {
                write!(formatter, " = {value}")?;
            }
            formatter.write_str(": ")?;
        }
        write!(formatter, "{}; {}", self.message, self.fix)
    }
}

// === impl Excerpt ===

impl Excerpt {
    /// The first line of `text`, with the bytes of `marked` underlined.
    pub(crate) fn new(text: &str, marked: std::ops::Range<usize>) -> Self {
        let line = text.lines().next().unwrap_or_default();
        let before = line.get(..marked.start.min(line.len())).unwrap_or_default().chars().count();
        let inside = line.get(marked.start.min(line.len())..marked.end.min(line.len())).unwrap_or_default();
        let mut shown: String = line.chars().take(MAX_SHOWN_CHARS).map(printable).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        let caret = before.min(MAX_SHOWN_CHARS);
        Self { text: shown, caret, length: inside.chars().count().clamp(1, MAX_SHOWN_CHARS + 1 - caret) }
    }
}

fn printable(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

// === impl Problems ===

impl Problems {
    /// Where there are too many, it's only counted.
    pub fn push(&mut self, problem: Problem) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    /// `Err` with everything that was pushed, if anything was.
    pub(crate) fn into_result(mut self) -> Result<(), Self> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by(|one, other| (one.line, one.column, &one.key).cmp(&(other.line, other.column, &other.key)));
        Err(self)
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many problems there are, with those beyond [`MAX_PROBLEMS`] that aren't listed.
    pub fn count(&self) -> usize {
        self.list.len() + self.omitted
    }

    /// Every problem with its piece of the file, an empty line between two.
    pub fn render(&self) -> String {
        self.join("\n\n", Problem::render)
    }

    /// The problems of two ends of a pipeline as one.
    pub fn append(&mut self, other: Self) {
        self.omitted += other.omitted;
        other.list.into_iter().for_each(|problem| self.push(problem));
    }

    fn join(&self, separator: &str, show: impl Fn(&Problem) -> String) -> String {
        let mut parts: Vec<String> = self.list.iter().map(show).collect();
        if self.omitted > 0 {
            parts.push(format!("and {} more problems", self.omitted));
        }
        parts.join(separator)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.join("\n", Problem::to_string))
    }
}

impl std::error::Error for Problems {}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

// === impl Invalid ===

impl Invalid {
    pub(crate) fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.message, self.fix)
    }
}

impl std::error::Error for Invalid {}
