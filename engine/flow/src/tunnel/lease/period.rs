//! A time of some days of the week at which a tunnel has other limits. Never reads a clock.

use std::{collections::BTreeSet, time::SystemTime};

use jiff::{
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::record::limits;
use crate::{
    rules::{Limits, Schedule, Window},
    schedule::opened,
};

/// Days, a window that opens on each of them, and what counts while it's open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Monday is 0; never empty.
    days: BTreeSet<u8>,
    schedule: Schedule,
    terms: Option<Limits>,
}

/// How a period is written in a record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Monday is 0.
    days: BTreeSet<u8>,
    start: String,
    end: String,
    timezone: String,
    is_unlimited: bool,
    #[serde(with = "limits")]
    limits: Limits,
}

// === impl Period ===

impl Period {
    /// `terms`: what they don't limit is limited as at other times; none: nothing is limited at all.
    /// None without a day.
    pub fn new(days: &[Weekday], window: Window, timezone: TimeZone, terms: Option<Limits>) -> Option<Self> {
        let days = days.iter().filter_map(|day| u8::try_from(day.to_monday_zero_offset()).ok()).collect();
        Self::checked(days, window, timezone, terms)
    }

    fn checked(days: BTreeSet<u8>, window: Window, timezone: TimeZone, terms: Option<Limits>) -> Option<Self> {
        let within = !days.is_empty() && days.iter().all(|day| *day < 7);
        let schedule = Schedule { windows: vec![window], timezone, ..Schedule::default() };
        within.then_some(Self { days, schedule, terms })
    }

    pub fn terms(&self) -> Option<Limits> {
        self.terms
    }

    /// The limits while it's open, of a tunnel that has these otherwise.
    pub fn limits(&self, otherwise: Limits) -> Limits {
        self.terms.map_or(Limits::default(), |terms| Limits {
            max_bandwidth: terms.max_bandwidth.or(otherwise.max_bandwidth),
            max_requests_per_second: terms.max_requests_per_second.or(otherwise.max_requests_per_second),
        })
    }

    pub fn days(&self) -> impl Iterator<Item = Weekday> + '_ {
        self.days.iter().filter_map(|day| Weekday::from_monday_zero_offset(i8::try_from(*day).ok()?).ok())
    }

    pub fn window(&self) -> Window {
        self.schedule.windows[0]
    }

    pub fn timezone(&self) -> &TimeZone {
        &self.schedule.timezone
    }

    /// Whether it counts at this moment: its window opened on one of its days, be it yesterday.
    pub fn is_open(&self, time: SystemTime) -> bool {
        opened(time, &self.schedule).is_some_and(|since| {
            let day = self.schedule.timezone.to_datetime(since).weekday();
            self.days().any(|open| open == day)
        })
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Window { start, end } = self.window();
        let written = Written {
            days: self.days.clone(),
            start: start.to_string(),
            end: end.to_string(),
            timezone: self.timezone().iana_name().unwrap_or("UTC").to_owned(),
            is_unlimited: self.terms.is_none(),
            limits: self.terms.unwrap_or_default(),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { days, start, end, timezone, is_unlimited, limits } = Written::deserialize(deserializer)?;
        let time = |text: &str| text.parse::<Time>().map_err(D::Error::custom);
        let window = Window { start: time(&start)?, end: time(&end)? };
        let timezone = TimeZone::get(&timezone).map_err(D::Error::custom)?;
        let terms = (!is_unlimited).then_some(limits);
        Self::checked(days, window, timezone, terms).ok_or_else(|| D::Error::custom("a period without days"))
    }
}
