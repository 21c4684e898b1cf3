//! How a body carries the document that pointers lead into: as it stands, as XML, or in one field of a form.
//!
//! One rule for all who look inside: schemes and handshakes before the proof, which keep only what they ask for, and extraction.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value};

use super::fields::form_fields;
use super::media_type::ContentType;
use super::{multipart, only, xml};
use crate::api::provider::{BodyFormat, Decode, FieldFormat};
use crate::provider::event::DecodeError;
use crate::provider::lenient_base64;
use crate::provider::request::RequestView;
use crate::provider::sample;

/// Where the document stands, and in which language.
#[derive(Clone, Debug)]
pub(in crate::provider) struct Carrier {
    formats: Vec<BodyFormat>,
    any_media_type: bool,
    field: Option<Field>,
}

/// The field that holds the document.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: String,
    base64: bool,
    format: FieldFormat,
}

/// What a body is to those who look inside.
enum Inside {
    /// The document itself.
    Body,
    /// What carries the document; `None` where it carries none.
    Document(Option<Bytes>),
}

impl Default for Carrier {
    fn default() -> Self {
        Self { formats: vec![BodyFormat::JSON], any_media_type: false, field: None }
    }
}

impl Carrier {
    /// Compiles a definition's `decode`.
    ///
    /// # Errors
    /// The field below `decode` that is wrong, and why.
    pub(in crate::provider) fn compile(decode: Option<&Decode>) -> Result<Self, (&'static str, String)> {
        let Some(decode) = decode else { return Ok(Self::default()) };
        let formats = if decode.formats.is_empty() { vec![BodyFormat::JSON] } else { decode.formats.clone() };
        let forms = formats.iter().any(|f| matches!(f, BodyFormat::Form | BodyFormat::Multipart));
        let field = match &decode.field {
            Some(_) if !forms => {
                return Err(("field", "names a form field, but formats has neither Form nor Multipart".to_owned()));
            }
            Some(name) => Some(Field {
                name: name.clone(),
                base64: decode.field_base64,
                format: decode.field_format.unwrap_or_default(),
            }),
            None if decode.field_base64 => {
                return Err(("fieldBase64", "needs field: it says what holds the base64".to_owned()));
            }
            None if decode.field_format.is_some() => {
                return Err(("fieldFormat", "needs field: it says what holds the document".to_owned()));
            }
            None => None,
        };
        Ok(Self { formats, any_media_type: decode.any_media_type, field })
    }

    /// The field that holds the document.
    pub(super) fn field(&self) -> Option<&Field> {
        self.field.as_ref()
    }

    /// The format of a body of that media type.
    ///
    /// # Errors
    /// `MediaType` where it is none of the definition's.
    pub(super) fn format(&self, content_type: &ContentType<'_>, binary_event: bool) -> Result<BodyFormat, DecodeError> {
        match (self.any_media_type, self.formats.first()) {
            (true, Some(first)) => Ok(*first),
            _ => content_type.format(&self.formats, binary_event),
        }
    }

    /// Whether every body begins with a brace, a bracket, `<` or a dash: no text without them is one.
    pub(in crate::provider) fn marks_bodies(&self) -> bool {
        let marked = |format: &BodyFormat| match format {
            BodyFormat::JSON | BodyFormat::JSONLines | BodyFormat::XML | BodyFormat::Multipart => true,
            BodyFormat::Form | BodyFormat::Query | BodyFormat::JWT | BodyFormat::CloudEvents | BodyFormat::Text => {
                false
            }
        };
        self.formats.iter().all(marked)
    }

    /// Whether a format is among those that are read.
    pub(super) fn reads(&self, format: BodyFormat) -> bool {
        self.formats.contains(&format)
    }

    /// Whether a request with these headers is of a media type that is read at all.
    pub(super) fn accepts(&self, headers: &HeaderMap) -> bool {
        let binary_event = headers.contains_key("ce-specversion");
        self.any_media_type || ContentType::of(headers).is_ok_and(|media| self.format(&media, binary_event).is_ok())
    }

    /// What pointers lead into, of which only the members are asked for whose names are wanted. In what is not of its own media
    /// type nothing is found.
    pub(in crate::provider) fn document<'b>(
        &self,
        request: &RequestView<'b>,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Cow<'b, [u8]> {
        match self.inside(request, wanted) {
            Inside::Body => Cow::Borrowed(request.body),
            Inside::Document(document) => Cow::Owned(document.map(Vec::from).unwrap_or_default()),
        }
    }

