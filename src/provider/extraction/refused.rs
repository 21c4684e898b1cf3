//! What a proven body becomes that cannot be read: one rejected item that says what came, and no credential.
//!
//! Its content never vanishes without a mark: where credentials cannot be cut out of it, its size and hash stand for it.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};

use super::Extraction;
use super::identity::Position;
use super::once::Once;
use super::source::{Delivery, Item};
use crate::api::source::Deduplicate;
use crate::json::{self, Captured, ObjectWriter};
use crate::provider::decode::{Document, Kind};
use crate::provider::event::{BadItem, BadItemReason, MediaType};
use crate::provider::request::Head;
use crate::provider::verify::Verified;

const FORM: &str = "application/x-www-form-urlencoded";

impl Extraction {
    /// A body that `read` refused, as the one rejected item that it then is.
    pub fn refused(&self, verified: &Verified, head: &Head<'_>, deduplicate: Option<Deduplicate>) -> BadItem {
        let body = verified.body();
        let received = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::trim);
        let essence = received.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
        // A document that is packed holds its credentials where no name shows them.
        let packed = self.decoder.packs() && !self.redactions.is_empty();
        let cut = (!packed && !body.is_empty()).then(|| self.redactions.apply_unread(body, essence == FORM)).flatten();
        let (item, media_type) = match cut {
            Some(item) if json::validate(&item).is_ok() => (item, MediaType::Json),
            Some(item) if !item.is_empty() => {
                let media_type = true_type(&item, received, &essence);
                (item, media_type)
            }
            _ => (mark(body), MediaType::Json),
        };
        let delivery = Delivery {
            head,
            coverage: verified.proof().coverage(),
            fields: &[],
            paths: &self.paths,
            pointers: &self.item,
            envelope_pointers: &self.envelope,
            deduplicate,
            once: Once::default(),
        };
        let nothing = Captured::default();
        let read = Item { delivery: &delivery, kind: Kind::Text, captured: &nothing, envelope: None };
        let document = Document {
            kind: Kind::Text,
            original: body.clone(),
            media_type: MediaType::Other(String::new()),
            json: None,
            envelope: None,
        };
        let id = self.identity.of(&read, &document, Position { index: None, several: false }).map(|id| id.text);
        BadItem { reason: BadItemReason::NotMappable, event_type: None, id, index: None, item, media_type }
    }

    /// A part that is not of the shape that the definition reads, without its credentials.
    pub(super) fn unread(&self, part: &Bytes) -> Bytes {
        self.redactions.apply_unread(part, false).unwrap_or_else(|| mark(part))
    }
}

/// The media type as received, unless it is untrue: what is no JSON does not say that it is.
fn true_type(item: &[u8], received: Option<&str>, essence: &str) -> MediaType {
    MediaType::Other(match received {
        Some(received) if !essence.is_empty() && !json::names_json(essence) => received.to_owned(),
        _ if std::str::from_utf8(item).is_ok() => "text/plain; charset=utf-8".to_owned(),
        _ => "application/octet-stream".to_owned(),
    })
}

/// What stands for a body that is not shown.
fn mark(body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(128);
    ObjectWriter::write(&mut out, |object| {
        object.text("withheld", "a body that cannot be read may hold credentials");
        object.raw("size", &body.len().to_string());
        object.text("sha256", &hex::encode(Sha256::digest(body)));
    });
    Bytes::from(out)
}
