//! The one JSON document of structured mode. Data that is JSON stands in it as it came.

use base64::Engine as _;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::header::Header;

/// A CloudEvents document that is being written.
pub(super) struct Document(Vec<u8>);

impl Document {
    /// Begins one whose data has that many bytes.
    pub(super) fn new(data: usize) -> Self {
        let mut bytes = Vec::with_capacity(data + 768);
        bytes.push(b'{');
        Self(bytes)
    }

    /// Adds the member of an attribute, whose value is these parts together.
    pub(super) fn push(&mut self, header: Header, parts: &[&str]) {
        let Some(member) = header.member else { return };
        self.name(member);
        match parts {
            [one] => self.string(one),
            several => self.string(&several.concat()),
        }
    }

    /// CloudEvents JSON format 1.0.2, section 3.1: JSON as it is, text as a string, anything else in base64.
    pub(super) fn finish(mut self, json: bool, data: &[u8]) -> Bytes {
        match std::str::from_utf8(data).ok() {
            // Only what is one JSON value may stand in the document.
            Some(text) if json && serde_json::from_str::<&RawValue>(text).is_ok() => {
                self.name("data");
                self.0.extend_from_slice(text.trim_ascii().as_bytes());
            }
            Some(text) if !json => {
                self.name("data");
                self.string(text);
            }
            _ => {
                self.name("data_base64");
                self.string(&base64::engine::general_purpose::STANDARD.encode(data));
            }
        }
        self.0.push(b'}');
        self.0.into()
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn string(&mut self, value: &str) {
        // Writing a string to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.0, value);
    }
}
