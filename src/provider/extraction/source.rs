//! The values of an item, each by its places, and whether the proof covers where they stood.

use std::borrow::Cow;

use http::header::HeaderName;
use serde_json::value::RawValue;

use super::super::Coverage;
use super::super::compiler::Compiler;
use super::super::decode::Kind;
use super::super::place::{Place, Places, Standing};
use super::super::request::{Head, pairs};
use super::once::Once;
use crate::api::extract::Field;
use crate::api::source::Deduplicate;
use crate::json::{self, Captured, Pointers};

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
    /// The places that a definition reads, by number.
    pub pointers: &'a Pointers,
    pub envelope_pointers: &'a Pointers,
    /// What the source says of the identity of its events.
    pub deduplicate: Option<Deduplicate>,
    /// The new id of this delivery, where its events get one.
    pub once: Once,
}

/// One item while it is read.
pub(super) struct Item<'a> {
    pub delivery: &'a Delivery<'a>,
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
    /// The lists of the items.
    pub lists: Vec<String>,
    /// The form field that holds the document, where the body is a form.
    pub field: Option<String>,
    /// The items of that list are proven one by one, by pointers into the item.
    pub each: bool,
}

impl Source {
    /// Compiles a field and its second place; what is wrong goes to the compiler.
    pub(super) fn compile(field: &Field, path: &str, compiler: &mut Compiler) -> Self {
        let mut places: Vec<Place> = compiler.place(field, path).into_iter().collect();
        if let Some(otherwise) = &field.otherwise {
            places.extend(compiler.place(otherwise, &format!("{path}.else")));
        }
        Self(places)
    }

    /// Compiles fields; what is wrong goes to the compiler.
    pub(super) fn compile_all(fields: &[Field], path: &str, compiler: &mut Compiler) -> Vec<Self> {
        fields.iter().enumerate().map(|(n, field)| Self::compile(field, &format!("{path}[{n}]"), compiler)).collect()
    }

    /// The first place that holds a text or the digits of an integer.
    pub(super) fn find<'i>(&'i self, item: &'i Item<'_>) -> Option<Found<'i>> {
        self.0.iter().find_map(|place| item.find(place, json::id_text))
    }
}

impl Places for Item<'_> {
    fn at_header(&self, name: &HeaderName) -> Standing<&[u8]> {
        Standing::of(self.delivery.head.headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()))
    }

    fn at_query(&self, name: &str) -> Standing<Cow<'_, str>> {
        let query = self.delivery.head.query.unwrap_or_default().as_bytes();
        Standing::of(pairs(query).filter(|(known, _)| known == name).map(|(_, value)| value))
    }

    fn at_form(&self, name: &str) -> Standing<&str> {
        Standing::of(self.delivery.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref()))
    }

    fn at_pointer(&self, number: usize) -> Option<&RawValue> {
        self.captured.get(number)
    }

    fn at_envelope(&self, number: usize) -> Option<&RawValue> {
        self.envelope?.get(number)
    }
}

impl Item<'_> {
    /// The text at a place, the first where there are several; `read` says which JSON values are one.
    pub(super) fn find<'i>(
        &'i self,
        place: &'i Place,
        read: impl Fn(&'i RawValue) -> Option<Cow<'i, str>>,
    ) -> Option<Found<'i>> {
        let text = match place {
            Place::Header(name) => Cow::Borrowed(std::str::from_utf8(self.at_header(name).first()?).ok()?),
            Place::Query(name) => self.at_query(name).first()?,
            Place::Form(name) => Cow::Borrowed(self.at_form(name).first()?),
            Place::Pointer(number) => read(self.at_pointer(*number)?)?,
            Place::Envelope(number) => read(self.at_envelope(*number)?)?,
            Place::Fixed(text) => Cow::Borrowed(text.as_str()),
        };
        if text.is_empty() {
            return None;
        }
        let shared = !matches!(place, Place::Pointer(_));
        Some(Found { text, signed: self.signed(place), shared })
    }

    /// Whether the proof covers a place. A fixed text needs none.
    pub(super) fn signed(&self, place: &Place) -> bool {
        let coverage = self.delivery.coverage;
        match place {
            Place::Fixed(_) => true,
            Place::Header(name) => coverage.headers.contains(name.as_str()),
            Place::Query(name) => coverage.url || coverage.query.contains(name),
            Place::Form(_) if self.kind == Kind::Query => coverage.url,
            Place::Form(name) => coverage.body || coverage.form.contains(name),
            Place::Envelope(number) => {
                self.document_signed() || covered(coverage, self.delivery.envelope_pointers.text(*number))
            }
            Place::Pointer(number) => self.member_signed(self.delivery.pointers.text(*number)),
        }
    }

    /// Whether the proof covers the body, or the form field that holds the document.
    pub(super) fn document_signed(&self) -> bool {
        let coverage = self.delivery.coverage;
        coverage.body || self.delivery.paths.field.as_ref().is_some_and(|field| coverage.form.contains(field))
    }

    fn member_signed(&self, pointer: &str) -> bool {
        let (coverage, paths) = (self.delivery.coverage, self.delivery.paths);
        let first = pointer.split('/').nth(1).unwrap_or_default();
        match self.kind {
            Kind::BinaryEvent => match first {
                "data" | "data_base64" => coverage.body,
                "datacontenttype" => coverage.headers.contains("content-type"),
                attribute => coverage.headers.contains(&format!("ce-{attribute}")),
            },
            Kind::Form | Kind::Fields => coverage.body || coverage.form.contains(first),
            Kind::Query => coverage.url,
            Kind::Json | Kind::Text => {
                self.document_signed()
                    || match (&paths.packed_at, paths.lists.as_slice()) {
                        (Some(packed), _) => covered(coverage, packed),
                        (None, []) => covered(coverage, pointer),
                        (None, lists) => {
                            lists.iter().all(|list| covered(coverage, list)) || paths.each && covered(coverage, pointer)
                        }
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
