//! Paths of members, compiled into one automaton: names, `*` for every member or element, `**` for any number of levels.
//!
//! Where a document is searched, the steps that are reached stand on one stack, those of an inner container above those of
//! the outer; nothing is allocated for a member.

use super::super::pointers::index;
use super::super::text::readable;
use super::super::{PointerError, parse_pointer};

/// Every member or element.
const ANY: &str = "*";
/// Any number of levels.
const DEEP: &str = "**";

/// A text that is no path of members.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is no JSON pointer.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// It does not end in a name.
    #[error("{0:?} does not end in a name: write the member that is cut, such as /items/*/secret or /data/**/secret")]
    End(String),
}

/// The automaton; the first node is where a document begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// By name, sorted.
    names: Vec<Named>,
    /// After any member or element.
    any: Option<usize>,
    /// After none or more levels.
    deep: Option<usize>,
    /// Any member or element leads here again.
    again: bool,
    /// A path ends here.
    end: bool,
}

#[derive(Clone, Debug)]
struct Named {
    name: Box<str>,
    /// The name as the index of a list.
    index: Option<usize>,
    to: usize,
}

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is cut.
    Cut,
    /// Paths lead into it: their steps are on the stack.
    Into,
    /// It stays.
    Keep,
}

impl Paths {
    /// Adds a path and says its last name.
    pub(super) fn add(&mut self, path: &str) -> Result<String, PathError> {
        let parts = parse_pointer(path)?;
        let name = parts.last().filter(|name| *name != ANY && *name != DEEP);
        let name = name.ok_or_else(|| PathError::End(path.to_owned()))?.clone();
        self.lead(parts);
        Ok(name)
    }

    /// Adds a name at any depth.
    pub(super) fn add_anywhere(&mut self, name: String) {
        self.lead([DEEP.to_owned(), name]);
    }

    fn lead(&mut self, parts: impl IntoIterator<Item = String>) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let at = parts.into_iter().fold(0, |at, part| self.child(at, part));
        self.nodes[at].end = true;
    }

    fn child(&mut self, at: usize, part: String) -> usize {
        let new = self.nodes.len();
        let again = part == DEEP;
        let node = &mut self.nodes[at];
        let to = match part.as_str() {
            // Twice any number of levels is any number of levels.
            DEEP if node.again => at,
            DEEP => *node.deep.get_or_insert(new),
            ANY => *node.any.get_or_insert(new),
            _ => match node.names.binary_search_by(|named| named.name.as_ref().cmp(&part)) {
                Ok(known) => node.names[known].to,
                Err(place) => {
                    let index = index(&part);
                    node.names.insert(place, Named { name: part.into(), index, to: new });
                    new
                }
            },
        };
        if to == new {
            self.nodes.push(Node { again, ..Node::default() });
        }
        to
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The steps at the beginning of a document.
    pub(super) fn begin(&self) -> Vec<usize> {
        let mut steps = Vec::with_capacity(8);
        self.reach(0, 0, &mut steps);
        steps
    }

    /// Puts the steps that a member's name, as a literal, leads to on top of those of its object.
    pub(super) fn named(&self, steps: &mut Vec<usize>, from: usize, literal: &str) -> Step {
        let name = readable(literal);
        let find = |node: &Node| {
            let name = name.as_deref()?;
            let found = node.names.binary_search_by(|named| named.name.as_ref().cmp(name)).ok()?;
            Some(node.names[found].to)
        };
        self.step(steps, from, find)
    }

    /// The same for an element.
    pub(super) fn at(&self, steps: &mut Vec<usize>, from: usize, index: usize) -> Step {
        self.step(steps, from, |node| node.names.iter().find(|named| named.index == Some(index)).map(|named| named.to))
    }

    fn step(&self, steps: &mut Vec<usize>, from: usize, find: impl Fn(&Node) -> Option<usize>) -> Step {
        let begun = steps.len();
        for place in from..begun {
            let at = steps[place];
            let node = &self.nodes[at];
            for to in [find(node), node.any, node.again.then_some(at)].into_iter().flatten() {
                self.reach(to, begun, steps);
            }
        }
        let reached = &steps[begun..];
        if reached.iter().any(|to| self.nodes[*to].end) {
            Step::Cut
        } else if reached.is_empty() {
            Step::Keep
        } else {
            Step::Into
        }
    }

    fn reach(&self, to: usize, begun: usize, steps: &mut Vec<usize>) {
        if steps[begun..].contains(&to) {
            return;
        }
        steps.push(to);
        if let Some(deep) = self.nodes[to].deep {
            self.reach(deep, begun, steps);
        }
    }
}
