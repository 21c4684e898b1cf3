//! The fields of forms, urlencoded or multipart, and the JSON object that pointers see of them.
//!
//! Files of a multipart body are named in it, with their media type and size; what they hold is left out. A field that is no
//! UTF-8, as in a mail's own charset, keeps its bytes in base64.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;

use super::media_type::ContentType;
use super::multipart::{self, MAX_PARTS, Part};
use crate::json::ObjectWriter;
use crate::provider::event::DecodeError;
use crate::provider::request::pairs;

/// Form fields in order.
pub(in crate::provider) type Fields<'b> = Vec<(Cow<'b, str>, Cow<'b, str>)>;

/// The text fields of a multipart body; `None` where the body is none. Names are the parts' own.
pub(in crate::provider) fn multipart_fields<'b>(body: &'b [u8], headers: &HeaderMap) -> Option<Fields<'b>> {
    let content_type = ContentType::of(headers).ok()?;
    let boundary = content_type.boundary().filter(|_| content_type.essence() == "multipart/form-data")?;
    Some(texts(&multipart::parts(body, boundary).ok()?))
}

pub(super) fn texts<'b>(parts: &[Part<'b>]) -> Fields<'b> {
    let text = |part: &Part<'b>| Some((Cow::Owned(part.name.clone()), Cow::Borrowed(part.text()?)));
    parts.iter().filter_map(text).collect()
}

/// The fields of an urlencoded form.
pub(in crate::provider) fn form_fields(body: &[u8]) -> Result<Fields<'_>, DecodeError> {
    let mut all = pairs(body);
    let fields: Vec<_> = all.by_ref().take(MAX_PARTS).collect();
    match all.next() {
        None => Ok(fields),
        Some(_) => Err(DecodeError::Shape(format!("more than {MAX_PARTS} form fields"))),
    }
}

/// Form fields as a JSON object in their order; a repeated name becomes a list.
pub(in crate::provider) fn form_view(fields: &[(Cow<'_, str>, Cow<'_, str>)]) -> Bytes {
    view(fields.iter().map(|(name, value)| (name.as_ref(), Value::Text(value))))
}

/// The same of a multipart body. Files are named, with their media type and size; what they hold is left out.
pub(super) fn parts_view(parts: &[Part<'_>]) -> Bytes {
    view(parts.iter().map(|part| (part.name.as_str(), part.text().map_or(Value::Part(part), Value::Text))))
}

/// A value of a field.
#[derive(Clone, Copy)]
enum Value<'v> {
    Text(&'v str),
    /// A file, or a field that is no text.
    Part(&'v Part<'v>),
}

impl Value<'_> {
    fn part(part: &Part<'_>, object: &mut ObjectWriter<'_>) {
        if let Some(filename) = &part.filename {
            object.text("filename", filename);
        }
        if let Some(media_type) = part.media_type {
            object.text("contentType", media_type);
        }
        object.raw("size", &part.content.len().to_string());
        // In which charset it is may stand in another field: nothing is lost, and nothing guessed.
        if part.filename.is_none() {
            object.text("base64", &STANDARD.encode(part.content));
        }
    }
}

fn view<'v>(fields: impl Iterator<Item = (&'v str, Value<'v>)>) -> Bytes {
    let mut order: Vec<(&str, Vec<Value<'_>>)> = Vec::new();
    let mut place: HashMap<&str, usize> = HashMap::new();
    for (name, value) in fields {
        let at = *place.entry(name).or_insert_with(|| {
            order.push((name, Vec::new()));
            order.len() - 1
        });
        order[at].1.push(value);
    }
    let mut out = Vec::new();
    ObjectWriter::write(&mut out, |object| {
        for (name, values) in &order {
            match values.as_slice() {
                [Value::Text(text)] => object.text(name, text),
                [Value::Part(part)] => object.object(name, |object| Value::part(part, object)),
                values => object.list(name, |list| {
                    values.iter().for_each(|value| match value {
                        Value::Text(text) => list.text(text),
                        Value::Part(part) => list.object(|object| Value::part(part, object)),
                    });
                }),
            }
        }
    });
    Bytes::from(out)
}
