//! NATS subjects: templates parsed once, values escaped into tokens, and what a namespace may publish on.
//!
//! Pure. Whatever a vendor sends, a rendered subject is valid for NATS, at most `MAX_LENGTH` bytes long and within its
//! template's pattern: a longer one makes the server close the connection for every source that shares it.

mod policy;

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

pub(crate) use self::policy::{PolicyError, SubjectPolicy};
use crate::subject::token::{is_token_char, push_token};
use crate::template::{self, Piece};

/// The longest subject in bytes.
pub(crate) const MAX_LENGTH: usize = 512;
/// The longest event type within a subject in bytes, and its most tokens.
const MAX_TYPE: usize = 128;
const MAX_TYPE_TOKENS: usize = 8;
/// The longest token that a value of the vendor makes: `KEPT` bytes of it, `_` and eight hex digits of its SHA-256.
const MAX_TOKEN: usize = KEPT + 9;
const KEPT: usize = 48;

/// A subject with variables, such as `webhooks.{namespace}.{source}.{type}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Namespace,
    Source,
    Provider,
    Type,
    Subject,
}

/// What the variables stand for.
#[derive(Clone, Copy, Debug)]
pub struct SubjectVars<'a> {
    /// The source's namespace.
    pub namespace: &'a str,
    /// The source's name.
    pub source: &'a str,
    /// The provider's name.
    pub provider: &'a str,
    /// The event type without the provider's name; `.` separates tokens.
    pub event_type: &'a str,
    /// The entity the event is about.
    pub subject: Option<&'a str>,
}

