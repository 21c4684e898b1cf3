//! The payload of an event: `conversation/v1` where the provider maps to it, else the vendor's item.
//!
//! The item is spliced in as sent, never serialised again.

use bytes::{BufMut, Bytes, BytesMut};

use super::event::{Data, MediaType};
use crate::api::source::DataShape;

/// The JSON Schema of `conversation/v1` (2020-12).
pub(crate) const SCHEMA: &str = include_str!("../../schemas/conversation.v1.json");
/// Its identifier, `ce-dataschema` of mapped events.
pub(crate) const SCHEMA_ID: &str = "urn:hookgate:schema:conversation:v1";

/// The bytes that are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Composed {
    /// The bytes.
    pub bytes: Bytes,
    /// Their media type.
    pub media_type: MediaType,
    /// They are `conversation/v1`.
    pub mapped: bool,
}

/// Composes the payload. `include_original` keeps the vendor's item under `original` in mapped data.
pub(crate) fn payload(data: &Data, shape: DataShape, include_original: bool) -> Composed {
    let (DataShape::Normalized, Some(mapped)) = (shape, &data.mapped) else {
        return Composed { bytes: data.original.clone(), media_type: data.media_type.clone(), mapped: false };
    };
    let bytes = if include_original { with_original(mapped, data) } else { mapped.clone() };
    Composed { bytes, media_type: MediaType::Json, mapped: true }
}

/// What filters see as `data`: the normalized data as JSON, whatever is published; `None` where the event is none.
pub(crate) fn filtered(data: &Data) -> Option<&Bytes> {
    match (&data.mapped, &data.json) {
        (Some(mapped), _) => Some(mapped),
        (None, Some(json)) => Some(json),
        (None, None) => (data.media_type == MediaType::Json).then_some(&data.original),
    }
}

/// A mapped object, which is never empty, with the item as its last member.
fn with_original(mapped: &Bytes, data: &Data) -> Bytes {
    let original = match (&data.json, &data.media_type) {
        (Some(json), _) => json,
        (None, MediaType::Json) => &data.original,
        (None, MediaType::Other(_)) => return mapped.clone(),
    };
    let Some(open) = mapped.strip_suffix(b"}") else { return mapped.clone() };
    let mut bytes = BytesMut::with_capacity(mapped.len() + original.len() + 12);
    bytes.put_slice(open);
    bytes.put_slice(b",\"original\":");
    bytes.put_slice(original);
    bytes.put_u8(b'}');
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn data(original: &str, media_type: MediaType, mapped: Option<&str>, json: Option<&str>) -> Data {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Data { original: bytes(original), media_type, mapped: mapped.map(bytes), json: json.map(bytes) }
    }

    #[test]
    fn the_item_is_spliced_in_as_sent() {
        let mapped = data("{\"n\" : 1.50}", MediaType::Json, Some(r#"{"kind":"call"}"#), None);
        let with = payload(&mapped, DataShape::Normalized, true);
        assert_eq!(with.bytes, r#"{"kind":"call","original":{"n" : 1.50}}"#);
        assert!(with.mapped);
        assert_eq!(payload(&mapped, DataShape::Normalized, false).bytes, r#"{"kind":"call"}"#);
        let original = payload(&mapped, DataShape::Original, true);
        assert_eq!((original.bytes.as_ref(), original.mapped), (b"{\"n\" : 1.50}".as_ref(), false));
    }

    #[test]
    fn a_form_is_published_as_it_came_and_filtered_as_json() {
        let form = MediaType::Other("application/x-www-form-urlencoded".into());
        let plain = data("a=1", form.clone(), None, Some(r#"{"a":"1"}"#));
        let payload_of = payload(&plain, DataShape::Normalized, true);
        assert_eq!((payload_of.bytes.as_ref(), payload_of.media_type.clone()), (b"a=1".as_ref(), form.clone()));
        assert_eq!(filtered(&plain).unwrap(), r#"{"a":"1"}"#);
        let mapped = data("a=1", form, Some(r#"{"kind":"call"}"#), Some(r#"{"a":"1"}"#));
        assert_eq!(payload(&mapped, DataShape::Normalized, true).bytes, r#"{"kind":"call","original":{"a":"1"}}"#);
        assert_eq!(filtered(&data("<a/>", MediaType::Other("text/xml".into()), None, None)), None);
    }

    #[test]
    fn the_schema_is_json_and_names_itself() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        assert_eq!(schema["$id"], SCHEMA_ID);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}
