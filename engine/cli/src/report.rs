//! The report of a round: what was moved, skipped, deleted and given up, what is at the sink, and the
//! figures. Comes from the journal alone, in one pass that holds a page of it. Moves nothing; what's
//! put at the sink goes through `deliver`.
//!
//! Each file is written under a temporary name and renamed: a reader sees the last report's or this
//! one's, whole. An interrupted round has no report yet: it's written when the rest of it is done.

pub(crate) mod deliver;
pub(crate) mod figures;
pub(crate) mod form;
pub(crate) mod list;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use culvert_flow::{
    journal::{Reader, RunRecord, Wanted},
    select::RuleHits,
    sync::Cancel,
};

use self::{
    figures::Figures,
    form::{Form, Rows, sha256sum},
    list::List,
};
use crate::exit::{Exit, Failure};

/// The folder of the reports, in a pipeline's state folder.
pub(crate) const FOLDER: &str = "report";
pub(crate) const SUMMARY_TEXT: &str = "summary.txt";
pub(crate) const SUMMARY_JSON: &str = "summary.json";
/// One line for each round, the last one last; kept for good.
pub(crate) const ROUNDS: &str = "rounds.jsonl";
const SHA256SUMS: &str = "SHA256SUMS";
/// What a file that's being written ends in; one writer at a time, since it holds the journal.
const TEMPORARY: &str = ".tmp";
/// Twelve files are open at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Whose report it is.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// As the run's output calls it.
    pub(crate) id: String,
    pub(crate) pipeline: String,
    pub(crate) rules: Vec<RuleHits>,
}

/// A file on its way to its name.
struct Draft {
    path: PathBuf,
    temporary: PathBuf,
}

type Output = BufWriter<File>;

/// All files that hold rows.
struct Files {
    drafts: Vec<Draft>,
    rows: Vec<[Rows<Output>; 2]>,
    sums: Output,
    sums_draft: Draft,
    has_sums: bool,
}

/// Writes the report of the journal's last run. `stop`: it's given up, and the last one stays.
///
/// # Errors
/// The journal can't be read, the files can't be written, or it was stopped.
pub(crate) fn write(journal: &Path, folder: &Path, round: Round, stop: &Cancel) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::could_not_go_on(format!("the report in {} can't be written: {error}", folder.display()))
    };
    let reader = Reader::open(journal).map_err(Failure::could_not_go_on)?;
    let Some(run) = reader.last_run().map_err(Failure::could_not_go_on)? else { return Ok(()) };
    let mut figures = Figures::new(&round.id, &round.pipeline, run, round.rules);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut files = Files::create(folder).map_err(failed)?;
    for record in reader.records(Wanted::Everything) {
        if stop.is_cancelled() {
            return Err(Failure { exit: Exit::Interrupted, message: "stopped while the report was written".into() });
        }
        let record = record.map_err(Failure::could_not_go_on)?;
        figures.count(&record);
        files.write(&record, figures.run.id).map_err(failed)?;
    }
    files.finish().map_err(failed)?;
    finish(folder, &figures).map_err(failed)
}

/// Whether the report in `folder` is this run's, and whole.
pub(crate) fn is_of(folder: &Path, run: &RunRecord) -> bool {
    let summary = || -> Option<serde_json::Value> {
        serde_json::from_str(&fs::read_to_string(folder.join(SUMMARY_JSON)).ok()?).ok()
    };
    let ended = run.ended.and_then(list::rfc3339);
    summary()
        .is_some_and(|summary| summary["number"] == run.id && ended.is_some_and(|ended| summary["ended"] == *ended))
}

/// The figures come last: who finds them finds the lists that they're of.
fn finish(folder: &Path, figures: &Figures) -> io::Result<()> {
    let json = figures.json();
    for (name, text) in [(SUMMARY_TEXT, figures.text()), (SUMMARY_JSON, format!("{json:#}"))] {
        let (draft, mut output) = Draft::create(folder, name)?;
        writeln!(output, "{text}")?;
        output.flush()?;
        draft.keep()?;
    }
    let mut rounds = File::options().append(true).create(true).open(folder.join(ROUNDS))?;
    let before = rounds.metadata()?.len();
    let written = rounds.write_all(format!("{json}\n").as_bytes());
    if written.is_err() {
        // Half a line would spoil the next round's.
        rounds.set_len(before)?;
    }
    written
}

// === impl Files ===

impl Files {
    fn create(folder: &Path) -> io::Result<Self> {
        let (mut drafts, mut rows) = (Vec::new(), Vec::new());
        for list in List::ALL {
            let mut create = |ending: &str, form| {
                let (draft, output) = Draft::create(folder, &format!("{}.{ending}", list.name()))?;
                drafts.push(draft);
                Rows::new(output, list, form)
            };
            rows.push([create("csv", Form::Csv)?, create("jsonl", Form::JsonLines)?]);
        }
        let (sums_draft, sums) = Draft::create(folder, SHA256SUMS)?;
        Ok(Self { drafts, rows, sums, sums_draft, has_sums: false })
    }

    fn write(&mut self, record: &culvert_flow::journal::Record, run: i64) -> io::Result<()> {
        let of_run = (record.run == run).then(|| List::of(record.outcome));
        for list in record.at_sink.then_some(List::Manifest).into_iter().chain(of_run) {
            let cells = list.cells(record);
            for rows in &mut self.rows[list as usize] {
                rows.write(&cells)?;
            }
        }
        if let Some(line) = record.at_sink.then(|| sha256sum(record)).flatten() {
            self.has_sums = true;
            self.sums.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        for rows in self.rows.into_iter().flatten() {
            rows.finish()?;
        }
        for draft in self.drafts {
            draft.keep()?;
        }
        self.sums.into_inner().map_err(io::IntoInnerError::into_error)?;
        if self.has_sums {
            return self.sums_draft.keep();
        }
        fs::remove_file(&self.sums_draft.temporary)?;
        match fs::remove_file(&self.sums_draft.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

// === impl Draft ===

impl Draft {
    fn create(folder: &Path, name: &str) -> io::Result<(Self, Output)> {
        let draft = Self { path: folder.join(name), temporary: folder.join(format!("{name}{TEMPORARY}")) };
        let file = File::create(&draft.temporary)?;
        Ok((draft, BufWriter::with_capacity(BUFFER_BYTES, file)))
    }

    fn keep(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)
    }
}
