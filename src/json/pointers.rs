//! JSON pointers (RFC 6901) compiled into a trie: every place is captured in one validating pass.
//!
//! Safe on bodies of strangers: the pass descends only where a pointer leads, keeps slices, and refuses a doubled
//! name that it reads, because two readers of such a body could see two values.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::decoded;
use super::walk::Names;
use super::{JsonError, utf8};

/// Places inside a document, numbered in the order they were given.
#[derive(Clone, Debug, Default)]
pub struct Pointers {
    root: Node,
    /// As they were given.
    texts: Vec<Box<str>>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The pointers that end here.
    slots: Vec<usize>,
    /// By name, sorted.
    children: Vec<Child>,
}

#[derive(Clone, Debug)]
struct Child {
    name: Box<str>,
    /// The name as the index of a list.
    index: Option<usize>,
    node: Node,
}

/// A text that is no JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no JSON pointer: write \"/\" before every name, \"~1\" for a slash and \"~0\" for a tilde in one")]
pub struct PointerError(String);

/// The values found, by the number of their pointer.
#[derive(Clone, Debug, Default)]
pub struct Captured<'a> {
    found: Vec<Option<&'a RawValue>>,
}

impl<'a> Captured<'a> {
    /// The value at a pointer, as sent; `None` where the pointer leads nowhere.
    pub fn get(&self, pointer: usize) -> Option<&'a RawValue> {
        self.found.get(pointer).copied().flatten()
    }
}

/// The names of a pointer, unescaped.
///
/// # Errors
/// Where the text is no pointer.
pub fn parse_pointer(pointer: &str) -> Result<Vec<String>, PointerError> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let wrong = || PointerError(pointer.to_owned());
    let names = pointer.strip_prefix('/').ok_or_else(wrong)?;
    names
        .split('/')
        .map(|name| {
            let whole = name.replace("~0", "").replace("~1", "");
            if whole.contains('~') { Err(wrong()) } else { Ok(name.replace("~1", "/").replace("~0", "~")) }
        })
        .collect()
}

/// A pointer from its names.
pub fn join_pointer<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().fold(String::new(), |mut pointer, name| {
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        pointer
    })
}

impl Pointers {
    /// Compiles pointers; the empty one is the whole document.
    ///
    /// # Errors
    /// The first text that is no pointer.
    pub fn compile<S: AsRef<str>>(pointers: impl IntoIterator<Item = S>) -> Result<Self, PointerError> {
        let mut compiled = Self::default();
        for pointer in pointers {
            compiled.add(pointer.as_ref())?;
        }
        Ok(compiled)
    }

    /// Adds a pointer and says its number.
    ///
    /// # Errors
    /// Where the text is no pointer.
    pub fn add(&mut self, pointer: &str) -> Result<usize, PointerError> {
        let mut node = &mut self.root;
        for name in parse_pointer(pointer)? {
            node = node.child(name);
        }
        node.slots.push(self.texts.len());
        self.texts.push(pointer.into());
        Ok(self.texts.len() - 1)
    }

    /// The pointer of a number; empty where there is none.
    pub fn text(&self, number: usize) -> &str {
        self.texts.get(number).map_or("", |text| text)
    }

    /// How many pointers there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Whether some pointer leads to the member of that name at the top of a document, or into it.
    pub fn leads_into(&self, name: &str) -> bool {
        let children = &self.root.children;
        !self.root.slots.is_empty() || children.binary_search_by(|child| child.name.as_ref().cmp(name)).is_ok()
    }

    /// Whether a document of this form can hold anything that a pointer reads: an object, or a list where a pointer
    /// begins with an index. True for every document where no pointer leads inside.
    pub fn fits(&self, json: &[u8]) -> bool {
        let children = &self.root.children;
        match json.trim_ascii_start().first() {
            _ if children.is_empty() => true,
            Some(b'{') => true,
            Some(b'[') => children.iter().any(|child| child.index.is_some()),
            _ => false,
        }
    }

    /// Finds every place in one pass over the whole document. Doubled names that a pointer reads are an error.
    ///
    /// # Errors
    /// `Malformed` where the bytes are no JSON document, `Duplicate` as said.
    pub fn capture<'a>(&self, json: &'a [u8]) -> Result<Captured<'a>, JsonError> {
        self.find(utf8(json)?, false)
    }

    /// The same, but any doubled name in an object that a pointer leads into is an error, read or not.
    ///
    /// # Errors
    /// As `capture`.
    pub fn capture_unique<'a>(&self, json: &'a [u8]) -> Result<Captured<'a>, JsonError> {
        self.find(utf8(json)?, true)
    }

    fn find<'a>(&self, json: &'a str, unique: bool) -> Result<Captured<'a>, JsonError> {
        let mut state = State { json, found: vec![None; self.texts.len()], duplicate: None, unique };
        let walked = walk(&self.root, json, &mut state);
        match (walked, state.duplicate) {
            (_, Some(name)) => Err(JsonError::Duplicate(name)),
            (Err(_), None) => Err(JsonError::Malformed),
            (Ok(()), None) => Ok(Captured { found: state.found }),
        }
    }
}

