//! The report for people: a line for each case, what failed with what was expected.

use super::{Ended, Report};

/// Widest name of a case, so that columns stand below each other.
const NAME_WIDTH: usize = 32;

/// All lines, the counts last.
pub fn to_table(report: &Report) -> String {
    let lines: String = report.ended.iter().map(|ended| format!("{}\n", line(ended))).collect();
    format!("{lines}{}", counts(report))
}

/// How many of each, and of what.
pub fn counts(report: &Report) -> String {
    let (counts, it) = (report.counts(), &report.description);
    format!(
        "{} {}: {} passed, {} failed, {} n/a (seed {})",
        it.name, it.version, counts.passed, counts.failed, counts.not_applicable, report.seed
    )
}

/// One case that has ended.
pub fn line(ended: &Ended) -> String {
    let text: String =
        ended.verdict.text().chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let (name, verdict) = (ended.name, ended.verdict.as_str());
    let head = format!("{verdict:<7} {name:<NAME_WIDTH$} {:>6.2} s  {text}", ended.seconds);
    head.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn a_line_for_each_case_and_the_counts() {
        let table = to_table(&example());
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].starts_with("failed  put-large ") && !table.contains('\u{1b}'), "{table}");
        assert!(lines[2].ends_with("no \"parts\" capability"), "{table}");
        assert_eq!(lines[3], "local 0.1.0: 1 passed, 1 failed, 1 n/a (seed 7)");
    }
}
