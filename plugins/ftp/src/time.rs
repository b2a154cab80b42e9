//! Times as FTP writes them (RFC 3659, section 2.3): `YYYYMMDDHHMMSS[.fff]` in UTC, to and from an
//! instant. Reads no clock and knows no zone.

use culvert_sdk::{
    time::{SECONDS_PER_DAY, date, days},
    wasi::clocks::system_clock::Instant,
};

/// Digits of a time without its fraction.
const DIGITS: usize = 14;

/// The instant that a server wrote; none if it isn't one.
pub(crate) fn parse(text: &str) -> Option<Instant> {
    let (digits, fraction) = text.split_once('.').map_or((text, ""), |(digits, fraction)| (digits, fraction));
    if !digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Some servers of the year 2000 wrote 19100.
    let repaired = digits.strip_prefix("191").filter(|rest| rest.len() == DIGITS - 2).map(|rest| format!("20{rest}"));
    let digits = repaired.as_deref().unwrap_or(digits);
    if digits.len() != DIGITS {
        return None;
    }
    let number = |from: usize, to: usize| digits[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !valid {
        return None;
    }
    let seconds = days(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(Instant { seconds, nanoseconds })
}

/// An instant as a server reads it, in whole seconds; none outside of the years 1 to 9999.
pub(crate) fn format(instant: Instant) -> Option<String> {
    let (day, second) = (instant.seconds.div_euclid(SECONDS_PER_DAY), instant.seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = date(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    (1..=9999).contains(&year).then(|| format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read_and_written() {
        for (text, seconds) in [
            ("19700101000000", 0),
            ("19691231235959", -1),
            ("20000229120000", 951_825_600),
            ("20260228235959", 1_772_323_199),
            ("99991231235959", 253_402_300_799),
        ] {
            let instant = Instant { seconds, nanoseconds: 0 };
            assert_eq!(parse(text), Some(instant), "{text}");
            assert_eq!(format(instant).as_deref(), Some(text));
        }
    }

    #[test]
    fn fractions_and_the_bug_of_2000_are_understood() {
        assert_eq!(parse("19700101000000.25"), Some(Instant { seconds: 0, nanoseconds: 250_000_000 }));
        assert_eq!(parse("191000229120000"), parse("20000229120000"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "1970", "1970010100000x", "19701301000000", "19700100000000", "19700101240000", "+9700101000000"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(format(Instant { seconds: i64::MAX / 2, nanoseconds: 0 }), None);
    }
}
