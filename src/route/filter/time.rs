//! Times, durations and their parts, as CEL reads and writes them.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::functions::Function;

/// Longer texts are no time.
const LONGEST: usize = 128;
/// CEL's times lie in the years 1 to 9999, in seconds since 1970.
const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// RFC 3339.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    if text.len() > LONGEST || !text.contains(['T', 't', ' ']) {
        return None;
    }
    within(text.parse().ok()?)
}

/// A time, where CEL knows it.
pub(super) fn within(time: Timestamp) -> Option<Timestamp> {
    YEARS.contains(&time.as_second()).then_some(time)
}

/// Numbers with units, such as `1h30m` or `1.5s`.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    if text.len() > LONGEST {
        return None;
    }
    let (text, sign) = match text.strip_prefix('-') {
        Some(text) => (text, -1.0),
        None => (text, 1.0),
    };
    if text == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanos = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let units = [("ms", 1e6), ("us", 1e3), ("ns", 1.0), ("h", 3.6e12), ("m", 6e10), ("s", 1e9)];
        let (unit, length) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        let here = number * length * sign;
        if here.is_nan() || here.abs() >= 9.2e18 {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "bounded just before")]
        let here = here as i64;
        nanos = nanos.checked_add(here)?;
    }
    (!text.is_empty()).then(|| SignedDuration::from_nanos(nanos))
}

/// A zone by its name or offset.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let Some((hours, minutes)) = name.split_once(':') else {
        return if name == "UTC" { Some(TimeZone::UTC) } else { TimeZone::get(name).ok() };
    };
    let (hours, sign) = match hours.strip_prefix('-') {
        Some(hours) => (hours, -1),
        None => (hours.strip_prefix('+').unwrap_or(hours), 1),
    };
    let seconds =
        hours.parse::<i32>().ok()?.checked_mul(3600)?.checked_add(minutes.parse::<i32>().ok()?.checked_mul(60)?)?;
    Offset::from_seconds(sign * seconds).ok().map(TimeZone::fixed)
}

/// A part of a time in a zone; months and days count from 0, but `getDate`.
pub(super) fn part(function: Function, time: Timestamp, zone: &TimeZone) -> Option<i64> {
    let time = time.to_zoned(zone.clone());
    Some(match function {
        Function::FullYear => time.year().into(),
        Function::Month => i64::from(time.month()) - 1,
        Function::DayOfYear => i64::from(time.day_of_year()) - 1,
        Function::DayOfMonth => i64::from(time.day()) - 1,
        Function::Date => time.day().into(),
        Function::DayOfWeek => time.weekday().to_sunday_zero_offset().into(),
        Function::Hours => time.hour().into(),
        Function::Minutes => time.minute().into(),
        Function::Seconds => time.second().into(),
        Function::Milliseconds => time.millisecond().into(),
        _ => return None,
    })
}

/// The whole hours, minutes, seconds or milliseconds of a duration.
pub(super) fn length(function: Function, length: SignedDuration) -> Option<i64> {
    Some(match function {
        Function::Hours => length.as_secs() / 3600,
        Function::Minutes => length.as_secs() / 60,
        Function::Seconds => length.as_secs(),
        Function::Milliseconds => i64::try_from(length.as_millis()).ok()?,
        _ => return None,
    })
}

/// A duration in seconds, as `string(duration)` writes it.
pub(super) fn written(length: SignedDuration) -> String {
    let sign = if length.is_negative() { "-" } else { "" };
    let (seconds, nanos) = (length.as_secs().unsigned_abs(), length.subsec_nanos().unsigned_abs());
    if nanos == 0 {
        return format!("{sign}{seconds}s");
    }
    let fraction = format!("{nanos:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
}
