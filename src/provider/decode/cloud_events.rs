//! CloudEvents 1.0 over HTTP: structured, batched and binary (HTTP protocol binding, section 3).
//!
//! Incoming attributes are data like any other: a definition may point at them, none becomes ours by itself.

use base64::Engine;
use bytes::Bytes;
use http::HeaderMap;
use percent_encoding::percent_decode;

use super::media_type::ContentType;
use super::{Decoded, Document, Kind, json_document, json_error, one, without_mark};
use crate::json::{self, ObjectWriter};
use crate::provider::event::{DecodeError, MAX_ITEMS, MediaType};

const PREFIX: &str = "ce-";
const BATCH: &str = "application/cloudevents-batch+json";
const STRUCTURED: &str = "application/cloudevents+json";

/// Reads a body in the mode that its media type says.
///
/// # Errors
/// `MediaType` for event formats other than JSON, `Shape` for a batch that is no list, `Malformed`, `DuplicateKey`.
pub(super) fn read<'b>(
    body: &Bytes,
    content_type: &ContentType<'_>,
    headers: &HeaderMap,
) -> Result<Decoded<'b>, DecodeError> {
    match content_type.essence() {
        BATCH => batch(&without_mark(body)),
        STRUCTURED => Ok(one(json_document(without_mark(body)))),
        other if other.starts_with("application/cloudevents") => Err(DecodeError::MediaType(other.to_owned())),
        _ => Ok(one(binary(body, content_type, headers)?)),
    }
}

fn batch<'b>(body: &Bytes) -> Result<Decoded<'b>, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Malformed("JSON"))?;
    let (events, count) = json::elements(text, MAX_ITEMS)
        .map_err(json_error)?
        .ok_or_else(|| DecodeError::Shape("a batch of CloudEvents is a list".to_owned()))?;
    if count > MAX_ITEMS {
        return Err(DecodeError::TooManyItems(count));
    }
    let documents = events.iter().map(|event| json_document(body.slice_ref(event.get().as_bytes()))).collect();
    Ok(Decoded { documents, list: true, fields: Vec::new() })
}

/// The same view that structured mode has: attributes beside `data` or `data_base64`.
fn binary(body: &Bytes, content_type: &ContentType<'_>, headers: &HeaderMap) -> Result<Document, DecodeError> {
    let json = content_type.is_json();
    if json && !body.is_empty() {
        json::validate(body).map_err(json_error)?;
    }
    let mut doubled = None;
    let mut view = Vec::with_capacity(body.len() + 512);
    ObjectWriter::write(&mut view, |event| {
        for name in headers.keys() {
            // The binding has its own places for these three.
            let attribute = name.as_str().strip_prefix(PREFIX).unwrap_or_default();
            if matches!(attribute, "" | "data" | "data_base64" | "datacontenttype") {
                continue;
            }
            let mut values = headers.get_all(name).iter();
            let Some(value) = values.next() else { continue };
            if values.next().is_some() {
                doubled = Some(name.as_str().to_owned());
            }
            let text = percent_decode(value.as_bytes()).decode_utf8_lossy();
            event.text(attribute, &text);
        }
        if let Some(received) = content_type.received() {
            event.text("datacontenttype", received);
        }
        match std::str::from_utf8(body) {
            Ok("") => {}
            Ok(text) if json => event.raw("data", text),
            Ok(text) => event.text("data", text),
            Err(_) => event.text("data_base64", &base64::engine::general_purpose::STANDARD.encode(body)),
        }
    });
    if let Some(name) = doubled {
        return Err(DecodeError::DuplicateKey(name));
    }
    let media_type = match content_type.received() {
        _ if json && !body.is_empty() => MediaType::Json,
        Some(received) => MediaType::Other(received.to_owned()),
        None => MediaType::Other("application/octet-stream".to_owned()),
    };
    Ok(Document {
        kind: Kind::BinaryEvent,
        original: body.clone(),
        media_type,
        json: Some(Bytes::from(view)),
        envelope: None,
    })
}
