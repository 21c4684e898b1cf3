//! Entries of a list of the vendor's: people, files and turns, each an object of ours.

use super::member::Member;
use super::scope::Selection;
use super::shape::Shape;
use super::value::{Found, Value};
use crate::api::provider::MapSet;
use crate::api::scheme::Condition;
use crate::json::{self, JsonError, ObjectWriter, parse_pointer};
use crate::provider::compiler::Compiler;
use crate::provider::condition::Test;
use crate::provider::place::Places;

/// What a definition writes of a list, beside the members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'w> {
    pub when: &'w [Condition],
    pub from: Option<&'w str>,
    pub only: &'w [Condition],
}

/// Which elements of the item are entries, compiled.
#[derive(Debug)]
pub(super) struct Taken {
    when: Vec<Test>,
    /// The elements; `None`: the item is the one entry.
    selection: Option<Selection>,
}

/// Entries, compiled.
#[derive(Debug)]
pub(super) struct Entries {
    taken: Taken,
    entry: Entry,
}

/// One entry, compiled.
#[derive(Debug)]
pub(super) struct Entry {
    /// In the order of the schema.
    sets: Vec<(&'static Member, Value)>,
    /// Members of an element that stand elsewhere than under `attributes`.
    known: Vec<String>,
}

impl Taken {
    /// Compiles which elements are entries, and whatever is read inside one; what is wrong goes to the compiler.
    pub(super) fn compile<T>(
        written: Written<'_>,
        path: &str,
        compiler: &mut Compiler,
        inside: impl FnOnce(&mut Compiler) -> T,
    ) -> Option<(Self, T)> {
        let when = compiler.tests(written.when, &format!("{path}.when"));
        let (selection, inside) = match written.from {
            None if !written.only.is_empty() => {
                compiler.error(&format!("{path}.where"), "it says something of elements: write from, or when");
                return None;
            }
            None => (None, inside(compiler)),
            Some(from) => {
                let (selection, inside) = Selection::compile((from, written.only), path, compiler, inside)?;
                (Some(selection), inside)
            }
        };
        Some((Self { when, selection }, inside))
    }

    /// Hands over what each entry stands in.
    ///
    /// # Errors
    /// `Duplicate` for an element that could be read as two, and what the receiver says.
    pub(super) fn each(
        &self,
        item: &dyn Places,
        mut hand: impl FnMut(&dyn Places) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if !self.when.iter().all(|test| test.holds(item)) {
            return Ok(());
        }
        match &self.selection {
            None => hand(item),
            Some(selection) => selection.each(item, |element| hand(element)),
        }
    }
}

impl Entries {
    /// Compiles entries with those members; what is wrong goes to the compiler.
    pub(super) fn compile(
        written: Written<'_>,
        set: &MapSet,
        members: &'static [Member],
        path: &str,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let inside = |compiler: &mut Compiler| Entry::compile(set, members, path, compiler);
        let (taken, entry) = Taken::compile(written, path, compiler, inside)?;
        Some(Self { taken, entry })
    }

    /// Hands over each entry as an object of ours.
    ///
    /// # Errors
    /// As [`Taken::each`].
    pub(super) fn write(&self, item: &dyn Places, mut hand: impl FnMut(String)) -> Result<(), JsonError> {
        self.taken.each(item, |scope| {
            if let Some(object) = self.entry.write(scope)? {
                hand(object);
            }
            Ok(())
        })
    }
}

impl Entry {
    /// Compiles the members of an entry; what is wrong goes to the compiler.
    pub(super) fn compile(set: &MapSet, members: &'static [Member], path: &str, compiler: &mut Compiler) -> Self {
        let mut sets = Vec::with_capacity(set.len());
        let mut known = Vec::new();
        for (name, value) in set {
            let Some(member) = members.iter().find(|member| member.name == name) else {
                let names: Vec<&str> = members.iter().map(|member| member.name).collect();
                let reason = format!("{name:?} is no member here: write one of {}", names.join(", "));
                compiler.error(&format!("{path}.set[{name}]"), reason);
                continue;
            };
            let here = [&value.pointer].into_iter().chain(value.otherwise.iter().map(|choice| &choice.pointer));
            for pointer in here.flatten().chain(&value.and) {
                if let Ok([one]) = parse_pointer(pointer).as_deref() {
                    known.push(one.clone());
                }
            }
            sets.push((member, Value::compile(value, member.shape, &format!("{path}.set[{name}]"), compiler)));
        }
        sets.sort_by_key(|(member, _)| members.iter().position(|known| known.name == member.name));
        Self { sets, known }
    }

    /// The entry that a scope holds, as JSON; `None` where nothing makes it one.
    ///
    /// # Errors
    /// `Duplicate` for an element that could be read as two.
    pub(super) fn write(&self, scope: &dyn Places) -> Result<Option<String>, JsonError> {
        let mut out = Vec::with_capacity(128);
        let mut made = false;
        let mut result = Ok(());
        ObjectWriter::write(&mut out, |object| {
            result = self.sets.iter().try_for_each(|(member, value)| {
                let written = match member.shape {
                    Shape::Rest => self.rest(member.name, value, scope, object)?,
                    _ => value.write(member.name, scope, object)?,
                };
                made |= written && member.makes;
                Ok(())
            });
        });
        result.map(|()| String::from_utf8(out).ok().filter(|_| made))
    }

    /// The members of an object that stand nowhere else, as sent.
    fn rest(
        &self,
        name: &str,
        value: &Value,
        scope: &dyn Places,
        object: &mut ObjectWriter<'_>,
    ) -> Result<bool, JsonError> {
        let mut result = Ok(());
        let written = value.take(scope, |found, _| {
            let Found::Raw(raw) = found else { return false };
            let members = json::members(raw.get()).unwrap_or_else(|error| {
                result = Err(error);
                None
            });
            let other = |name: &str| !self.known.iter().any(|known| known == name);
            let members: Vec<_> = members
                .unwrap_or_default()
                .into_iter()
                .filter(|(name, _)| json::string_text(name).is_none_or(|name| other(&name)))
                .collect();
            object.object(name, |object| {
                members.iter().for_each(|(name, value)| object.raw_member(name.get(), value.get()));
            });
            !members.is_empty()
        })?;
        result.map(|()| written)
    }
}
