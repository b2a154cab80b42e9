//! The lists of a report: which records each takes, and its columns. Writes nothing.

use std::time::SystemTime;

use culvert_flow::{
    journal::{Outcome, Record, Wanted},
    object::{Checksums, Kind},
    run::Grade,
};

/// One list of a report, by the name of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// What is at the sink, as far as this pipeline's runs know.
    Manifest,
    /// The others are of one run.
    Moved,
    Skipped,
    Failed,
    Deleted,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    /// Not known, or none.
    None,
    Number(u64),
    Borrowed(&'a str),
    Text(String),
}

// === impl List ===

impl List {
    pub(crate) const ALL: [Self; 5] = [Self::Manifest, Self::Moved, Self::Skipped, Self::Failed, Self::Deleted];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Moved => "moved",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }

    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Manifest => &["key", "kind", "size", "modified", "checksums", "grade", "moved"],
            Self::Moved => &["key", "kind", "size", "grade", "attempts", "moved"],
            Self::Skipped => &["key", "kind", "size", "reason"],
            Self::Failed => &["key", "code", "message", "attempts"],
            Self::Deleted => &["key"],
        }
    }

    /// What the journal is asked for.
    pub(crate) fn wanted(self, run: i64) -> Wanted {
        match self {
            Self::Manifest => Wanted::Manifest,
            Self::Moved => Wanted::Moved(run),
            Self::Skipped => Wanted::Skipped(run),
            Self::Failed => Wanted::Failed(run),
            Self::Deleted => Wanted::Deleted(run),
        }
    }

    /// The list in which a run's record stands, beside the manifest.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Moved => Self::Moved,
            Outcome::Failed => Self::Failed,
            Outcome::Skipped(_) => Self::Skipped,
            Outcome::Deleted => Self::Deleted,
        }
    }

    /// A record's row, in the order of the columns.
    pub(crate) fn cells(self, record: &Record) -> Vec<Cell<'_>> {
        let key = Cell::Borrowed(&record.name);
        let (kind, size) = (Cell::Borrowed(kind(&record.kind)), record.size.map_or(Cell::None, Cell::Number));
        let grade = record.grade.map_or(Cell::None, |grade| Cell::Text(self::grade(grade)));
        let attempts = Cell::Number(u64::from(record.attempts));
        let moved = time(record.moved);
        match self {
            Self::Manifest => {
                vec![key, kind, size, time(record.modified), checksums(&record.checksums), grade, moved]
            }
            Self::Moved => vec![key, kind, size, grade, attempts, moved],
            Self::Skipped => vec![key, kind, size, Cell::Borrowed(record.outcome.as_str())],
            Self::Failed => vec![key, text(record.code.as_deref()), text(record.message.as_deref()), attempts],
            Self::Deleted => vec![key],
        }
    }
}

fn kind(kind: &Kind) -> &str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Other(word) => word,
    }
}

/// `size`, or how it was proven and by which algorithm: `checksum:crc64-nvme`.
pub(crate) fn grade(grade: Grade) -> String {
    match grade {
        Grade::Size => "size".to_owned(),
        Grade::Checksum(algorithm) => format!("checksum:{}", algorithm.as_str()),
        Grade::Reread(algorithm) => format!("reread:{}", algorithm.as_str()),
    }
}

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::None, Cell::Borrowed)
}

fn time(time: Option<SystemTime>) -> Cell<'static> {
    time.and_then(rfc3339).map_or(Cell::None, Cell::Text)
}

/// In UTC; none outside of the years that it can say.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    jiff::Timestamp::try_from(time).ok().map(|time| time.to_string())
}

fn checksums(checksums: &Checksums) -> Cell<'static> {
    let each = checksums.iter().map(|(algorithm, digest)| format!("{}:{}", algorithm.as_str(), hex(digest)));
    let all = each.collect::<Vec<_>>().join(";");
    if all.is_empty() { Cell::None } else { Cell::Text(all) }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}
