//! Turns that stand in one text: a word, a number and a colon, such as `Speaker 1:`, begin each.

/// Most digits of a speaker's number.
const DIGITS: usize = 6;

/// One turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn<'t> {
    /// The label without its colon.
    pub speaker: Option<String>,
    pub text: &'t str,
}

/// The turns of a text in which a word, spaces, a number and a colon begin one. No label: no turns.
pub(super) fn labelled<'t>(text: &'t str, label: &str) -> Vec<Turn<'t>> {
    let mut turns = Vec::new();
    let mut from = 0;
    let mut speaker: Option<String> = None;
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
            turns.push(Turn { speaker: speaker.take(), text: before });
        }
        speaker = Some(format!("{label} {number}"));
        search += length;
        from = search;
    }
    if speaker.is_some() {
        turns.push(Turn { speaker, text: text[from..].trim() });
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
        labelled(text, "Խոսնակ").into_iter().map(|turn| (turn.speaker, turn.text.to_owned())).collect()
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
