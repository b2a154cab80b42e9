//! The report for programs.

use serde_json::{Value, json};

use super::Report;

/// One object, with the cases in their order.
pub fn to_json(report: &Report) -> Value {
    let counts = report.counts();
    let cases = report.ended.iter().map(|it| {
        json!({
            "name": it.name,
            "theme": it.theme,
            "about": it.about,
            "result": it.verdict.as_str(),
            "text": it.verdict.text(),
            "seconds": it.seconds,
        })
    });
    json!({
        "connector": report.description.name,
        "version": report.description.version,
        "sha256": report.description.digest,
        // A number of 64 bits isn't safe in JSON.
        "seed": report.seed.to_string(),
        "folder": report.root,
        "passed": counts.passed,
        "failed": counts.failed,
        "not_applicable": counts.not_applicable,
        "cases": cases.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn each_case_has_its_result() {
        let json = to_json(&example());
        assert_eq!((&json["passed"], &json["failed"], &json["not_applicable"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(json["cases"][2]["result"], "n/a");
        assert_eq!(json["cases"][2]["text"], "no \"parts\" capability");
    }
}
