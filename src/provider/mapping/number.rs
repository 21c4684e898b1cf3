//! Durations in seconds, exactly: the point moves, digits are multiplied, nothing is rounded.

use std::borrow::Cow;

use jiff::SignedDuration;

use crate::api::provider::MapUnit;
use crate::json;

/// Most digits of a number that is multiplied.
const DIGITS: usize = 30;

/// Whether a duration may be written so.
pub(super) fn counts(unit: MapUnit) -> bool {
    shift(unit).is_some() || matches!(unit, MapUnit::Minutes | MapUnit::Clock | MapUnit::ISO8601)
}

/// The seconds of a duration as a JSON number; `None` where the text is not of that unit.
pub(super) fn seconds(text: &str, unit: Option<MapUnit>) -> Option<Cow<'_, str>> {
    match unit.unwrap_or(MapUnit::Seconds) {
        MapUnit::Minutes => minutes(text).map(Cow::Owned),
        MapUnit::Clock => clock(text).map(Cow::Owned),
        MapUnit::ISO8601 => iso(text).map(Cow::Owned),
        unit => {
            let places = shift(unit)?;
            json::is_number(text).then(|| shifted(text, places))
        }
    }
}

/// Decimal places between a unit and seconds.
fn shift(unit: MapUnit) -> Option<usize> {
    match unit {
        MapUnit::Seconds => Some(0),
        MapUnit::Milliseconds => Some(3),
        MapUnit::Microseconds => Some(6),
        MapUnit::Nanoseconds => Some(9),
        _ => None,
    }
}

/// A JSON number divided by a power of ten.
fn shifted(number: &str, places: usize) -> Cow<'_, str> {
    if places == 0 {
        return Cow::Borrowed(number);
    }
    if let Some(at) = number.find(['e', 'E']) {
        let exponent: i64 = number[at + 1..].parse().unwrap_or(0);
        return Cow::Owned(format!("{}e{}", &number[..at], exponent.saturating_sub(places as i64)));
    }
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let padded = format!("{whole:0>width$}", width = places + 1);
    let (whole, moved) = padded.split_at(padded.len() - places);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Cow::Owned(format!("{sign}{}", decimal(whole, &format!("{moved}{fraction}"))))
}

/// Minutes of at most 30 digits.
fn minutes(text: &str) -> Option<String> {
    if !json::is_number(text) || text.contains(['e', 'E']) {
        return None;
    }
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let product = (all.len() <= DIGITS).then(|| all.parse::<u128>().ok()).flatten()? * 60;
    let padded = format!("{product:0>width$}", width = fraction.len() + 1);
    let (whole, fraction) = padded.split_at(padded.len() - fraction.len());
    Some(format!("{sign}{}", decimal(whole, fraction)))
}

/// `hh:mm:ss` or `mm:ss`.
fn clock(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = match parts.as_slice() {
        [minutes, seconds] => ["0", minutes, seconds],
        [hours, minutes, seconds] => [*hours, minutes, seconds],
        _ => return None,
    };
    let (seconds, fraction) = match seconds.split_once('.') {
        Some((seconds, fraction)) if digits(fraction, 9) => (seconds, fraction),
        Some(_) => return None,
        None => (seconds, ""),
    };
    if !digits(hours, 6) || !digits(minutes, 2) || !digits(seconds, 2) {
        return None;
    }
    let number = |text: &str| text.parse::<u64>().ok();
    let whole = number(hours)? * 3600 + number(minutes)? * 60 + number(seconds)?;
    Some(decimal(&whole.to_string(), fraction))
}

/// An ISO 8601 duration.
fn iso(text: &str) -> Option<String> {
    let duration: SignedDuration =
        text.trim_start_matches('-').starts_with('P').then(|| text.parse().ok()).flatten()?;
    let sign = if duration.is_negative() { "-" } else { "" };
    let (whole, fraction) = (duration.as_secs().unsigned_abs(), duration.subsec_nanos().unsigned_abs());
    Some(format!("{sign}{}", decimal(&whole.to_string(), &format!("{fraction:09}"))))
}

fn digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole number and a fraction, without zeros at its end.
fn decimal(whole: &str, fraction: &str) -> String {
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_become_seconds_without_losing_a_digit() {
        for (milliseconds, seconds) in [
            ("3600000", "3600"),
            ("3600500", "3600.5"),
            ("1", "0.001"),
            ("0", "0"),
            ("-1500", "-1.5"),
            ("12.5", "0.0125"),
            ("12345678901234567890123", "12345678901234567890.123"),
            ("15e2", "15e-1"),
        ] {
            assert_eq!(shifted(milliseconds, 3), seconds);
        }
    }

    #[test]
    fn minutes_clocks_and_iso_durations_become_seconds_and_nothing_else_does() {
        let read = |text, unit| seconds(text, Some(unit));
        for (text, unit, expected) in [
            ("60", MapUnit::Minutes, "3600"),
            ("0.18", MapUnit::Minutes, "10.8"),
            ("2.1815", MapUnit::Minutes, "130.89"),
            ("-1.5", MapUnit::Minutes, "-90"),
            ("0", MapUnit::Minutes, "0"),
            ("00:02:19", MapUnit::Clock, "139"),
            ("02:19", MapUnit::Clock, "139"),
            ("1:00:00.250", MapUnit::Clock, "3600.25"),
            ("PT1M30S", MapUnit::ISO8601, "90"),
            ("PT1H0.5S", MapUnit::ISO8601, "3600.5"),
        ] {
            assert_eq!(read(text, unit).as_deref(), Some(expected), "{text}");
        }
        for (text, unit) in [
            ("", MapUnit::Minutes),
            ("1e3", MapUnit::Minutes),
            ("1234567890123456789012345678901", MapUnit::Minutes),
            ("19", MapUnit::Clock),
            ("1:2:3:4", MapUnit::Clock),
            ("a:00", MapUnit::Clock),
            ("00:00:00.", MapUnit::Clock),
            ("90", MapUnit::ISO8601),
            ("2026-01-01T00:00:00Z", MapUnit::ISO8601),
        ] {
            assert_eq!(read(text, unit), None, "{text}");
        }
    }
}
