//! What is said beside a manifest: what it needs, what is otherwise than before, and what has no equivalent.

use std::fmt::Write as _;

use serde::Deserialize;

/// The order in which they are said.
const WORDS: [&str; 4] = ["needs", "changes", "no equivalent", "elsewhere"];

/// One thing to say, as a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Remark {
    /// What has to be there before it works.
    Needs(String),
    /// What is otherwise than before.
    Changes(String),
    /// Where it is set instead.
    Elsewhere(String),
    /// What is gone.
    Lost(String),
}

impl Remark {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Needs(text) => ("needs", text),
            Self::Changes(text) => ("changes", text),
            Self::Elsewhere(text) => ("elsewhere", text),
            Self::Lost(text) => ("no equivalent", text),
        }
    }
}

/// What is said of one thing, in the order in which it was found; fields of which the same is to be said stand together.
#[derive(Debug, Default)]
pub(super) struct Remarks(Vec<(Remark, Vec<String>)>);

impl Remarks {
    /// Says something of a field, or of the whole where that is empty.
    pub(super) fn say(&mut self, field: &str, remark: Remark) {
        let known = self.0.iter_mut().find(|(known, _)| *known == remark);
        let fields = match known {
            Some((_, fields)) => fields,
            None => {
                self.0.push((remark, Vec::new()));
                match self.0.last_mut() {
                    Some((_, fields)) => fields,
                    None => return,
                }
            }
        };
        if !field.is_empty() && !fields.iter().any(|known| known == field) {
            fields.push(field.to_owned());
        }
    }

    /// Takes back what was said of the whole.
    pub(super) fn forget(&mut self, remarks: &[Remark]) {
        self.0.retain(|(known, fields)| !fields.is_empty() || !remarks.contains(known));
    }

    /// Whether something has no equivalent.
    pub(super) fn lost(&self) -> bool {
        self.0.iter().any(|(remark, _)| matches!(remark, Remark::Lost(_)))
    }

    /// The lines, as comments of YAML.
    pub(super) fn comments(&self) -> String {
        let mut text = String::new();
        let mut all: Vec<_> = self.0.iter().map(|(remark, fields)| (remark.parts(), fields)).collect();
        all.sort_by_key(|((word, _), _)| WORDS.iter().position(|known| known == word));
        for ((word, sentence), fields) in all {
            let fields = if fields.is_empty() { String::new() } else { format!("{}: ", fields.join(", ")) };
            // What users wrote may hold line breaks, behind which a comment would end.
            let line: String = format!("{fields}{sentence}").split_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(text, "#   {word}: {line}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_wrote_cannot_leave_the_comment() {
        let mut remarks = Remarks::default();
        remarks.say("a\nb", Remark::Lost("x\r\nkind: Secret\u{85}y".to_owned()));
        assert_eq!(remarks.comments(), "#   no equivalent: a b: x kind: Secret y\n");
    }

    #[test]
    fn fields_of_which_the_same_is_said_stand_together() {
        let mut remarks = Remarks::default();
        for field in ["a", "b", "a"] {
            remarks.say(field, Remark::Elsewhere("there".to_owned()));
        }
        assert_eq!(remarks.comments(), "#   elsewhere: a, b: there\n");
        assert!(!remarks.lost());
    }
}
