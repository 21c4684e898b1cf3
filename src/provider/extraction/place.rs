//! Where one value stands in a proven request, and whether the proof covers that place.

use std::borrow::Cow;

use http::header::HeaderName;
use serde_json::value::RawValue;

use super::super::Coverage;
use super::super::decode::Kind;
use super::super::request::{Head, pairs};
use super::compile::Compiler;
use super::identity::Once;
use crate::api::extract::{Field, Otherwise, TimeField};
use crate::api::source::Deduplicate;
use crate::json::{self, Captured};

/// A place of a request.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A header.
    Header(HeaderName),
    /// A member of the item: its number, and its pointer for coverage.
    Item(usize, String),
    /// A fixed text.
    Fixed(String),
    /// A query parameter.
    Query(String),
    /// A form field.
    Form(String),
    /// A member of the whole body: its number and its pointer.
    Envelope(usize, String),
}

/// Places of one value, the first that holds something wins.
#[derive(Clone, Debug, Default)]
pub(super) struct Source(pub Vec<Place>);

/// A value found.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// The proof covers the place.
    pub signed: bool,
    /// The place is the same for every item of the body.
    pub shared: bool,
}

/// A delivery while its items are read.
pub(super) struct Delivery<'a> {
    pub head: &'a Head<'a>,
    pub coverage: &'a Coverage,
    pub fields: &'a [(Cow<'a, str>, Cow<'a, str>)],
    pub paths: &'a Paths,
    /// What the source says of the identity of its events.
    pub deduplicate: Option<Deduplicate>,
    /// The new id of this delivery, where its events get one.
    pub once: Once,
}

/// One item while it is read.
pub(super) struct Item<'a> {
    pub kind: Kind,
    /// The places of the item.
    pub captured: &'a Captured<'a>,
    /// The places of the body around it.
    pub envelope: Option<&'a Captured<'a>>,
}

/// Where items stand in the body, for coverage.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    /// What stands before an item's pointer where the item is the body (empty) or a packed member of it.
    pub packed_at: Option<String>,
    /// The list of the items.
    pub list: Option<String>,
    /// The items of that list are proven one by one, by pointers into the item.
    pub each: bool,
}

/// What any kind of field writes.
pub(super) struct Spelled<'a> {
    pub header: Option<&'a String>,
    pub pointer: Option<&'a String>,
    pub value: Option<&'a String>,
    pub query: Option<&'a String>,
    pub form: Option<&'a String>,
    pub envelope: Option<&'a String>,
}

impl<'a> From<&'a Field> for Spelled<'a> {
    fn from(f: &'a Field) -> Self {
        Self {
            header: f.header.as_ref(),
            pointer: f.pointer.as_ref(),
            value: f.value.as_ref(),
            query: f.query.as_ref(),
            form: f.form.as_ref(),
            envelope: f.envelope.as_ref(),
        }
    }
}

impl<'a> From<&'a Otherwise> for Spelled<'a> {
    fn from(f: &'a Otherwise) -> Self {
        Self {
            header: f.header.as_ref(),
            pointer: f.pointer.as_ref(),
            value: f.value.as_ref(),
            query: f.query.as_ref(),
            form: f.form.as_ref(),
            envelope: f.envelope.as_ref(),
        }
    }
}

impl<'a> From<&'a TimeField> for Spelled<'a> {
    fn from(f: &'a TimeField) -> Self {
        Self {
            header: f.header.as_ref(),
            pointer: f.pointer.as_ref(),
            value: None,
            query: f.query.as_ref(),
            form: f.form.as_ref(),
            envelope: f.envelope.as_ref(),
        }
    }
}

impl Source {
    /// Compiles a field and its second place; what is wrong goes to the compiler.
    pub fn compile(field: &Field, path: &str, compiler: &mut Compiler) -> Self {
        let mut places: Vec<Place> = Place::compile(&field.into(), path, compiler).into_iter().collect();
        if let Some(otherwise) = &field.otherwise {
            places.extend(Place::compile(&otherwise.into(), &format!("{path}.else"), compiler));
        }
        Self(places)
    }

    /// Compiles fields; what is wrong goes to the compiler.
    pub fn compile_all(fields: &[Field], path: &str, compiler: &mut Compiler) -> Vec<Self> {
        fields.iter().enumerate().map(|(n, field)| Self::compile(field, &format!("{path}[{n}]"), compiler)).collect()
    }

    /// The first place that holds a text.
    pub fn find<'a>(&'a self, delivery: &Delivery<'a>, item: &Item<'a>) -> Option<Found<'a>> {
        self.0.iter().find_map(|place| place.find(delivery, item, json::id_text))
    }
}

