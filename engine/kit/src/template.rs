//! Templates into texts: `{{word}}` becomes a value, and a line that begins with `{{#mark}}` is there only
//! for the roles of that mark. Knows no other syntax.

use crate::Roles;

/// What a project is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) name: &'a str,
    /// The name as Cargo writes it in a file's.
    pub(crate) file: &'a str,
    pub(crate) sdk: &'a str,
    pub(crate) roles: Roles,
}

/// Each mark, and whether its lines are there as a source, as a sink and as both.
const MARKS: [(&str, [bool; 3]); 5] = [
    ("{{#source}}", [true, false, true]),
    ("{{#sink}}", [false, true, true]),
    ("{{#both}}", [false, false, true]),
    ("{{#only-source}}", [true, false, false]),
    ("{{#only-sink}}", [false, true, false]),
];

/// The text for these words.
pub(crate) fn fill(template: &str, words: &Words<'_>) -> String {
    let mut text = String::new();
    for line in template.lines() {
        if let Some(line) = kept(line, words.roles) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.replace("{{name}}", words.name).replace("{{file}}", words.file).replace("{{sdk}}", words.sdk)
}

fn kept(line: &str, roles: Roles) -> Option<&str> {
    for (mark, there) in MARKS {
        if let Some(rest) = line.strip_prefix(mark) {
            return there[roles as usize].then_some(rest);
        }
    }
    Some(line)
}
