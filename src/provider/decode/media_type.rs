//! Which of a definition's formats a `Content-Type` stands for.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::api::provider::BodyFormat;
use crate::json::names_json;
use crate::provider::event::DecodeError;

/// A `Content-Type` (RFC 9110, section 8.3), or its absence.
#[derive(Debug)]
pub(super) struct ContentType<'h> {
    received: Option<&'h str>,
    /// `type/subtype` in lower case.
    essence: String,
}

impl<'h> ContentType<'h> {
    /// The request's.
    ///
    /// # Errors
    /// `MediaType` where it occurs twice or is no text: two readers could take two.
    pub(super) fn of(headers: &'h HeaderMap) -> Result<Self, DecodeError> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let received = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(value.to_str().map_err(|_| DecodeError::MediaType(String::new()))?.trim())
                .filter(|v| !v.is_empty()),
            (Some(_), Some(_)) => return Err(DecodeError::MediaType("two Content-Type headers".to_owned())),
        };
        let essence = received.and_then(|r| r.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
        Ok(Self { received, essence })
    }

    /// As received.
    pub(super) fn received(&self) -> Option<&'h str> {
        self.received
    }

    /// `type/subtype` in lower case; empty where there is none.
    pub(super) fn essence(&self) -> &str {
        &self.essence
    }

    /// Whether it names JSON, or nothing.
    pub(super) fn is_json(&self) -> bool {
        self.essence.is_empty() || names_json(&self.essence)
    }

    /// The `boundary` parameter (RFC 2046, section 5.1.1).
    pub(super) fn boundary(&self) -> Option<&'h str> {
        self.received?.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches('"');
            let fits = !value.is_empty() && value.len() <= 70;
            (name.trim().eq_ignore_ascii_case("boundary") && fits).then_some(value)
        })
    }

    /// The first format that claims this media type, else the first that puts up with it.
    ///
    /// # Errors
    /// `MediaType` where none does.
    pub(super) fn format(&self, formats: &[BodyFormat], binary_event: bool) -> Result<BodyFormat, DecodeError> {
        let essence = self.essence.as_str();
        let claims = |format: &&BodyFormat| match format {
            BodyFormat::JSON => names_json(essence) && !essence.starts_with("application/cloudevents"),
            BodyFormat::Form => essence == "application/x-www-form-urlencoded",
            BodyFormat::Multipart => essence == "multipart/form-data",
            BodyFormat::JSONLines => matches!(
                essence,
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines"
            ),
            BodyFormat::JWT => essence.ends_with("/jwt") || essence.ends_with("+jwt") || essence == "application/jose",
            BodyFormat::Query => false,
            BodyFormat::CloudEvents => binary_event || essence.starts_with("application/cloudevents"),
            BodyFormat::XML => matches!(essence, "application/xml" | "text/xml") || essence.ends_with("+xml"),
            BodyFormat::Text => {
                essence.starts_with("text/") && essence != "text/json"
                    || essence == "application/xml"
                    || essence.ends_with("+xml")
            }
        };
        let unsaid = essence.is_empty() || essence == "text/plain";
        let puts_up = |format: &&BodyFormat| match format {
            BodyFormat::JSON => unsaid || names_json(essence),
            BodyFormat::JSONLines => unsaid || names_json(essence),
            BodyFormat::JWT | BodyFormat::XML => unsaid,
            BodyFormat::Form | BodyFormat::Text | BodyFormat::Query => essence.is_empty(),
            BodyFormat::Multipart | BodyFormat::CloudEvents => false,
        };
        // A CloudEvent in binary mode has the media type of its data, which another format could claim.
        let event = formats.iter().find(|f| binary_event && **f == BodyFormat::CloudEvents);
        event
            .or_else(|| formats.iter().find(claims))
            .or_else(|| formats.iter().find(puts_up))
            .copied()
            .ok_or_else(|| DecodeError::MediaType(essence.chars().take(100).collect()))
    }
}
