//! One part of signed content: what it fixes, what it covers, and its bytes.
//!
//! What it fixes and covers, its bytes, and whether a challenge could be taken for it is said of every part: a new variable does not
//! compile until it is. `needs_url`, `needs_form` and the queries of `content.rs` name those alone that they are about.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use md5::Md5;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::Context;
use super::lists::{form_sorted, header_lines, header_values, jws_header_lines, pairs_sorted, sorted_query};
use super::url::{decoded_url, path_of, port_variant, url, url_with_form};
use crate::json;
use crate::provider::Coverage;
use crate::provider::decode::Carrier;
use crate::provider::harmless::is_harmless;
use crate::provider::place::Place;
use crate::provider::verify::view::View;

/// A part of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Body,
    BodyCompactJson,
    BodyJsonString,
    BodySha256Hex,
    BodySha256Raw,
    BodyMd5Base64,
    BodyCrc32,
    Timestamp,
    Secret,
    Method,
    Path,
    Url,
    UrlDecoded,
    UrlWithoutQuery,
    UrlAnyPort,
    UrlWithForm,
    SortedQuery,
    Query(String),
    Header(HeaderName),
    Key(String),
    Parameter(String),
    Pointer(usize),
    PointerOptional(usize),
    PointerPercent(usize),
    Lines(Vec<(String, usize)>),
    Field(String),
    FormSorted { unique: bool },
    PairsSorted { except: String },
    HeaderLines { list: HeaderName, must: Option<HeaderName> },
    HeaderValues(String),
    JwsHeaderLines { member: String, must: Option<HeaderName> },
}

impl Part {
    /// Whether what stands at that place cannot change without changing the part.
    pub(super) fn fixes(&self, place: &Place) -> bool {
        let (member, field) = (matches!(place, Place::Pointer(_)), matches!(place, Place::Form(_)));
        let query = matches!(place, Place::Query(_));
        match self {
            Part::Body
            | Part::BodyCompactJson
            | Part::BodyJsonString
            | Part::BodySha256Hex
            | Part::BodySha256Raw
            | Part::BodyMd5Base64 => member || field,
            Part::Url | Part::UrlDecoded | Part::UrlAnyPort | Part::SortedQuery => query,
            Part::UrlWithForm => query || field,
            Part::FormSorted { .. } => field,
            Part::Query(signed) => matches!(place, Place::Query(name) if name == signed),
            Part::Field(signed) => matches!(place, Place::Form(name) if name == signed),
            Part::PairsSorted { except } => {
                matches!(place, Place::Query(name) | Place::Form(name) if name != except)
            }
            Part::Header(signed) => matches!(place, Place::Header(name) if name == signed),
            Part::Pointer(signed) | Part::PointerOptional(signed) | Part::PointerPercent(signed) => {
                matches!(place, Place::Pointer(index) if index == signed)
            }
            Part::Lines(lines) => {
                matches!(place, Place::Pointer(wanted) if lines.iter().any(|(_, index)| index == wanted))
            }
            // A checksum is no hash; lists of headers are told what they must name.
            Part::Literal(_)
            | Part::BodyCrc32
            | Part::Timestamp
            | Part::Secret
            | Part::Method
            | Part::Path
            | Part::UrlWithoutQuery
            | Part::Key(_)
            | Part::Parameter(_)
            | Part::HeaderLines { .. }
            | Part::HeaderValues(_)
            | Part::JwsHeaderLines { .. } => false,
        }
    }

    /// Whether it cannot be had without the public URL.
    pub(super) fn needs_url(&self) -> bool {
        matches!(self, Part::Url | Part::UrlDecoded | Part::UrlWithoutQuery | Part::UrlAnyPort | Part::UrlWithForm)
    }

    /// Whether it is built of form fields.
    pub(super) fn needs_form(&self) -> bool {
        matches!(self, Part::FormSorted { .. } | Part::Field(_))
    }

    /// Adds what it covers.
    pub(super) fn cover(&self, coverage: &mut Coverage, pointers: &[String]) {
        match self {
            Part::Body
            | Part::BodyCompactJson
            | Part::BodyJsonString
            | Part::BodySha256Hex
            | Part::BodySha256Raw
            | Part::BodyMd5Base64
            | Part::FormSorted { .. } => coverage.body = true,
            Part::UrlWithForm | Part::PairsSorted { .. } => {
                coverage.url = true;
                coverage.body = true;
            }
            Part::Url | Part::UrlDecoded | Part::UrlAnyPort | Part::SortedQuery => coverage.url = true,
            Part::UrlWithoutQuery | Part::Path => coverage.path = true,
            Part::Query(name) => {
                coverage.query.insert(name.clone());
            }
            Part::Header(name) => {
                coverage.headers.insert(name.as_str().to_owned());
            }
            Part::Pointer(i) | Part::PointerOptional(i) | Part::PointerPercent(i) => {
                coverage.pointers.insert(pointers[*i].clone());
            }
            Part::Lines(lines) => {
                coverage.pointers.extend(lines.iter().map(|(_, i)| pointers[*i].clone()));
            }
            Part::Field(name) => {
                coverage.form.insert(name.clone());
            }
            // A checksum is no hash: whoever has one body can make another with the same.
            Part::BodyCrc32
            | Part::Literal(_)
            | Part::Secret
            | Part::Timestamp
            | Part::Method
            | Part::Key(_)
            | Part::Parameter(_)
            | Part::HeaderValues(_) => {}
            Part::HeaderLines { must, .. } | Part::JwsHeaderLines { must, .. } => {
                coverage.headers.extend(must.iter().map(|name| name.as_str().to_owned()));
            }
        }
    }

