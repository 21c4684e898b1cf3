//! `conversation/v1` out of an item's places: members copied as sent, ids as text, nothing invented.
//!
//! A place that leads nowhere, holds null or `""`, or is of another kind than its member sets nothing.

mod entries;
mod labels;
mod member;
mod number;
mod people;
mod scope;
mod segments;
mod shape;
mod value;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;

use self::entries::{Entries, Entry, Written};
use self::member::{FILE, METADATA, Section, Target};
use self::people::People;
use self::segments::Segments;
use self::shape::Shape;
use self::value::Value;
use super::compiler::Compiler;
use super::condition::Test;
use super::place::Places;
use crate::api::provider::{Kind, MapSet, Mapping};
use crate::glob::Globs;
use crate::json::{JsonError, ObjectWriter};

/// Most people and files of one conversation.
const MOST: usize = 1000;

/// One mapping of a definition, compiled.
#[derive(Debug)]
pub(super) struct Map {
    types: Globs,
    when: Vec<Test>,
    kind: Kind,
    /// In the order of the schema.
    sets: Vec<Set>,
    participants: People,
    /// The file that `set` gives.
    recording: Entry,
    /// Further files, and whether everybody is heard in them.
    recordings: Vec<(Entries, bool)>,
    segments: Vec<Segments>,
}

/// One member and where its value stands.
#[derive(Debug)]
struct Set {
    target: &'static Target,
    /// The name below `metadata`.
    below: Option<String>,
    value: Value,
}

impl Map {
    /// Compiles a mapping; what is wrong goes to the compiler.
    pub(super) fn compile(mapping: &Mapping, path: &str, compiler: &mut Compiler) -> Self {
        let when = compiler.tests(&mapping.when, &format!("{path}.when"));
        let mut file: MapSet = BTreeMap::new();
        let mut sets: Vec<Set> = Vec::with_capacity(mapping.set.len());
        for (name, value) in &mapping.set {
            match name.strip_prefix("recording.").filter(|name| FILE.iter().any(|member| member.name == *name)) {
                Some(name) => drop(file.insert(name.to_owned(), value.clone())),
                None => sets.extend(Set::compile(name, value, &format!("{path}.set[{name}]"), compiler)),
            }
        }
        sets.sort_by_key(|set| (set.target.position(), set.below.clone()));
        let whole_and_member = sets
            .windows(2)
            .any(|pair| pair[0].target.name == METADATA && pair[0].below.is_none() && pair[1].target.name == METADATA);
        if whole_and_member {
            compiler.error(&format!("{path}.set"), "set metadata or its members, not both");
        }
        let recording = Entry::compile(&file, &FILE, &format!("{path}.set"), compiler);
        let participants = People::compile(&mapping.participants, &format!("{path}.participants"), compiler);
        let recordings = mapping.recordings.iter().enumerate().filter_map(|(n, files)| {
            let written = Written { when: &files.when, from: files.from.as_deref(), only: &files.only };
            let path = format!("{path}.recordings[{n}]");
            Some((Entries::compile(written, &files.set, &FILE, &path, compiler)?, files.mixed))
        });
        let recordings = recordings.collect();
        let segments = mapping.segments.iter().enumerate();
        let segments: Vec<Segments> = segments
            .filter_map(|(n, segments)| Segments::compile(segments, &format!("{path}.segments[{n}]"), compiler))
            .collect();
        let labels = segments.iter().position(|segments| matches!(segments, Segments::Labels(_)));
        if let Some(n) = labels.filter(|_| !mapping.set.contains_key(TRANSCRIPT_TEXT)) {
            compiler.error(&format!("{path}.segments[{n}].label"), "labels stand in transcript.text: set it");
        }
        let types = Globs::new(&mapping.types);
        Self { types, when, kind: mapping.kind, sets, participants, recording, recordings, segments }
    }

    /// Whether an item of this type is mapped by it.
    pub(super) fn takes(&self, event_type: &str, item: &dyn Places) -> bool {
        (self.types.is_empty() || self.types.matches(event_type)) && self.when.iter().all(|test| test.holds(item))
    }