    fn inside(&self, request: &RequestView<'_>, wanted: &dyn Fn(&str) -> bool) -> Inside {
        if self.field.is_none() && !self.reads(BodyFormat::XML) {
            return Inside::Body;
        }
        let Ok(content_type) = ContentType::of(request.head.headers) else { return Inside::Document(None) };
        match (&self.field, self.format(&content_type, false)) {
            (Some(field), Ok(BodyFormat::Form | BodyFormat::Multipart)) => {
                let value = field.find(request.body, &content_type);
                Inside::Document(value.and_then(|value| field.read(&value, wanted).ok()))
            }
            (_, Ok(BodyFormat::XML)) => Inside::Document(xml::document(request.body, wanted).ok()),
            _ => Inside::Body,
        }
    }

    /// The body with another document in the place of its own; `None` where it is none that a test delivery has.
    pub(in crate::provider) fn with(&self, document: &Value, body: &[u8], headers: &HeaderMap) -> Option<Vec<u8>> {
        let content_type = ContentType::of(headers).ok()?;
        let format = self.format(&content_type, false).ok()?;
        match (&self.field, format) {
            (Some(field), BodyFormat::Form | BodyFormat::Multipart) => {
                let text = sample::packed(field.base64, field.format, document);
                field.with(&text, body, &content_type)
            }
            (_, BodyFormat::JSON | BodyFormat::CloudEvents) => Some(document.to_string().into_bytes()),
            (_, BodyFormat::XML) => Some(sample::xml::write(document).into_bytes()),
            _ => None,
        }
    }

    /// A body of one member, in the definition's first format, as a test delivery has it.
    pub(in crate::provider) fn holding(&self, member: &str, text: &str, headers: &mut HeaderMap) -> Vec<u8> {
        if self.formats.first() == Some(&BodyFormat::XML) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
            return format!("<xml><{member}>{text}</{member}></xml>").into_bytes();
        }
        Value::Object(Map::from_iter([(member.to_owned(), Value::String(text.to_owned()))])).to_string().into_bytes()
    }
}

impl Field {
    /// What the field holds of a form or multipart body. `None` where the body is neither, or the field is absent, doubled or
    /// no text.
    fn find(&self, body: &[u8], content_type: &ContentType<'_>) -> Option<Vec<u8>> {
        match content_type.essence() {
            "application/x-www-form-urlencoded" => {
                Some(only(&form_fields(body).ok()?, &self.name).ok()?.as_bytes().to_vec())
            }
            "multipart/form-data" => {
                let parts = multipart::parts(body, content_type.boundary()?).ok()?;
                let mut found = parts.into_iter().filter(|part| part.name == self.name);
                let part = found.next()?;
                found.next().is_none().then(|| part.content.to_vec())
            }
            _ => None,
        }
    }

    /// The form or multipart body with another text in this field.
    fn with(&self, text: &str, body: &[u8], content_type: &ContentType<'_>) -> Option<Vec<u8>> {
        if content_type.essence() == "application/x-www-form-urlencoded" {
            let pairs = form_urlencoded::parse(body).map(|(name, value)| match *name == *self.name {
                true => (name, Cow::Borrowed(text)),
                false => (name, value),
            });
            return Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes());
        }
        let held = self.find(body, content_type)?;
        let at = body.windows(held.len().max(1)).position(|window| window == held)?;
        Some([&body[..at], text.as_bytes(), &body[at + held.len()..]].concat())
    }

    /// Whether what it holds is written otherwise than the document is read.
    pub(super) fn spells_anew(&self) -> bool {
        self.base64 || self.format != FieldFormat::JSON
    }

    /// The JSON of the document that a value of the field is.
    ///
    /// # Errors
    /// `Malformed` or `Shape` where it is none.
    pub(super) fn read(&self, value: &[u8], wanted: &dyn Fn(&str) -> bool) -> Result<Bytes, DecodeError> {
        let decoded = match self.base64 {
            true => {
                // Written in lines, as mails have it (RFC 2045, section 6.8).
                let one: Vec<u8> = value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
                Cow::Owned(lenient_base64::decode(&one).ok_or(DecodeError::Malformed("base64"))?)
            }
            false => Cow::Borrowed(value),
        };
        match self.format {
            FieldFormat::JSON => Ok(Bytes::from(decoded.into_owned())),
            FieldFormat::XML => xml::document(&decoded, wanted),
        }
    }
}
