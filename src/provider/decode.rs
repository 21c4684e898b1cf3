//! From the body of a proven request to documents: media types, forms, multipart, lines, tokens, CloudEvents.
//!
//! Parses no deeper than it must to find where a document begins and ends, and bounds whatever it unpacks. What is
//! published later is a slice of what came; only a form and a binary CloudEvent get a JSON view beside it.

mod carrier;
mod cloud_events;
mod fields;
mod gzip;
mod media_type;
mod multipart;
mod xml;

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method};

pub(super) use self::carrier::Carrier;
pub(super) use self::fields::{Fields, form_fields, form_view, multipart_fields};
use self::fields::{parts_view, texts};
pub use self::gzip::{Coding, coding};
use self::media_type::ContentType;
use super::event::{DecodeError, MAX_ITEMS, MediaType};
use super::lenient_base64;
use super::request::Head;
use crate::api::provider::{BodyFormat, Compression, Decode};
use crate::json::{self, JsonError, Pointers};

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// What a document is made of, which decides how a credential is cut from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON, published as it is.
    Json,
    /// A form, published as it is; pointers lead into the JSON view of its fields.
    Form,
    /// The query of the URL, published as the form that it is; pointers lead into the JSON view of its parameters.
    Query,
    /// The fields of a multipart body, published as a JSON object of them.
    Fields,
    /// A CloudEvent in binary mode, published as its data; pointers lead into the view of the whole event.
    BinaryEvent,
    /// Text without places.
    Text,
}

/// One document of a body.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// What it is made of.
    pub kind: Kind,
    /// What is published.
    pub original: Bytes,
    /// The media type of that.
    pub media_type: MediaType,
    /// The JSON that pointers lead into.
    pub json: Option<Bytes>,
    /// The JSON around it, where it was taken out of one.
    pub envelope: Option<Bytes>,
}

/// A body, decoded.
#[derive(Debug, Default)]
pub(super) struct Decoded<'b> {
    /// Its documents in order.
    pub documents: Vec<Document>,
    /// It is a list of documents by its form, however many it holds.
    pub list: bool,
    /// Its form fields.
    pub fields: Fields<'b>,
}

/// A definition's `decode`, compiled.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    carrier: Carrier,
    base64_at: Option<(String, Pointers)>,
    gzip: bool,
}

impl Decoder {
    /// Compiles a definition's `decode`.
    ///
    /// # Errors
    /// The field below `decode` that is wrong, and why.
    pub(super) fn compile(decode: Option<&Decode>) -> Result<Self, (&'static str, String)> {
        let carrier = Carrier::compile(decode)?;
        let base64_at = decode
            .and_then(|decode| decode.base64_at.as_ref())
            .map(|at| Ok((at.clone(), Pointers::compile([at]).map_err(|e| ("base64At", e.to_string()))?)))
            .transpose()?;
        let gzip = decode.is_some_and(|decode| decode.compressed == Some(Compression::Gzip));
        Ok(Self { carrier, base64_at, gzip })
    }

    /// Where the item stands as base64 inside the body.
    pub(super) fn base64_at(&self) -> Option<&str> {
        self.base64_at.as_ref().map(|(pointer, _)| pointer.as_str())
    }

    /// Whether documents stand in the body under another spelling, in which no name of theirs shows.
    pub(super) fn packs(&self) -> bool {
        self.base64_at.is_some() || self.carrier.field().is_some_and(carrier::Field::spells_anew)
    }

