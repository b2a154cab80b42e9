//! What the arguments of `create` and `set` make of a tunnel's definition. Reads no record.

use std::num::NonZeroU32;

use culvert_flow::{
    rules::RequestRate,
    tunnel::lease::{Definition, Period},
};
use culvert_manifest::{Hours, Invalid, units::parse_rate};
use jiff::tz::TimeZone;

use crate::{args::tunnel::Terms, exit::Failure};

/// Takes a limit away.
const NONE: &str = "none";

/// The definition with what was asked for.
///
/// # Errors
/// An argument isn't understood.
pub(super) fn changed(terms: &Terms, before: &Definition) -> Result<Definition, Failure> {
    let mut next = before.clone();
    if let Some(text) = &terms.max_bandwidth {
        next.limits.max_bandwidth = or_none("--max-bandwidth", text, parse_rate)?;
    }
    if let Some(text) = &terms.max_requests_per_second {
        next.limits.max_requests_per_second = or_none("--max-requests-per-second", text, requests)?;
    }
    if let Some(text) = &terms.floor {
        next.floor = or_none("--floor", text, parse_rate)?;
    }
    schedule(terms, &mut next)?;
    for text in &terms.weight {
        let wrong = || Failure::usage(format!("--weight {text:?}: write an agent and a number from 1, as in nas=3"));
        let (agent, weight) = text.split_once('=').ok_or_else(wrong)?;
        let weight: NonZeroU32 = weight.trim().parse().map_err(|_| wrong())?;
        next.weights.insert(agent.trim().to_owned(), weight);
    }
    Ok(next)
}

fn schedule(terms: &Terms, next: &mut Definition) -> Result<(), Failure> {
    let zone = match &terms.timezone {
        Some(name) => Some(TimeZone::get(name).map_err(|_| {
            Failure::usage(format!("--timezone {name:?}: unknown time zone; write one as in \"Europe/Berlin\""))
        })?),
        None => None,
    };
    let period = |text: &String| -> Result<Period, Failure> {
        let hours = Hours::parse(text).map_err(|invalid| wrong("--schedule", text, &invalid))?;
        // Where none is given, the clock stays where it hangs.
        let hung = next.schedule.first().map(|period| period.timezone().clone());
        let zone = zone.clone().or(hung).unwrap_or(TimeZone::UTC);
        hours.period(&zone).ok_or_else(|| Failure::usage(format!("--schedule {text:?} has no day")))
    };
    let schedule: Vec<Period> = match terms.schedule.as_slice() {
        [] => next.schedule.iter().filter_map(|it| moved(it, zone.as_ref())).collect(),
        [text] if text == NONE => Vec::new(),
        texts => texts.iter().map(period).collect::<Result<_, _>>()?,
    };
    next.schedule = schedule;
    Ok(())
}

/// The same period by another clock.
fn moved(period: &Period, zone: Option<&TimeZone>) -> Option<Period> {
    let days: Vec<_> = period.days().collect();
    let zone = zone.unwrap_or_else(|| period.timezone());
    Period::new(&days, period.window(), zone.clone(), period.terms())
}

fn or_none<T>(flag: &str, text: &str, parse: impl Fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, Failure> {
    if text == NONE {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|invalid| wrong(flag, text, &invalid))
}

fn requests(text: &str) -> Result<RequestRate, Invalid> {
    text.parse().map(RequestRate).map_err(|_| Invalid {
        message: "not a number of requests per second".to_owned(),
        fix: format!("write a whole number from 1 to {}, or none", u32::MAX),
    })
}

fn wrong(flag: &str, text: &str, invalid: &Invalid) -> Failure {
    Failure::usage(format!("{flag} {text:?}: {invalid}"))
}
