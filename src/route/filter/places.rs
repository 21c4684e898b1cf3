//! The places of `data` that the filters of a source name, and what stands there in one event.
//!
//! Found in one pass over the document whatever the number of filters; nothing else of it is read, nothing is copied.

use std::cell::OnceCell;

use crate::json::{Cursor, Form, lossy_text};

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    At(usize),
}

/// A tree of steps, shared by the filters of a source. Place 0 is `data` itself.
#[derive(Debug)]
pub struct Places {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted.
    names: Vec<(Box<str>, usize)>,
    elements: Vec<(usize, usize)>,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'a> {
    /// Absent: there is no such member or element.
    pub(super) form: Option<Form>,
    /// From the first byte to the last.
    pub(super) text: &'a str,
    /// It and all within it.
    pub(super) values: usize,
}

/// `data` of one event: looked through when the first filter asks, once for all.
#[derive(Debug)]
pub struct Data<'a> {
    places: &'a Places,
    json: &'a [u8],
    found: OnceCell<Vec<Found<'a>>>,
}

impl<'a> Data<'a> {
    /// The normalized content of an event as JSON, and the places with which its filters were compiled. What is no JSON
    /// is null.
    pub fn new(places: &'a Places, json: &'a [u8]) -> Self {
        Self { places, json, found: OnceCell::new() }
    }

    /// Its bytes.
    pub fn len(&self) -> usize {
        self.json.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    pub(super) fn found(&self) -> &[Found<'a>] {
        self.found.get_or_init(|| self.places.find(self.json))
    }
}

impl Default for Places {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Places {
    /// The number of a place below another.
    pub(super) fn below(&mut self, parent: usize, step: &Step) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[parent];
        let known = match step {
            Step::Name(name) => match node.names.binary_search_by(|(known, _)| known.cmp(name)) {
                Ok(at) => Some(node.names[at].1),
                Err(at) => {
                    node.names.insert(at, (name.clone(), next));
                    None
                }
            },
            Step::At(index) => {
                let known = node.elements.iter().find(|(known, _)| known == index).map(|(_, place)| *place);
                if known.is_none() {
                    node.elements.push((*index, next));
                }
                known
            }
        };
        known.unwrap_or_else(|| {
            self.nodes.push(Node::default());
            next
        })
    }

    /// What stands at every place. Of two members of one name the last counts, as for most readers. A document that is
    /// no JSON is null.
    pub(super) fn find<'a>(&self, json: &'a [u8]) -> Vec<Found<'a>> {
        let mut found = vec![Found::default(); self.nodes.len()];
        let read = Cursor::new(json).and_then(|mut cursor| self.read(0, &mut cursor, &mut found));
        if read.is_none() {
            found.fill(Found::default());
            found[0] = Found { form: Some(Form::Null), text: "null", values: 1 };
        }
        found
    }

    fn read<'a>(&self, place: usize, cursor: &mut Cursor<'a>, found: &mut [Found<'a>]) -> Option<()> {
        let form = cursor.form()?;
        let (start, before) = (cursor.at(), cursor.values());
        let node = &self.nodes[place];
        match form {
            Form::Object if !node.names.is_empty() => {
                cursor.enter();
                let mut first = true;
                while let Some(name) = cursor.member(first)? {
                    first = false;
                    let child = match node.names.as_slice() {
                        [(only, child)] => (lossy_text(name) == **only).then_some(*child),
                        names => {
                            let name = lossy_text(name);
                            let known = names.binary_search_by(|(known, _)| (**known).cmp(&*name));
                            known.ok().map(|at| names[at].1)
                        }
                    };
                    match child {
                        Some(child) => {
                            self.forget(child, found);
                            self.read(child, cursor, found)?;
                        }
                        None => cursor.skip()?,
                    }
                }
            }
            Form::List if !node.elements.is_empty() => {
                cursor.enter();
                let mut index = 0;
                while cursor.element(index == 0)? {
                    match node.elements.iter().find(|(wanted, _)| *wanted == index) {
                        Some((_, child)) => self.read(*child, cursor, found)?,
                        None => cursor.skip()?,
                    }
                    index += 1;
                }
            }
            _ => cursor.skip()?,
        }
        found[place] =
            Found { form: Some(form), text: cursor.since(start), values: cursor.values().saturating_sub(before) };
        Some(())
    }

    /// What an earlier member of the same name had below it.
    fn forget(&self, place: usize, found: &mut [Found<'_>]) {
        if found[place].form.is_none() {
            return;
        }
        found[place] = Found::default();
        let node = &self.nodes[place];
        for (_, child) in &node.names {
            self.forget(*child, found);
        }
        for (_, child) in &node.elements {
            self.forget(*child, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Step {
        Step::Name(name.into())
    }

    #[test]
    fn one_pass_finds_every_place_that_is_named() {
        let mut places = Places::default();
        let a = places.below(0, &name("a"));
        let b = places.below(a, &name("b"));
        let second = places.below(b, &Step::At(1));
        let c = places.below(second, &name("c"));
        assert_eq!(places.below(0, &name("a")), a);
        let json = br#"{"x": {"a": 1}, "a": {"\u0062": [0, {"c": [1, 2]}, 3], "z": 1}}"#;
        let found = places.find(json);
        assert_eq!((found[c].text, found[c].values), ("[1, 2]", 3));
        assert_eq!((found[b].text, found[b].values), (r#"[0, {"c": [1, 2]}, 3]"#, 7));
        assert_eq!((found[a].form, found[0].values), (Some(Form::Object), 12));
    }

    #[test]
    fn the_last_of_two_members_counts_and_the_first_leaves_nothing() {
        let mut places = Places::default();
        let a = places.below(0, &name("a"));
        let b = places.below(a, &name("b"));
        let found = places.find(br#"{"a": {"b": 1}, "a": {"c": 2}}"#);
        assert_eq!((found[a].text, found[b].form), (r#"{"c": 2}"#, None));
    }

    #[test]
    fn what_is_no_json_is_null() {
        let mut places = Places::default();
        let a = places.below(0, &name("a"));
        for json in [&b"<xml/>"[..], b"", b"\xff", br#"{"a": 1"#] {
            let found = places.find(json);
            assert_eq!((found[0].form, found[a].form), (Some(Form::Null), None));
        }
    }
}
