//! The members of `conversation/v1` that a definition may set, and the kind of value that each takes.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::api::scheme::TimeUnit;
use crate::json::{self, ObjectWriter};
use crate::provider::time;

/// The member that holds whatever the vendor's user attached.
pub(super) const METADATA: &str = "metadata";

/// A member of `conversation/v1`.
#[derive(Debug)]
pub(super) struct Target {
    /// As definitions write it.
    pub name: &'static str,
    /// Where it stands.
    pub section: Section,
    shape: Shape,
}

/// A part of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Before `kind`.
    Head,
    /// After it.
    Top,
    Recording,
    Transcript,
    Analysis,
}

/// The kind of a member's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A text, or an integer's digits as one.
    Id,
    /// A text; numbers and booleans as text.
    Text,
    /// A time in RFC 3339, UTC.
    Time,
    /// A number of seconds.
    Duration,
    /// A number.
    Number,
    /// A number, or the vendor's word for one.
    Score,
    /// A list of texts; a scalar is a list of one.
    Texts,
    /// A list as sent.
    List,
    /// An object as sent.
    Object,
    /// `plain` or `diarized`.
    Format,
    /// Anything as sent.
    Any,
}

const fn target(name: &'static str, section: Section, shape: Shape) -> Target {
    Target { name, section, shape }
}

/// In the order of the schema.
static TARGETS: [Target; 25] = [
    target("id", Section::Head, Shape::Id),
    target("occurredAt", Section::Top, Shape::Time),
    target("title", Section::Top, Shape::Text),
    target("summary", Section::Top, Shape::Text),
    target("tags", Section::Top, Shape::Texts),
    target("links", Section::Top, Shape::Texts),
    target(METADATA, Section::Top, Shape::Object),
    target("recording.uri", Section::Recording, Shape::Text),
    target("recording.durationSeconds", Section::Recording, Shape::Duration),
    target("recording.sizeBytes", Section::Recording, Shape::Number),
    target("recording.status", Section::Recording, Shape::Text),
    target("transcript.id", Section::Transcript, Shape::Id),
    target("transcript.uri", Section::Transcript, Shape::Text),
    target("transcript.text", Section::Transcript, Shape::Text),
    target("transcript.format", Section::Transcript, Shape::Format),
    target("transcript.language", Section::Transcript, Shape::Text),
    target("transcript.speakers", Section::Transcript, Shape::List),
    target("analysis.summary", Section::Analysis, Shape::Text),
    target("analysis.mood", Section::Analysis, Shape::Text),
    target("analysis.score", Section::Analysis, Shape::Score),
    target("analysis.outcome", Section::Analysis, Shape::Text),
    target("analysis.classification", Section::Analysis, Shape::Text),
    target("analysis.sentiment", Section::Analysis, Shape::Any),
    target("analysis.interests", Section::Analysis, Shape::Any),
    target("analysis.actionItems", Section::Analysis, Shape::Any),
];

/// A value on its way into a member.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// As sent.
    Raw(&'a RawValue),
    /// A text of the definition.
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// The value as sent.
    pub(super) fn raw(self) -> Option<&'a RawValue> {
        match self {
            Self::Raw(raw) => Some(raw),
            Self::Text(_) => None,
        }
    }

    /// A scalar as text.
    fn scalar(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Raw(raw) => json::as_text(raw),
            Self::Text(text) => Some(Cow::Borrowed(text)),
        }
    }

    /// A value that begins with one of these characters, as sent.
    fn beginning(self, with: &[char]) -> Option<&'a str> {
        self.raw().map(RawValue::get).filter(|raw| raw.starts_with(with))
    }
}

impl Target {
    /// The target of a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Every name, for messages.
    pub(super) fn names() -> String {
        TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
    }

    /// Its place in the schema's order.
    pub(super) fn position(&self) -> usize {
        TARGETS.iter().position(|target| target.name == self.name).unwrap_or(usize::MAX)
    }

