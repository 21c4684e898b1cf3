//! From a proven request to events: decode, split, redact, drop, then type, id, time, subject and mapped data.
//!
//! Takes nothing but a `Verified`, so what is not proven cannot reach it. Every place of an item is captured in one
//! pass; no JSON tree is built and values stay as sent.

mod compile;
mod identity;
mod limits;
mod once;
mod refused;
mod source;
mod split;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

use self::identity::{Beside, Identity, Met, Position};
use self::limits::{ID_BYTES, bounded_type};
use self::once::Once;
use self::source::{Delivery, Found, Item, Paths, Source};
use self::split::{Piece, Split, split};
use super::condition::Test;
use super::decode::{Decoder, Document, Kind, json_error};
use super::event::{BadItem, BadItemReason, Batch, Data, DecodeError, Event, MAX_ITEMS, MediaType, Unsigned};
use super::mapping::Map;
use super::place::Place;
use super::redact::Redactions;
use super::request::Head;
use super::time;
use super::verify::Verified;
use crate::api::scheme::TimeUnit;
use crate::api::source::Deduplicate;
use crate::json::{self, Captured, Pointers};

/// What the mapped events of a delivery may take beside the body: so many times its bytes, and so many more.
const MADE: (usize, usize) = (2, 4 << 20);
/// The type of an event that says none.
const RECEIVED: &str = "received";

/// How a provider's requests are read, compiled once and shared by its routes.
#[derive(Debug)]
pub struct Extraction {
    decoder: Decoder,
    split: Vec<Split>,
    redactions: Redactions,
    /// Every place inside an item.
    item: Pointers,
    /// Every place inside the whole body.
    envelope: Pointers,
    drop: Vec<Test>,
    event_type: Vec<Source>,
    /// Types of items that say more than a part can, the first that holds wins.
    type_rules: Vec<(Vec<Test>, Vec<Source>)>,
    type_names: BTreeMap<String, String>,
    default_type: String,
    identity: Identity,
    time: Vec<Time>,
    subject: Vec<Source>,
    maps: Vec<Map>,
    paths: Paths,
}

/// A place of the event's time.
#[derive(Debug)]
struct Time {
    when: Vec<Test>,
    place: Place,
    unit: TimeUnit,
}

/// One item before it is read.
struct Part {
    document: Document,
    /// Which document of the body it is in.
    of: usize,
    /// It is not of the shape that `split` promises.
    misshapen: bool,
}

/// The items of a body.
struct Parts {
    parts: Vec<Part>,
    /// The body is a list of items, however many it holds.
    list: bool,
}

/// What becomes of an item.
enum Fate {
    Event(Event),
    Bad(BadItem),
    Dropped,
}

impl Extraction {
    /// Whether a request with these headers is of a media type that is read at all. Told before its body is.
    pub fn accepts(&self, headers: &HeaderMap) -> bool {
        self.decoder.accepts(headers)
    }

    /// Whether any event is mapped to `conversation/v1`.
    pub fn maps(&self) -> bool {
        !self.maps.is_empty()
    }

    /// Whether the vendor's events have ids at all.
    pub fn has_id(&self) -> bool {
        self.identity.has_id()
    }

    /// Reads a proven request; `deduplicate` is what the source says of the identity of its events.
    ///
    /// # Errors
    /// Where the body as a whole cannot be read; an item that cannot be is an `Err` inside the batch.
    pub fn read(
        &self,
        verified: &Verified,
        head: &Head<'_>,
        deduplicate: Option<Deduplicate>,
    ) -> Result<Batch, DecodeError> {
        let decoded = self.decoder.decode(verified.body(), head)?;
        let delivery = Delivery {
            head,
            coverage: verified.proof().coverage(),
            fields: &decoded.fields,
            paths: &self.paths,
            pointers: &self.item,
            envelope_pointers: &self.envelope,
            deduplicate,
            once: Once::default(),
        };
        // Most definitions read nothing around an item.
        let around = if self.envelope.is_empty() { &[] } else { &*decoded.documents };
        let around = around.iter().map(|document| document.envelope.as_ref().or(document.json.as_ref()));
        let envelopes = around
            .map(|json| json.map(|json| self.envelope.capture_unique(json)).transpose())
            .collect::<Result<Vec<_>, _>>()
            .map_err(json_error)?;
        let Parts { parts, list } = self.parts(&decoded.documents, decoded.list)?;
        let mut batch = Batch { items: Vec::with_capacity(parts.len()), received: parts.len(), dropped: 0 };
        let several = parts.len() > 1;
        let mut met = Met::default();
        let most = verified.body().len().saturating_mul(MADE.0).saturating_add(MADE.1);
        let mut made = 0;
        for (index, part) in parts.into_iter().enumerate() {
            let position = Position { index: list.then_some(index), several };
            let envelope = envelopes.get(part.of).and_then(Option::as_ref);
            let fate = self.fate(part, &delivery, envelope, position)?;
            if let Fate::Event(event) = &fate {
                made += event.data.mapped.as_ref().map_or(0, Bytes::len);
                if made > most {
                    return Err(DecodeError::Swells(most));
                }
            }
            match fate {
                Fate::Dropped => batch.dropped += 1,
                Fate::Bad(bad) => batch.items.push(Err(bad)),
                Fate::Event(event) if !several => batch.items.push(Ok(event)),
                Fate::Event(event) => match met.judge(&event) {
                    Beside::New => batch.items.push(Ok(event)),
                    Beside::Same => {}
                    Beside::SameId => batch.items.push(Err(event.rejected(BadItemReason::SameId))),
                },
            }
        }
        Ok(batch)
    }

