//! Limits for some of the time, as a text: `mon-fri 08:00-18:00 10 MiB/s, 50 requests/s`. Knows no key.

use culvert_flow::{
    rules::{Limits, RequestRate, Window},
    tunnel::lease::Period,
};
use jiff::{civil::Weekday, tz::TimeZone};

use crate::{
    item::window_of,
    problem::{Invalid, quoted},
    units::{format_rate, parse_rate},
};

pub(crate) const FIX: &str =
    "write days, times and limits, as in \"mon-fri 08:00-18:00 10 MiB/s, 50 requests/s\" or \"22:00-06:00 unlimited\"";

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

const UNLIMITED: &str = "unlimited";
const REQUESTS: &str = "requests/s";

/// A period whose time zone isn't known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    days: Vec<Weekday>,
    window: Window,
    /// None: without limits.
    terms: Option<Limits>,
}

// === impl Hours ===

impl Hours {
    /// Reads `[days] window limits`. Without days: each; a window opens on its day and may end on the
    /// next one. A limit that isn't named is as at other times.
    ///
    /// # Errors
    /// Says which part isn't understood and how to write it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let (first, rest) = text.split_once(' ').ok_or_else(|| Invalid::new("there is no limit", FIX))?;
        let has_days = first.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let (days, rest) = if has_days { (days(first)?, rest.trim()) } else { (all_days(), text) };
        let (window, terms) = rest.split_once(' ').ok_or_else(|| Invalid::new("there is no limit", FIX))?;
        Ok(Self { days, window: window_of(window)?, terms: terms_of(terms.trim())? })
    }

    /// The period by the clock of this zone.
    pub fn period(self, timezone: &TimeZone) -> Option<Period> {
        Period::new(&self.days, self.window, timezone.clone(), self.terms)
    }
}

/// As [`Hours::parse`] reads it; the time zone isn't part of it.
pub fn format_period(period: &Period) -> String {
    let days: Vec<Weekday> = period.days().collect();
    let names = DAYS.iter().filter(|(_, day)| days.contains(day)).map(|(name, _)| *name).collect::<Vec<_>>();
    let days = if days.len() == DAYS.len() { String::new() } else { format!("{} ", names.join(",")) };
    let Window { start, end } = period.window();
    let terms = period.terms().map_or_else(
        || UNLIMITED.to_owned(),
        |terms| {
            let rate = terms.max_bandwidth.map(format_rate);
            let requests = terms.max_requests_per_second.map(|rate| format!("{} {REQUESTS}", rate.0));
            rate.into_iter().chain(requests).collect::<Vec<_>>().join(", ")
        },
    );
    format!("{days}{:02}:{:02}-{:02}:{:02} {terms}", start.hour(), start.minute(), end.hour(), end.minute())
}

fn all_days() -> Vec<Weekday> {
    DAYS.map(|(_, day)| day).into()
}

/// `mon`, `mon-fri`, `sat,sun`, `fri-mon`.
fn days(text: &str) -> Result<Vec<Weekday>, Invalid> {
    let index = |name: &str| {
        let found = DAYS.iter().position(|(day, _)| day.eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            Invalid::new(format!("{} is no day", quoted(name)), "write mon, tue, wed, thu, fri, sat or sun")
        })
    };
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let length = (last + DAYS.len() - first) % DAYS.len();
        days.extend((first..=first + length).map(|day| DAYS[day % DAYS.len()].1));
    }
    Ok(days)
}

fn terms_of(text: &str) -> Result<Option<Limits>, Invalid> {
    if text == UNLIMITED {
        return Ok(None);
    }
    let mut limits = Limits::default();
    for part in text.split(',') {
        let part = part.trim();
        let twice = || Invalid::new("there are two limits of one kind", FIX);
        if let Some(number) = part.strip_suffix(REQUESTS) {
            let number = number.trim().parse().ok().map(RequestRate);
            let rate = number.ok_or_else(|| Invalid::new("not a number of requests per second", FIX))?;
            limits.max_requests_per_second.replace(rate).map_or(Ok(()), |_| Err(twice()))?;
        } else {
            let rate = parse_rate(part)?;
            limits.max_bandwidth.replace(rate).map_or(Ok(()), |_| Err(twice()))?;
        }
    }
    Ok(Some(limits))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn again(text: &str) -> String {
        format_period(&Hours::parse(text).unwrap().period(&TimeZone::UTC).unwrap())
    }

    #[test]
    fn days_times_and_limits_are_read_and_written() {
        assert_eq!(
            again("mon-fri 08:00-18:00 10 MiB/s, 50 requests/s"),
            "mon,tue,wed,thu,fri 08:00-18:00 10 MiB/s, 50 requests/s"
        );
        assert_eq!(again("22:00-06:00 unlimited"), "22:00-06:00 unlimited");
        assert_eq!(again("sat-mon,wed  00:00-24:00   8 requests/s"), "mon,wed,sat,sun 00:00-00:00 8 requests/s");
        for text in [
            "08:00-18:00",
            "mon 10 MiB/s",
            "mun 08:00-18:00 1 MiB/s",
            "08:00-18:00 1 MiB/s, 2 MiB/s",
            "",
            "x",
            "08:00-18:00 0 requests/s",
            "08:00-18:00 10",
            "mon-fri 08:00-08:00 1 MiB/s",
        ] {
            assert!(Hours::parse(text).is_err(), "{text}");
        }
    }
}