    /// Whether a request with these headers is of a media type that is read at all. Told before its body is.
    pub(super) fn accepts(&self, headers: &HeaderMap) -> bool {
        self.carrier.accepts(headers)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// `MediaType`, `Malformed`, `Shape` or `DuplicateKey`.
    pub(super) fn decode<'b>(&self, body: &'b Bytes, head: &Head<'_>) -> Result<Decoded<'b>, DecodeError> {
        if *head.method == Method::GET {
            return query(head);
        }
        let content_type = ContentType::of(head.headers)?;
        let inflated = self.gzip && coding(head.headers) == Some(Coding::Gzip);
        if inflated {
            let body = Bytes::from(gzip::inflate(body)?);
            // Fields of a compressed form would borrow what ends here, so they are copied: no vendor sends one today.
            let decoded = self.documents(&body, &content_type, head)?;
            let fields =
                decoded.fields.iter().map(|(n, v)| (Cow::Owned(n.to_string()), Cow::Owned(v.to_string()))).collect();
            return Ok(Decoded { documents: decoded.documents, list: decoded.list, fields });
        }
        self.documents(body, &content_type, head)
    }

    fn documents<'b>(
        &self,
        body: &'b Bytes,
        content_type: &ContentType<'_>,
        head: &Head<'_>,
    ) -> Result<Decoded<'b>, DecodeError> {
        let binary_event = head.headers.contains_key("ce-specversion");
        let format = self.carrier.format(content_type, binary_event)?;
        let format =
            if format == BodyFormat::Text && self.plain_json(body, content_type) { BodyFormat::JSON } else { format };
        // Which it is says a header that nobody signed: what is JSON is never read as something else, in which a text of it
        // could stand for another event.
        let form = matches!(format, BodyFormat::Form | BodyFormat::Multipart);
        if form && self.carrier.reads(BodyFormat::JSON) && begins_as_json(body) {
            return Err(DecodeError::Malformed("form"));
        }
        let mut decoded = match format {
            BodyFormat::JSON => one(json_document(without_mark(body))),
            BodyFormat::Form => self.form(body, content_type)?,
            BodyFormat::Query => query(head)?,
            BodyFormat::Multipart => self.multipart(body, content_type)?,
            BodyFormat::JSONLines => lines(body)?,
            BodyFormat::XML => one(json_document(xml::document(body, &|_| true)?)),
            BodyFormat::JWT => one(json_document(token_payload(body)?)),
            BodyFormat::CloudEvents => cloud_events::read(body, content_type, head.headers)?,
            BodyFormat::Text => one(Document {
                kind: Kind::Text,
                original: body.clone(),
                media_type: MediaType::Other(content_type.received().unwrap_or("text/plain").to_owned()),
                json: None,
                envelope: None,
            }),
        };
        if let Some((_, pointers)) = &self.base64_at {
            for document in &mut decoded.documents {
                unpack(document, pointers)?;
            }
        }
        Ok(decoded)
    }

    /// Many senders call their JSON `text/plain`: where both are read, a document is JSON.
    fn plain_json(&self, body: &[u8], content_type: &ContentType<'_>) -> bool {
        content_type.essence() == "text/plain"
            && self.carrier.reads(BodyFormat::JSON)
            && begins_as_json(body)
            && json::validate(body).is_ok()
    }

    fn form<'b>(&self, body: &'b Bytes, content_type: &ContentType<'_>) -> Result<Decoded<'b>, DecodeError> {
        let fields = form_fields(body)?;
        let document = match self.carrier.field() {
            Some(field) => json_document(field.read(only(&fields, &field.name)?.as_bytes(), &|_| true)?),
            None => Document {
                kind: Kind::Form,
                original: body.clone(),
                media_type: MediaType::Other(content_type.received().unwrap_or(FORM).to_owned()),
                json: Some(form_view(&fields)),
                envelope: None,
            },
        };
        Ok(Decoded { documents: vec![document], list: false, fields })
    }

    fn multipart<'b>(&self, body: &'b Bytes, content_type: &ContentType<'_>) -> Result<Decoded<'b>, DecodeError> {
        let parts = multipart::parts(body, content_type.boundary().ok_or(DecodeError::Malformed("multipart body"))?)?;
        let fields = texts(&parts);
        let document = match self.carrier.field() {
            Some(field) => json_document(field.read(only(&fields, &field.name)?.as_bytes(), &|_| true)?),
            None => Document { kind: Kind::Fields, ..json_document(parts_view(&parts)) },
        };
        Ok(Decoded { documents: vec![document], list: false, fields })
    }
}