    /// The name inside its section.
    pub(super) fn member(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, member)| member)
    }

    /// Whether a unit has a meaning here.
    pub(super) fn takes(&self, unit: TimeUnit) -> Result<(), &'static str> {
        match self.shape {
            Shape::Time => Ok(()),
            Shape::Duration if shift(unit).is_some() => Ok(()),
            Shape::Duration => Err("a duration is given in Seconds, Milliseconds, Microseconds or Nanoseconds"),
            _ => Err("unit has a meaning for occurredAt and recording.durationSeconds alone: leave it out"),
        }
    }

    /// Writes a value, if it is of the member's kind.
    pub(super) fn write(&self, name: &str, value: Value<'_>, unit: Option<TimeUnit>, object: &mut ObjectWriter<'_>) {
        match self.shape {
            Shape::Id => match value {
                Value::Raw(raw) if raw.get().starts_with('"') && json::id_text(raw).is_some() => {
                    object.raw(name, raw.get());
                }
                Value::Raw(raw) => {
                    if let Some(id) = json::id_text(raw) {
                        object.text(name, &id);
                    }
                }
                Value::Text(text) => object.text(name, text),
            },
            Shape::Text => match text(value) {
                Some(Written::Raw(raw)) => object.raw(name, raw),
                Some(Written::Text(text)) => object.text(name, &text),
                None => {}
            },
            Shape::Time => {
                let read = |text: Cow<'_, str>| time::read(&text, unit.unwrap_or(TimeUnit::RFC3339));
                if let Some(time) = value.scalar().and_then(read) {
                    object.text(name, &time.to_string());
                }
            }
            Shape::Duration => {
                let places = unit.and_then(shift).unwrap_or(0);
                if let Some(number) = number(value) {
                    object.raw(name, &shifted(&number, places));
                }
            }
            Shape::Number => {
                if let Some(number) = number(value) {
                    object.raw(name, &number);
                }
            }
            Shape::Score => match number(value) {
                Some(number) => object.raw(name, &number),
                None => {
                    if let Some(Written::Raw(raw)) = text(value) {
                        object.raw(name, raw);
                    }
                }
            },
            Shape::Texts => texts(name, value, object),
            Shape::List => {
                if let Some(list) = value.beginning(&['[']) {
                    object.raw(name, list);
                }
            }
            Shape::Object => {
                if let Some(map) = value.beginning(&['{']) {
                    object.raw(name, map);
                }
            }
            Shape::Format => {
                if let Some(format) = format(value) {
                    object.text(name, format);
                }
            }
            Shape::Any => any(name, value, object),
        }
    }
}

/// A text as it is written.
pub(super) enum Written<'a> {
    /// A JSON string as sent.
    Raw(&'a str),
    /// A text to be written as one.
    Text(Cow<'a, str>),
}

/// A value as a text: strings as sent, numbers and booleans in quotes.
pub(super) fn text(value: Value<'_>) -> Option<Written<'_>> {
    match value {
        Value::Text(text) => Some(Written::Text(Cow::Borrowed(text))),
        Value::Raw(raw) if raw.get().starts_with('"') => Some(Written::Raw(raw.get())),
        Value::Raw(raw) => json::as_text(raw).map(Written::Text),
    }
}

/// A value as `transcript.format`.
pub(super) fn format(value: Value<'_>) -> Option<&'static str> {
    match value.scalar()?.as_ref() {
        "plain" => Some("plain"),
        "diarized" => Some("diarized"),
        _ => None,
    }
}

/// Writes any value as sent.
pub(super) fn any(name: &str, value: Value<'_>, object: &mut ObjectWriter<'_>) {
    match value {
        Value::Raw(raw) => object.raw(name, raw.get()),
        Value::Text(text) => object.text(name, text),
    }
}

/// A number as sent; a text that spells one is that number.
fn number(value: Value<'_>) -> Option<Cow<'_, str>> {
    value.scalar().filter(|text| json::is_number(text))
}

/// A list of texts as sent; elements that are no text are left out, numbers become one.
fn texts(name: &str, value: Value<'_>, object: &mut ObjectWriter<'_>) {
    let Some(list) = value.beginning(&['[']) else {
        match text(value) {
            Some(Written::Raw(raw)) => object.raw(name, &format!("[{raw}]")),
            Some(Written::Text(text)) => object.list(name, |list| list.text(&text)),
            None => {}
        }
        return;
    };
    let Ok(Some((elements, _))) = json::elements(list, usize::MAX) else { return };
    if elements.iter().all(|element| element.get().starts_with('"') && super::filled(element)) {
        object.raw(name, list);
        return;
    }
    object.list(name, |out| {
        for element in elements.into_iter().filter(|element| super::filled(element)) {
            match text(Value::Raw(element)) {
                Some(Written::Raw(raw)) => out.raw(raw),
                Some(Written::Text(text)) => out.text(&text),
                None => {}
            }
        }
    });
}

/// Decimal places between a unit and seconds.
fn shift(unit: TimeUnit) -> Option<usize> {
    match unit {
        TimeUnit::Seconds => Some(0),
        TimeUnit::Milliseconds => Some(3),
        TimeUnit::Microseconds => Some(6),
        TimeUnit::Nanoseconds => Some(9),
        _ => None,
    }
}

/// A JSON number divided by a power of ten, exactly: the point moves, no digit is lost.
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
    let fraction = format!("{moved}{fraction}");
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Cow::Owned(format!("{sign}{whole}{point}{fraction}"))
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
    fn names_are_unique_and_sections_are_together() {
        let mut names: Vec<_> = TARGETS.iter().map(|t| t.name).collect();
        names.dedup();
        assert_eq!(names.len(), TARGETS.len());
        assert_eq!(Target::named("recording.uri").unwrap().member(), "uri");
        assert!(Target::named("kind").is_none());
    }
}
