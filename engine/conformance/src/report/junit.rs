//! The report as JUnit's XML, which build servers read.

use super::{Report, Verdict};

/// A document with one suite for the connector.
pub fn to_junit(report: &Report) -> String {
    let counts = report.counts();
    let seconds: f64 = report.ended.iter().map(|it| it.seconds).sum();
    let name = escaped(&report.description.name);
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{seconds:.3}\"",
        report.ended.len(),
        counts.failed,
        counts.not_applicable
    );
    let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n");
    text.push_str(&format!("  <testsuite name=\"{name}\" {totals}>\n"));
    for it in &report.ended {
        let head =
            format!("    <testcase classname=\"{name}.{}\" name=\"{}\" time=\"{:.3}\"", it.theme, it.name, it.seconds);
        let message = escaped(it.verdict.text());
        text.push_str(&match &it.verdict {
            Verdict::Passed(_) => format!("{head}/>\n"),
            Verdict::Failed(_) => format!("{head}>\n      <failure message=\"{message}\"/>\n    </testcase>\n"),
            Verdict::NotApplicable(_) => format!("{head}>\n      <skipped message=\"{message}\"/>\n    </testcase>\n"),
        });
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// For an attribute; what XML 1.0 can't hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn what_a_connector_says_is_escaped() {
        let xml = to_junit(&example());
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"0.750\""), "{xml}");
        assert!(xml.contains("message=\"expected 3 bytes, got &lt;2&gt; &amp; &quot;x&quot; \u{fffd}[31m\""), "{xml}");
        assert!(xml.contains("<skipped message=\"no &quot;parts&quot; capability\"/>"), "{xml}");
    }
}
