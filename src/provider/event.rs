//! What extraction yields: events ready to be filtered and published, and items that cannot be.

use bytes::Bytes;
use jiff::Timestamp;

/// One event of an authenticated delivery.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event type without the provider's name, the vendor's case kept; the limits of the contract hold.
    pub event_type: String,
    /// What makes it one event: the vendor's id, a hash of its content, or a new id.
    pub id: String,
    /// Its place in the list received, from 0; `None` where the body is one item.
    pub index: Option<usize>,
    /// The entity the event is about.
    pub subject: Option<String>,
    /// The vendor's time; the time of receipt where there is none.
    pub time: Timestamp,
    /// What it says.
    pub data: Data,
    /// Which attributes came from parts that the proof does not cover.
    pub unsigned: Unsigned,
}

impl Event {
    /// The event as an item that cannot be published, and why.
    pub fn rejected(self, reason: BadItemReason) -> BadItem {
        BadItem {
            reason,
            event_type: Some(self.event_type),
            id: Some(self.id),
            index: self.index,
            item: self.data.original,
            media_type: self.data.media_type,
        }
    }
}

/// Attributes that the proof does not cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Unsigned {
    pub id: bool,
    pub event_type: bool,
    pub time: bool,
    pub subject: bool,
}

/// The content of an event. Credentials are cut already.
#[derive(Clone, Debug)]
pub struct Data {
    /// The vendor's item as sent.
    pub original: Bytes,
    /// Its media type.
    pub media_type: MediaType,
    /// `conversation/v1` as a JSON object, without `original`, where the provider maps the event.
    pub mapped: Option<Bytes>,
    /// The item as JSON for filters, where `original` is none (a form).
    pub json: Option<Bytes>,
}

/// A media type of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`.
    Json,
    /// As received.
    Other(String),
}

impl MediaType {
    /// As it stands in a header.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Json => "application/json",
            Self::Other(text) => text,
        }
    }
}

/// An item of an authenticated delivery that cannot be published as an event.
#[derive(Clone, Debug)]
pub struct BadItem {
    /// A bounded word for the metric and `ce-reason`.
    pub reason: BadItemReason,
    /// Its type, where it has one.
    pub event_type: Option<String>,
    /// Its id, where one is known.
    pub id: Option<String>,
    /// Its place in the list received, from 0; `None` where the body is one item.
    pub index: Option<usize>,
    /// The redacted item.
    pub item: Bytes,
    /// Its media type.
    pub media_type: MediaType,
}

/// Why an item is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadItemReason {
    /// The vendor promises an id and it is not there.
    NoId,
    /// Not of the shape that the definition reads.
    NotMappable,
    /// `events.filter` failed or was no boolean.
    FilterError,
    /// The same id stood over other bytes in this batch.
    SameId,
}

impl BadItemReason {
    /// As `ce-reason` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoId => "NoId",
            Self::NotMappable => "NotMappable",
            Self::FilterError => "FilterError",
            Self::SameId => "SameId",
        }
    }
}

/// A delivery, read.
#[derive(Debug, Default)]
pub struct Batch {
    /// The items in order.
    pub items: Vec<Result<Event, BadItem>>,
    /// How many items arrived, dropped ones included.
    pub received: usize,
    /// How many of them the definition drops (pings).
    pub dropped: usize,
}

/// Most items of one delivery.
pub const MAX_ITEMS: usize = 1000;

/// Why a proven body cannot be read: 400, or `_rejected` where the vendor never retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not of a media type that the definition reads: 415.
    #[error("media type {0:?} is not one that this provider sends")]
    MediaType(String),
    /// Not well-formed.
    #[error("the body is not well-formed {0}")]
    Malformed(&'static str),
    /// Well-formed, but not of the shape that the definition reads.
    #[error("{0}")]
    Shape(String),
    /// Two members of one name in an object that the definition reads.
    #[error("the member {0:?} occurs twice in one object")]
    DuplicateKey(String),
    /// More items than one delivery may hold.
    #[error("{0} items: one delivery holds at most {MAX_ITEMS}")]
    TooManyItems(usize),
    /// Its events would take far more memory than the body.
    #[error(
        "the events of this body would take more than {0} bytes: what stands around the items is written into each of them"
    )]
    Swells(usize),
}
