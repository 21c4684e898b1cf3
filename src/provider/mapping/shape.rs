//! The kinds of values that members of `conversation/v1` have, and how what a vendor sends becomes one.
//!
//! A value of another kind is not written: nothing is guessed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::number;
use super::value::{Found, Manner};
use crate::api::provider::MapUnit;
use crate::api::scheme::TimeUnit;
use crate::json::{self, ObjectWriter};
use crate::provider::time;

/// The kind of a member's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text, or an integer's digits as one.
    Id,
    /// A text; numbers and booleans as text.
    Text,
    /// A text for which a definition may have a word, where the vendor documents it and sends none.
    Named,
    /// A media type; words of the vendor's by a table alone.
    MediaType,
    /// A time in RFC 3339, UTC.
    Time,
    /// A number of seconds.
    Duration,
    /// A number.
    Number,
    /// A number, or the vendor's word for one.
    Score,
    /// A number or a text as sent: digits that are a text stay one.
    Amount,
    /// A list of texts; a scalar is a list of one.
    Texts,
    /// A list as sent.
    List,
    /// An object as sent.
    Object,
    /// One of these words.
    Closed(&'static [&'static str]),
    /// One of these words where it is one, else the vendor's, unless a table says which are meant.
    Open(&'static [&'static str]),
    /// `true`, or absent.
    Flag,
    /// Anything as sent.
    Any,
    /// An object as sent, less what stands elsewhere.
    Rest,
}

/// The only word of a flag.
const TRUE: &[&str] = &["true"];

/// The field that is wrong, and why.
type Wrong = (&'static str, String);

impl Shape {
    /// The words of its own.
    fn own(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Closed(words) | Self::Open(words) => Some(words),
            Self::Flag => Some(TRUE),
            _ => None,
        }
    }

    /// Whether a fixed word, a table of words and a unit have a meaning for it.
    pub(super) fn takes(
        self,
        fixed: Option<&str>,
        words: &BTreeMap<String, String>,
        unit: Option<MapUnit>,
    ) -> Result<(), Wrong> {
        let known = |field: &'static str, word: &str| match self.own() {
            _ if self == Self::MediaType && is_media_type(word) => Ok(()),
            _ if self == Self::MediaType => {
                Err((field, format!("{word:?} is no media type: write one such as audio/mp4")))
            }
            Some(own) if own.contains(&word) => Ok(()),
            Some(own) => Err((field, format!("{word:?} is none of its words: write {}", own.join(", ")))),
            None if self == Self::Named && field == "value" => Ok(()),
            None => Err((
                field,
                "the member has no words of its own, and nothing is invented: write where its value stands".to_owned(),
            )),
        };
        fixed.map_or(Ok(()), |word| known("value", word))?;
        words.values().try_for_each(|word| known("words", word))?;
        match (self, unit) {
            (_, None) => Ok(()),
            (Self::Time, Some(unit)) if instant(unit).is_some() => Ok(()),
            (Self::Time, Some(_)) => Err(("unit", "a time is not written in Minutes or as Clock".to_owned())),
            (Self::Duration, Some(unit)) if number::counts(unit) => Ok(()),
            (Self::Duration, Some(_)) => Err((
                "unit",
                "a duration is given in Seconds, Milliseconds, Microseconds, Nanoseconds, Minutes, as Clock or in ISO8601".to_owned(),
            )),
            _ => Err(("unit", "a unit has a meaning for times and durations alone: leave it out".to_owned())),
        }
    }

    /// Writes a value, if it is of this kind; says whether.
    pub(super) fn write(self, name: &str, found: Found<'_>, manner: &Manner, object: &mut ObjectWriter<'_>) -> bool {
        match self {
            Self::Id => id(name, found, object),
            Self::Text | Self::Named => write_text(name, found, object),
            Self::Time => {
                let unit = manner.unit.and_then(instant).unwrap_or(TimeUnit::RFC3339);
                let read = found.scalar().and_then(|text| time::read(&text, unit));
                put(read, |time| object.text(name, &time.to_string()))
            }
            Self::Duration => {
                let read = found.scalar();
                let seconds = read.as_deref().and_then(|text| number::seconds(text, manner.unit));
                put(seconds, |seconds| object.raw(name, &seconds))
            }
            Self::Number => put(numeral(found), |number| object.raw(name, &number)),
            Self::Score => match numeral(found) {
                Some(number) => put(Some(number), |number| object.raw(name, &number)),
                None => {
                    let Found::Raw(raw) = found else { return false };
                    put(Some(raw.get()).filter(|raw| raw.starts_with('"')), |raw| object.raw(name, raw))
                }
            },
            Self::MediaType => {
                let said = found.scalar();
                let said = said.as_deref().map(|said| manner.words.get(said).map_or(said, String::as_str));
                put(said.filter(|said| is_media_type(said)), |said| object.text(name, said))
            }
            Self::Amount => match found {
                Found::Raw(raw) if matches!(raw.get(), "true" | "false") => false,
                Found::Raw(raw) => put(json::as_text(raw), |_| object.raw(name, raw.get())),
                found => write_text(name, found, object),
            },
            Self::Texts => texts(name, found, object),
            Self::List => put(beginning(found, '['), |list| object.raw(name, list)),
            Self::Object | Self::Rest => put(beginning(found, '{'), |map| object.raw(name, map)),
            Self::Closed(own) => put(word(found, manner, own), |word| object.text(name, word)),
            Self::Open(own) => match word(found, manner, own) {
                Some(word) => put(Some(word), |word| object.text(name, word)),
                // A table says all words that are meant.
                None => manner.words.is_empty() && write_text(name, found, object),
            },
            Self::Flag => put(word(found, manner, TRUE), |_| object.raw(name, "true")),
            Self::Any => put(any(found), |value| object.raw(name, &value)),
        }
    }
}

