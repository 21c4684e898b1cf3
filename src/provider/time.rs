//! Times of signing and of events, in the ways that vendors write them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::api::scheme::TimeUnit;

/// Most digits of a time, so that a stranger's number costs nothing.
const MOST_DIGITS: usize = 40;
/// A number from here on counts milliseconds where no unit is known: as seconds it is the year 5138.
const MILLISECONDS: u64 = 100_000_000_000;

/// Reads a time; `None` where the text is not of that unit or lies outside what a `Timestamp` holds.
pub fn read(text: &str, unit: TimeUnit) -> Option<Timestamp> {
    match unit {
        TimeUnit::Seconds => number(text, 9),
        TimeUnit::Milliseconds => number(text, 6),
        TimeUnit::Microseconds => number(text, 3),
        TimeUnit::Nanoseconds => number(text, 0),
        TimeUnit::RFC3339 => text.parse().ok(),
        TimeUnit::ISO8601 => text.parse().ok().or_else(|| utc(&text.parse::<DateTime>().ok()?)),
        TimeUnit::DateTime => utc(&DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", text).ok()?),
        TimeUnit::HTTPDate => jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()),
        TimeUnit::Any => match number(text, 9) {
            Some(time) if time.as_second().unsigned_abs() < MILLISECONDS => Some(time),
            _ => number(text, 6).or_else(|| text.parse().ok()),
        },
    }
}

/// Whether a time can be an event's: others are mistakes of a unit or of a clock.
pub fn is_plausible(time: Timestamp) -> bool {
    (2000..=2100).contains(&TimeZone::UTC.to_datetime(time).year())
}

/// Writes a time as `read` reads it.
pub fn write(time: Timestamp, unit: TimeUnit) -> String {
    match unit {
        TimeUnit::Seconds | TimeUnit::Any => time.as_second().to_string(),
        TimeUnit::Milliseconds => time.as_millisecond().to_string(),
        TimeUnit::Microseconds => time.as_microsecond().to_string(),
        TimeUnit::Nanoseconds => time.as_nanosecond().to_string(),
        TimeUnit::RFC3339 | TimeUnit::ISO8601 => time.to_string(),
        TimeUnit::DateTime => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        TimeUnit::HTTPDate => time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    }
}

/// Whether two times lie at most `tolerance` apart.
pub fn within(time: Timestamp, now: Timestamp, tolerance: Duration) -> bool {
    now.duration_since(time).unsigned_abs() <= tolerance
}

/// Any number of units, `digits` of which make a nanosecond, as JSON writes it: with a fraction, with an exponent. What
/// is finer than a nanosecond is left out.
fn number(text: &str, digits: i64) -> Option<Timestamp> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, signed(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, ""), |(whole, fraction)| (whole, fraction));
    let decimal = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !decimal(whole) || mantissa.contains('.') && !decimal(fraction) || mantissa.len() > MOST_DIGITS {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let shift = i64::try_from(fraction.len()).ok()?;
    let nanoseconds = match exponent + digits - shift {
        places @ 0.. => value.checked_mul(10_i128.checked_pow(u32::try_from(places).ok()?)?)?,
        places => match u32::try_from(-places).ok().and_then(|places| 10_i128.checked_pow(places)) {
            Some(divisor) => value / divisor,
            None => 0,
        },
    };
    Timestamp::from_nanosecond(if negative { -nanoseconds } else { nanoseconds }).ok()
}

/// An exponent: a few digits with or without a sign.
fn signed(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (!digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

fn utc(civil: &DateTime) -> Option<Timestamp> {
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit_and_nothing_else() {
        let at = |text: &str, unit| read(text, unit).map(|t| t.as_millisecond());
        assert_eq!(at("1700000000", TimeUnit::Seconds), Some(1_700_000_000_000));
        assert_eq!(at("1700000000.25", TimeUnit::Seconds), Some(1_700_000_000_250));
        assert_eq!(at("1700000000123", TimeUnit::Milliseconds), Some(1_700_000_000_123));
        assert_eq!(at("2023-11-14T22:13:20Z", TimeUnit::RFC3339), Some(1_700_000_000_000));
        assert_eq!(at("2023-11-14T22:13:20+0000", TimeUnit::RFC3339), Some(1_700_000_000_000));
        assert_eq!(at("2023-11-14T22:13:20", TimeUnit::RFC3339), None);
        assert_eq!(at("2023-11-14T22:13:20", TimeUnit::ISO8601), Some(1_700_000_000_000));
        assert_eq!(at("2023-11-14 22:13:20", TimeUnit::DateTime), Some(1_700_000_000_000));
        assert_eq!(at("Tue, 14 Nov 2023 22:13:20 GMT", TimeUnit::HTTPDate), Some(1_700_000_000_000));
        assert_eq!(at("1700000000", TimeUnit::Any), Some(1_700_000_000_000));
        assert_eq!(at("1700000000123", TimeUnit::Any), Some(1_700_000_000_123));
        assert_eq!(at("2023-11-14T22:13:20Z", TimeUnit::Any), Some(1_700_000_000_000));
        assert_eq!(at("now", TimeUnit::Any), None);
        assert_eq!(at("1.417566161e+09", TimeUnit::Seconds), Some(1_417_566_161_000));
        assert_eq!(at("17E8", TimeUnit::Seconds), Some(1_700_000_000_000));
        assert_eq!(at("1700000000123.5", TimeUnit::Milliseconds), Some(1_700_000_000_123));
        assert_eq!(at("1.7000000001239e12", TimeUnit::Milliseconds), Some(1_700_000_000_123));
        assert_eq!(at("1700000000.1234567890", TimeUnit::Seconds), Some(1_700_000_000_123));
        assert_eq!(at("1700000000000000e-6", TimeUnit::Seconds), Some(1_700_000_000_000));
        let long = "1".repeat(60);
        for wrong in [
            "",
            "1e",
            "e9",
            "1e400",
            "1e99999",
            " 1700000000",
            "+1700000000",
            "0x10",
            "17000000000000000000",
            "1.",
            ".5",
            "٣",
            &*long,
        ] {
            assert_eq!(at(wrong, TimeUnit::Seconds), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let time = Timestamp::from_second(1_700_000_000).unwrap();
        for unit in [
            TimeUnit::Seconds,
            TimeUnit::Milliseconds,
            TimeUnit::Microseconds,
            TimeUnit::Nanoseconds,
            TimeUnit::RFC3339,
            TimeUnit::ISO8601,
            TimeUnit::DateTime,
            TimeUnit::HTTPDate,
            TimeUnit::Any,
        ] {
            assert_eq!(read(&write(time, unit), unit), Some(time), "{unit:?}");
        }
    }

    #[test]
    fn the_window_is_closed_at_both_ends() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let tolerance = Duration::from_secs(300);
        for (offset, expected) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
            let time = Timestamp::from_second(1_700_000_000 + offset).unwrap();
            assert_eq!(within(time, now, tolerance), expected, "{offset}");
        }
    }
}
