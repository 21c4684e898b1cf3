//! The messages of a source as AsyncAPI has them: CloudEvents headers or the structured envelope, and the payload.
//!
//! Headers and members are those of the one table in `event`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::api::provider::{BodyFormat, WebhookProviderSpec};
use crate::api::source::{DataShape, Format};
use crate::event::header::{self, Header, encode};
use crate::event::{CONVERSATION, REJECTED};
use crate::provider::conversation;
use crate::provider::event::BadItemReason;
use std::sync::Arc;

use crate::route::Route;

const STRUCTURED: &str = "application/cloudevents+json";
const JSON: &str = "application/json";

/// What is known of what a source publishes.
pub(super) struct Published {
    /// The compiled source.
    pub(super) route: Arc<Route>,
    /// The definition of its provider.
    pub(super) spec: WebhookProviderSpec,
    /// The content mode.
    pub(super) format: Format,
    /// `--source-base`.
    pub(super) source_base: String,
}

/// One kind of message.
struct Kind {
    suffix: &'static str,
    summary: String,
    /// None: it differs from event to event.
    media_type: Option<&'static str>,
    schema: &'static str,
    mapped: bool,
    rejected: bool,
}

impl Published {
    /// The name of its channels and messages.
    pub(super) fn id(&self) -> String {
        format!("{}.{}", self.route.claim.namespace, self.route.claim.name)
    }

    /// Its namespace, name and provider.
    pub(super) fn tags(&self) -> Vec<String> {
        let claim = &self.route.claim;
        vec![
            format!("namespace:{}", claim.namespace),
            format!("source:{}", claim.name),
            format!("provider:{}", claim.provider),
        ]
    }

    /// The ids of the messages that its events are.
    pub(super) fn message_ids(&self) -> Vec<String> {
        self.kinds().iter().filter(|kind| !kind.rejected).map(|kind| self.message_id(kind)).collect()
    }

    /// The id of the message of a rejected item.
    pub(super) fn rejected_id(&self) -> String {
        self.message_id(&rejected())
    }

    fn message_id(&self, kind: &Kind) -> String {
        format!("{}.{}", self.id(), kind.suffix)
    }

    /// The parameters of an address.
    pub(super) fn parameters(&self, address: &str) -> Map<String, Value> {
        let mut parameters = Map::new();
        if address.contains("{type}") {
            let described = "The event type, one token or more; what is not of A-Z a-z 0-9 _ - . becomes _.";
            let mut parameter = json!({"description": described});
            let known = self.types();
            if !known.is_empty() {
                parameter["examples"] = known.into_iter().collect::<Vec<_>>().into();
            }
            parameters.insert("type".to_owned(), parameter);
        }
        if address.contains("{subject}") {
            let described = "ce-subject as one token; what is not of A-Z a-z 0-9 _ - becomes _.";
            parameters.insert("subject".to_owned(), json!({"description": described}));
        }
        parameters
    }

    /// Event types that the definition or the source names.
    fn types(&self) -> BTreeSet<&str> {
        let extract = self.spec.extract.as_ref();
        let renamed = extract.into_iter().flat_map(|extract| extract.type_names.values());
        let default = extract.and_then(|extract| extract.default_type.as_ref());
        let mapped = self.spec.map.iter().flat_map(|map| &map.types);
        let lets_through = |name: &&str| self.route.selection.lets_through(name);
        let all = renamed.chain(default).chain(mapped).map(String::as_str);
        all.filter(|name| !name.contains(['*', '?'])).filter(lets_through).collect()
    }

