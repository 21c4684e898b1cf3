//! The turns of a transcript: elements of a vendor's list, pieces of one that are put together, or labels in the text.

use serde_json::value::RawValue;

use super::entries::{Entries, Taken, Written};
use super::labels::labelled;
use super::member::{Member, TEXT, TURN};
use super::value::Value;
use crate::api::provider::MapSegments;
use crate::json::{self, JsonError, ListWriter, ObjectWriter};
use crate::provider::compiler::Compiler;
use crate::provider::condition::Test;
use crate::provider::place::Places;

/// Where turns come from, compiled.
#[derive(Debug)]
pub(super) enum Segments {
    /// Each element is a turn.
    Turns(Entries),
    /// Neighbours of one speaker and channel are a turn.
    Pieces(Taken, Merge),
    /// The word that begins a turn in `transcript.text`.
    Labels(String),
}

/// How pieces become turns.
#[derive(Debug)]
pub(super) struct Merge {
    /// In the order of the schema.
    members: Vec<(&'static Member, Value)>,
    between: String,
    attach: Vec<Test>,
}

/// A turn that grows: the members of its first piece as JSON, its text and its end.
struct Growing {
    members: Vec<(&'static str, String)>,
    text: String,
    pieces: usize,
}

impl Segments {
    /// Compiles where turns come from; what is wrong goes to the compiler.
    pub(super) fn compile(segments: &MapSegments, path: &str, compiler: &mut Compiler) -> Option<Self> {
        let written = Written { when: &segments.when, from: segments.from.as_deref(), only: &segments.only };
        match (&segments.label, segments.set.is_empty(), &segments.merge) {
            (Some(label), true, _) if !label.trim().is_empty() => return Some(Self::Labels(label.trim().to_owned())),
            (None, false, None) => {
                if !segments.attach.is_empty() {
                    compiler.error(&format!("{path}.attach"), "it is an exception from merge: write merge");
                }
                return Some(Self::Turns(Entries::compile(written, &segments.set, &TURN, path, compiler)?));
            }
            (None, false, Some(between)) => {
                let (taken, (members, attach)) = Taken::compile(written, path, compiler, |compiler| {
                    let members = segments.set.iter().filter_map(|(name, value)| {
                        let path = format!("{path}.set[{name}]");
                        let Some(member) = TURN.iter().find(|member| member.name == name) else {
                            compiler.error(&path, format!("{name:?} is no member of a turn"));
                            return None;
                        };
                        Some((member, Value::compile(value, member.shape, &path, compiler)))
                    });
                    let members: Vec<_> = members.collect();
                    (members, compiler.tests(&segments.attach, &format!("{path}.attach")))
                })?;
                return Some(Self::Pieces(taken, Merge { members, between: between.clone(), attach }));
            }
            _ => compiler.error(path, "write set or label"),
        }
        None
    }

    /// Writes the turns of an item whose `transcript.text` is `text`; says whether any speaker is known.
    ///
    /// # Errors
    /// `Duplicate` for a turn that could be read as two.
    pub(super) fn write(
        &self,
        item: &dyn Places,
        text: Option<&str>,
        list: &mut ListWriter<'_>,
    ) -> Result<bool, JsonError> {
        let mut told = false;
        match self {
            Self::Labels(label) => {
                for turn in text.map(|text| labelled(text, label)).unwrap_or_default() {
                    list.object(|object| {
                        if let Some(speaker) = &turn.speaker {
                            told = true;
                            object.text("speaker", speaker);
                        }
                        object.text(TEXT, turn.text);
                    });
                }
            }
            Self::Turns(entries) => entries.write(item, |turn| {
                told |= turn.starts_with(r#"{"speaker""#);
                list.raw(&turn);
            })?,
            Self::Pieces(taken, merge) => {
                let mut growing: Option<Growing> = None;
                taken.each(item, |scope| {
                    let Some((piece, attached)) = merge.piece(scope)? else { return Ok(()) };
                    match &mut growing {
                        Some(turn) if turn.is_of(&piece) => turn.grow(piece, attached, &merge.between),
                        _ => {
                            if let Some(turn) = growing.replace(piece) {
                                told |= turn.write(list);
                            }
                        }
                    }
                    Ok(())
                })?;
                if let Some(turn) = growing {
                    told |= turn.write(list);
                }
            }
        }
        Ok(told)
    }
}

impl Merge {
    /// The piece in a scope, and whether it follows without what stands between; one without text is none.
    fn piece(&self, scope: &dyn Places) -> Result<Option<(Growing, bool)>, JsonError> {
        let mut members = Vec::with_capacity(self.members.len());
        let mut text = None;
        for (member, value) in &self.members {
            let mut out = Vec::new();
            let mut result = Ok(false);
            ObjectWriter::write(&mut out, |object| result = value.write("", scope, object));
            let written = result?;
            // `{"":VALUE}`
            let json = String::from_utf8(out).ok().filter(|_| written);
            let Some(json) = json.as_deref().and_then(|json| json.get(4..json.len() - 1)) else { continue };
            if member.name == TEXT {
                text = serde_json::from_str::<&RawValue>(json).ok().and_then(json::string_text).map(|t| t.into_owned());
            } else {
                members.push((member.name, json.to_owned()));
            }
        }
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let attached = !self.attach.is_empty() && self.attach.iter().all(|test| test.holds(scope));
        Ok(Some((Growing { members, text, pieces: 1 }, attached)))
    }
}

impl Growing {
    fn member(&self, name: &str) -> Option<&str> {
        self.members.iter().find(|(known, _)| *known == name).map(|(_, json)| json.as_str())
    }

    /// Whether a piece goes on with it. Punctuation may have no speaker.
    fn is_of(&self, piece: &Self) -> bool {
        ["speaker", "channel"].iter().all(|name| self.member(name) == piece.member(name))
    }

    fn grow(&mut self, piece: Self, attached: bool, between: &str) {
        if !attached {
            self.text.push_str(between);
        }
        self.text.push_str(&piece.text);
        self.pieces += 1;
        if let Some(end) = piece.members.into_iter().find(|(name, _)| *name == "endSeconds") {
            self.members.retain(|(name, _)| *name != "endSeconds");
            self.members.push(end);
        }
    }

    /// Writes the turn; says whether its speaker is known. The confidence of one piece is not that of a turn.
    fn write(&self, list: &mut ListWriter<'_>) -> bool {
        list.object(|object| {
            for member in &TURN {
                match (member.name, self.member(member.name)) {
                    (TEXT, _) => object.text(TEXT, &self.text),
                    ("confidence", _) if self.pieces > 1 => {}
                    (name, Some(json)) => object.raw(name, json),
                    (_, None) => {}
                }
            }
        });
        self.member("speaker").is_some()
    }
}
