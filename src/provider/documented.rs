//! Deliveries as vendors document them, small and made up, each with the conversation that becomes of it.
//!
//! `src/provider/samples/NAME/EVENT.{json,form}` with `EVENT.expected.json`, compiled in. What follows `~` in EVENT tells
//! samples of one type apart.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;

use super::sample::{Sample, sample};
use crate::api::provider::WebhookProviderSpec;

include!(concat!(env!("OUT_DIR"), "/samples.rs"));

/// The instant at which samples are sent, where nothing of them depends on now.
pub const SENT: Timestamp = Timestamp::constant(1_772_000_400, 0);

/// One documented delivery.
#[derive(Clone, Copy, Debug)]
pub struct Documented {
    /// The provider's id.
    pub provider: &'static str,
    /// Its name: the published type, and what tells it from others of that type.
    pub name: &'static str,
    /// The media type.
    pub media_type: &'static str,
    /// The body, but for its proof.
    pub body: &'static str,
    /// `conversation/v1` of its events, in the order of the items: an object, or a list where there are several.
    pub expected: &'static str,
}

/// Every documented delivery, by provider and name.
pub fn all() -> &'static [Documented] {
    DOCUMENTED
}

/// Those of a provider, by name.
pub fn of(provider: &str) -> impl Iterator<Item = &'static Documented> {
    DOCUMENTED.iter().filter(move |documented| documented.provider == provider)
}

impl Documented {
    /// The published type.
    pub fn event_type(&self) -> &'static str {
        self.name.split('~').next().unwrap_or(self.name)
    }

    /// The delivery, not signed yet, with the headers and the query that the definition reads.
    pub fn sample(&self, spec: &WebhookProviderSpec, method: Option<&str>, id: &str, now: Timestamp) -> Sample {
        let mut made = sample(spec, method, Some(self.event_type()), id, now);
        made.body = self.body.trim_end().as_bytes().to_vec();
        made.headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        made
    }
}
