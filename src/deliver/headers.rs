//! The headers of one message: those that a route knows ahead are shared, those of the event lie in one buffer.
//!
//! Values are clean by construction: no CR, LF, space or anything else that the contract percent-encodes.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, utf8_percent_encode};

/// The most bytes that all headers of a message may have on the wire.
pub const MAX_HEADERS: usize = 16 * 1024;

/// What is percent-encoded, beside everything that is not ASCII: the NATS binding of CloudEvents 1.0.2, section 3.1.3.2.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Every name that this program gives a header.
pub mod name {
    macro_rules! names {
        ($($constant:ident = $name:literal;)+) => {
            $(#[doc = concat!("`", $name, "`.")] pub const $constant: &str = $name;)+
            const ALL: &[&str] = &[$($name),+];
        };
    }

    names! {
        SPECVERSION = "ce-specversion";
        ID = "ce-id";
        SOURCE = "ce-source";
        TYPE = "ce-type";
        SUBJECT = "ce-subject";
        TIME = "ce-time";
        DATASCHEMA = "ce-dataschema";
        DATACONTENTTYPE = "ce-datacontenttype";
        DATAREF = "ce-dataref";
        CONTENT_TYPE = "content-type";
        PROVIDER = "ce-provider";
        VERIFIEDBY = "ce-verifiedby";
        COVERS = "ce-covers";
        UNSIGNED = "ce-unsigned";
        RECORDEDTIME = "ce-recordedtime";
        CE_TRACEPARENT = "ce-traceparent";
        TRACEPARENT = "traceparent";
        TRACESTATE = "tracestate";
        REASON = "ce-reason";
        ORIGINALTYPE = "ce-originaltype";
        MSG_ID = "Nats-Msg-Id";
        EXPECTED_STREAM = "Nats-Expected-Stream";
    }

    /// The constant for a name that was read back, from a spool for example.
    pub fn known(name: &str) -> Option<&'static str> {
        ALL.iter().find(|known| **known == name).copied()
    }
}

/// Headers that a route knows ahead, percent-encoded.
pub type Constant = Arc<[(&'static str, Box<str>)]>;

/// Names and percent-encoded values; every name once.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    constant: Constant,
    text: String,
    /// Names, and where in `text` their values end.
    ends: Vec<(&'static str, usize)>,
}

impl Headers {
    /// Begins with what the route knows ahead.
    pub fn new(constant: Constant) -> Self {
        Self { constant, text: String::with_capacity(384), ends: Vec::with_capacity(12) }
    }

    /// Adds a header and percent-encodes its value.
    pub fn push(&mut self, name: &'static str, value: &str) {
        self.push_joined(name, &[value]);
    }

    /// Adds a header whose value is these parts together, percent-encoded.
    pub fn push_joined(&mut self, name: &'static str, parts: &[&str]) {
        for part in parts {
            self.text.extend(encoded(part));
        }
        self.ends.push((name, self.text.len()));
    }

    /// Adds a header whose value needs no encoding: a time, or what was encoded before. Other characters become `_`.
    pub fn push_clean(&mut self, name: &'static str, value: impl Display) {
        let start = self.text.len();
        let _ = write!(self.text, "{value}");
        if self.text[start..].bytes().any(|byte| !byte.is_ascii_graphic()) {
            let cleaned = self.text[start..].replace(|char: char| !char.is_ascii_graphic(), "_");
            self.text.truncate(start);
            self.text.push_str(&cleaned);
        }
        self.ends.push((name, self.text.len()));
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let own = self.ends.iter().scan(0, |start, &(name, end)| {
            let value = &self.text[*start..end];
            *start = end;
            Some((name, value))
        });
        self.constant.iter().map(|(name, value)| (*name, &**value)).chain(own)
    }

    /// The value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// Their bytes on the wire, without the version line and the empty line.
    pub fn wire_len(&self) -> usize {
        let constant: usize = self.constant.iter().map(|(name, value)| line_len(name, value.len())).sum();
        constant + self.text.len() + self.ends.iter().map(|(name, _)| line_len(name, 0)).sum::<usize>()
    }
}

/// `name: value` and CR LF.
pub(super) fn line_len(name: &str, value: usize) -> usize {
    name.len() + value + 4
}

/// Percent-encodes as the values of headers are.
pub fn encode(value: &str) -> String {
    encoded(value).to_string()
}

pub(super) fn encoded(value: &str) -> PercentEncode<'_> {
    utf8_percent_encode(value, ENCODED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_percent_encoded_once_in_upper_case() {
        let mut headers = Headers::default();
        headers.push(name::SUBJECT, "a b\"%ü\r\n~!{}\u{7f}");
        assert_eq!(headers.get(name::SUBJECT), Some("a%20b%22%25%C3%BC%0D%0A~!{}%7F"));
    }

    #[test]
    fn what_is_said_to_be_clean_cannot_break_the_line() {
        let mut headers = Headers::default();
        headers.push_clean(name::ID, "a\r\nNats-Rollup: all");
        assert_eq!(headers.get(name::ID), Some("a__Nats-Rollup:_all"));
    }

    #[test]
    fn names_read_back_are_those_written() {
        assert_eq!(name::known("ce-id"), Some(name::ID));
        assert_eq!(name::known("Nats-Rollup"), None);
    }

    #[test]
    fn the_length_on_the_wire_is_that_of_the_lines() {
        let mut headers = Headers::new([(name::SPECVERSION, "1.0".into())].into());
        headers.push(name::ID, "x y");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        assert_eq!(lines, "ce-specversion: 1.0\r\nce-id: x%20y\r\n");
        assert_eq!(headers.wire_len(), lines.len());
    }
}
