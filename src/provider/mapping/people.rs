//! Everybody once: entries of people, and those of another list that are the same ones.

use serde_json::value::RawValue;

use super::MOST;
use super::entries::{Entries, Written};
use super::member::PERSON;
use crate::api::provider::{MapEntry, PersonKey};
use crate::json::{self, JsonError, ObjectWriter};
use crate::provider::compiler::Compiler;
use crate::provider::place::Places;

/// The entries of people of one mapping, and by what each of them is somebody who was taken before.
#[derive(Debug)]
pub(super) struct People(Vec<(Entries, Vec<PersonKey>)>);

/// Somebody as an object of ours.
struct Person {
    json: String,
    /// What tells people apart, where anything does.
    keys: Vec<(PersonKey, String)>,
}

impl People {
    /// Compiles the entries; what is wrong goes to the compiler.
    pub(super) fn compile(entries: &[MapEntry], path: &str, compiler: &mut Compiler) -> Self {
        let compiled = entries.iter().enumerate().filter_map(|(n, people)| {
            let path = format!("{path}[{n}]");
            for (k, key) in people.same_by.iter().enumerate() {
                if !people.set.contains_key(key.name()) {
                    let reason = format!("nobody is known by {}: set it, or leave it out", key.name());
                    compiler.error(&format!("{path}.sameBy[{k}]"), reason);
                }
            }
            let written = Written { when: &people.when, from: people.from.as_deref(), only: &people.only };
            Some((Entries::compile(written, &people.set, &PERSON, &path, compiler)?, people.same_by.clone()))
        });
        Self(compiled.collect())
    }

    /// Everybody in an item, once, as JSON.
    ///
    /// # Errors
    /// `Duplicate` where an element could be read as two.
    pub(super) fn write(&self, item: &dyn Places) -> Result<Vec<String>, JsonError> {
        let keyed = self.0.iter().any(|(_, same_by)| !same_by.is_empty());
        let mut people: Vec<Person> = Vec::new();
        for (entries, same_by) in &self.0 {
            entries.write(item, |json| {
                let person = Person::new(json, keyed);
                match people.iter().position(|known| known.json == person.json || known.is(&person, same_by)) {
                    Some(known) => people[known].complete(&person),
                    None if people.len() < MOST => people.push(person),
                    None => {}
                }
            })?;
        }
        Ok(people.into_iter().map(|person| person.json).collect())
    }
}

impl Person {
    fn new(json: String, keyed: bool) -> Self {
        let keys = if keyed { keys(&json) } else { Vec::new() };
        Self { json, keys }
    }

    /// Whether the first key that both have is equal.
    fn is(&self, other: &Self, by: &[PersonKey]) -> bool {
        let of = |person: &Self, key| person.keys.iter().position(|(known, _)| *known == key);
        by.iter()
            .find_map(|key| Some(self.keys[of(self, *key)?].1 == other.keys[of(other, *key)?].1))
            .unwrap_or_default()
    }

    /// Adds what it lacks.
    fn complete(&mut self, other: &Self) {
        if self.json == other.json {
            return;
        }
        let (own, others) = (members(&self.json), members(&other.json));
        let mut out = Vec::with_capacity(self.json.len() + other.json.len());
        ObjectWriter::write(&mut out, |object| {
            for member in &PERSON {
                if let Some(value) = find(&own, member.name).or_else(|| find(&others, member.name)) {
                    object.raw(member.name, value.get());
                }
            }
        });
        if let Ok(json) = String::from_utf8(out) {
            *self = Self::new(json, true);
        }
    }
}

fn members(json: &str) -> Vec<(&RawValue, &RawValue)> {
    json::members(json).ok().flatten().unwrap_or_default()
}

/// A member by its name, which needs no escapes.
fn find<'j>(members: &[(&RawValue, &'j RawValue)], name: &str) -> Option<&'j RawValue> {
    members.iter().find(|(known, _)| known.get().trim_matches('"') == name).map(|(_, value)| *value)
}

fn keys(json: &str) -> Vec<(PersonKey, String)> {
    let members = members(json);
    let key = |key: PersonKey| Some((key, json::as_text(find(&members, key.name())?)?.into_owned()));
    PersonKey::ALL.into_iter().filter_map(key).collect()
}
