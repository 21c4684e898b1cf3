//! Lists whose items are events of their own, up to three levels deep, as slices of the body.

use bytes::Bytes;

use super::super::decode::json_error;
use super::super::event::{DecodeError, MAX_ITEMS};
use crate::api;
use crate::json::{self, PointerError, Pointers};

/// One level of a definition's `split`, compiled.
#[derive(Debug)]
pub(super) struct Split {
    pointer: String,
    /// The places of the level's lists.
    lists: Pointers,
    item: Option<Pointers>,
    optional: bool,
}

/// What a list holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// An event.
    Item(Bytes),
    /// Something that is not of the shape of the level below.
    Misshapen(Bytes),
}

impl Split {
    /// Compiles one level.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub(super) fn compile(split: &api::extract::Split) -> Result<Self, (&'static str, String)> {
        let named = |field: &'static str| move |e: PointerError| (field, e.to_string());
        Ok(Self {
            pointer: split.pointer.clone(),
            lists: lists(split)?,
            item: split.item.as_ref().map(|i| Pointers::compile([i])).transpose().map_err(named("item"))?,
            optional: split.optional,
        })
    }
}

fn lists(split: &api::extract::Split) -> Result<Pointers, (&'static str, String)> {
    let mut lists = Pointers::compile([&split.pointer]).map_err(|error| ("pointer", error.to_string()))?;
    for pointer in &split.also {
        lists.add(pointer).map_err(|error| ("also", error.to_string()))?;
    }
    Ok(lists)
}

/// The items of a document; `None` where it is one event.
///
/// # Errors
/// `Shape` where the document has no such list, `TooManyItems`, `Malformed`, `DuplicateKey`.
pub(super) fn split(levels: &[Split], json: &Bytes, before: usize) -> Result<Option<Vec<Piece>>, DecodeError> {
    let Some((first, deeper)) = levels.split_first() else { return Ok(None) };
    let mut taken = Taken { pieces: Vec::new(), before };
    match taken.level(first, deeper, json)? {
        Level::Split => Ok(Some(taken.pieces)),
        Level::NoList if first.optional => Ok(None),
        Level::NoList if first.pointer.is_empty() => Err(DecodeError::Shape("the body is no list".to_owned())),
        Level::NoList => Err(DecodeError::Shape(format!("the body has no list at {}", first.pointer))),
    }
}

enum Level {
    Split,
    NoList,
}

struct Taken {
    pieces: Vec<Piece>,
    /// Items of the documents before this one.
    before: usize,
}

impl Taken {
    fn level(&mut self, split: &Split, deeper: &[Split], json: &Bytes) -> Result<Level, DecodeError> {
        let captured = split.lists.capture_unique(json).map_err(json_error)?;
        let mut found = false;
        for list in (0..split.lists.len()).filter_map(|number| captured.get(number)) {
            let room = MAX_ITEMS.saturating_sub(self.before + self.pieces.len());
            let Some((elements, count)) = json::elements(list.get(), room).map_err(json_error)? else { continue };
            if count > room {
                return Err(DecodeError::TooManyItems(self.before + self.pieces.len() + count));
            }
            found = true;
            for element in elements {
                self.element(split, deeper, json.slice_ref(element.get().as_bytes()))?;
            }
        }
        if found { Ok(Level::Split) } else { self.without(split, deeper, json) }
    }

    fn element(&mut self, split: &Split, deeper: &[Split], element: Bytes) -> Result<(), DecodeError> {
        let item = match &split.item {
            None => Some(element.clone()),
            Some(pointer) => {
                let captured = pointer.capture_unique(&element).map_err(json_error)?;
                captured.get(0).map(|raw| element.slice_ref(raw.get().as_bytes()))
            }
        };
        let Some(item) = item else {
            self.pieces.push(Piece::Misshapen(element));
            return Ok(());
        };
        match deeper.split_first() {
            None => self.pieces.push(Piece::Item(item)),
            Some((next, rest)) => match self.level(next, rest, &item)? {
                Level::Split => {}
                Level::NoList if next.optional => self.pieces.push(Piece::Item(item)),
                Level::NoList => self.pieces.push(Piece::Misshapen(item)),
            },
        }
        Ok(())
    }

    /// What has no list that it may lack is looked at as the next level does: vendors send one of several shapes.
    fn without(&mut self, split: &Split, deeper: &[Split], json: &Bytes) -> Result<Level, DecodeError> {
        match deeper.split_first() {
            Some((next, rest)) if split.optional => self.level(next, rest, json),
            _ => Ok(Level::NoList),
        }
    }
}