    /// Whether it is sure to hold a character that no harmless challenge has.
    pub(super) fn differs_from_challenge(&self, carrier: &Carrier) -> bool {
        match self {
            Part::Literal(text) => text.bytes().any(|byte| !is_harmless(byte)),
            Part::Body => carrier.marks_bodies(),
            Part::BodyCompactJson
            | Part::BodyJsonString
            | Part::Url
            | Part::UrlDecoded
            | Part::UrlWithoutQuery
            | Part::UrlAnyPort
            | Part::UrlWithForm
            | Part::Lines(_)
            | Part::HeaderLines { .. }
            | Part::JwsHeaderLines { .. }
            | Part::PairsSorted { .. } => true,
            Part::BodySha256Hex
            | Part::BodySha256Raw
            | Part::BodyMd5Base64
            | Part::BodyCrc32
            | Part::Timestamp
            | Part::Secret
            | Part::Method
            | Part::Path
            | Part::SortedQuery
            | Part::Query(_)
            | Part::Header(_)
            | Part::Key(_)
            | Part::Parameter(_)
            | Part::Pointer(_)
            | Part::PointerOptional(_)
            | Part::PointerPercent(_)
            | Part::Field(_)
            | Part::FormSorted { .. }
            | Part::HeaderValues(_) => false,
        }
    }

    /// Feeds the part to `sink`; `None` where it is not there.
    pub(super) fn feed(&self, view: &View<'_>, context: &Context<'_>, sink: &mut dyn FnMut(&[u8])) -> Option<()> {
        let request = view.request();
        match self {
            Part::Literal(text) => sink(text.as_bytes()),
            Part::Body => sink(request.body),
            Part::BodyCompactJson => json::compact_chunks(request.body).for_each(&mut *sink),
            Part::BodyJsonString => {
                sink(serde_json::to_string(std::str::from_utf8(request.body).ok()?).ok()?.as_bytes());
            }
            Part::BodySha256Hex => sink(hex::encode(Sha256::digest(request.body)).as_bytes()),
            Part::BodySha256Raw => sink(&Sha256::digest(request.body)),
            Part::BodyMd5Base64 => sink(STANDARD.encode(Md5::digest(request.body)).as_bytes()),
            Part::BodyCrc32 => sink(crc32fast::hash(request.body).to_string().as_bytes()),
            Part::Timestamp => sink(context.timestamp.as_bytes()),
            Part::Secret => sink(context.secret),
            Part::Method => sink(request.head.method.as_str().as_bytes()),
            Part::Path => sink(path_of(view).as_bytes()),
            Part::Url => url(view, view.external_url()?, sink),
            Part::UrlDecoded => {
                let mut whole = Vec::new();
                url(view, view.external_url()?, &mut |bytes| whole.extend_from_slice(bytes));
                sink(&decoded_url(std::str::from_utf8(&whole).ok()?));
            }
            Part::UrlWithoutQuery => sink(view.external_url()?.as_bytes()),
            Part::UrlAnyPort => url(view, &port_variant(view.external_url()?, context.variant), sink),
            Part::UrlWithForm => url_with_form(view, sink)?,
            Part::SortedQuery => sink(sorted_query(view)?.as_bytes()),
            Part::Query(name) => sink(view.parameter(name)?.as_bytes()),
            Part::Header(name) => sink(view.header(name)?),
            Part::Key(key) => sink(context.signature.part(view, Some(key), None)?.as_bytes()),
            // A parameter that the source does not give: the route does not compile without it.
            Part::Parameter(_) => return None,
            Part::Pointer(index) => sink(view.member_text(*index)?.as_bytes()),
            Part::PointerOptional(index) => {
                if let Some(text) = view.member_text(*index) {
                    sink(text.as_bytes());
                }
            }
            Part::PointerPercent(index) => {
                sink(utf8_percent_encode(&view.member_text(*index)?, COMPONENT).to_string().as_bytes());
            }
            Part::Lines(lines) => lines.iter().enumerate().try_for_each(|(place, (name, index))| {
                let value = view.member_text(*index)?;
                // Where two may hold lines the same bytes could be split otherwise, into members that were never sent.
                if place > 0 && value.contains('\n') {
                    return None;
                }
                for text in [name.as_str(), "\n", &value, "\n"] {
                    sink(text.as_bytes());
                }
                Some(())
            })?,
            Part::Field(name) => sink(view.field(name)?.as_bytes()),
            Part::FormSorted { unique } => form_sorted(view, *unique, sink)?,
            Part::PairsSorted { except } => pairs_sorted(view, except, sink)?,
            Part::HeaderLines { list, must } => header_lines(view, list, must.as_ref(), sink)?,
            Part::JwsHeaderLines { member, must } => {
                jws_header_lines(view, context.signature, member, must.as_ref(), sink)?;
            }
            Part::HeaderValues(key) => header_values(view, context.signature, key, sink)?,
        }
        Some(())
    }
}

/// What `encodeURIComponent` leaves as it is (ECMA-262, section 19.2.6.4).
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
