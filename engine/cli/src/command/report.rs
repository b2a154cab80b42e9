//! `engine report`: what a pipeline's last run did, from its journal: also while it runs. Changes
//! nothing.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use culvert_flow::journal::{Reader, RunRecord, Wanted};
use culvert_manifest::parse;

use crate::{
    args::{Places, Report as Asked, ReportFormat},
    exit::{Exit, Failure},
    folders,
    inventory::addresses::Surroundings,
    output,
    report::{
        self,
        figures::Figures,
        form::{Form, Rows, sha256sum},
        list::List,
    },
};

/// Why rows ended.
enum Broken {
    Journal(culvert_flow::error::Error),
    Output(io::Error),
}

/// # Errors
/// There is no such pipeline, or nothing is known of it.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let list = list(asked);
    if list.is_none() && !asked.list.sha256sums && asked.format == ReportFormat::Csv {
        return Err(Failure::usage(
            "the summary isn't a list: name one (--failed, for instance), or use --format json",
        ));
    }
    let name = name(&asked.pipeline, places)?;
    let folder = folders::pipelines(places)?.join(&name);
    let journal = folder.join(folders::JOURNAL);
    let nothing = || Failure::usage(format!("nothing is known of a pipeline {name:?} here: it hasn't run yet"));
    if !journal.exists() {
        return Err(nothing());
    }
    let reader = Reader::open(&journal).map_err(Failure::could_not_go_on)?;
    let run = reader.last_run().map_err(Failure::could_not_go_on)?.ok_or_else(nothing)?;
    if list.is_none() && !asked.list.sha256sums {
        return summary(&reader, run, &name, (&folder, asked.format));
    }
    let mut to = BufWriter::new(io::stdout().lock());
    let written = match list {
        Some(list) => rows(&reader, list, run.id, asked.format, &mut to),
        None => sums(&reader, &mut to),
    };
    match written {
        // Whoever closed the pipe has seen enough.
        Ok(()) => Ok(Exit::Done),
        Err(Broken::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(Broken::Output(error)) => Err(Failure::could_not_go_on(format!("standard output: {error}"))),
        Err(Broken::Journal(error)) => Err(Failure::could_not_go_on(error)),
    }
}

/// A file says its name; anything else is one.
fn name(pipeline: &Path, places: &Places) -> Result<String, Failure> {
    let word = pipeline.to_string_lossy();
    let is_name = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name && !pipeline.is_file() {
        return Ok(word.into_owned());
    }
    let text = folders::read_text(pipeline)
        .map_err(|error| Failure::usage(format!("can't read the pipeline {word}: {error}")))?;
    let pipeline = parse(pipeline, &text, &Surroundings::new(places));
    pipeline.map(|pipeline| pipeline.name).map_err(|problems| Failure::usage(problems.render()))
}

fn list(asked: &Asked) -> Option<List> {
    let lists = &asked.list;
    let asked = [lists.manifest, lists.moved, lists.skipped, lists.failed, lists.deleted];
    List::ALL.into_iter().zip(asked).find_map(|(list, asked)| asked.then_some(list))
}

fn rows(reader: &Reader, list: List, run: i64, format: ReportFormat, to: &mut impl Write) -> Result<(), Broken> {
    let form = match format {
        ReportFormat::Table => Form::Table,
        ReportFormat::Csv => Form::Csv,
        ReportFormat::Json => Form::JsonLines,
    };
    let mut rows = Rows::new(to, list, form).map_err(Broken::Output)?;
    for record in reader.records(list.wanted(run)) {
        rows.write(&list.cells(&record.map_err(Broken::Journal)?)).map_err(Broken::Output)?;
    }
    rows.finish().map_err(Broken::Output)?;
    Ok(())
}

fn sums(reader: &Reader, to: &mut impl Write) -> Result<(), Broken> {
    for record in reader.records(Wanted::Manifest) {
        if let Some(line) = sha256sum(&record.map_err(Broken::Journal)?) {
            to.write_all(line.as_bytes()).map_err(Broken::Output)?;
        }
    }
    to.flush().map_err(Broken::Output)
}

/// The one that was written at the run's end, where it has ended: it knows what each rule did. Else
/// what the journal tells.
fn summary(
    reader: &Reader,
    run: RunRecord,
    name: &str,
    (folder, format): (&Path, ReportFormat),
) -> Result<Exit, Failure> {
    if let Some(text) = written(&folder.join(report::FOLDER), &run, format) {
        output::line(text.trim_end());
        return Ok(Exit::Done);
    }
    let id = format!("number {}", run.id);
    let mut figures = Figures::new(&id, name, run, Vec::new());
    for record in reader.records(Wanted::Everything) {
        figures.count(&record.map_err(Failure::could_not_go_on)?);
    }
    match format {
        ReportFormat::Json => output::line(&figures.json().to_string()),
        ReportFormat::Table | ReportFormat::Csv => output::line(&figures.text()),
    }
    Ok(Exit::Done)
}

/// None where it's missing or another run's.
fn written(folder: &Path, run: &RunRecord, format: ReportFormat) -> Option<String> {
    if !report::is_of(folder, run) {
        return None;
    }
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    match format {
        ReportFormat::Json => {
            let json: serde_json::Value = serde_json::from_str(&read(report::SUMMARY_JSON)?).ok()?;
            Some(json.to_string())
        }
        ReportFormat::Table | ReportFormat::Csv => read(report::SUMMARY_TEXT),
    }
}