impl Place {
    /// Compiles a place; what is wrong goes to the compiler.
    pub fn compile(spelled: &Spelled<'_>, path: &str, compiler: &mut Compiler) -> Option<Self> {
        let written = [
            spelled.header.map(|v| ("header", v)),
            spelled.pointer.map(|v| ("pointer", v)),
            spelled.value.map(|v| ("value", v)),
            spelled.query.map(|v| ("query", v)),
            spelled.form.map(|v| ("form", v)),
            spelled.envelope.map(|v| ("envelope", v)),
        ];
        let mut written = written.into_iter().flatten();
        let (Some((kind, value)), None) = (written.next(), written.next()) else {
            compiler.error(path, "write exactly one of header, pointer, value, query, form or envelope");
            return None;
        };
        let value = value.clone();
        match kind {
            "header" => match value.parse() {
                Ok(name) => Some(Self::Header(name)),
                Err(_) => {
                    compiler.error(&format!("{path}.header"), format!("{value:?} is no header name"));
                    None
                }
            },
            "pointer" => compiler.item(&value, &format!("{path}.pointer")).map(|slot| Self::Item(slot, value)),
            "envelope" => {
                compiler.envelope(&value, &format!("{path}.envelope")).map(|slot| Self::Envelope(slot, value))
            }
            "query" => Some(Self::Query(value)),
            "form" => Some(Self::Form(value)),
            _ => Some(Self::Fixed(value)),
        }
    }

    /// The text at this place; `read` says which JSON values are one.
    pub fn find<'a>(
        &'a self,
        delivery: &Delivery<'a>,
        item: &Item<'a>,
        read: impl Fn(&'a RawValue) -> Option<Cow<'a, str>>,
    ) -> Option<Found<'a>> {
        let text = match self {
            Self::Header(name) => {
                let value = delivery.head.headers.get(name)?.as_bytes().trim_ascii();
                Cow::Borrowed(std::str::from_utf8(value).ok()?)
            }
            Self::Item(slot, _) => read(item.captured.get(*slot)?)?,
            Self::Envelope(slot, _) => read(item.envelope?.get(*slot)?)?,
            Self::Fixed(text) => Cow::Borrowed(text.as_str()),
            Self::Query(name) => {
                let query = delivery.head.query?.as_bytes();
                pairs(query).find(|(n, _)| n == name).map(|(_, value)| value)?
            }
            Self::Form(name) => {
                delivery.fields.iter().find(|(n, _)| n == name).map(|(_, value)| Cow::Borrowed(value.as_ref()))?
            }
        };
        if text.is_empty() {
            return None;
        }
        let shared = !matches!(self, Self::Item(..));
        Some(Found { text, signed: self.signed(delivery, item.kind), shared })
    }

    /// Whether the proof covers this place. A fixed text needs none.
    pub fn signed(&self, delivery: &Delivery<'_>, kind: Kind) -> bool {
        let coverage = delivery.coverage;
        match self {
            Self::Fixed(_) => true,
            Self::Header(name) => coverage.headers.contains(name.as_str()),
            Self::Query(_) => coverage.url,
            Self::Form(name) => coverage.body || coverage.form.contains(name),
            Self::Envelope(_, pointer) => coverage.body || covered(coverage, pointer),
            Self::Item(_, pointer) if kind == Kind::BinaryEvent => {
                let first = pointer.split('/').nth(1).unwrap_or_default();
                match first {
                    "data" | "data_base64" => coverage.body,
                    "datacontenttype" => coverage.headers.contains("content-type"),
                    attribute => coverage.headers.contains(&format!("ce-{attribute}")),
                }
            }
            Self::Item(_, pointer) if kind == Kind::Form => {
                let first = pointer.split('/').nth(1).unwrap_or_default();
                coverage.body || coverage.form.contains(first)
            }
            Self::Item(_, pointer) => {
                coverage.body
                    || match (&delivery.paths.packed_at, &delivery.paths.list) {
                        (Some(packed), _) => covered(coverage, packed),
                        (None, Some(list)) => {
                            covered(coverage, list) || delivery.paths.each && covered(coverage, pointer)
                        }
                        (None, None) => covered(coverage, pointer),
                    }
            }
        }
    }
}

/// Whether the proof covers a member of the body, or something around it.
fn covered(coverage: &Coverage, pointer: &str) -> bool {
    let around = pointer.match_indices('/').map(|(at, _)| &pointer[..at]).filter(|p| !p.is_empty());
    coverage.pointers.contains(pointer) || around.into_iter().any(|p| coverage.pointers.contains(p))
}