    /// Adds its messages to the components.
    pub(super) fn describe(&self, messages: &mut Map<String, Value>) {
        for kind in self.kinds() {
            let (headers, payload, media_type) = match self.format {
                Format::Binary => (self.headers(&kind), reference(kind.schema), kind.media_type),
                Format::Structured => (reference("structuredHeaders"), self.envelope(&kind), Some(STRUCTURED)),
            };
            let id = self.message_id(&kind);
            let mut message = json!({
                "name": id,
                "title": kind.suffix,
                "summary": kind.summary,
                "headers": headers,
                "payload": payload,
            });
            if let Some(media_type) = media_type {
                message["contentType"] = media_type.into();
            }
            messages.insert(id, message);
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let vendor = &self.spec.display_name;
        let normalized = self.route.shape == DataShape::Normalized;
        let every = self.spec.map.iter().any(|map| map.types.is_empty());
        if normalized && !self.spec.map.is_empty() {
            kinds.push(Kind {
                suffix: "conversation",
                summary: format!("An event of {vendor} as conversation/v1"),
                media_type: Some(JSON),
                schema: if self.route.include_original { "conversation" } else { "conversationWithoutOriginal" },
                mapped: true,
                rejected: false,
            });
        }
        if !(normalized && every) {
            let media_type = self.media_type();
            kinds.push(Kind {
                suffix: "item",
                summary: format!("An event of {vendor} as it was sent, credentials cut"),
                media_type,
                schema: if media_type == Some(JSON) { "json" } else { "anything" },
                mapped: false,
                rejected: false,
            });
        }
        kinds.push(rejected());
        kinds
    }

    /// The media type of what the vendor sends, where there is only one.
    fn media_type(&self) -> Option<&'static str> {
        let decode = self.spec.decode.clone().unwrap_or_default();
        let formats = if decode.formats.is_empty() { vec![BodyFormat::JSON] } else { decode.formats };
        let all: BTreeSet<Option<&str>> = formats
            .into_iter()
            .map(|format| match format {
                BodyFormat::Form if decode.field.is_none() => Some("application/x-www-form-urlencoded"),
                BodyFormat::Query => Some("application/x-www-form-urlencoded"),
                BodyFormat::CloudEvents | BodyFormat::Text => None,
                BodyFormat::JSON
                | BodyFormat::Form
                | BodyFormat::Multipart
                | BodyFormat::JSONLines
                | BodyFormat::XML
                | BodyFormat::JWT => Some(JSON),
            })
            .collect();
        if all.len() == 1 { all.first().copied().flatten() } else { None }
    }

    fn source_uri(&self) -> String {
        let claim = &self.route.claim;
        format!("{}/namespaces/{}/webhooksources/{}", self.source_base, claim.namespace, claim.name)
    }

    /// The headers of binary mode.
    fn headers(&self, kind: &Kind) -> Value {
        let constant = |text: &str| json!({"type": "string", "const": text});
        let mut own = Map::new();
        let mut required = vec![header::ID.name, header::TYPE.name, header::SOURCE.name];
        own.insert(header::SOURCE.name.to_owned(), constant(&encode(&self.source_uri())));
        own.insert(header::PROVIDER.name.to_owned(), constant(&encode(&self.route.claim.provider)));
        own.insert(header::VERIFIEDBY.name.to_owned(), constant(&encode(self.route.verifier.method())));
        if let Some(media_type) = kind.media_type {
            own.insert(header::DATACONTENTTYPE.name.to_owned(), constant(media_type));
            own.insert(header::CONTENT_TYPE.name.to_owned(), constant(media_type));
        }
        if kind.mapped {
            own.insert(header::DATASCHEMA.name.to_owned(), constant(CONVERSATION));
            required.push(header::DATASCHEMA.name);
        }
        let event_type = if kind.rejected { constant(REJECTED) } else { self.event_type() };
        own.insert(header::TYPE.name.to_owned(), event_type);
        let base = if kind.rejected { "rejectedHeaders" } else { "eventHeaders" };
        let mut special = json!({"properties": own, "required": required});
        if !kind.mapped {
            special["not"] = json!({"required": [header::DATASCHEMA.name]});
        }
        json!({"type": "object", "allOf": [reference(base), special]})
    }

    /// The document of structured mode.
    fn envelope(&self, kind: &Kind) -> Value {
        let constant = |text: &str| json!({"type": "string", "const": text});
        let event_type = if kind.rejected { constant(REJECTED) } else { self.event_type() };
        let mut own = json!({
            "source": constant(&self.source_uri()),
            "provider": constant(&self.route.claim.provider),
            "verifiedby": constant(self.route.verifier.method()),
            "type": event_type,
            "data": reference(kind.schema),
        });
        if kind.mapped {
            own["dataschema"] = constant(CONVERSATION);
        }
        let mut required = vec!["type", "source"];
        if kind.media_type == Some(JSON) {
            required.push("data");
        }
        let mut special = json!({"properties": own, "required": required});
        if !kind.mapped {
            special["not"] = json!({"required": ["dataschema"]});
        }
        json!({"type": "object", "allOf": [reference("envelope"), special]})
    }

