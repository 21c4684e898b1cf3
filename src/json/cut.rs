//! Members cut out of a document: every occurrence, however its name is spelled; the rest stays byte for byte.

use std::fmt;

use bytes::{Bytes, BytesMut};
use serde::Deserialize as _;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pointers::Node;
use super::{JsonError, PointerError, Pointers, utf8};

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
        if self.is_empty() {
            return Ok(json.clone());
        }
        let text = utf8(json)?;
        let mut ranges = Vec::new();
        collect(self.pointers.root(), text, &mut Found { base: text.as_ptr() as usize, ranges: &mut ranges })
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

fn collect(node: &Node, json: &str, found: &mut Found<'_>) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    if json.trim_start().starts_with(['{', '[']) {
        reader.deserialize_any(Level { node, found })?;
    } else {
        serde::de::IgnoredAny::deserialize(&mut reader)?;
    }
    reader.end()
}

struct Level<'t, 'f, 'r> {
    node: &'t Node,
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
        child: Option<usize>,
        start: usize,
        value: &str,
        commas: &mut Commas,
    ) -> Result<(), E> {
        if let Some(open) = commas.open.take() {
            self.found.ranges.push((open, start));
        }
        let end = self.found.end(value);
        let child = child.map(|at| &self.node.children[at].node);
        match (child, commas.after_kept) {
            (Some(node), Some(before)) if !node.slots.is_empty() => {
                self.found.ranges.push((before, end));
                commas.after_kept = Some(end);
            }
            (Some(node), None) if !node.slots.is_empty() => commas.open = Some(start),
            (child, _) => {
                if let Some(node) = child {
                    collect(node, value, self.found).map_err(E::custom)?;
                }
                commas.after_kept = Some(end);
            }
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
            let child = self.node.named(name.get());
            let start = self.found.start(name.get());
            last = self.found.end(value.get());
            self.member(child, start, value.get(), &mut commas)?;
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
            let child = self.node.at(index);
            last = self.found.end(value.get());
            self.member(child, self.found.start(value.get()), value.get(), &mut commas)?;
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
