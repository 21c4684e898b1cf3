//! Every header of a message, once: its name in binary mode, its member in structured mode, and what it says.
//!
//! The writers of both modes, the AsyncAPI document and the page for consumers are held to this table.

use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, utf8_percent_encode};

/// What is percent-encoded, beside everything that is not ASCII: the NATS binding of CloudEvents 1.0.2, section 3.1.3.2.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name on a message.
    pub name: &'static str,
    /// The member of a structured event that says the same; `None` where it belongs to the message and not to the event.
    pub member: Option<&'static str>,
    /// What it says, in one line.
    pub about: &'static str,
}

macro_rules! headers {
    ($($constant:ident = $name:literal, $member:expr, $about:literal;)+) => {
        $(#[doc = concat!("`", $name, "`: ", $about, ".")]
        pub const $constant: Header = Header { name: $name, member: $member, about: $about };)+
        /// All of them.
        pub const ALL: &[Header] = &[$($constant),+];
        /// What a value that is not an attribute's may be named on the wire.
        const NAMES: &[&str] = &[$($name),+];
    };
}

headers! {
    SPECVERSION = "ce-specversion", Some("specversion"), "The version of CloudEvents";
    SOURCE = "ce-source", Some("source"), "The WebhookSource";
    PROVIDER = "ce-provider", Some("provider"), "The provider";
    ID = "ce-id", Some("id"), "The event: the vendor's delivery id, or a hash; with ce-source the key for deduplication";
    TYPE = "ce-type", Some("type"), "The provider and its event type";
    SUBJECT = "ce-subject", Some("subject"), "The entity that the event is about";
    TIME = "ce-time", Some("time"), "The vendor's time of the event, else that of receipt";
    DATASCHEMA = "ce-dataschema", Some("dataschema"), "The schema of mapped data";
    DATACONTENTTYPE = "ce-datacontenttype", Some("datacontenttype"), "The media type of the data";
    CONTENT_TYPE = "content-type", None, "The media type of the message's bytes";
    VERIFIEDBY = "ce-verifiedby", Some("verifiedby"), "The method of verification, as in the source";
    COVERS = "ce-covers", Some("covers"), "What the proof covers";
    UNSIGNED = "ce-unsigned", Some("unsigned"), "Which of id, type, time and subject came from parts that the proof does not cover";
    RECORDEDTIME = "ce-recordedtime", Some("recordedtime"), "When the receiver had the whole request";
    DATAREF = "ce-dataref", Some("dataref"), "Where the data lies, which is too large for the message";
    OMITTED = "ce-omitted", Some("omitted"), "What was left out because the event was too large with it";
    REASON = "ce-reason", Some("reason"), "Why a rejected item is no event";
    ORIGINALTYPE = "ce-originaltype", Some("originaltype"), "The type that a rejected item would have had";
    ORIGINALID = "ce-originalid", Some("originalid"), "The id that a rejected item would have had";
    CE_TRACEPARENT = "ce-traceparent", Some("traceparent"), "W3C Trace Context, continued from the delivery";
    TRACEPARENT = "traceparent", None, "W3C Trace Context, continued from the delivery";
    TRACESTATE = "tracestate", Some("tracestate"), "W3C Trace Context";
    MSG_ID = "Nats-Msg-Id", None, "What JetStream deduplicates by within the stream's duplicate window";
    EXPECTED_STREAM = "Nats-Expected-Stream", None, "The stream that must take the message, where the source names one";
}

/// `content-type` of a message in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json";
/// The last sequence that a subject must have, for a message that must be the first there: on no event.
pub(crate) const EXPECTED_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";

/// A name that was read back from bytes is one of the table.
pub(super) fn is_known(name: &[u8]) -> bool {
    NAMES.iter().any(|known| known.as_bytes() == name)
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
    fn names_read_back_are_those_written() {
        assert!(is_known(ID.name.as_bytes()));
        assert!(!is_known(b"Nats-Rollup"));
    }

    #[test]
    fn an_attribute_has_one_name_in_both_modes() {
        for header in ALL {
            let member = header.member.unwrap_or_else(|| header.name.trim_start_matches("ce-"));
            assert!(header.name == member || header.name == format!("ce-{member}"), "{header:?}");
            assert!(ALL.iter().filter(|other| other.name == header.name).count() == 1, "{header:?} twice");
        }
    }
}
