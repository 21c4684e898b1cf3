//! A request as schemes look at it: values by place, the body parsed at most once and only when a scheme asks.
//!
//! Nothing here is trusted: a place that is absent, doubled or of the wrong kind yields nothing.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderName};
use serde_json::value::RawValue;

use crate::json::{self, Captured, Pointers};
use crate::provider::decode;
use crate::provider::place::{Place, Places, Standing};
use crate::provider::request::{RequestView, pairs};

/// Most form fields or query parameters that are read.
const MAX_PAIRS: usize = 1000;

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
    multipart: OnceCell<Option<Pairs<'a>>>,
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
            multipart: OnceCell::new(),
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
        Standing::of(self.headers(name)).once()
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
                // What is asked for by GET says all in its query: its form has no fields.
                if self.request.head.method == Method::GET && self.request.body.is_empty() {
                    return Some(Vec::new());
                }
                let media = std::str::from_utf8(self.header(&CONTENT_TYPE)?).ok()?;
                let essence = media.split(';').next()?.trim();
                if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                    return None;
                }
                bounded(self.request.body)
            })
            .as_ref()
    }

    /// The fields of a form of either media type. Those of a multipart body are read by name alone: what signs all fields
    /// says nothing of files.
    pub fn fields(&self) -> Option<&Pairs<'a>> {
        self.form().or_else(|| {
            let multipart = || decode::multipart_fields(self.request.body, self.request.head.headers);
            self.multipart.get_or_init(multipart).as_ref()
        })
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
        named(self.query()?, name).once()
    }

    /// A form field that occurs once.
    pub fn field(&self, name: &str) -> Option<&str> {
        named(self.fields()?, name).once()
    }

    /// The value at a place; a header must be there exactly once.
    pub fn value(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        match place {
            Place::Header(name) => self.header(name).map(Cow::Borrowed),
            Place::Query(name) => self.parameter(name).map(|v| Cow::Borrowed(v.as_bytes())),
            Place::Form(name) => self.field(name).map(|v| Cow::Borrowed(v.as_bytes())),
            Place::Pointer(index) | Place::Envelope(index) => self.member_text(*index).map(|text| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
            Place::Fixed(text) => Some(Cow::Owned(text.clone().into_bytes())),
        }
    }
}

impl Places for View<'_> {
    fn at_header(&self, name: &HeaderName) -> Standing<&[u8]> {
        Standing::of(self.headers(name))
    }

    fn at_query(&self, name: &str) -> Standing<Cow<'_, str>> {
        // More parameters than are read: any of them may be this one.
        self.query().map_or(Standing::Several(Cow::Borrowed("")), |pairs| named(pairs, name).map(Cow::Borrowed))
    }

    fn at_form(&self, name: &str) -> Standing<&str> {
        self.fields().map_or(Standing::Absent, |pairs| named(pairs, name))
    }

    fn at_pointer(&self, number: usize) -> Option<&RawValue> {
        self.member(number)
    }

    fn at_envelope(&self, number: usize) -> Option<&RawValue> {
        self.member(number)
    }
}

fn bounded(encoded: &[u8]) -> Option<Pairs<'_>> {
    let mut all = pairs(encoded);
    let read: Pairs<'_> = all.by_ref().take(MAX_PAIRS).collect();
    all.next().is_none().then_some(read)
}

fn named<'b>(pairs: &'b Pairs<'_>, name: &str) -> Standing<&'b str> {
    Standing::of(pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref()))
}