impl Node {
    fn child(&mut self, name: String) -> &mut Node {
        let at = match self.children.binary_search_by(|child| child.name.as_ref().cmp(&name)) {
            Ok(at) => at,
            Err(at) => {
                let index = index(&name);
                self.children.insert(at, Child { name: name.into(), index, node: Node::default() });
                at
            }
        };
        &mut self.children[at].node
    }

    /// The child that a name literal spells.
    fn named(&self, literal: &str) -> Option<usize> {
        let name = decoded(literal)?;
        self.children.binary_search_by(|child| child.name.as_ref().cmp(name.as_ref())).ok()
    }

    /// The child of an element.
    fn at(&self, index: usize) -> Option<usize> {
        self.children.iter().position(|child| child.index == Some(index))
    }
}

/// The index that a name is (RFC 6901, section 4): digits without a leading zero.
pub(super) fn index(name: &str) -> Option<usize> {
    let plain = name == "0" || !name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| name.parse().ok())?
}

struct State<'a> {
    /// The whole document.
    json: &'a str,
    found: Vec<Option<&'a RawValue>>,
    duplicate: Option<String>,
    unique: bool,
}

impl State<'_> {
    /// Whether a list or an object follows this name. Scalars are skipped unread: a number may be larger than any that
    /// Rust holds, a string may be no Unicode, and neither is of concern to a pointer that leads through it.
    fn opens(&self, name: &str) -> bool {
        let end = name.as_ptr() as usize + name.len() - self.json.as_ptr() as usize;
        let after = self.json.as_bytes().get(end..).unwrap_or_default().trim_ascii_start();
        after.strip_prefix(b":").is_some_and(opens)
    }
}

/// Whether the value that begins here is a list or an object.
fn opens(value: &[u8]) -> bool {
    matches!(value.trim_ascii_start().first(), Some(b'{' | b'['))
}

fn walk<'a>(node: &Node, json: &'a str, state: &mut State<'a>) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    if node.slots.is_empty() && !opens(json.as_bytes()) {
        IgnoredAny::deserialize(&mut reader)?;
    } else {
        Walk { node, state }.deserialize(&mut reader)?;
    }
    reader.end()
}

struct Walk<'t, 's, 'a> {
    node: &'t Node,
    state: &'s mut State<'a>,
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        if self.node.slots.is_empty() {
            if self.node.children.is_empty() {
                return serde::Deserialize::deserialize(reader).map(|IgnoredAny| ());
            }
            return reader.deserialize_any(self);
        }
        let value: &'a RawValue = serde::Deserialize::deserialize(reader)?;
        for slot in &self.node.slots {
            self.state.found[*slot] = Some(value);
        }
        if self.node.children.is_empty() || !value.get().starts_with(['{', '[']) {
            return Ok(());
        }
        let mut nested = serde_json::Deserializer::from_str(value.get());
        nested.deserialize_any(self).map_err(D::Error::custom)
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        let mut names = self.state.unique.then(Names::default);
        while let Some(literal) = object.next_key::<&'a RawValue>()? {
            if let Some(names) = &mut names {
                names.add(literal.get());
            }
            let Some(at) = self.node.named(literal.get()) else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let child = &self.node.children[at];
            if !seen.first(at) {
                self.state.duplicate = Some(child.name.to_string());
                return Err(A::Error::custom("doubled"));
            }
            if child.node.slots.is_empty() && !self.state.opens(literal.get()) {
                object.next_value::<IgnoredAny>()?;
                continue;
            }
            object.next_value_seed(Walk { node: &child.node, state: &mut *self.state })?;
        }
        if let Some(name) = names.and_then(Names::duplicate) {
            self.state.duplicate = Some(name);
            return Err(A::Error::custom("doubled"));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        for index in 0.. {
            let more = match self.node.at(index) {
                Some(at) => {
                    let node = &self.node.children[at].node;
                    list.next_element::<&'a RawValue>()?
                        .map(|element| walk(node, element.get(), self.state).map_err(A::Error::custom))
                        .transpose()?
                        .is_some()
                }
                None => list.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

/// Which children of a node were met, without allocating for the usual few.
#[derive(Default)]
struct Seen {
    few: u64,
    many: Vec<usize>,
}

impl Seen {
    /// Whether this child is met for the first time.
    fn first(&mut self, child: usize) -> bool {
        if child < 64 {
            let bit = 1 << child;
            let first = self.few & bit == 0;
            self.few |= bit;
            return first;
        }
        let first = !self.many.contains(&child);
        self.many.push(child);
        first
    }
}

#[cfg(test)]
mod tests;
