//! When a round starts and until when it may move. Never sleeps and never reads a clock; the caller
//! passes `now`.
//!
//! A window is open from its start on, and no longer at its end. Where the clocks of the zone are
//! put forward, a time that doesn't exist is the one as much later; where they are put back, a time
//! that exists twice is the first.

use std::{ops::Range, time::SystemTime};

use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::rules::{Schedule, Window};

/// How many days from today windows are looked for: each opens every day, except where the clocks
/// jump over it.
const DAYS_AHEAD: i64 = 4;

/// What has been open for so long stays open: windows repeat every day.
const ALWAYS: SignedDuration = SignedDuration::from_hours(3 * 24);

/// A round that has been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// From 1.
    pub number: u32,
    pub start: SystemTime,
}

/// When the next round starts, now or later; none if `last` was the last one. A round that's due
/// starts at once, and several that were missed are one.
pub fn next_start(now: SystemTime, last: Option<Round>, schedule: &Schedule) -> Option<SystemTime> {
    let due = match last {
        None => now,
        Some(round) if schedule.rounds.is_some_and(|rounds| round.number >= rounds.get()) => return None,
        Some(round) => {
            let every = schedule.every?;
            // Since the clock may have been put back, nothing is awaited for longer than `every`.
            round.start.checked_add(every)?.min(now.checked_add(every)?).max(now)
        }
    };
    opening(due, schedule)
}

/// When objects may move: at `time`, or when the next window opens. None beyond the year 9999.
pub fn opening(time: SystemTime, schedule: &Schedule) -> Option<SystemTime> {
    if schedule.windows.is_empty() {
        return Some(time);
    }
    let at = Timestamp::try_from(time).ok()?;
    let spans = spans(at, schedule).into_iter().filter(|span| at < span.end);
    spans.map(|span| span.start.max(at).into()).min()
}

/// When the window that's open at `time` opened; none outside of every window.
pub(crate) fn opened(time: SystemTime, schedule: &Schedule) -> Option<Timestamp> {
    let at = Timestamp::try_from(time).ok()?;
    spans(at, schedule).into_iter().filter(|span| span.contains(&at)).map(|span| span.start).min()
}

/// When what moves at `now` has to stop: `now` itself outside of every window, none if never.
pub fn window_end(now: SystemTime, schedule: &Schedule) -> Option<SystemTime> {
    if schedule.windows.is_empty() {
        return None;
    }
    let at = Timestamp::try_from(now).ok()?;
    let mut spans = spans(at, schedule);
    spans.sort_by_key(|span| span.start);
    // Windows that overlap or touch are one.
    let end = spans
        .iter()
        .filter(|span| at < span.end)
        .fold(at, |end, span| if span.start <= end { end.max(span.end) } else { end });
    (at.duration_until(end) < ALWAYS).then(|| end.into())
}

/// The windows around a moment, each day's by itself.
fn spans(around: Timestamp, schedule: &Schedule) -> Vec<Range<Timestamp>> {
    let today = schedule.timezone.to_datetime(around).date();
    // The windows of the day before yesterday may end today, if the clocks were put forward.
    let days = (-2..=DAYS_AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
    let spans = days.flat_map(|day| schedule.windows.iter().filter_map(move |window| span(day, *window, schedule)));
    spans.collect()
}

/// None if the clocks jump over the window.
fn span(day: jiff::civil::Date, window: Window, schedule: &Schedule) -> Option<Range<Timestamp>> {
    let Window { start, end } = window;
    let last_day = if end <= start { day.tomorrow().ok()? } else { day };
    let at = |day: jiff::civil::Date, time| schedule.timezone.to_timestamp(day.to_datetime(time)).ok();
    let span = at(day, start)?..at(last_day, end)?;
    (!span.is_empty()).then_some(span)
}

#[cfg(test)]
mod tests;
