//! `conversation/v1` out of an item's places: members copied as sent, ids as text, nothing invented.
//!
//! A place that leads nowhere, holds null or `""`, or is of another kind than its member sets nothing.

mod participants;
mod segments;
mod target;

use bytes::Bytes;
use serde_json::value::RawValue;

use self::participants::Participants;
use self::segments::{Segments, Turn};
use self::target::{METADATA, Section, Target, Value};
use super::compiler::Compiler;
use crate::api::provider::{Kind, MapValue, Mapping};
use crate::api::scheme::TimeUnit;
use crate::glob;
use crate::json::{Captured, JsonError, ObjectWriter};

/// One mapping of a definition, compiled.
#[derive(Debug)]
pub(super) struct Map {
    types: Vec<String>,
    kind: Kind,
    /// In the order of the schema.
    sets: Vec<Set>,
    participants: Vec<Participants>,
    segments: Option<Segments>,
}

/// One member and where its value stands.
#[derive(Debug)]
struct Set {
    /// Its position in the schema.
    target: &'static Target,
    /// The name below `metadata`.
    below: Option<String>,
    from: From,
    unit: Option<TimeUnit>,
}

#[derive(Debug)]
enum From {
    Places(Vec<usize>),
    Text(String),
}

impl Map {
    /// Compiles a mapping; what is wrong goes to the compiler.
    pub(super) fn compile(mapping: &Mapping, path: &str, compiler: &mut Compiler) -> Self {
        let mut sets: Vec<Set> = mapping
            .set
            .iter()
            .filter_map(|(name, value)| Set::compile(name, value, &format!("{path}.set[{name}]"), compiler))
            .collect();
        sets.sort_by_key(|set| (set.target.position(), set.below.clone()));
        let whole_and_member = sets
            .windows(2)
            .any(|pair| pair[0].target.name == METADATA && pair[0].below.is_none() && pair[1].target.name == METADATA);
        if whole_and_member {
            compiler.error(&format!("{path}.set"), "set metadata or its members, not both");
        }
        let participants = mapping
            .participants
            .iter()
            .enumerate()
            .filter_map(|(n, p)| Participants::compile(p, &format!("{path}.participants[{n}]"), compiler))
            .collect();
        let segments = mapping
            .segments
            .as_ref()
            .and_then(|segments| Segments::compile(segments, &format!("{path}.segments"), compiler));
        let has_text = mapping.set.contains_key("transcript.text");
        if matches!(segments, Some(Segments::Labels(_))) && !has_text {
            compiler.error(&format!("{path}.segments.label"), "labels stand in transcript.text: set it");
        }
        Self { types: mapping.types.clone(), kind: mapping.kind, sets, participants, segments }
    }

    /// Whether events of this type are mapped by it.
    pub(super) fn takes(&self, event_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|glob| glob::matches(glob, event_type))
    }

    /// The mapped data as a JSON object.
    ///
    /// # Errors
    /// `Duplicate` where a person or a turn has two members of one name.
    pub(super) fn write(&self, item: &Captured<'_>) -> Result<Bytes, JsonError> {
        let text = self.sets.iter().find(|set| set.target.name == "transcript.text").and_then(|set| set.value(item));
        let turns = match &self.segments {
            Some(segments) => segments.read(item, text.and_then(Value::raw))?,
            None => Vec::new(),
        };
        let mut people = Ok(());
        let mut out = Vec::with_capacity(512);
        ObjectWriter::write(&mut out, |object| {
            self.section(Section::Head, item, object);
            object.text("kind", kind(self.kind));
            self.section(Section::Top, item, object);
            object.object("recording", |recording| self.section(Section::Recording, item, recording));
            object.object("transcript", |transcript| {
                self.section(Section::Transcript, item, transcript);
                self.turns(item, text, &turns, transcript);
            });
            object.list("participants", |list| people = self.participants.iter().try_for_each(|p| p.write(item, list)));
            object.object("analysis", |analysis| self.section(Section::Analysis, item, analysis));
        });
        people.map(|()| Bytes::from(out))
    }

    fn section(&self, section: Section, item: &Captured<'_>, object: &mut ObjectWriter<'_>) {
        let mut sets = self.sets.iter().filter(|set| set.target.section == section).peekable();
        while let Some(set) = sets.next() {
            let Some(name) = &set.below else {
                set.write(set.target.member(), item, object);
                continue;
            };
            object.object(METADATA, |metadata| {
                set.write(name, item, metadata);
                while let Some(next) = sets.next_if(|next| next.below.is_some()) {
                    next.write(next.below.as_deref().unwrap_or_default(), item, metadata);
                }
            });
        }
    }

    /// The format, unless the vendor says it, and the segments.
    fn turns(&self, item: &Captured<'_>, text: Option<Value<'_>>, turns: &[Turn<'_>], object: &mut ObjectWriter<'_>) {
        let said = self.sets.iter().any(|set| {
            set.target.name == "transcript.format" && set.value(item).is_some_and(|v| target::format(v).is_some())
        });
        if !said && !turns.is_empty() {
            object.text("format", "diarized");
        } else if !said && text.is_some_and(|v| target::text(v).is_some()) {
            object.text("format", "plain");
        }
        object.list("segments", |list| {
            for turn in turns {
                list.object(|segment| {
                    if let Some(speaker) = &turn.speaker {
                        segment.text("speaker", speaker);
                    }
                    segment.text("text", &turn.text);
                });
            }
        });
    }
}

impl Set {
    fn compile(name: &str, value: &MapValue, path: &str, compiler: &mut Compiler) -> Option<Self> {
        let below = name.strip_prefix("metadata.").filter(|below| !below.is_empty());
        let Some(target) = Target::named(if below.is_some() { METADATA } else { name }) else {
            compiler.error(path, format!("{name:?} is no member of conversation/v1: write one of {}", Target::names()));
            return None;
        };
        if let Some(unit) = value.unit
            && let Err(reason) = target.takes(unit)
        {
            compiler.error(&format!("{path}.unit"), reason);
        }
        let from = match (&value.pointer, &value.value) {
            (Some(pointer), None) => {
                let mut places = vec![compiler.item(pointer, &format!("{path}.pointer"))?];
                if let Some(otherwise) = &value.otherwise {
                    places.push(compiler.item(otherwise, &format!("{path}.else"))?);
                }
                From::Places(places)
            }
            (None, Some(text)) => From::Text(text.clone()),
            _ => {
                compiler.error(path, "write pointer or value");
                return None;
            }
        };
        Some(Self { target, below: below.map(str::to_owned), from, unit: value.unit })
    }

    /// The value, where there is one that is neither null nor `""`.
    fn value<'a>(&'a self, item: &Captured<'a>) -> Option<Value<'a>> {
        match &self.from {
            From::Text(text) => Some(Value::Text(text)),
            From::Places(places) => {
                places.iter().filter_map(|place| item.get(*place)).find(|raw| filled(raw)).map(Value::Raw)
            }
        }
    }

    fn write(&self, name: &str, item: &Captured<'_>, object: &mut ObjectWriter<'_>) {
        let Some(value) = self.value(item) else { return };
        if self.below.is_some() {
            target::any(name, value, object);
        } else {
            self.target.write(name, value, self.unit, object);
        }
    }
}

/// Whether a value says anything: neither null nor `""`.
fn filled(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "\"\"")
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Call => "call",
        Kind::Recording => "recording",
        Kind::Meeting => "meeting",
        Kind::Transcript => "transcript",
    }
}

#[cfg(test)]
mod tests;