fn begins_as_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// The parameters of a delivery that has nothing but its URL.
fn query<'b>(head: &Head<'_>) -> Result<Decoded<'b>, DecodeError> {
    let query = head.query.unwrap_or_default();
    let fields: Fields<'b> = form_fields(query.as_bytes())?
        .into_iter()
        .map(|(name, value)| (Cow::Owned(name.into_owned()), Cow::Owned(value.into_owned())))
        .collect();
    let document = Document {
        kind: Kind::Query,
        original: Bytes::copy_from_slice(query.as_bytes()),
        media_type: MediaType::Other(FORM.to_owned()),
        json: Some(form_view(&fields)),
        envelope: None,
    };
    Ok(Decoded { documents: vec![document], list: false, fields })
}

/// The error of a body that is no JSON document.
pub(super) fn json_error(error: JsonError) -> DecodeError {
    match error {
        JsonError::Malformed => DecodeError::Malformed("JSON"),
        JsonError::Duplicate(name) => DecodeError::DuplicateKey(name),
    }
}

fn one<'b>(document: Document) -> Decoded<'b> {
    Decoded { documents: vec![document], list: false, fields: Vec::new() }
}

fn json_document(json: Bytes) -> Document {
    Document { kind: Kind::Json, original: json.clone(), media_type: MediaType::Json, json: Some(json), envelope: None }
}

/// The body without a byte order mark, which RFC 8259 (section 8.1) lets a reader skip.
fn without_mark(body: &Bytes) -> Bytes {
    let mark = usize::from(body.starts_with(b"\xef\xbb\xbf")) * 3;
    body.slice(mark..)
}

/// The value of a field that occurs exactly once.
fn only<'f>(fields: &'f [(Cow<'_, str>, Cow<'_, str>)], name: &str) -> Result<&'f str, DecodeError> {
    let mut found = fields.iter().filter(|(n, _)| n == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(value),
        (None, _) => Err(DecodeError::Shape(format!("the form has no field {name:?}"))),
        (Some(_), Some(_)) => Err(DecodeError::DuplicateKey(name.to_owned())),
    }
}

fn lines<'b>(body: &Bytes) -> Result<Decoded<'b>, DecodeError> {
    let mut lines = body.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let read = lines.by_ref().take(MAX_ITEMS).map(|line| json_document(body.slice_ref(line)));
    let documents: Vec<_> = read.collect();
    // What is not read is counted and kept nowhere: a line may be two bytes.
    match lines.count() {
        0 => Ok(Decoded { documents, list: true, fields: Vec::new() }),
        more => Err(DecodeError::TooManyItems(MAX_ITEMS + more)),
    }
}

/// The payload of a compact JSON Web Token (RFC 7515, section 7.1) whose signature holds already.
fn token_payload(body: &Bytes) -> Result<Bytes, DecodeError> {
    let mut parts = body.trim_ascii().split(|b| *b == b'.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(payload), Some(_), None) => {
            lenient_base64::decode(payload).map(Bytes::from).ok_or(DecodeError::Malformed("JSON Web Token"))
        }
        _ => Err(DecodeError::Malformed("JSON Web Token")),
    }
}

/// Replaces a document by the one that it holds as base64; one that holds none stays.
fn unpack(document: &mut Document, pointers: &Pointers) -> Result<(), DecodeError> {
    let Some(envelope) = document.json.take() else { return Ok(()) };
    let captured = pointers.capture_unique(&envelope).map_err(json_error)?;
    let Some(packed) = captured.get(0).and_then(json::string_text) else {
        document.json = Some(envelope);
        return Ok(());
    };
    let inner = lenient_base64::decode(packed.as_bytes()).ok_or(DecodeError::Malformed("base64"))?;
    *document = json_document(Bytes::from(inner));
    document.envelope = Some(envelope);
    Ok(())
}

#[cfg(test)]
mod tests;