    /// `{provider}.{event type}`.
    fn event_type(&self) -> Value {
        let provider = &self.route.claim.provider;
        let examples: Vec<String> = self.types().into_iter().map(|name| format!("{provider}.{name}")).collect();
        let mut schema = json!({"type": "string", "description": format!("{provider}. and the event type")});
        if !examples.is_empty() {
            schema["examples"] = examples.into();
        }
        schema
    }
}

fn rejected() -> Kind {
    Kind {
        suffix: "rejected",
        summary: "An item that cannot be published as an event".to_owned(),
        media_type: None,
        schema: "anything",
        mapped: false,
        rejected: true,
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// The schemas that messages share.
///
/// # Errors
/// Only where the repository's own schema is no JSON, which the tests rule out.
pub(super) fn schemas() -> anyhow::Result<Value> {
    let mut conversation: Value = serde_json::from_str(conversation::SCHEMA)?;
    if let Some(schema) = conversation.as_object_mut() {
        // AsyncAPI has its own dialect and finds schemas by where they stand.
        schema.remove("$schema");
        schema.remove("$id");
    }
    let reasons = [BadItemReason::NoId, BadItemReason::NotMappable, BadItemReason::FilterError, BadItemReason::SameId];
    let schema = |header: &Header| match *header {
        header::SPECVERSION => json!({"type": "string", "const": "1.0", "description": header.about}),
        header::COVERS => {
            json!({"type": "string", "enum": ["body", "url", "fields", "none"], "description": header.about})
        }
        header::REASON => {
            json!({"type": "string", "enum": reasons.map(BadItemReason::as_str), "description": header.about})
        }
        header::TIME | header::RECORDEDTIME => {
            json!({"type": "string", "format": "date-time", "description": header.about})
        }
        _ => json!({"type": "string", "description": header.about}),
    };
    let only_rejected = |header: &&Header| [header::REASON, header::ORIGINALTYPE, header::ORIGINALID].contains(header);
    let named = |header: &Header| (header.name.to_owned(), schema(header));
    let headers: Map<String, Value> = header::ALL.iter().filter(|header| !only_rejected(header)).map(named).collect();
    let rejected: Map<String, Value> = header::ALL.iter().filter(only_rejected).map(named).collect();
    let transport: Map<String, Value> = header::ALL
        .iter()
        .filter(|header| header.member.is_none() || **header == header::TRACESTATE)
        .map(named)
        .collect();
    let member = |header: &Header| Some((header.member?.to_owned(), schema(header)));
    let mut envelope: Map<String, Value> = header::ALL.iter().filter_map(member).collect();
    envelope.insert("data".to_owned(), json!({"description": "The payload"}));
    envelope.insert(
        "data_base64".to_owned(),
        json!({"type": "string", "description": "The payload where it is neither JSON nor text"}),
    );
    let always = [
        header::SPECVERSION,
        header::ID,
        header::SOURCE,
        header::TYPE,
        header::TIME,
        header::PROVIDER,
        header::VERIFIEDBY,
        header::COVERS,
        header::RECORDEDTIME,
    ];
    let required = always.map(|header| header.name);
    let envelope_required = always.map(|header| header.member);
    Ok(json!({
        "conversation": conversation,
        "conversationWithoutOriginal": {"allOf": [reference("conversation"), {"not": {"required": ["original"]}}]},
        "json": {"description": "Any JSON, as the vendor sent it."},
        "anything": {"description": "Bytes of the media type in content-type, as the vendor sent them."},
        "eventHeaders": {"type": "object", "properties": headers, "required": required},
        "rejectedHeaders": {
            "allOf": [
                reference("eventHeaders"),
                {
                    "properties": rejected,
                    "required": [header::REASON.name],
                },
            ],
        },
        "structuredHeaders": {
            "type": "object",
            "properties": transport,
            "required": [header::CONTENT_TYPE.name, header::MSG_ID.name],
        },
        "envelope": {"type": "object", "properties": envelope, "required": envelope_required},
    }))
}
