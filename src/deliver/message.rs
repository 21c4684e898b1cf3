//! Events as CloudEvents 1.0 messages, in the NATS binding's binary or structured mode: the table of the contract.
//!
//! What a route knows ahead is made once; an event adds its own attributes. Never looks into the data.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Message;
use super::headers::{Constant, Headers, encode, name};
use crate::api::source::Format;
use crate::provider::Covers;
use crate::provider::event::{BadItem, Event, MediaType, Unsigned};

/// `ce-dataschema` of mapped data.
pub const CONVERSATION: &str = "urn:hookgate:schema:conversation:v1";
/// `ce-type` of an item that cannot be published as an event.
pub const REJECTED: &str = "hookgate.rejected";

/// The longest id and subject of an event in bytes, before they are percent-encoded.
const MAX_ATTRIBUTE: usize = 512;
/// The longest `Nats-Msg-Id` in bytes that is not a hash.
const MAX_MSG_ID: usize = 256;
/// The longest media type in bytes; what is longer is none that anybody reads.
const MAX_MEDIA_TYPE: usize = 256;
/// The longest `tracestate` in bytes: what W3C Trace Context asks everybody to pass on at least.
const MAX_TRACESTATE: usize = 512;

/// What all events of a source have in common. Made once for each route.
#[derive(Clone, Debug)]
pub struct Origin {
    provider: Arc<str>,
    /// Where rejected items go.
    rejected: Box<str>,
    source_uri: Box<str>,
    /// The uid as it stands in `Nats-Msg-Id`.
    uid: Box<str>,
    stream: Option<Arc<str>>,
    format: Format,
    binary: Constant,
    structured: Constant,
}

/// What arrived, and how it was proven; the same for all items of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// The method, as in the spec.
    pub method: &'a str,
    /// What its proof covers.
    pub covers: Covers,
    /// When the receiver had the whole request.
    pub received: Timestamp,
    /// A `traceparent`, to be continued only after the proof holds.
    pub traceparent: Option<&'a str>,
    /// The `tracestate` beside it.
    pub tracestate: Option<&'a str>,
}

/// The content of a message.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    /// The bytes, valid for the media type.
    pub bytes: Bytes,
    /// Their media type.
    pub media_type: &'a MediaType,
    /// They are `conversation/v1`.
    pub mapped: bool,
}

/// The attributes of one message, in the words of CloudEvents.
struct Attributes<'a> {
    id: &'a str,
    event_type: [&'a str; 2],
    subject: Option<&'a str>,
    time: Timestamp,
    unsigned: Unsigned,
    /// `ce-reason` and `ce-originaltype`.
    rejected: Option<(&'static str, Option<&'a str>)>,
}