    /// The mapped data as a JSON object; `occurred` is the vendor's time of the event.
    ///
    /// # Errors
    /// `Duplicate` where an element that is read has two members of one name.
    pub(super) fn write(&self, item: &dyn Places, occurred: Option<Timestamp>) -> Result<Bytes, JsonError> {
        let people = self.participants.write(item)?;
        let (recording, recordings) = self.files(item)?;
        let mut writing = Writing { map: self, item, result: Ok(()) };
        let mut out = Vec::with_capacity(512);
        ObjectWriter::write(&mut out, |object| {
            writing.section(Section::Head, object);
            object.text("kind", kind(self.kind));
            if let Some(time) = occurred {
                object.text("occurredAt", &time.to_string());
            }
            writing.section(Section::Top, object);
            object.object("agent", |agent| writing.section(Section::Agent, agent));
            object.object("cost", |cost| writing.section(Section::Cost, cost));
            if let Some(recording) = &recording {
                object.raw("recording", recording);
            }
            object.list("recordings", |list| recordings.iter().for_each(|file| list.raw(file)));
            object.object("transcript", |transcript| {
                writing.section(Section::Transcript, transcript);
                writing.turns(transcript);
            });
            object.list("participants", |list| people.iter().for_each(|person| list.raw(person)));
            object.object("analysis", |analysis| writing.section(Section::Analysis, analysis));
        });
        writing.result.map(|()| Bytes::from(out))
    }

    /// The file in which everybody is heard, and all of them where there are several.
    fn files(&self, item: &dyn Places) -> Result<(Option<String>, Vec<String>), JsonError> {
        let mut mixed = self.recording.write(item)?;
        let mut files: Vec<String> = mixed.iter().cloned().collect();
        for (entries, everybody) in &self.recordings {
            entries.write(item, |file| {
                if *everybody && mixed.is_none() {
                    mixed = Some(file.clone());
                }
                once(&mut files, file);
            })?;
        }
        Ok(match files.len() {
            0 | 1 => (files.pop(), Vec::new()),
            _ => (mixed, files),
        })
    }
}

/// Adds what is not there yet.
fn once(known: &mut Vec<String>, new: String) {
    if known.len() < MOST && !known.contains(&new) {
        known.push(new);
    }
}

/// The member in which labels stand.
const TRANSCRIPT_TEXT: &str = "transcript.text";

/// One object that is being written.
struct Writing<'w> {
    map: &'w Map,
    item: &'w dyn Places,
    result: Result<(), JsonError>,
}

impl Writing<'_> {
    /// What a step says; the first error stays.
    fn note<T: Default>(&mut self, step: Result<T, JsonError>) -> T {
        step.unwrap_or_else(|error| {
            self.result = std::mem::replace(&mut self.result, Ok(())).and(Err(error));
            T::default()
        })
    }

    fn section(&mut self, section: Section, object: &mut ObjectWriter<'_>) {
        let map = self.map;
        let mut sets = map.sets.iter().filter(|set| set.target.section == section).peekable();
        while let Some(set) = sets.next() {
            let Some(below) = &set.below else {
                let step = set.value.write(set.target.member(), self.item, object);
                self.note(step);
                continue;
            };
            object.object(METADATA, |metadata| {
                let step = set.value.write(below, self.item, metadata);
                self.note(step);
                while let Some(next) = sets.next_if(|next| next.below.is_some()) {
                    let step = next.value.write(next.below.as_deref().unwrap_or_default(), self.item, metadata);
                    self.note(step);
                }
            });
        }
    }

    /// The segments, and the format unless the vendor says it.
    fn turns(&mut self, object: &mut ObjectWriter<'_>) {
        let map = self.map;
        let find = |name: &str| map.sets.iter().find(|set| set.target.name == name);
        let mut text: Option<String> = None;
        if let Some(set) = find(TRANSCRIPT_TEXT) {
            let step = set.value.take(self.item, |found, _| {
                text = found.scalar().map(Cow::into_owned);
                text.is_some()
            });
            self.note(step);
        }
        let (mut any, mut told) = (false, false);
        object.list("segments", |list| {
            for segments in &map.segments {
                let step = segments.write(self.item, text.as_deref(), list);
                told |= self.note(step);
            }
            any = !list.is_empty();
        });
        let said = match find("transcript.format") {
            Some(set) => {
                let mut scratch = Vec::new();
                let mut step = Ok(false);
                ObjectWriter::write(&mut scratch, |object| step = set.value.write("format", self.item, object));
                self.note(step)
            }
            None => false,
        };
        if !said && (any || text.is_some()) {
            object.text("format", if told { "diarized" } else { "plain" });
        }
    }
}

impl Set {
    fn compile(
        name: &str,
        value: &crate::api::provider::MapValue,
        path: &str,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let below = name.strip_prefix("metadata.").filter(|below| !below.is_empty());
        let Some(target) = Target::named(if below.is_some() { METADATA } else { name }) else {
            let reason = match name {
                "occurredAt" => "occurredAt is the time of the event: write extract.time".to_owned(),
                _ => format!("{name:?} is no member of conversation/v1: write one of {}", Target::names()),
            };
            compiler.error(path, reason);
            return None;
        };
        let shape = if below.is_some() { Shape::Any } else { target.shape };
        let value = Value::compile(value, shape, path, compiler);
        Some(Self { target, below: below.map(str::to_owned), value })
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
