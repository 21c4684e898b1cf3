//! Conditions on an item, such as those that drop pings.

use http::header::HeaderName;
use serde_json::value::RawValue;

use super::compile::Compiler;
use super::place::{Delivery, Item, Place, Spelled};
use crate::api::scheme::Condition;
use crate::json::{self, compact_chunks};

/// A condition, compiled.
#[derive(Debug)]
pub(super) struct Test {
    place: TestPlace,
    /// The same, as it was written.
    written: Place,
    equals: Option<String>,
    absent: bool,
}

#[derive(Debug)]
enum TestPlace {
    /// A header may be there and empty.
    Header(HeaderName),
    /// A member, whatever it holds.
    Member(usize),
    /// A query parameter or form field.
    Other(Place),
}

impl Test {
    /// Compiles a condition; what is wrong goes to the compiler.
    pub fn compile(condition: &Condition, path: &str, compiler: &mut Compiler) -> Option<Self> {
        let spelled = Spelled {
            header: condition.header.as_ref(),
            pointer: condition.pointer.as_ref(),
            value: None,
            query: condition.query.as_ref(),
            form: condition.form.as_ref(),
            envelope: None,
        };
        if condition.absent && condition.equals.is_some() {
            compiler.error(path, "write equals or absent, not both");
        }
        let written = Place::compile(&spelled, path, compiler)?;
        let place = match written.clone() {
            Place::Header(name) => TestPlace::Header(name),
            Place::Item(slot, _) => TestPlace::Member(slot),
            other => TestPlace::Other(other),
        };
        Some(Self { place, written, equals: condition.equals.clone(), absent: condition.absent })
    }

    /// Compiles conditions; what is wrong goes to the compiler.
    pub fn compile_all(conditions: &[Condition], path: &str, compiler: &mut Compiler) -> Vec<Self> {
        let numbered = conditions.iter().enumerate();
        numbered.filter_map(|(n, condition)| Self::compile(condition, &format!("{path}[{n}]"), compiler)).collect()
    }

    /// Whether the proof covers what it looks at.
    pub fn signed(&self, delivery: &Delivery<'_>, item: &Item<'_>) -> bool {
        self.written.signed(delivery, item.kind)
    }

    /// Whether the item is as the condition says. Null counts as absent.
    pub fn holds<'a>(&'a self, delivery: &Delivery<'a>, item: &Item<'a>) -> bool {
        let same = |text: &str| self.equals.as_deref().is_none_or(|equals| equals == text);
        let there = match &self.place {
            TestPlace::Header(name) => delivery
                .head
                .headers
                .get(name)
                .map(|value| std::str::from_utf8(value.as_bytes()).is_ok_and(|text| same(text.trim()))),
            TestPlace::Member(slot) => item
                .captured
                .get(*slot)
                .filter(|value| value.get() != "null")
                .map(|value| self.equals.as_deref().is_none_or(|equals| equal(value, equals))),
            TestPlace::Other(place) => place.find(delivery, item, json::as_text).map(|found| same(&found.text)),
        };
        match there {
            None => self.absent,
            Some(same) => same && !self.absent,
        }
    }
}

/// Scalars as text, objects and lists as compact JSON.
fn equal(value: &RawValue, text: &str) -> bool {
    match json::as_text(value) {
        Some(scalar) => scalar == text,
        None => compact_chunks(value.get().as_bytes()).flatten().eq(text.as_bytes()),
    }
}
