//! `--only`: the list of keys that a run is confined to. Reads it whole before anything moves.

use std::{fs::File, io, path::Path, sync::Arc};

use culvert_flow::{
    rules::Selection,
    select::only::{Column, CsvFormat, OnlyFormat, parse},
};

use crate::{args::Only, exit::Failure};

/// The column with the keys in this engine's own reports.
const REPORT_COLUMN: &str = "key";

/// The selection, confined to the keys of the list if there is one.
///
/// # Errors
/// The list can't be read, or holds what can't be a key.
pub(crate) fn confine(selection: &Selection, asked: &Only) -> Result<Selection, Failure> {
    let mut selection = selection.clone();
    let Some(path) = &asked.only else { return Ok(selection) };
    let format = format(path, asked);
    let keys = if path.as_os_str() == "-" {
        parse(io::stdin().lock(), &format)
    } else {
        let file = File::open(path)
            .map_err(|error| Failure::usage(format!("can't read the list {}: {error}", path.display())))?;
        parse(file, &format)
    };
    let keys = keys.map_err(|error| Failure::usage(format!("the list {} is wrong:\n{error}", path.display())))?;
    selection.only = Some(Arc::new(keys));
    Ok(selection)
}

fn format(path: &Path, asked: &Only) -> OnlyFormat {
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if asked.only_column.is_none() && !asked.only_url_encoded && !is_csv {
        return OnlyFormat::Lines;
    }
    let column = asked.only_column.clone().unwrap_or_else(|| Column::Name(REPORT_COLUMN.to_owned()));
    OnlyFormat::Csv(CsvFormat { column, url_encoded: asked.only_url_encoded })
}
