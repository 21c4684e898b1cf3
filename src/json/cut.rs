//! Members cut out of a document: every occurrence, however its name is spelled; the rest stays byte for byte.
//!
//! By pointer, or by name at any depth where nobody knows how the document is built.

use std::fmt;

use bytes::{Bytes, BytesMut};
use serde::Deserialize as _;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pointers::Node;
use super::text::readable;
use super::{JsonError, PointerError, Pointers, parse_pointer, utf8};

/// How deep a document is searched for names.
const DEPTH: usize = 64;

/// What to cut, compiled.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    pointers: Pointers,
}

impl Cuts {
    /// Compiles the pointers of members to cut.
    ///
    /// # Errors
    /// The first text that is no pointer.
    pub fn compile<S: AsRef<str>>(pointers: impl IntoIterator<Item = S>) -> Result<Self, PointerError> {
        Ok(Self { pointers: Pointers::compile(pointers)? })
    }

    /// Whether there is nothing to cut.
    pub fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }

    /// The document without the members; the same bytes, uncopied, where it holds none of them.
    ///
    /// # Errors
    /// `Malformed` where the bytes are no JSON document.
    pub fn apply(&self, json: &Bytes) -> Result<Bytes, JsonError> {
        self.cut(Rule::Trie(self.pointers.root()), json)
    }

    /// The document without any member that has the last name of a pointer, wherever it stands.
    ///
    /// # Errors
    /// `Malformed` where the bytes are no JSON document, or one deeper than is searched.
    pub fn apply_anywhere(&self, json: &Bytes) -> Result<Bytes, JsonError> {
        let last = |number| parse_pointer(self.pointers.text(number)).ok().and_then(|mut names| names.pop());
        let names: Vec<String> = (0..self.pointers.len()).filter_map(last).collect();
        self.cut(Rule::Names(&names, DEPTH), json)
    }

    fn cut(&self, rule: Rule<'_>, json: &Bytes) -> Result<Bytes, JsonError> {
        if self.is_empty() {
            return Ok(json.clone());
        }
        let text = utf8(json)?;
        let mut ranges = Vec::new();
        collect(rule, text, &mut Found { base: text.as_ptr() as usize, ranges: &mut ranges })
            .map_err(|_| JsonError::Malformed)?;
        if ranges.is_empty() {
            return Ok(json.clone());
        }
        let mut kept = BytesMut::with_capacity(json.len());
        let mut from = 0;
        for (start, end) in ranges {
            kept.extend_from_slice(&json[from..start]);
            from = end;
        }
        kept.extend_from_slice(&json[from..]);
        Ok(kept.freeze())
    }
}

/// Byte ranges to leave out, ascending and apart.
struct Found<'r> {
    /// The address of the document, from which slices know their place.
    base: usize,
    ranges: &'r mut Vec<(usize, usize)>,
}

impl Found<'_> {
    fn start(&self, slice: &str) -> usize {
        slice.as_ptr() as usize - self.base
    }

    fn end(&self, slice: &str) -> usize {
        self.start(slice) + slice.len()
    }
}

/// Which members are cut.
#[derive(Clone, Copy)]
enum Rule<'t> {
    /// Those that the pointers of a trie name.
    Trie(&'t Node),
    /// Those of these names, down to a depth.
    Names(&'t [String], usize),
}

/// What becomes of a member.
enum Fate<'t> {
    Cut,
    Search(Rule<'t>),
    Keep,
}

impl<'t> Rule<'t> {
    fn named(self, literal: &str) -> Fate<'t> {
        match self {
            Self::Trie(node) => Self::child(node, node.named(literal)),
            Self::Names(names, _) if readable(literal).is_some_and(|name| names.iter().any(|n| *n == name)) => {
                Fate::Cut
            }
            Self::Names(names, depth) => Fate::Search(Self::Names(names, depth.saturating_sub(1))),
        }
    }

    fn at(self, index: usize) -> Fate<'t> {
        match self {
            Self::Trie(node) => Self::child(node, node.at(index)),
            Self::Names(names, depth) => Fate::Search(Self::Names(names, depth.saturating_sub(1))),
        }
    }

    fn child(node: &'t Node, at: Option<usize>) -> Fate<'t> {
        match at.map(|at| &node.children[at].node) {
            None => Fate::Keep,
            Some(node) if !node.slots.is_empty() => Fate::Cut,
            Some(node) => Fate::Search(Self::Trie(node)),
        }
    }
}

fn collect(rule: Rule<'_>, json: &str, found: &mut Found<'_>) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    if json.trim_start().starts_with(['{', '[']) {
        if matches!(rule, Rule::Names(_, 0)) {
            return Err(serde::de::Error::custom("deeper than is searched"));
        }
        reader.deserialize_any(Level { rule, found })?;
    } else {
        serde::de::IgnoredAny::deserialize(&mut reader)?;
    }
    reader.end()
}

struct Level<'t, 'f, 'r> {
    rule: Rule<'t>,
    found: &'f mut Found<'r>,
}

/// Where one container stands between its members, so that commas come out right.
#[derive(Default)]
struct Commas {
    /// The end of the member before, where one before was kept.
    after_kept: Option<usize>,
    /// The start of a cut that runs up to the next member.
    open: Option<usize>,
}

impl Level<'_, '_, '_> {
    /// Takes one member, `whole` from its first to its last byte.
    fn member<E: serde::de::Error>(
        &mut self,
        fate: Fate<'_>,
        start: usize,
        value: &str,
        commas: &mut Commas,
    ) -> Result<(), E> {
        if let Some(open) = commas.open.take() {
            self.found.ranges.push((open, start));
        }
        let end = self.found.end(value);
        match (fate, commas.after_kept) {
            (Fate::Cut, Some(before)) => {
                self.found.ranges.push((before, end));
                commas.after_kept = Some(end);
            }
            (Fate::Cut, None) => commas.open = Some(start),
            (Fate::Search(rule), _) => {
                collect(rule, value, self.found).map_err(E::custom)?;
                commas.after_kept = Some(end);
            }
            (Fate::Keep, _) => commas.after_kept = Some(end),
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Level<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let mut commas = Commas::default();
        let mut last = 0;
        while let Some((name, value)) = object.next_entry::<&'de RawValue, &'de RawValue>()? {
            let fate = self.rule.named(name.get());
            let start = self.found.start(name.get());
            last = self.found.end(value.get());
            self.member(fate, start, value.get(), &mut commas)?;
        }
        if let Some(open) = commas.open {
            self.found.ranges.push((open, last));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut commas = Commas::default();
        let (mut index, mut last) = (0, 0);
        while let Some(value) = list.next_element::<&'de RawValue>()? {
            let fate = self.rule.at(index);
            last = self.found.end(value.get());
            self.member(fate, self.found.start(value.get()), value.get(), &mut commas)?;
            index += 1;
        }
        if let Some(open) = commas.open {
            self.found.ranges.push((open, last));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
