//! A request as schemes look at it: values by place, the body parsed at most once and only when a scheme asks.
//!
//! Nothing here is trusted: a place that is absent, doubled or of the wrong kind yields nothing.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::header::{CONTENT_TYPE, HeaderName};
use serde_json::value::RawValue;

use crate::json::{self, Captured, Pointers};
use crate::provider::request::{RequestView, pairs};

/// Most form fields or query parameters that are read.
const MAX_PAIRS: usize = 1000;

/// Where one value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header.
    Header(HeaderName),
    /// A query parameter.
    Query(String),
    /// A member of the body: an index into the scheme's pointers.
    Pointer(usize),
    /// A form field.
    Form(String),
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);
type Pairs<'a> = Vec<Pair<'a>>;

/// A request, and what was parsed of it so far.
pub struct View<'a> {
    request: RequestView<'a>,
    external_url: Option<&'a str>,
    /// The JSON that pointers lead into: the body, or one item of it.
    document: &'a [u8],
    pointers: &'a Pointers,
    captured: OnceCell<Option<Captured<'a>>>,
    form: OnceCell<Option<Pairs<'a>>>,
    query: OnceCell<Option<Pairs<'a>>>,
}

impl<'a> View<'a> {
    /// A view whose pointers lead into the body.
    pub fn new(request: RequestView<'a>, external_url: Option<&'a str>, pointers: &'a Pointers) -> Self {
        Self::of_item(request, external_url, pointers, request.body)
    }

    /// A view whose pointers lead into one item of the body.
    pub fn of_item(
        request: RequestView<'a>,
        external_url: Option<&'a str>,
        pointers: &'a Pointers,
        document: &'a [u8],
    ) -> Self {
        Self {
            request,
            external_url,
            document,
            pointers,
            captured: OnceCell::new(),
            form: OnceCell::new(),
            query: OnceCell::new(),
        }
    }

    /// The request itself.
    pub fn request(&self) -> &RequestView<'a> {
        &self.request
    }

    /// The URL as the vendor knows it, without the query.
    pub fn external_url(&self) -> Option<&'a str> {
        self.external_url
    }

    /// A header that occurs once.
    pub fn header(&self, name: &HeaderName) -> Option<&'a [u8]> {
        let mut values = self.request.head.headers.get_all(name).iter();
        let value = values.next()?;
        values.next().is_none().then_some(value.as_bytes())
    }

    /// Every value of a header.
    pub fn headers(&self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.request.head.headers.get_all(name).iter().map(http::HeaderValue::as_bytes)
    }

    /// The member of the document at one of the scheme's pointers.
    pub fn member(&self, pointer: usize) -> Option<&'a RawValue> {
        self.captured.get_or_init(|| self.pointers.capture(self.document).ok()).as_ref()?.get(pointer)
    }

    /// That member as text; objects, lists and null are none.
    pub fn member_text(&self, pointer: usize) -> Option<Cow<'a, str>> {
        json::as_text(self.member(pointer)?)
    }

    /// The form fields, where the body says that it is a form.
    pub fn form(&self) -> Option<&Pairs<'a>> {
        self.form
            .get_or_init(|| {
                let media = std::str::from_utf8(self.header(&CONTENT_TYPE)?).ok()?;
                let essence = media.split(';').next()?.trim();
                if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                    return None;
                }
                bounded(self.request.body)
            })
            .as_ref()
    }

    /// The query parameters; `None` where there are more than are read.
    pub fn query(&self) -> Option<&Pairs<'a>> {
        let query = || self.request.head.query.map_or(Some(Vec::new()), |query| bounded(query.as_bytes()));
        self.query.get_or_init(query).as_ref()
    }

    /// The form fields of a content that reads them as the whole body: none without a body, and `None` for a body
    /// that is no form, because such a content says nothing of it.
    pub fn form_or_empty(&self) -> Option<&[Pair<'a>]> {
        match self.form() {
            Some(form) => Some(form),
            None => self.request.body.is_empty().then_some(&[]),
        }
    }

    /// A query parameter that occurs once.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        once(self.query()?, name)
    }

    /// A form field that occurs once.
    pub fn field(&self, name: &str) -> Option<&str> {
        once(self.form()?, name)
    }

    /// Whether a place holds anything at all, once or more often, readable or not.
    pub fn holds_any(&self, place: &Place) -> bool {
        let named = |pairs: &Pairs<'_>, name: &str| pairs.iter().any(|(known, _)| known == name);
        match place {
            Place::Header(name) => self.request.head.headers.contains_key(name),
            Place::Query(name) => self.query().is_none_or(|pairs| named(pairs, name)),
            Place::Form(name) => self.form().is_some_and(|pairs| named(pairs, name)),
            Place::Pointer(index) => self.member(*index).is_some_and(|value| value.get() != "null"),
        }
    }

    /// The value at a place; a header must be there exactly once.
    pub fn value(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        match place {
            Place::Header(name) => self.header(name).map(Cow::Borrowed),
            Place::Query(name) => self.parameter(name).map(|v| Cow::Borrowed(v.as_bytes())),
            Place::Form(name) => self.field(name).map(|v| Cow::Borrowed(v.as_bytes())),
            Place::Pointer(index) => self.member_text(*index).map(|text| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
        }
    }
}

fn bounded(encoded: &[u8]) -> Option<Pairs<'_>> {
    let mut all = pairs(encoded);
    let read: Pairs<'_> = all.by_ref().take(MAX_PAIRS).collect();
    all.next().is_none().then_some(read)
}

fn once<'b>(pairs: &'b Pairs<'_>, name: &str) -> Option<&'b str> {
    let mut found = pairs.iter().filter(|(n, _)| n == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value.as_ref())
}
