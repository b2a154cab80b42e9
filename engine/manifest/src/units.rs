//! Rates, sizes and durations as text with a unit, in exact integer arithmetic. Guesses no unit.

use std::{num::NonZeroU64, time::Duration};

use culvert_flow::rules::{ByteRate, ByteSize};

use crate::problem::{Invalid, quoted};

/// Most digits after the point: a nanosecond of a second.
const MAX_FRACTION_DIGITS: usize = 9;

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Bits per unit.
const BITS: [(&str, u64); 9] = [
    ("Tibit", 1 << 40),
    ("Gibit", 1 << 30),
    ("Mibit", 1 << 20),
    ("Kibit", 1 << 10),
    ("Tbit", 1_000_000_000_000),
    ("Gbit", 1_000_000_000),
    ("Mbit", 1_000_000),
    ("kbit", 1_000),
    ("bit", 1),
];

/// Nanoseconds per unit.
const DURATIONS: [(&str, u64); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// A number as it was written and its unit.
#[derive(Debug, Clone, Copy)]
struct Quantity<'a> {
    number: &'a str,
    unit: &'a str,
    /// The number times ten to the power of `fraction_digits`.
    mantissa: u128,
    fraction_digits: u32,
}

/// A size such as `"16 MiB"` (2^20 bytes each) or `"16 MB"` (10^6), rounded down to whole bytes.
///
/// # Errors
/// Says which part isn't understood and how to write it.
pub fn parse_size(text: &str) -> Result<ByteSize, Invalid> {
    let quantity = split(text, "16 MiB")?;
    if let Some(unit) = quantity.unit.strip_suffix("/s") {
        return Err(Invalid::new("a size has no time in it", format!("write \"{} {unit}\"", quantity.number)));
    }
    let factor = find(&SIZES, quantity.unit).ok_or_else(|| unknown_unit(quantity, ""))?;
    quantity.times(factor).map(ByteSize)
}

/// A rate such as `"80 MiB/s"`, `"80 MB/s"` or `"640 Mbit/s"`, rounded down to whole bytes per second.
///
/// # Errors
/// Says which part isn't understood and how to write it; refuses a rate below 1 B/s.
pub fn parse_rate(text: &str) -> Result<ByteRate, Invalid> {
    let quantity = split(text, "80 MiB/s")?;
    let Some(unit) = quantity.unit.strip_suffix("/s") else {
        if find(&SIZES, quantity.unit).or(find(&BITS, quantity.unit)).is_some() {
            let fix = format!("write \"{} {}/s\"", quantity.number, quantity.unit);
            return Err(Invalid::new("a rate needs a time", fix));
        }
        if quantity.unit.contains('/') {
            return Err(Invalid::new("a rate is per second", "write it as in \"80 MiB/s\""));
        }
        return Err(unknown_unit(quantity, "/s"));
    };
    let bytes = match (find(&SIZES, unit), find(&BITS, unit)) {
        (Some(factor), _) => quantity.times(factor)?,
        (None, Some(factor)) => quantity.times(factor)? / 8,
        (None, None) => return Err(unknown_unit(Quantity { unit, ..quantity }, "/s")),
    };
    NonZeroU64::new(bytes).map(ByteRate).ok_or_else(|| {
        Invalid::new("a rate of less than one byte per second moves nothing", "leave the key out for no limit")
    })
}

/// A duration such as `"500ms"`, `"30s"`, `"5m"`, `"24h"` or `"7d"`.
///
/// # Errors
/// Says which part isn't understood and how to write it.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let quantity = split(text, "30s")?;
    let factor = find(&DURATIONS, quantity.unit).ok_or_else(|| unknown_duration_unit(quantity))?;
    quantity.times(factor).map(Duration::from_nanos)
}

/// The shortest exact text of a size: `"16 MiB"`, `"5 kB"`, `"1001 B"`.
pub fn format_size(size: ByteSize) -> String {
    let (unit, factor) = exact(&SIZES, size.0);
    format!("{} {unit}", size.0 / factor)
}

/// The shortest exact text of a rate: `"80 MiB/s"`.
pub fn format_rate(rate: ByteRate) -> String {
    format!("{}/s", format_size(ByteSize(rate.0.get())))
}

/// The shortest exact text of a duration in whole milliseconds: `"7d"`, `"90s"`, `"1500ms"`.
pub fn format_duration(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let (unit, factor) = exact(&DURATIONS, nanos);
    format!("{}{unit}", nanos / factor)
}

// === impl Quantity ===

impl Quantity<'_> {
    fn times(self, factor: u64) -> Result<u64, Invalid> {
        let product = self.mantissa.checked_mul(u128::from(factor));
        product
            .and_then(|product| u64::try_from(product / 10_u128.pow(self.fraction_digits)).ok())
            .ok_or_else(|| Invalid::new("the number is too large", "write a smaller one"))
    }
}

fn split<'a>(text: &'a str, example: &str) -> Result<Quantity<'a>, Invalid> {
    let no_number = || Invalid::new("not a number with a unit", format!("write it as in \"{example}\""));
    let text = text.trim();
    if text.starts_with('-') {
        return Err(Invalid::new("it can't be negative", format!("write it as in \"{example}\"")));
    }
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(no_number());
    }
    if fraction.len() > MAX_FRACTION_DIGITS {
        let fix = format!("write at most {MAX_FRACTION_DIGITS} digits after the point, or a smaller unit");
        return Err(Invalid::new("too many digits after the point", fix));
    }
    let mantissa = format!("{whole}{fraction}")
        .parse()
        .map_err(|_| Invalid::new("the number is too large", "write a smaller one"))?;
    let fraction_digits = u32::try_from(fraction.len()).map_err(|_| no_number())?;
    Ok(Quantity { number, unit: unit.trim_start(), mantissa, fraction_digits })
}

