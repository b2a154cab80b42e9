//! One item of a list: a glob, a regular expression, the start of a key, a window of the day. Knows
//! no key.

use culvert_flow::{object::Key, rules::Window};
use globset::{Glob, GlobBuilder};
use jiff::civil::Time;
use regex::RegexBuilder;

use crate::{
    hours::{self, Hours},
    kind::Kind,
    problem::{Invalid, quoted},
    tree::Value,
};

/// Longest item in bytes; longer ones are lists in disguise.
const MAX_ITEM_BYTES: usize = 1024;

/// Most items of one list: each is tried on each object.
pub(crate) const MAX_ITEMS: usize = 1000;

/// Most memory that a compiled regular expression may take: compiling a full list of them stays a
/// matter of seconds.
const MAX_REGEX_MEMORY_BYTES: usize = 1 << 20;

/// The same for a list of them together.
pub(crate) const MAX_REGEXES_MEMORY_BYTES: usize = 8 << 20;

const WINDOW_FIX: &str = "write two times of the day, as in \"22:00-06:00\"";

/// What the items of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Glob,
    Regex,
    Prefix,
    Window,
    Hours,
}

// === impl Item ===

impl Item {
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Glob => "globs",
            Self::Regex => "regular expressions",
            Self::Prefix => "key prefixes",
            Self::Window => "times of the day",
            Self::Hours => "times with limits",
        }
    }

    /// A list of them as TOML has it.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Glob => "[\"**/*.tif\"]",
            Self::Regex => "['^[0-9]{4}/']",
            Self::Prefix => "[\"photos/\"]",
            Self::Window => "[\"22:00-06:00\"]",
            Self::Hours => "[\"mon-fri 08:00-18:00 10 MiB/s\"]",
        }
    }
}

pub(crate) fn glob(value: &Value) -> Result<Glob, Invalid> {
    let text = text(value, "glob", "write \"**\" for everything, or leave it out")?;
    let inner = text.trim_start_matches("./").trim_matches('/');
    if text.starts_with('/') || text.starts_with("./") {
        let message = "no key starts like this, so the glob matches nothing";
        return Err(Invalid::new(message, format!("write {}, from the root of the source", quoted(inner))));
    }
    if text.ends_with('/') {
        let message = "no key ends with a slash, so the glob matches nothing";
        return Err(Invalid::new(message, format!("write {} for all below it", quoted(&format!("{inner}/**")))));
    }
    GlobBuilder::new(text).literal_separator(true).build().map_err(|error| {
        let message = format!("not a glob: {}", error.kind());
        Invalid::new(message, "write it as in \"**/*.tif\", with a backslash before * ? [ ] { } meant literally")
    })
}

/// A regular expression that compiles within its limit.
pub(crate) fn regex(value: &Value) -> Result<String, Invalid> {
    let text = text(value, "regular expression", "write \".\" for everything, or leave it out")?;
    let compiled = RegexBuilder::new(text).size_limit(MAX_REGEX_MEMORY_BYTES).build();
    compiled.map(|_| text.to_owned()).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Invalid::new(
            format!("the regular expression takes more than {} KiB when it's compiled", MAX_REGEX_MEMORY_BYTES >> 10),
            "write smaller repetitions, or [0-9] and [A-Za-z] for \\d and \\w",
        ),
        error => {
            // The last of the lines that draw the place.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let fix = "write it in single quotes as in '\\.tiff?$', with a backslash before what is meant literally";
            Invalid::new(format!("not a regular expression: {reason}"), fix)
        }
    })
}

/// The start of some key.
pub(crate) fn prefix(value: &Value) -> Result<String, Invalid> {
    let text = text(value, "prefix", "write \"photos/\", for instance, or leave it out")?;
    let inner = text.trim_start_matches("./").trim_start_matches('/');
    if text.starts_with('/') || text.starts_with("./") {
        let fix =
            if inner.is_empty() { "leave it out".into() } else { format!("write {}, from the root", quoted(inner)) };
        return Err(Invalid::new("no key starts like this", fix));
    }
    // With one more letter, it has to be a whole key.
    Key::parse(&format!("{text}x")).map(|_| text.to_owned()).map_err(|error| {
        let fix = "write it from the root, without empty, \".\" and \"..\" segments, as in \"photos/2024-\"";
        Invalid::new(format!("no key starts like this: {error}"), fix)
    })
}

/// A window of the day, such as `"22:00-06:00"`.
pub(crate) fn window(value: &Value) -> Result<Window, Invalid> {
    window_of(text(value, "window", WINDOW_FIX)?)
}

pub(crate) fn window_of(text: &str) -> Result<Window, Invalid> {
    let fix = WINDOW_FIX;
    let Some((start, end)) = text.split_once('-') else { return Err(Invalid::new("not a window of the day", fix)) };
    let (start, end) = (start.trim(), end.trim());
    if start == end {
        return Err(Invalid::new("the window ends where it starts", "write \"00:00-24:00\" for the whole day"));
    }
    // The end of a day is the start of the next one.
    let ends = clock(start).zip(if end == "24:00" { Some(Time::midnight()) } else { clock(end) });
    ends.map(|(start, end)| Window { start, end }).ok_or_else(|| Invalid::new("not a window of the day", fix))
}

/// Days of the week, a window and limits: `"mon-fri 08:00-18:00 10 MiB/s"`.
pub(crate) fn hours(value: &Value) -> Result<Hours, Invalid> {
    Hours::parse(text(value, "time", hours::FIX)?)
}

/// Two digits, a colon, two digits.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| -> Option<i8> {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

fn text<'a>(value: &'a Value, noun: &str, fix: &str) -> Result<&'a str, Invalid> {
    let text = Kind::Text.text(value)?;
    if text.is_empty() {
        return Err(Invalid::new(format!("the {noun} is empty"), fix));
    }
    if text.len() > MAX_ITEM_BYTES {
        let message = format!("the {noun} is too long");
        return Err(Invalid::new(message, format!("write at most {MAX_ITEM_BYTES} bytes")));
    }
    Ok(text)
}
