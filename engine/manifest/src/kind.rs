//! What a value of a key may be: how it's read, and what is said if it can't be. Knows no key.

use std::time::{Duration, SystemTime};

use culvert_flow::rules::{ByteRate, ByteSize, Moment};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    digest::Digest,
    item::Item,
    oci::Reference,
    problem::{Invalid, quoted},
    tree::Value,
    units,
};

/// Longest name of a pipeline or a tunnel, in bytes: it becomes the name of a file.
pub(crate) const MAX_NAME_BYTES: usize = 64;

/// Longest text in bytes: Linux's `PATH_MAX`.
pub(crate) const MAX_TEXT_BYTES: usize = 4096;

/// A name as pipelines, tunnels and agents have one: `[a-z0-9-]`, 1 to 64 bytes.
///
/// # Errors
/// Says what a name can't have.
pub fn parse_name(text: &str) -> Result<String, Invalid> {
    Kind::Name.word(&Value::Text(text.to_owned()))
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Text,
    /// A built-in's name, a path, or a reference into a registry.
    Connector,
    Digest,
    Choice(&'static [&'static str]),
    Boolean,
    List(Item),
    /// The start of keys.
    Prefix,
    Time,
    TimeZone,
    /// In bytes.
    Size {
        min: u64,
        max: u64,
    },
    Rate,
    Count {
        min: u64,
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// In milliseconds.
    Duration {
        min: u64,
        max: u64,
    },
}

// === impl Kind ===

impl Kind {
    /// Its form and range, for the reference.
    pub(crate) fn form(self) -> String {
        match self {
            Self::Name => format!("name, `[a-z0-9-]`, at most {MAX_NAME_BYTES}"),
            Self::Text | Self::Connector => "text".to_owned(),
            Self::Digest => "64 hex digits".to_owned(),
            Self::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Self::Boolean => "true or false".to_owned(),
            Self::List(item) => format!("list of {}", item.plural()),
            Self::Prefix => "key prefix".to_owned(),
            Self::Time => "time (RFC 3339) or age".to_owned(),
            Self::TimeZone => "name of a time zone".to_owned(),
            Self::Size { min: 0, .. } => "size".to_owned(),
            Self::Size { min, max } => format!("size, {} to {}", size(min), size(max)),
            Self::Rate => "rate, at least 1 B/s".to_owned(),
            Self::Count { min, max, .. } => format!("whole number, {min} to {max}"),
            Self::Duration { min, max } => format!("duration, {} to {}", duration(min), duration(max)),
        }
    }

