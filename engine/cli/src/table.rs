//! Columns of text for a terminal. Knows nothing of what they say.

use crate::output::{self, one_line};

/// Prints rows below their headings, each column as wide as its longest cell.
pub(crate) fn print(headings: &[&str], rows: &[Vec<String>]) {
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&headings]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    for row in [&headings].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", one_line(cell)));
        output::line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Prints names and what they stand for, one a line.
pub(crate) fn facts(facts: &[(&str, String)]) {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in facts {
        output::line(&format!("{name:<width$}  {}", one_line(value)));
    }
}