impl Origin {
    /// `source_base` is `--source-base`; `uid` the source's; `stream` the one it names; `rejected` the subject of rejected items.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        source_base: &str,
        namespace: &str,
        source: &str,
        uid: &str,
        provider: &str,
        stream: Option<&str>,
        rejected: &str,
        format: Format,
    ) -> Self {
        let source_uri = format!("{source_base}/namespaces/{namespace}/webhooksources/{source}");
        let binary: [(&'static str, Box<str>); 3] = [
            (name::SPECVERSION, "1.0".into()),
            (name::SOURCE, encode(&source_uri).into()),
            (name::PROVIDER, encode(provider).into()),
        ];
        let structured: [(&'static str, Box<str>); 1] = [(name::CONTENT_TYPE, "application/cloudevents+json".into())];
        Self {
            provider: provider.into(),
            rejected: rejected.into(),
            source_uri: source_uri.into(),
            uid: encode(uid).into(),
            stream: stream.map(Arc::from),
            format,
            binary: binary.into(),
            structured: structured.into(),
        }
    }

    /// The message of an event on a subject that its route rendered.
    pub fn event(&self, event: &Event, payload: Payload<'_>, receipt: &Receipt<'_>, subject: String) -> Message {
        let hash;
        let id = if event.id.len() > MAX_ATTRIBUTE {
            hash = format!("sha256-{}", hex::encode(Sha256::digest(event.id.as_bytes())));
            &hash
        } else {
            &event.id
        };
        let entity = event.subject.as_deref().filter(|entity| entity.len() <= MAX_ATTRIBUTE);
        let attributes = Attributes {
            id,
            event_type: [&self.provider, &event.event_type],
            subject: entity,
            time: event.time,
            unsigned: Unsigned { subject: event.unsigned.subject && entity.is_some(), ..event.unsigned },
            rejected: None,
        };
        self.message(&attributes, payload, receipt, subject)
    }

    /// The message of an item that cannot be published as an event, on the subject for those. The same item has the same
    /// id, which is no event's: an event that was rejected once can still be stored later.
    pub fn rejected(&self, item: &BadItem, receipt: &Receipt<'_>) -> Message {
        let id = format!("rejected-sha256-{}", hex::encode(Sha256::digest(&item.item)));
        let original = item.event_type.as_ref().map(|event_type| format!("{}.{event_type}", self.provider));
        let attributes = Attributes {
            id: &id,
            event_type: ["", REJECTED],
            subject: None,
            time: receipt.received,
            unsigned: Unsigned::default(),
            rejected: Some((item.reason.as_str(), original.as_deref())),
        };
        let payload = Payload { bytes: item.item.clone(), media_type: &item.media_type, mapped: false };
        let subject = self.rejected.to_string();
        let message = self.message(&attributes, payload, receipt, subject);
        // The source's stream need not own the subject for rejected items.
        Message { expected_stream: None, ..message }
    }

    fn message(
        &self,
        attributes: &Attributes<'_>,
        payload: Payload<'_>,
        receipt: &Receipt<'_>,
        subject: String,
    ) -> Message {
        let media_type = media_type(payload.media_type);
        let (headers, bytes) = match self.format {
            Format::Binary => (self.binary(attributes, &media_type, payload.mapped, receipt), payload.bytes),
            Format::Structured => {
                let mut headers = Headers::new(Arc::clone(&self.structured));
                push_trace(&mut headers, receipt);
                (headers, self.document(attributes, &media_type, &payload, receipt))
            }
        };
        Message {
            subject,
            headers,
            payload: bytes,
            msg_id: self.msg_id(attributes.id),
            expected_stream: self.stream.clone(),
        }
    }

    fn binary(&self, attributes: &Attributes<'_>, media_type: &str, mapped: bool, receipt: &Receipt<'_>) -> Headers {
        let mut headers = Headers::new(Arc::clone(&self.binary));
        headers.push(name::ID, attributes.id);
        match attributes.event_type {
            ["", one] => headers.push(name::TYPE, one),
            [provider, event_type] => headers.push_joined(name::TYPE, &[provider, ".", event_type]),
        }
        if let Some(subject) = attributes.subject {
            headers.push(name::SUBJECT, subject);
        }
        headers.push_clean(name::TIME, attributes.time);
        if mapped {
            headers.push_clean(name::DATASCHEMA, CONVERSATION);
        }
        headers.push(name::DATACONTENTTYPE, media_type);
        headers.push(name::CONTENT_TYPE, media_type);
        headers.push(name::VERIFIEDBY, receipt.method);
        headers.push_clean(name::COVERS, receipt.covers.attribute());
        if attributes.unsigned != Unsigned::default() {
            headers.push_clean(name::UNSIGNED, unsigned(attributes.unsigned));
        }
        headers.push_clean(name::RECORDEDTIME, receipt.received);
        if let Some((reason, original)) = attributes.rejected {
            headers.push_clean(name::REASON, reason);
            if let Some(original) = original {
                headers.push(name::ORIGINALTYPE, original);
            }
        }
        if let Some(parent) = receipt.traceparent {
            headers.push(name::CE_TRACEPARENT, parent);
        }
        push_trace(&mut headers, receipt);
        headers
    }

    /// The one JSON document of structured mode; data that is JSON stands in it as it came.
    fn document(
        &self,
        attributes: &Attributes<'_>,
        media_type: &str,
        payload: &Payload<'_>,
        receipt: &Receipt<'_>,
    ) -> Bytes {
        let mut document = Document(Vec::with_capacity(payload.bytes.len() + 768));
        document.0.extend_from_slice(br#"{"specversion":"1.0""#);
        document.member("id", attributes.id);
        document.member("source", &self.source_uri);
        match attributes.event_type {
            ["", one] => document.member("type", one),
            [provider, event_type] => document.member("type", &format!("{provider}.{event_type}")),
        }
        if let Some(subject) = attributes.subject {
            document.member("subject", subject);
        }
        document.member("time", &attributes.time.to_string());
        if payload.mapped {
            document.member("dataschema", CONVERSATION);
        }
        document.member("datacontenttype", media_type);
        document.member("provider", &self.provider);
        document.member("verifiedby", receipt.method);
        document.member("covers", receipt.covers.attribute());
        if attributes.unsigned != Unsigned::default() {
            document.member("unsigned", &unsigned(attributes.unsigned));
        }
        document.member("recordedtime", &receipt.received.to_string());
        if let Some((reason, original)) = attributes.rejected {
            document.member("reason", reason);
            if let Some(original) = original {
                document.member("originaltype", original);
            }
        }
        if let Some(parent) = receipt.traceparent {
            document.member("traceparent", parent);
            if let Some(state) = tracestate(receipt) {
                document.member("tracestate", state);
            }
        }
        document.data(media_type, &payload.bytes);
        document.0.push(b'}');
        document.0.into()
    }

    /// `{uid}:{ce-id}` as it stands in the header, its SHA-256 where that is too long.
    fn msg_id(&self, id: &str) -> String {
        let mut msg_id = String::with_capacity(self.uid.len() + 1 + id.len());
        let _ = write!(msg_id, "{}:{}", self.uid, super::headers::encoded(id));
        if msg_id.len() > MAX_MSG_ID {
            msg_id = hex::encode(Sha256::digest(msg_id.as_bytes()));
        }
        msg_id
    }
}

/// A JSON object that is being written.
struct Document(Vec<u8>);

impl Document {
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn member(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    fn string(&mut self, value: &str) {
        // Writing a string to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    /// CloudEvents JSON format 1.0.2, section 3.1: JSON as it is, text as a string, anything else in base64.
    fn data(&mut self, media_type: &str, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).ok();
        let json = is_json(media_type);
        match text {
            // Only what is one JSON value may stand in the document.
            Some(text) if json && serde_json::from_str::<&RawValue>(text).is_ok() => {
                self.name("data");
                self.0.extend_from_slice(text.trim_ascii().as_bytes());
            }
            Some(text) if !json => self.member("data", text),
            _ => self.member("data_base64", &base64::engine::general_purpose::STANDARD.encode(bytes)),
        }
    }
}

fn push_trace(headers: &mut Headers, receipt: &Receipt<'_>) {
    if let Some(parent) = receipt.traceparent {
        headers.push(name::TRACEPARENT, parent);
        if let Some(state) = tracestate(receipt) {
            headers.push(name::TRACESTATE, state);
        }
    }
}

fn tracestate<'a>(receipt: &Receipt<'a>) -> Option<&'a str> {
    receipt.tracestate.filter(|state| !state.is_empty() && state.len() <= MAX_TRACESTATE)
}

fn unsigned(unsigned: Unsigned) -> String {
    let all =
        [(unsigned.id, "id"), (unsigned.event_type, "type"), (unsigned.time, "time"), (unsigned.subject, "subject")];
    let names: Vec<&str> = all.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    names.join(",")
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// The media type for a header: without the white space around `;`, which means nothing and would be percent-encoded.
/// A type of CloudEvents itself would make readers take the payload for a whole event.
fn media_type(media_type: &MediaType) -> std::borrow::Cow<'_, str> {
    let text = media_type.as_str();
    if text.len() > MAX_MEDIA_TYPE || text.trim_ascii().is_empty() {
        return "application/octet-stream".into();
    }
    let bytes = text.trim_ascii_start().as_bytes();
    const CLOUDEVENTS: &[u8] = b"application/cloudevents";
    if bytes.len() >= CLOUDEVENTS.len() && bytes[..CLOUDEVENTS.len()].eq_ignore_ascii_case(CLOUDEVENTS) {
        return if is_json(text) { "application/json".into() } else { "application/octet-stream".into() };
    }
    if !text.contains([' ', '\t']) {
        return text.into();
    }
    text.split(';').map(str::trim_ascii).collect::<Vec<_>>().join(";").into()
}

#[cfg(test)]
mod tests;
