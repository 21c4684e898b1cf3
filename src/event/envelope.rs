//! An event, or an item that is none, with everything that its message says: the table of the contract.
//!
//! CloudEvents 1.0 in the NATS binding's binary or structured mode. Each attribute is written in one place for both.
//! Never looks into the data.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::block::Block;
use super::document::Document;
use super::header::{self, Header};
use super::limits::{MAX_MEDIA_TYPE, MAX_TRACESTATE};
use super::message::Message;
use super::origin::Origin;
use super::{CONVERSATION, ORIGINAL, REJECTED};
use crate::api::source::Format;
use crate::json::names_json;
use crate::provider::Covers;
use crate::provider::event::{BadItem, BadItemReason, Event, MediaType, Unsigned};

/// An event on its way to a subject.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// What it shares with all events of its source.
    pub origin: &'a Origin,
    /// What it shares with all items of its delivery.
    pub receipt: &'a Receipt<'a>,
    /// Where it goes.
    pub subject: String,
    /// Its own attributes.
    pub attributes: Attributes,
    /// What it says.
    pub payload: Payload,
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

/// The attributes of one event, in the words of CloudEvents.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// The event.
    pub id: String,
    /// Its type without the provider's name.
    pub event_type: String,
    /// The entity that it is about.
    pub subject: Option<String>,
    /// The vendor's time.
    pub time: Timestamp,
    /// Which of them the proof does not cover.
    pub unsigned: Unsigned,
    /// Set where it is no event but an item that cannot be one.
    pub rejected: Option<Rejected>,
}

/// Why an item is no event.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// `ce-reason`.
    pub reason: &'static str,
    /// The type that it would have had.
    pub original_type: Option<String>,
    /// The id that it would have had.
    pub original_id: Option<String>,
}

/// The content.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The bytes, valid for the media type.
    pub bytes: Bytes,
    /// Their media type.
    pub media_type: MediaType,
    /// They are `conversation/v1`.
    pub mapped: bool,
    /// The same without the vendor's item, where `bytes` hold it under `original`.
    pub without_original: Option<Bytes>,
    /// The vendor's item, where it is not what `bytes` are.
    pub item: Option<(Bytes, MediaType)>,
}

/// How much of an event its message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// All.
    Whole,
    /// The vendor's item is left out, which the message says.
    WithoutOriginal,
}

impl<'a> Envelope<'a> {
    /// An event on a subject that its route rendered.
    pub fn event(
        origin: &'a Origin,
        receipt: &'a Receipt<'a>,
        subject: String,
        event: Event,
        payload: Payload,
    ) -> Self {
        let Event { id, event_type, subject: entity, time, unsigned, .. } = event;
        let attributes = Attributes { id, event_type, subject: entity, time, unsigned, rejected: None };
        Self { origin, receipt, subject, attributes, payload }
    }

