//! `engine connector test`: runs the conformance suite and shows its report. Judges nothing itself.

use culvert_conformance::{Ended, Report, counts, line, names, run, to_json, to_junit, to_table};
use tokio::task::LocalSet;

use super::super::run::runtime;
use crate::{
    args::{
        Places,
        connector::{Format, Test as Asked},
    },
    assembly::{
        seed,
        trial::{Trial, assemble},
    },
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// The tables are wrong, there's no case of this name, or the report can't be written.
pub(super) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let known = names::<Trial>();
    let is_known = |asked: &&String| known.iter().any(|name| name.starts_with(asked.as_str()));
    if let Some(unknown) = asked.cases.iter().find(|asked| !is_known(asked)) {
        let message = format!("there is no case {unknown:?}; there are {}", known.join(", "));
        return Err(Failure::usage(message));
    }
    let seed = asked.seed.unwrap_or_else(seed);
    let trial = assemble(&asked.connector, &asked.file, asked.denied.as_deref(), seed, places)?;
    let live = asked.format == Format::Table && asked.output.is_none();
    let told = |ended: &Ended| {
        if live {
            output::line(&line(ended));
        }
    };
    let report = LocalSet::new().block_on(&runtime()?, run(&trial, &asked.cases, seed, told));
    show(asked, &report, live)?;
    Ok(if report.is_good() { Exit::Done } else { Exit::SomeFailed })
}

fn show(asked: &Asked, report: &Report, live: bool) -> Result<(), Failure> {
    let text = match asked.format {
        Format::Table if live => counts(report),
        Format::Table => to_table(report),
        Format::Json => format!("{:#}", to_json(report)),
        Format::Junit => to_junit(report).trim_end().to_owned(),
    };
    let Some(path) = &asked.output else {
        output::line(&text);
        return Ok(());
    };
    let failed = |error| Failure::could_not_go_on(format!("can't write the report {}: {error}", path.display()));
    std::fs::write(path, format!("{text}\n")).map_err(failed)
}