/// Whether a text is a media type (RFC 9110, section 8.3.1), its parameters left unread.
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let (kind, _) = text.split_once(';').unwrap_or((text, ""));
    kind.trim_end().split_once('/').is_some_and(|(main, sub)| token(main) && token(sub))
}

/// Does something with a value that is there; says whether.
fn put<T>(value: Option<T>, with: impl FnOnce(T)) -> bool {
    value.map(with).is_some()
}

/// The word of the member's own that is meant.
fn word(found: Found<'_>, manner: &Manner, own: &'static [&'static str]) -> Option<&'static str> {
    let said = found.scalar()?;
    let said = manner.words.get(said.as_ref()).map_or(said.as_ref(), String::as_str);
    own.iter().find(|word| word.eq_ignore_ascii_case(said)).copied()
}

fn instant(unit: MapUnit) -> Option<TimeUnit> {
    Some(match unit {
        MapUnit::Seconds => TimeUnit::Seconds,
        MapUnit::Milliseconds => TimeUnit::Milliseconds,
        MapUnit::Microseconds => TimeUnit::Microseconds,
        MapUnit::Nanoseconds => TimeUnit::Nanoseconds,
        MapUnit::RFC3339 => TimeUnit::RFC3339,
        MapUnit::ISO8601 => TimeUnit::ISO8601,
        MapUnit::DateTime => TimeUnit::DateTime,
        MapUnit::HTTPDate => TimeUnit::HTTPDate,
        MapUnit::Any => TimeUnit::Any,
        MapUnit::Minutes | MapUnit::Clock => return None,
    })
}

/// A value that begins so, as sent.
fn beginning(found: Found<'_>, with: char) -> Option<&str> {
    match found {
        Found::Raw(raw) => Some(raw.get()).filter(|raw| raw.starts_with(with)),
        Found::Text(_) | Found::Texts(_) => None,
    }
}

fn id(name: &str, found: Found<'_>, object: &mut ObjectWriter<'_>) -> bool {
    match found {
        Found::Raw(raw) if raw.get().starts_with('"') => put(json::id_text(raw), |_| object.raw(name, raw.get())),
        Found::Raw(raw) => put(json::id_text(raw), |id| object.text(name, &id)),
        Found::Text(text) => put(Some(text), |id| object.text(name, id)),
        Found::Texts(_) => false,
    }
}

/// A text as it is written.
enum Text<'a> {
    /// A JSON string as sent.
    Raw(&'a str),
    /// A text to be written as one.
    Plain(Cow<'a, str>),
}

/// A value as a text: strings as sent, numbers and booleans in quotes.
fn text(raw: &RawValue) -> Option<Text<'_>> {
    if raw.get().starts_with('"') {
        return Some(Text::Raw(raw.get()));
    }
    json::as_text(raw).map(Text::Plain)
}

fn write_text(name: &str, found: Found<'_>, object: &mut ObjectWriter<'_>) -> bool {
    let text = match found {
        Found::Raw(raw) => text(raw),
        Found::Text(plain) => Some(Text::Plain(Cow::Borrowed(plain))),
        Found::Texts(_) => None,
    };
    put(text, |text| match text {
        Text::Raw(raw) => object.raw(name, raw),
        Text::Plain(plain) => object.text(name, &plain),
    })
}

/// Any value as JSON, members as sent.
fn any(found: Found<'_>) -> Option<Cow<'_, str>> {
    match found {
        Found::Raw(raw) => Some(Cow::Borrowed(raw.get())),
        Found::Text(text) => serde_json::to_string(text).ok().map(Cow::Owned),
        Found::Texts(texts) => serde_json::to_string(texts).ok().map(Cow::Owned),
    }
}

/// A number as sent; a text that spells one is that number.
fn numeral(found: Found<'_>) -> Option<Cow<'_, str>> {
    found.scalar().filter(|text| json::is_number(text))
}

/// A list of texts as sent; elements that are no text are left out, numbers become one.
fn texts(name: &str, found: Found<'_>, object: &mut ObjectWriter<'_>) -> bool {
    let raw = match found {
        Found::Texts(texts) => {
            object.list(name, |list| texts.iter().for_each(|text| list.text(text)));
            return !texts.is_empty();
        }
        Found::Text(text) => {
            object.list(name, |list| list.text(text));
            return true;
        }
        Found::Raw(raw) => raw,
    };
    let Ok(Some((elements, _))) = json::elements(raw.get(), usize::MAX) else {
        return put(text(raw), |text| {
            object.list(name, |list| match text {
                Text::Raw(raw) => list.raw(raw),
                Text::Plain(plain) => list.text(&plain),
            });
        });
    };
    if elements.iter().all(|element| element.get().starts_with('"') && super::filled(element)) {
        object.raw(name, raw.get());
        return true;
    }
    let texts: Vec<Text<'_>> = elements.into_iter().filter(|e| super::filled(e)).filter_map(text).collect();
    object.list(name, |list| {
        for text in &texts {
            match text {
                Text::Raw(raw) => list.raw(raw),
                Text::Plain(plain) => list.text(plain),
            }
        }
    });
    !texts.is_empty()
}