    /// The unit of what is kept, for the reference.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Size { .. } => "bytes",
            Self::Rate => "bytes per second",
            Self::Duration { .. } => "ms, s, m, h, d",
            Self::Count { unit, .. } => unit,
            Self::List(Item::Window | Item::Hours) => "hours and minutes",
            Self::Name | Self::Text | Self::Connector | Self::Digest => "-",
            Self::Choice(_) | Self::Boolean | Self::List(_) | Self::Prefix => "-",
            Self::Time | Self::TimeZone => "-",
        }
    }

    /// The value that a default stands for.
    pub(crate) fn default_value(self, text: &str) -> Value {
        match (self, text.parse()) {
            (Self::Count { .. }, Ok(number)) => Value::Integer(number),
            (Self::Boolean, _) => Value::Boolean(text == "true"),
            _ => Value::Text(text.to_owned()),
        }
    }

    /// Whether it's written without quotes.
    pub(crate) fn is_bare(self) -> bool {
        matches!(self, Self::Count { .. } | Self::Boolean)
    }

    /// What to write instead of a value of the wrong type.
    pub(crate) fn fix(self) -> String {
        match self {
            Self::Name => "write a name in quotes, as in \"nas-to-oss\"".to_owned(),
            Self::Text | Self::Connector => "write a text in quotes".to_owned(),
            Self::Digest => "write the 64 hex digits of its SHA-256 in quotes".to_owned(),
            Self::Choice(words) => format!("write {}", either(words)),
            Self::Boolean => "write true or false, without quotes".to_owned(),
            Self::List(item) => format!("write a list of {}, as in {}", item.plural(), item.example()),
            Self::Prefix => "write the start of keys in quotes, as in \"reports/\"".to_owned(),
            Self::Time => "write a time as in \"2024-01-01T00:00:00Z\" or an age as in \"30d\"".to_owned(),
            Self::TimeZone => {
                "write a name of the IANA time zone database, as in \"Europe/Berlin\", or leave it out for UTC"
                    .to_owned()
            }
            Self::Size { .. } => "write a size with its unit in quotes, as in \"16 MiB\"".to_owned(),
            Self::Rate => "write a rate with its unit in quotes, as in \"80 MiB/s\"".to_owned(),
            Self::Count { min, max, .. } => format!("write a whole number from {min} to {max}, without quotes"),
            Self::Duration { .. } => "write a duration with its unit in quotes, as in \"30s\"".to_owned(),
        }
    }

    /// The text of a value; its type is wrong if there is none.
    pub(crate) fn text(self, value: &Value) -> Result<&str, Invalid> {
        match (self, value) {
            (_, Value::Text(text)) => Ok(text),
            (_, Value::Secret(secret)) => Ok(secret.expose()),
            (Self::Size { .. }, Value::Integer(number)) => {
                let fix =
                    format!("write \"{number} MB\" (10^6), \"{number} MiB\" (2^20) or another such unit in quotes");
                Err(Invalid::new("a bare number has no unit", fix))
            }
            (Self::Rate, Value::Integer(number)) => {
                let fix = format!("write \"{number} MB/s\" (10^6) or \"{number} MiB/s\" (2^20) in quotes");
                Err(Invalid::new("a bare number has no unit", fix))
            }
            (Self::Duration { .. }, Value::Integer(number)) => Err(Invalid::new(
                "a bare number has no unit",
                format!("write \"{number}s\" (seconds) or another unit in quotes"),
            )),
            (_, other) => Err(self.wrong_type(other)),
        }
    }

    /// A name or a text.
    pub(crate) fn word(self, value: &Value) -> Result<String, Invalid> {
        let text = self.text(value)?;
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match self {
            _ if text.is_empty() => Err(Invalid::new("it's empty", self.fix())),
            Self::Name if text.len() > MAX_NAME_BYTES => {
                Err(Invalid::new("the name is too long", format!("write at most {MAX_NAME_BYTES} characters")))
            }
            Self::Name if !text.bytes().all(named) => {
                let fix = "use lower-case letters a to z, digits and \"-\" only";
                Err(Invalid::new("the name has a character that names can't have", fix))
            }
            _ if text.len() > MAX_TEXT_BYTES => {
                Err(Invalid::new("the text is too long", format!("write at most {MAX_TEXT_BYTES} bytes")))
            }
            _ if text.contains(char::is_control) => {
                Err(Invalid::new("the text has a control character", "leave it out"))
            }
            Self::Connector => Reference::of(text).map(|_| text.to_owned()),
            Self::Digest => text.parse().map(|digest: Digest| digest.to_string()),
            _ => Ok(text.to_owned()),
        }
    }

    /// One of the words of a choice, by its index.
    pub(crate) fn choice(self, value: &Value) -> Result<usize, Invalid> {
        let text = self.text(value)?;
        let Self::Choice(words) = self else { return Err(self.wrong_type(value)) };
        let found = words.iter().position(|word| *word == text);
        found.ok_or_else(|| Invalid::new("unknown word", self.fix()))
    }

    pub(crate) fn boolean(self, value: &Value) -> Result<bool, Invalid> {
        match value {
            Value::Boolean(value) => Ok(*value),
            Value::Secret(secret) => secret.expose().trim().parse().map_err(|_| self.wrong_type(value)),
            other => Err(self.wrong_type(other)),
        }
    }

    pub(crate) fn count(self, value: &Value) -> Result<u64, Invalid> {
        let Self::Count { min, max, .. } = self else { return Err(self.wrong_type(value)) };
        let number = match value {
            Value::Integer(number) => *number,
            Value::Secret(secret) => secret.expose().trim().parse().map_err(|_| self.wrong_type(value))?,
            other => return Err(self.wrong_type(other)),
        };
        let number = u64::try_from(number).ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| Invalid::new("the number is out of range", format!("write a number from {min} to {max}")))
    }

    pub(crate) fn rate(self, value: &Value) -> Result<ByteRate, Invalid> {
        units::parse_rate(self.text(value)?)
    }

    pub(crate) fn size(self, value: &Value) -> Result<ByteSize, Invalid> {
        let found = units::parse_size(self.text(value)?)?;
        let Self::Size { min, max } = self else { return Err(self.wrong_type(value)) };
        if (min..=max).contains(&found.0) {
            return Ok(found);
        }
        Err(Invalid::new("the size is out of range", format!("write a size from {} to {}", size(min), size(max))))
    }

    pub(crate) fn duration(self, value: &Value) -> Result<Duration, Invalid> {
        let found = units::parse_duration(self.text(value)?)?;
        let Self::Duration { min, max } = self else { return Err(self.wrong_type(value)) };
        if (Duration::from_millis(min)..=Duration::from_millis(max)).contains(&found) {
            return Ok(found);
        }
        let fix = format!("write a duration from {} to {}", duration(min), duration(max));
        Err(Invalid::new("the duration is out of range", fix))
    }

    /// A time, or the time that lies an age before `now`.
    pub(crate) fn time(self, value: &Value, now: SystemTime) -> Result<Moment, Invalid> {
        let text = match value {
            Value::Time(text) => text,
            other => self.text(other)?,
        };
        if let Ok(age) = units::parse_duration(text) {
            let time = now.checked_sub(age).ok_or_else(|| Invalid::new("the age is too large", "write a smaller one"));
            return time.map(|time| Moment { time, age: Some(age) });
        }
        // jiff also takes a time zone in brackets, which RFC 3339 doesn't have.
        if let Ok(time) = text.parse::<Timestamp>().map(SystemTime::from)
            && !text.contains('[')
        {
            return Ok(time.into());
        }
        let is_date = text.parse::<jiff::civil::DateTime>().is_ok();
        let message = if is_date { "the time has no offset from UTC" } else { "this is neither a time nor an age" };
        Err(Invalid::new(message, self.fix()))
    }

    pub(crate) fn time_zone(self, value: &Value) -> Result<TimeZone, Invalid> {
        TimeZone::get(self.text(value)?).map_err(|_| {
            if jiff::tz::db().is_definitively_empty() {
                let fix = "install the package tzdata, or leave the key out for UTC";
                return Invalid::new("this machine has no time zone database", fix);
            }
            Invalid::new("unknown time zone", self.fix())
        })
    }

    fn wrong_type(self, value: &Value) -> Invalid {
        let expected = match self {
            Self::Name => "a name",
            Self::Text | Self::Connector => "a text",
            Self::Digest => "a SHA-256",
            Self::Choice(_) => "one of a few words",
            Self::Boolean => "true or false",
            Self::List(_) => "a list of texts",
            Self::Prefix => "the start of keys",
            Self::Time => "a time",
            Self::TimeZone => "the name of a time zone",
            Self::Size { .. } => "a size",
            Self::Rate => "a rate",
            Self::Count { .. } => "a whole number",
            Self::Duration { .. } => "a duration",
        };
        Invalid::new(format!("expected {expected}, found {}", value.type_name()), self.fix())
    }

    /// The problem of a list that isn't one.
    pub(crate) fn not_a_list(self, value: &Value) -> Invalid {
        match value {
            Value::Text(text) => {
                Invalid::new("expected a list of texts, found a text", format!("write [{}]", quoted(text)))
            }
            other => self.wrong_type(other),
        }
    }
}

fn size(bytes: u64) -> String {
    units::format_size(ByteSize(bytes))
}

fn duration(millis: u64) -> String {
    units::format_duration(Duration::from_millis(millis))
}

/// `"a", "b" or "c"`.
pub(crate) fn either(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