impl SubjectTemplate {
    /// Parses a template: tokens of `A-Z a-z 0-9 _ -` and variables, separated by dots. The error says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let about = |what: &str| format!("subject {text:?}: {what}");
        let wrong = |what: &str| Err(about(what));
        if text.starts_with('$') || text.starts_with("_INBOX") {
            return wrong("must not begin with $ or _INBOX, which belong to NATS itself");
        }
        let mut parts = Vec::new();
        for piece in template::parse(text, true).map_err(|error| about(&error))? {
            parts.push(match piece {
                Piece::Literal(literal) => match literal.chars().find(|&char| !is_token_char(char) && char != '.') {
                    None => Part::Text(literal.into()),
                    Some(odd) => {
                        return wrong(&format!(
                            "{odd:?} is not allowed; write A-Z, a-z, 0-9, _, - and {{variables}}, separated by dots"
                        ));
                    }
                },
                Piece::Variable(name, None) if name == "namespace" => Part::Namespace,
                Piece::Variable(name, None) if name == "source" => Part::Source,
                Piece::Variable(name, None) if name == "provider" => Part::Provider,
                Piece::Variable(name, None) if name == "type" => Part::Type,
                Piece::Variable(name, None) if name == "subject" => Part::Subject,
                Piece::Variable(name, _) => {
                    return wrong(&format!(
                        "{{{name}}} is none of {{namespace}} {{source}} {{provider}} {{type}} {{subject}}"
                    ));
                }
            });
        }
        // What is between two dots is at least one character or variable.
        if text.split('.').any(str::is_empty) {
            return wrong("an empty token: there is something before, between and after all dots");
        }
        Ok(Self { parts })
    }

    /// The subject of one event. The same values make the same subject.
    pub fn render(&self, vars: &SubjectVars<'_>) -> String {
        let mut subject = String::with_capacity(96);
        for part in &self.parts {
            match part {
                Part::Text(text) => subject.push_str(text),
                Part::Namespace => push_token(&mut subject, vars.namespace),
                Part::Source => push_token(&mut subject, vars.source),
                Part::Provider => push_token(&mut subject, vars.provider),
                Part::Type => push_type(&mut subject, vars.event_type),
                Part::Subject => push_short_token(&mut subject, vars.subject.unwrap_or_default()),
            }
        }
        subject
    }

    /// The subjects that the template can make for a source, as a NATS pattern: `{subject}` counts as `*`, and `{type}`,
    /// which has one token or more, as `>` together with all that follows it.
    pub fn pattern(&self, namespace: &str, source: &str, provider: &str) -> String {
        let mut pattern = String::with_capacity(96);
        // The token at the end of `pattern` holds a `{subject}`.
        let mut any = false;
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    for (index, piece) in text.split('.').enumerate() {
                        if index > 0 {
                            close_token(&mut pattern, &mut any);
                            pattern.push('.');
                        }
                        pattern.push_str(piece);
                    }
                }
                Part::Namespace => push_token(&mut pattern, namespace),
                Part::Source => push_token(&mut pattern, source),
                Part::Provider => push_token(&mut pattern, provider),
                Part::Subject => any = true,
                Part::Type => {
                    pattern.truncate(pattern.rfind('.').map_or(0, |dot| dot + 1));
                    pattern.push('>');
                    return pattern;
                }
            }
        }
        close_token(&mut pattern, &mut any);
        pattern
    }

    /// The template with what is known of a source filled in: `{type}` and `{subject}` are left, as they differ from
    /// event to event.
    pub fn address(&self, namespace: &str, source: &str, provider: &str) -> String {
        let mut address = String::with_capacity(96);
        for part in &self.parts {
            match part {
                Part::Text(text) => address.push_str(text),
                Part::Namespace => push_token(&mut address, namespace),
                Part::Source => push_token(&mut address, source),
                Part::Provider => push_token(&mut address, provider),
                Part::Type => address.push_str("{type}"),
                Part::Subject => address.push_str("{subject}"),
            }
        }
        address
    }

    /// Refuses a template whose subjects can become longer than `MAX_LENGTH` for this source. The error says what to do.
    pub fn check_length(&self, namespace: &str, source: &str, provider: &str) -> Result<(), String> {
        let longest: usize = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.len(),
                Part::Namespace => namespace.len().max(1),
                Part::Source => source.len().max(1),
                Part::Provider => provider.len().max(1),
                Part::Type => MAX_TYPE,
                Part::Subject => MAX_TOKEN,
            })
            .sum();
        if longest > MAX_LENGTH {
            return Err(format!(
                "the subject can become {longest} bytes long, at most {MAX_LENGTH} are allowed: shorten it"
            ));
        }
        Ok(())
    }
}

/// The token at the end becomes `*` where it holds a variable that differs from event to event.
fn close_token(pattern: &mut String, any: &mut bool) {
    if std::mem::take(any) {
        pattern.truncate(pattern.rfind('.').map_or(0, |dot| dot + 1));
        pattern.push('*');
    }
}

/// One token of at most `MAX_TOKEN` bytes.
fn push_short_token(subject: &mut String, value: &str) {
    let start = subject.len();
    push_token(subject, value);
    shorten(subject, start, MAX_TOKEN, value);
}

/// Cuts what begins at `start` to `limit` bytes, of which the last nine tell apart values with the same beginning.
fn shorten(subject: &mut String, start: usize, limit: usize, value: &str) {
    if subject.len() - start > limit {
        // All ASCII: every index is a character boundary.
        subject.truncate(start + limit - 9);
        let hash = Sha256::digest(value.as_bytes());
        let _ = write!(subject, "_{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
    }
}

/// At most eight tokens; a type with more keeps the rest in its last one.
fn push_type(subject: &mut String, event_type: &str) {
    let start = subject.len();
    for (index, token) in event_type.splitn(MAX_TYPE_TOKENS, '.').enumerate() {
        if index > 0 {
            subject.push('.');
        }
        push_short_token(subject, token);
    }
    if subject.len() - start > MAX_TYPE {
        shorten(subject, start, MAX_TYPE, event_type);
        // The cut may have fallen just behind a dot, but `_` and the digits follow it.
    }
}

#[cfg(test)]
mod tests;