    /// An item that cannot be published as an event, on the subject for those. The same item of the same delivery has the
    /// same id, which is no event's: an event that was rejected once can still be stored later.
    pub fn rejected(origin: &'a Origin, receipt: &'a Receipt<'a>, subject: String, item: BadItem) -> Self {
        let mut hash = Sha256::new();
        if let Some(id) = &item.id {
            hash.update(id.as_bytes());
            hash.update([0]);
        }
        hash.update(&item.item);
        let rejected = Rejected {
            reason: item.reason.as_str(),
            original_type: item.event_type.map(|event_type| format!("{}.{event_type}", origin.provider)),
            original_id: item.id,
        };
        let attributes = Attributes {
            id: format!("rejected-sha256-{}", hex::encode(hash.finalize())),
            event_type: String::new(),
            subject: None,
            time: receipt.received,
            unsigned: Unsigned::default(),
            rejected: Some(rejected),
        };
        // Never nothing: whoever looks at it sees that nothing came.
        let (bytes, media_type) = match item.item.is_empty() {
            true => (Bytes::from_static(br#"{"empty":"what came has no content"}"#), MediaType::Json),
            false => (item.item, item.media_type),
        };
        let payload = Payload { bytes, media_type, mapped: false, without_original: None, item: None };
        Self { origin, receipt, subject, attributes, payload }
    }

    /// The item of an event under whose id other data was stored before.
    pub fn same_id(&self, subject: String) -> Self {
        let Payload { bytes, media_type, item, .. } = &self.payload;
        let (item, media_type) = item.clone().unwrap_or_else(|| (bytes.clone(), media_type.clone()));
        let item = BadItem {
            reason: BadItemReason::SameId,
            event_type: Some(self.attributes.event_type.clone()),
            id: Some(self.attributes.id.clone()),
            index: None,
            item,
            media_type,
        };
        Self::rejected(self.origin, self.receipt, subject, item)
    }

    /// It is no event.
    pub fn is_rejected(&self) -> bool {
        self.attributes.rejected.is_some()
    }

    /// What is published of it.
    pub fn message(&self, content: Content) -> Message {
        let media_type = media_type(&self.payload.media_type);
        let data = match (content, &self.payload.without_original) {
            (Content::WithoutOriginal, Some(bytes)) => bytes,
            _ => &self.payload.bytes,
        };
        let mut block = Block::after(&self.origin.lines);
        let payload = match self.origin.format {
            Format::Binary => {
                self.write(&mut block, &media_type, content);
                block.push(header::CONTENT_TYPE, &[&media_type]);
                data.clone()
            }
            Format::Structured => {
                let mut document = Document::new(data.len());
                document.push(header::SPECVERSION, &["1.0"]);
                document.push(header::SOURCE, &[&self.origin.source]);
                document.push(header::PROVIDER, &[&self.origin.provider]);
                self.write(&mut document, &media_type, content);
                if let Some(state) = self.tracestate() {
                    document.push(header::TRACESTATE, &[state]);
                }
                document.finish(names_json(&media_type), data)
            }
        };
        if let Some(parent) = self.receipt.traceparent {
            block.push(header::TRACEPARENT, &[parent]);
        }
        if let Some(state) = self.tracestate() {
            block.push(header::TRACESTATE, &[state]);
        }
        let (headers, msg_id) = block.finish(&self.origin.uid, &self.attributes.id);
        Message { subject: self.subject.clone(), headers, payload, msg_id }
    }

    /// The attributes that differ from event to event.
    fn write(&self, out: &mut impl Writer, media_type: &str, content: Content) {
        let Attributes { id, event_type, subject, time, unsigned: uncovered, rejected } = &self.attributes;
        out.text(header::ID, &[id]);
        match rejected {
            None => out.text(header::TYPE, &[&self.origin.provider, ".", event_type]),
            Some(_) => out.text(header::TYPE, &[REJECTED]),
        }
        if let Some(subject) = subject {
            out.text(header::SUBJECT, &[subject]);
        }
        out.clean(header::TIME, time);
        if self.payload.mapped {
            out.clean(header::DATASCHEMA, CONVERSATION);
        }
        out.text(header::DATACONTENTTYPE, &[media_type]);
        out.text(header::VERIFIEDBY, &[self.receipt.method]);
        out.clean(header::COVERS, self.receipt.covers.attribute());
        if *uncovered != Unsigned::default() {
            out.clean(header::UNSIGNED, unsigned(*uncovered));
        }
        out.clean(header::RECORDEDTIME, self.receipt.received);
        if content == Content::WithoutOriginal {
            out.clean(header::OMITTED, ORIGINAL);
        }
        if let Some(Rejected { reason, original_type, original_id }) = rejected {
            out.clean(header::REASON, reason);
            if let Some(original) = original_type {
                out.text(header::ORIGINALTYPE, &[original]);
            }
            if let Some(original) = original_id {
                out.text(header::ORIGINALID, &[original]);
            }
        }
        if let Some(parent) = self.receipt.traceparent {
            out.text(header::CE_TRACEPARENT, &[parent]);
        }
    }

    /// A state without its parent means nothing.
    fn tracestate(&self) -> Option<&'a str> {
        self.receipt.traceparent?;
        self.receipt.tracestate.filter(|state| !state.is_empty() && state.len() <= MAX_TRACESTATE)
    }
}

/// Binary or structured mode.
trait Writer {
    /// An attribute whose value is these parts together.
    fn text(&mut self, header: Header, parts: &[&str]);
    /// An attribute whose value is made by this program alone.
    fn clean(&mut self, header: Header, value: impl Display);
}

impl Writer for Block {
    fn text(&mut self, header: Header, parts: &[&str]) {
        self.push(header, parts);
    }

    fn clean(&mut self, header: Header, value: impl Display) {
        self.push_clean(header, value);
    }
}

impl Writer for Document {
    fn text(&mut self, header: Header, parts: &[&str]) {
        self.push(header, parts);
    }

    fn clean(&mut self, header: Header, value: impl Display) {
        self.push(header, &[&value.to_string()]);
    }
}

fn unsigned(unsigned: Unsigned) -> String {
    let all =
        [(unsigned.id, "id"), (unsigned.event_type, "type"), (unsigned.time, "time"), (unsigned.subject, "subject")];
    let names: Vec<&str> = all.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    names.join(",")
}

/// The media type for a header: without the white space around `;`, which means nothing and would be percent-encoded.
/// A type of CloudEvents itself would make readers take the payload for a whole event.
fn media_type(media_type: &MediaType) -> Cow<'_, str> {
    let text = media_type.as_str();
    if text.len() > MAX_MEDIA_TYPE || text.trim_ascii().is_empty() {
        return "application/octet-stream".into();
    }
    let bytes = text.trim_ascii_start().as_bytes();
    const CLOUDEVENTS: &[u8] = b"application/cloudevents";
    if bytes.len() >= CLOUDEVENTS.len() && bytes[..CLOUDEVENTS.len()].eq_ignore_ascii_case(CLOUDEVENTS) {
        return if names_json(text) { "application/json".into() } else { "application/octet-stream".into() };
    }
    if !text.contains([' ', '\t']) {
        return text.into();
    }
    text.split(';').map(str::trim_ascii).collect::<Vec<_>>().join(";").into()
}

#[cfg(test)]
mod tests;
