//! Times of signing and of events, in the ways that vendors write them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::api::scheme::TimeUnit;

/// Reads a time; `None` where the text is not of that unit or lies outside what a `Timestamp` holds.
pub fn read(text: &str, unit: TimeUnit) -> Option<Timestamp> {
    match unit {
        TimeUnit::Seconds => seconds(text),
        TimeUnit::Milliseconds => Timestamp::from_millisecond(integer(text)?).ok(),
        TimeUnit::Microseconds => Timestamp::from_microsecond(integer(text)?).ok(),
        TimeUnit::Nanoseconds => Timestamp::from_nanosecond(integer(text)?.into()).ok(),
        TimeUnit::RFC3339 => text.parse().ok(),
        TimeUnit::ISO8601 => text.parse().ok().or_else(|| utc(&text.parse::<DateTime>().ok()?)),
        TimeUnit::DateTime => utc(&DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?),
        TimeUnit::HTTPDate => jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()),
    }
}

/// Writes a time as `read` reads it.
pub fn write(time: Timestamp, unit: TimeUnit) -> String {
    match unit {
        TimeUnit::Seconds => time.as_second().to_string(),
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

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Whole seconds, or with a fraction of up to nine digits.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) || text.ends_with('.') {
        return None;
    }
    let whole = integer(whole)?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = digits.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    Timestamp::new(whole, if whole < 0 { -nanoseconds } else { nanoseconds }).ok()
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
        for wrong in
            ["", "1e9", " 1700000000", "+1700000000", "0x10", "17000000000000000000", "1.", "1.1234567890", "٣"]
        {
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
