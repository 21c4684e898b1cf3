//! Members cut out of a document: every occurrence, however its name is spelled; the rest stays byte for byte.
//!
//! By path, or by name at any depth where nobody knows how the document is built. One pass forward after the one that
//! checks that it is JSON: no tree, no recursion, and nothing is entered that no path leads into.

mod path;

use bytes::{Bytes, BytesMut};

use self::path::{Paths, Step};
use super::cursor::{Cursor, Form};
use super::{JsonError, validate};

pub use self::path::PathError;

/// How deep a document is searched. What stands deeper cannot be told to hold nothing, so such a document is none.
const DEPTH: usize = 128;

/// What to cut, compiled.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    paths: Paths,
    /// The last names of the paths, at any depth.
    anywhere: Paths,
}

impl Cuts {
    /// Compiles the paths of members to cut: JSON pointers, in which `*` stands for every member and element, and `**`
    /// for any number of levels, none included. The last part is a name.
    ///
    /// # Errors
    /// The first text that is no path.
    pub fn compile<S: AsRef<str>>(paths: impl IntoIterator<Item = S>) -> Result<Self, PathError> {
        let mut compiled = Self::default();
        for path in paths {
            let name = compiled.paths.add(path.as_ref())?;
            compiled.anywhere.add_anywhere(name);
        }
        Ok(compiled)
    }

    /// Whether there is nothing to cut.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The document without the members; the same bytes, uncopied, where it holds none of them.
    ///
    /// # Errors
    /// `Malformed` where the bytes are no JSON document, or one deeper than is searched.
    pub fn apply(&self, json: &Bytes) -> Result<Bytes, JsonError> {
        cut(&self.paths, json)
    }

    /// The document without any member that has the last name of a path, wherever it stands.
    ///
    /// # Errors
    /// `Malformed` where the bytes are no JSON document, or one deeper than is searched.
    pub fn apply_anywhere(&self, json: &Bytes) -> Result<Bytes, JsonError> {
        cut(&self.anywhere, json)
    }
}

fn cut(paths: &Paths, json: &Bytes) -> Result<Bytes, JsonError> {
    if paths.is_empty() {
        return Ok(json.clone());
    }
    validate(json)?;
    let ranges = ranges(paths, json).ok_or(JsonError::Malformed)?;
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

/// A container that is open.
struct Open {
    list: bool,
    /// How many members or elements were met.
    met: usize,
    /// Where its steps begin among those of all that are open.
    steps: usize,
    /// The end of the member before, where one before was kept.
    after_kept: Option<usize>,
    /// The start of a cut that runs up to the next member.
    cut_from: Option<usize>,
    /// The end of the last member.
    last: usize,
}

/// The byte ranges to leave out, ascending and apart; `None` where the document is deeper than is searched.
fn ranges(paths: &Paths, json: &[u8]) -> Option<Vec<(usize, usize)>> {
    let mut ranges = Vec::new();
    let mut cursor = Cursor::new(json)?;
    let mut steps = paths.begin();
    let mut open: Vec<Open> = Vec::new();
    if let Some(list) = container(&mut cursor) {
        open.push(Open::enter(&mut cursor, list, 0));
    }
    while let Some(inner) = open.last_mut() {
        let Some((start, name)) = inner.next(&mut cursor)? else {
            if let Some(from) = inner.cut_from {
                ranges.push((from, inner.last));
            }
            steps.truncate(inner.steps);
            open.pop();
            if let Some(outer) = open.last_mut() {
                outer.kept(cursor.at());
            }
            continue;
        };
        if let Some(from) = inner.cut_from.take() {
            ranges.push((from, start));
        }
        let begun = steps.len();
        let step = match name {
            Some(name) => paths.named(&mut steps, inner.steps, name),
            None => paths.at(&mut steps, inner.steps, inner.met - 1),
        };
        match (step, container(&mut cursor)) {
            (Step::Cut, _) => {
                cursor.skip()?;
                let end = cursor.at();
                inner.last = end;
                match inner.after_kept {
                    Some(before) => {
                        ranges.push((before, end));
                        inner.after_kept = Some(end);
                    }
                    None => inner.cut_from = Some(start),
                }
            }
            (Step::Into, Some(list)) => {
                if open.len() >= DEPTH {
                    return None;
                }
                open.push(Open::enter(&mut cursor, list, begun));
                continue;
            }
            _ => {
                cursor.skip()?;
                inner.kept(cursor.at());
            }
        }
        steps.truncate(begun);
    }
    Some(ranges)
}

impl Open {
    fn enter(cursor: &mut Cursor<'_>, list: bool, steps: usize) -> Self {
        cursor.enter();
        Self { list, met: 0, steps, after_kept: None, cut_from: None, last: 0 }
    }

    /// Where the next member or element starts, with the place at its value, and the name of a member.
    fn next<'a>(&mut self, cursor: &mut Cursor<'a>) -> Option<Option<(usize, Option<&'a str>)>> {
        let first = self.met == 0;
        self.met += 1;
        if self.list {
            return Some(cursor.element(first)?.then(|| (cursor.at(), None)));
        }
        Some(cursor.member_at(first)?.map(|(start, name)| (start, Some(name))))
    }

    fn kept(&mut self, end: usize) {
        self.after_kept = Some(end);
        self.last = end;
    }
}

/// Whether a list (true) or an object (false) comes next.
fn container(cursor: &mut Cursor<'_>) -> Option<bool> {
    match cursor.form()? {
        Form::List => Some(true),
        Form::Object => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
