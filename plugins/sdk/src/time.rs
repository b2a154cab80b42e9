//! Times as stores write them, in UTC: ISO 8601 in listings and signatures, HTTP dates (RFC 9110,
//! section 5.6.7) in headers, and the Gregorian calendar. Reads no clock and knows no zone.

use crate::wasi::clocks::system_clock::Instant;

/// Seconds of a day, without leap seconds.
pub const SECONDS_PER_DAY: i64 = 86_400;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days from 1970-01-01 to a date of the Gregorian calendar. The year is counted from March, so that
/// the leap day is its last (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days from 1970-01-01: the inverse of [`days`].
pub fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `2026-11-22T21:23:14.000Z`, in whole seconds: headers tell no fractions.
pub fn listed(text: &str) -> Option<Instant> {
    let text = text.strip_suffix('Z')?;
    let (day, time) = text.split_once('T')?;
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let mut day = day.split('-').map(number);
    let (year, month, day) = (day.next()??, day.next()??, day.next()??);
    seconds((year, month, day), time).map(instant)
}

/// `Sun, 22 Nov 2026 21:23:14 GMT`, in seconds since 1970.
pub fn of_header(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.strip_suffix(" GMT")?.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|it| *it == month)?;
    seconds((number(year)?, i64::try_from(month).ok()? + 1, number(day)?), time)
}

/// A whole second since 1970.
pub fn instant(seconds: i64) -> Instant {
    Instant { seconds, nanoseconds: 0 }
}

/// `Sun, 22 Nov 2026 21:23:14 GMT`.
pub fn to_header(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, of_month) = date(day);
    let named = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let (weekday, month) = (named(&DAYS, day.rem_euclid(7)), named(&MONTHS, month - 1));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {of_month:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// `20261122T212314Z`; its first eight characters are the date alone.
pub fn to_basic(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = date(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// From a date and `21:23:14`.
fn seconds((year, month, day): (i64, i64, i64), time: &str) -> Option<i64> {
    let mut time = time.split(':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let valid = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let valid = valid && hour < 24 && minute < 60 && second <= 60;
    valid.then(|| days(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

/// Digits alone: `parse` would take a sign.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: i64 = 1_795_382_594;

    #[test]
    fn every_form_of_a_time_is_known() {
        assert_eq!(to_basic(SECONDS), "20261122T212314Z");
        assert_eq!(to_header(SECONDS), "Sun, 22 Nov 2026 21:23:14 GMT");
        assert_eq!(of_header("Sun, 22 Nov 2026 21:23:14 GMT"), Some(SECONDS));
        assert_eq!(listed("2026-11-22T21:23:14.000Z"), Some(instant(SECONDS)));
        assert_eq!(listed("2026-11-22T21:23:14Z"), Some(instant(SECONDS)));
        assert_eq!(to_header(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "2026-11-22", "2026-13-22T21:23:14Z", "2026-11-22T24:00:00Z", "2026-11T00:00:00Z", "-1-1-1T1"]
        {
            assert_eq!(listed(text), None, "{text}");
        }
        for text in ["", "Sun, 22 Nov 2026", "Sun, 22 Foo 2026 21:23:14 GMT", "22 Nov 2026 21:23:14 GMT"] {
            assert_eq!(of_header(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in -800_000..800_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }
}