    /// The items of every document.
    fn parts(&self, documents: &[Document], mut list: bool) -> Result<Parts, DecodeError> {
        let mut parts = Vec::with_capacity(documents.len());
        for (of, document) in documents.iter().enumerate() {
            let pieces = match &document.json {
                Some(json) if !self.split.is_empty() => split(&self.split, json, parts.len())?,
                _ => None,
            };
            let Some(pieces) = pieces else {
                parts.push(Part { document: document.clone(), of, misshapen: false });
                continue;
            };
            list = true;
            parts.extend(pieces.into_iter().map(|piece| {
                let (json, misshapen) = match piece {
                    Piece::Item(json) => (json, false),
                    Piece::Misshapen(json) => (json, true),
                };
                let document = Document {
                    kind: Kind::Json,
                    original: json.clone(),
                    media_type: MediaType::Json,
                    json: Some(json),
                    envelope: None,
                };
                Part { document, of, misshapen }
            }));
        }
        if parts.len() > MAX_ITEMS {
            return Err(DecodeError::TooManyItems(parts.len()));
        }
        Ok(Parts { parts, list })
    }

    fn fate(
        &self,
        part: Part,
        delivery: &Delivery<'_>,
        envelope: Option<&Captured<'_>>,
        position: Position,
    ) -> Result<Fate, DecodeError> {
        let mut document = part.document;
        if part.misshapen {
            document.original = self.unread(&document.original);
            document.json = Some(document.original.clone());
        }
        self.redactions.apply(&mut document)?;
        let captured = match &document.json {
            Some(json) => self.item.capture_unique(json).map_err(json_error)?,
            None => Captured::default(),
        };
        let item = Item { delivery, kind: document.kind, captured: &captured, envelope };
        let fits = document.json.as_ref().is_none_or(|json| self.item.fits(json));
        if (part.misshapen || !fits) && position.index.is_none() {
            return Err(DecodeError::Shape("the body is no JSON object".to_owned()));
        }
        let (event_type, type_signed) = self.event_type(&item);
        let reject = |reason, event_type, document: &Document| {
            Fate::Bad(BadItem {
                reason,
                event_type: Some(event_type),
                id: self.identity.of(&item, document, position).map(|id| id.text),
                index: position.index,
                item: document.original.clone(),
                media_type: document.media_type.clone(),
            })
        };
        if part.misshapen || !fits {
            return Ok(reject(BadItemReason::NotMappable, event_type, &document));
        }
        if self.drop.iter().any(|test| test.holds(&item)) {
            return Ok(Fate::Dropped);
        }
        let Some(id) = self.identity.of(&item, &document, position) else {
            return Ok(reject(BadItemReason::NoId, event_type, &document));
        };
        let time = self.time(&item);
        let subject = self.subject.iter().find_map(|source| source.find(&item));
        let subject = subject.filter(|found| found.text.len() <= ID_BYTES);
        let unsigned = Unsigned {
            id: !id.signed,
            event_type: !type_signed,
            time: time.is_some_and(|(_, signed)| !signed),
            subject: subject.as_ref().is_some_and(|found| !found.signed),
        };
        let occurred = time.map(|(time, _)| time);
        let map = self.maps.iter().find(|map| map.takes(&event_type, &item));
        let mapped = map.map(|map| map.write(&item, occurred)).transpose().map_err(json_error)?;
        let time = occurred.unwrap_or(delivery.head.received);
        let subject = subject.map(|found| found.text.into_owned());
        let json = document.json.clone().filter(|_| document.kind != Kind::Json);
        let data = Data { original: document.original, media_type: document.media_type, mapped, json };
        Ok(Fate::Event(Event { event_type, id: id.text, index: position.index, subject, time, data, unsigned }))
    }

    /// The published type, and whether the proof covers what it was made of.
    fn event_type(&self, item: &Item<'_>) -> (String, bool) {
        let mut sources = &self.event_type;
        let mut signed = true;
        for (tests, replacing) in &self.type_rules {
            signed &= tests.iter().all(|test| item.signed(&test.place));
            if tests.iter().all(|test| test.holds(item)) {
                sources = replacing;
                break;
            }
        }
        let mut parts = sources.iter().filter_map(|source| source.find(item));
        let Some(first) = parts.next() else { return (self.default_type.clone(), signed) };
        signed &= first.signed;
        let mut vendor = first.text.into_owned();
        for Found { text, signed: covered, .. } in parts {
            signed &= covered;
            vendor.push('.');
            vendor.push_str(&text);
        }
        let published = self.type_names.get(&vendor).cloned().unwrap_or(vendor);
        (bounded_type(published), signed)
    }

    /// The vendor's time, and whether the proof covers it and what chose it.
    fn time(&self, item: &Item<'_>) -> Option<(Timestamp, bool)> {
        let mut signed = true;
        self.time.iter().find_map(|source| {
            signed &= source.when.iter().all(|test| item.signed(&test.place));
            if !source.when.iter().all(|test| test.holds(item)) {
                return None;
            }
            let found = item.find(&source.place, json::as_text)?;
            let time = time::read(&found.text, source.unit)?;
            time::is_plausible(time).then_some((time, signed && found.signed))
        })
    }
}

#[cfg(test)]
mod tests;
