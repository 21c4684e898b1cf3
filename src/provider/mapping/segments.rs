//! The turns of a transcript: a vendor's list of them, or labels such as `Speaker 1:` inside the text.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::api::provider::MapSegments;
use crate::json::{self, Captured, JsonError, Pointers};
use crate::provider::compiler::Compiler;

/// Most digits of a speaker's number.
const DIGITS: usize = 6;
/// Most turns that are read of a list.
const MOST: usize = 100_000;

/// Where turns come from, compiled.
#[derive(Debug)]
pub(super) enum Segments {
    /// A list in the item.
    List {
        /// The list.
        from: usize,
        /// Places inside a turn.
        turn: Pointers,
        speaker: Option<usize>,
        text: Option<usize>,
    },
    /// The word that begins a turn in `transcript.text`.
    Labels(String),
}

/// One turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn<'a> {
    pub speaker: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
}

impl Segments {
    /// Compiles where turns come from; what is wrong goes to the compiler.
    pub(super) fn compile(segments: &MapSegments, path: &str, compiler: &mut Compiler) -> Option<Self> {
        match (&segments.from, &segments.label) {
            (Some(from), None) => {
                let from = compiler.item(from, &format!("{path}.from"))?;
                let mut turn = Pointers::default();
                let mut add = |pointer: &Option<String>, field: &str| {
                    let added = pointer.as_ref().map(|pointer| turn.add(pointer)).transpose();
                    added.map_err(|error| compiler.error(&format!("{path}.{field}"), error.to_string())).ok().flatten()
                };
                let speaker = add(&segments.speaker, "speaker");
                let text = add(&segments.text, "text");
                Some(Self::List { from, turn, speaker, text })
            }
            (None, Some(label)) if !label.trim().is_empty() => Some(Self::Labels(label.trim().to_owned())),
            _ => {
                compiler.error(path, "write from or label");
                None
            }
        }
    }

    /// The turns of an item whose `transcript.text` is `text`.
    ///
    /// # Errors
    /// `Duplicate` for a turn that could be read as two.
    pub(super) fn read<'a>(&self, item: &Captured<'a>, text: Option<&'a RawValue>) -> Result<Vec<Turn<'a>>, JsonError> {
        match self {
            Self::Labels(label) => Ok(match text.and_then(json::string_text) {
                None => Vec::new(),
                Some(Cow::Borrowed(text)) => labelled(text, label),
                Some(Cow::Owned(text)) => labelled(&text, label).into_iter().map(Turn::into_owned).collect(),
            }),
            Self::List { from, turn, speaker, text } => {
                let Some(list) = item.get(*from) else { return Ok(Vec::new()) };
                let Some((turns, _)) = json::elements(list.get(), MOST)? else { return Ok(Vec::new()) };
                turns.into_iter().filter_map(|raw| listed(raw, turn, *speaker, *text).transpose()).collect()
            }
        }
    }
}

impl Turn<'_> {
    fn into_owned(self) -> Turn<'static> {
        Turn { speaker: self.speaker.map(|s| Cow::Owned(s.into_owned())), text: Cow::Owned(self.text.into_owned()) }
    }
}

/// A turn of a list; one without text is none.
fn listed<'a>(
    raw: &'a RawValue,
    turn: &Pointers,
    speaker: Option<usize>,
    text: Option<usize>,
) -> Result<Option<Turn<'a>>, JsonError> {
    let Some(text) = text else {
        return Ok(json::string_text(raw).map(|text| Turn { speaker: None, text }));
    };
    let places = turn.capture_unique(raw.get().as_bytes())?;
    let scalar = |place: usize| places.get(place).and_then(json::as_text).filter(|text| !text.is_empty());
    Ok(scalar(text).map(|text| Turn { speaker: speaker.and_then(scalar), text }))
}

/// The turns of a text in which a word, spaces, a number and a colon begin one. No label: no turns.
fn labelled<'t>(text: &'t str, label: &str) -> Vec<Turn<'t>> {
    let mut turns = Vec::new();
    let mut from = 0;
    let mut speaker: Option<Cow<'t, str>> = None;
    let mut search = 0;
    while let Some(found) = text[search..].find(label) {
        let start = search + found;
        search = start + label.len();
        // A label is a word of its own.
        if text[..start].chars().next_back().is_some_and(char::is_alphanumeric) {
            continue;
        }
        let Some((number, length)) = number(&text[search..]) else { continue };
        let before = text[from..start].trim();
        if speaker.is_some() || !before.is_empty() {
            turns.push(Turn { speaker: speaker.take(), text: Cow::Borrowed(before) });
        }
        speaker = Some(Cow::Owned(format!("{label} {number}")));
        search += length;
        from = search;
    }
    if speaker.is_some() {
        turns.push(Turn { speaker, text: Cow::Borrowed(text[from..].trim()) });
    }
    turns
}

/// Spaces, a number and a colon at the front: the number and the length of all three.
fn number(text: &str) -> Option<(&str, usize)> {
    let number = text.trim_start_matches([' ', '\t', '\u{a0}', '\u{202f}']);
    let spaces = text.len() - number.len();
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let ends = number[digits..].starts_with(':');
    (spaces > 0 && (1..=DIGITS).contains(&digits) && ends).then(|| (&number[..digits], spaces + digits + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(text: &str) -> Vec<(Option<String>, String)> {
        labelled(text, "Խոսնակ").into_iter().map(|t| (t.speaker.map(Cow::into_owned), t.text.into_owned())).collect()
    }

    fn turn(speaker: &str, text: &str) -> (Option<String>, String) {
        ((!speaker.is_empty()).then(|| format!("Խոսնակ {speaker}")), text.to_owned())
    }

    #[test]
    fn labels_begin_turns_in_lines_and_inline() {
        let expected = [turn("1", "Բարև"), turn("2", "Բարև ձեզ"), turn("1", "Այո")];
        assert_eq!(turns("Խոսնակ 1: Բարև\nԽոսնակ 2: Բարև ձեզ\r\nԽոսնակ 1: Այո\n"), expected);
        assert_eq!(turns("Խոսնակ 1: Բարև Խոսնակ 2: Բարև ձեզ Խոսնակ 1:Այո"), expected);
    }

    #[test]
    fn text_before_the_first_label_has_no_speaker() {
        assert_eq!(turns("Ողջույն։ Խոսնակ 12:  ա\n բ "), [turn("", "Ողջույն։"), turn("12", "ա\n բ")]);
        assert_eq!(turns(" \n Խոսնակ  3: ա"), [turn("3", "ա")]);
    }

    #[test]
    fn turns_of_one_speaker_stay_apart_and_an_empty_turn_is_one() {
        assert_eq!(turns("Խոսնակ 1: ա Խոսնակ 1: բ Խոսնակ 2:"), [turn("1", "ա"), turn("1", "բ"), turn("2", "")]);
    }

    #[test]
    fn what_only_looks_like_a_label_is_text() {
        for plain in ["", "ա բ", "Խոսնակ", "Խոսնակ 1", "Խոսնակ: ա", "Խոսնակ1: ա", "մԽոսնակ 1: ա", "Խոսնակ մեկ: ա"]
        {
            assert_eq!(turns(plain), [], "{plain}");
        }
        assert_eq!(turns("Խոսնակ 1: Խոսնակ Խոսնակ 2: բ"), [turn("1", "Խոսնակ"), turn("2", "բ")]);
    }
}