fn find(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

/// The largest unit that divides the amount; zero is counted in the smallest.
fn exact<'a>(units: &[(&'a str, u64)], amount: u64) -> (&'a str, u64) {
    let largest = units.iter().find(|(_, factor)| amount != 0 && amount.is_multiple_of(*factor));
    *largest.unwrap_or(&units[units.len() - 1])
}

/// Guesses from the first letter, and from a "bit" or "ps", what was meant, and offers both readings.
fn unknown_unit(quantity: Quantity<'_>, per: &str) -> Invalid {
    let Quantity { number, unit, .. } = quantity;
    let lower = unit.to_ascii_lowercase();
    let bits = !per.is_empty() && (lower.contains("bit") || lower.ends_with("bps"));
    let choice = match lower.bytes().next() {
        Some(b'k') => Some(("k", "K", 3, 10)),
        Some(b'm') => Some(("M", "M", 6, 20)),
        Some(b'g') => Some(("G", "G", 9, 30)),
        Some(b't') => Some(("T", "T", 12, 40)),
        _ => None,
    };
    let name = if bits { "bit" } else { "B" };
    let fix = match choice {
        Some((decimal, binary, ten, two)) => {
            format!("write \"{number} {decimal}{name}{per}\" (10^{ten}) or \"{number} {binary}i{name}{per}\" (2^{two})")
        }
        None => format!("write \"{number} MB{per}\" (10^6), \"{number} MiB{per}\" (2^20) or another such unit"),
    };
    let message =
        if unit.is_empty() { "a number needs a unit".to_owned() } else { format!("unknown unit {}", quoted(unit)) };
    Invalid::new(message, fix)
}

fn unknown_duration_unit(quantity: Quantity<'_>) -> Invalid {
    let Quantity { number, unit, .. } = quantity;
    let lower = unit.to_ascii_lowercase();
    let meant = match lower.as_str() {
        "msec" | "millis" | "milliseconds" => Some("ms"),
        "s" | "sec" | "secs" | "second" | "seconds" => Some("s"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("m"),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "d" | "day" | "days" => Some("d"),
        _ => None,
    };
    let message =
        if unit.is_empty() { "a number needs a unit".to_owned() } else { format!("unknown unit {}", quoted(unit)) };
    let fix = match meant {
        Some(meant) => format!("write \"{number}{meant}\""),
        None => format!("write one number with ms, s, m, h or d, as in \"{number}s\""),
    };
    Invalid::new(message, fix)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use proptest::prelude::*;

    use super::*;

    fn rate(text: &str) -> u64 {
        parse_rate(text).unwrap().0.get()
    }

    #[test]
    fn reads_binary_decimal_and_bits() {
        assert_eq!(rate("80 MiB/s"), 80 << 20);
        assert_eq!(rate("80MB/s"), 80_000_000);
        assert_eq!(rate("640 Mbit/s"), 80_000_000);
        assert_eq!(rate("8 Kibit/s"), 1024);
        assert_eq!(rate("1.5 GiB/s"), 3 << 29);
        assert_eq!(parse_size("0 B").unwrap(), ByteSize(0));
        assert_eq!(parse_duration("1.5h").unwrap(), Duration::from_secs(5400));
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        for text in
            ["", "MiB/s", "50", "50 mb/s", "50M", "-1 MiB/s", "1e3 B/s", "0 B/s", "7 bit/s", ".5 MiB/s", "1..5 B/s"]
        {
            assert!(parse_rate(text).is_err(), "{text}");
        }
        for text in ["16 MiB/s", "16 MIB", "99999999999 TiB", "340282366920938463463374607431768211456 B"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        for text in ["30", "1h30m", "30 S", "999999d99", "1w", "0.0000000001s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offers_both_readings() {
        let invalid = parse_rate("50mb").unwrap_err();
        assert_eq!(invalid.to_string(), "unknown unit \"mb\"; write \"50 MB/s\" (10^6) or \"50 MiB/s\" (2^20)");
        assert!(parse_rate("50 Mbps").unwrap_err().fix.contains("50 Mbit/s"));
    }

    proptest! {
        #[test]
        fn a_size_survives_the_round_trip(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(ByteSize(bytes))).unwrap(), ByteSize(bytes));
        }

        #[test]
        fn a_round_size_survives_it_too(number in 1_u64..1024, unit in 0_usize..9) {
            let text = format!("{number} {}", SIZES[unit].0);
            let size = parse_size(&text).unwrap();
            prop_assert_eq!(parse_size(&format_size(size)).unwrap(), size);
        }

        #[test]
        fn a_rate_survives_the_round_trip(bytes in 1_u64..) {
            let rate = ByteRate(NonZeroU64::new(bytes).unwrap());
            prop_assert_eq!(parse_rate(&format_rate(rate)).unwrap(), rate);
        }

        #[test]
        fn a_duration_survives_the_round_trip(millis in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)).unwrap(), duration);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (parse_size(&text), parse_rate(&text), parse_duration(&text));
        }
    }
}
