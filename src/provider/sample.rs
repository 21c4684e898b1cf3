//! A test delivery made from a definition: a body that has everything the definition reads, with made-up values.
//!
//! For `hookgate send` and the tests that run every provider. Never on the request line.

pub(super) mod xml;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::time;
use crate::api::extract::{Extract, Field, TimeField};
use crate::api::provider::{BodyFormat, FieldFormat, MapUnit, WebhookProviderSpec};
use crate::api::scheme::{Condition, Scheme, TimeUnit};
use crate::json::parse_pointer;

/// A delivery that is not signed yet.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Headers that the definition reads, and the media type.
    pub headers: HeaderMap,
    /// The query, without `?`.
    pub query: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Makes a delivery of an event type; without one of the type that a mapping names, or `test`.
pub fn sample(
    spec: &WebhookProviderSpec,
    method: Option<&str>,
    event: Option<&str>,
    id: &str,
    now: Timestamp,
) -> Sample {
    let mut making =
        Making { item: json!({}), envelope: json!({}), form: Vec::new(), query: Vec::new(), headers: HeaderMap::new() };
    let extract = spec.extract.clone().unwrap_or_default();
    making.mapped(spec, now);
    making.typed(spec, &extract, event);
    for (position, field) in extract.id.iter().enumerate() {
        let value = if position == 0 { id.to_owned() } else { format!("part-{position}") };
        making.field(field, &value);
    }
    for field in &extract.time {
        making.time(field, now);
    }
    for field in &extract.subject {
        making.missing(field, "subject-1");
    }
    let chosen = spec.methods.iter().find(|written| method.is_none_or(|name| written.name == name));
    let schemes = chosen.and_then(|method| method.any_of.first()).map(|all| all.all_of.as_slice()).unwrap_or_default();
    // What holds the encrypted body is made when it is signed.
    let sealed =
        spec.decode.as_ref().and_then(|decode| decode.decrypt.as_ref()).map(|decrypt| decrypt.pointer.as_str());
    for scheme in schemes {
        making.scheme(scheme, sealed, now);
    }
    let forms = |scheme: &Scheme| scheme.hmac.as_ref().is_some_and(|hmac| hmac.content.contains("{form"));
    making.finish(spec, schemes.iter().any(forms))
}

struct Making {
    item: Value,
    envelope: Value,
    form: Vec<(String, String)>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Making {
    /// Values for what the first mapping reads.
    fn mapped(&mut self, spec: &WebhookProviderSpec, now: Timestamp) {
        let Some(mapping) = spec.map.first() else { return };
        for (target, value) in &mapping.set {
            // What stands in elements of a list is no sample's concern: vendors with such lists have samples of their own.
            let (Some(pointer), None) = (&value.pointer, &value.from) else { continue };
            let made = match target.as_str() {
                name if name.ends_with("At") => mapped_time(now, value.unit.unwrap_or(MapUnit::RFC3339)),
                name if name.ends_with("durationSeconds") => mapped_duration(value.unit.unwrap_or(MapUnit::Seconds)),
                "recording.sizeBytes" => json!(1024),
                "analysis.score" => json!(85),
                "tags" | "links" | "transcript.speakers" => json!(["sample"]),
                "metadata" => json!({"sample": true}),
                "recording.uri" | "transcript.uri" => json!("https://media.example.com/sample"),
                _ => json!("sample"),
            };
            set(&mut self.item, pointer, made);
        }
    }

    fn typed(&mut self, spec: &WebhookProviderSpec, extract: &Extract, event: Option<&str>) {
        let of_mapping =
            || spec.map.first().and_then(|mapping| mapping.types.first()).map(|glob| glob.replace('*', "test"));
        let wanted = event
            .map(str::to_owned)
            .or_else(of_mapping)
            .or_else(|| extract.default_type.clone())
            .unwrap_or_else(|| "test".to_owned());
        let vendor = extract
            .type_names
            .iter()
            .find(|(_, published)| **published == wanted)
            .map_or(wanted, |(name, _)| name.clone());
        let fields: Vec<&Field> = extract.event_type.iter().filter(|field| field.value.is_none()).collect();
        let parts: Vec<String> = vendor.splitn(fields.len().max(1), '.').map(str::to_owned).collect();
        for (position, field) in fields.into_iter().enumerate() {
            if let Some(part) = parts.get(position) {
                self.field(field, part);
            }
        }
    }

    fn scheme(&mut self, scheme: &Scheme, sealed: Option<&str>, now: Timestamp) {
        for condition in &scheme.require {
            self.condition(condition);
        }
        let (content, timestamp) = match (&scheme.hmac, &scheme.digest, &scheme.public_key) {
            (Some(hmac), _, _) => (Some(&hmac.content), hmac.timestamp.as_ref()),
            (_, Some(digest), _) => (Some(&digest.content), digest.timestamp.as_ref()),
            (_, _, Some(public)) => (Some(&public.content), public.timestamp.as_ref()),
            _ => (None, None),
        };
        if let Some(written) = timestamp {
            if let Some(pointer) = &written.pointer {
                set(&mut self.envelope, pointer, time_value(now, written.unit));
            }
            if let Some(name) = &written.form {
                self.form_field(name, time::write(now, written.unit));
            }
            if let Some(name) = &written.query {
                self.query.push((name.clone(), time::write(now, written.unit)));
            }
        }
        let addressee = scheme.addressee.as_ref().map(|addressee| addressee.content.as_str());
        let content = content.map(String::as_str).unwrap_or_default();
        for rest in content.split('{').skip(1).chain(addressee.unwrap_or_default().split('{').skip(1)) {
            let Some((variable, _)) = rest.split_once('}') else { continue };
            match variable.split_once(':') {
                Some(("pointer" | "pointer-percent", pointer)) if Some(pointer) != sealed => self.present(pointer),
                Some(("lines", names)) => names.split(',').for_each(|name| self.present(&format!("/{name}"))),
                Some(("form", name)) if !self.form.iter().any(|(known, _)| known == name) => {
                    self.form.push((name.to_owned(), "sample".to_owned()));
                }
                _ => {}
            }
        }
    }

    fn condition(&mut self, condition: &Condition) {
        if condition.absent {
            return;
        }
        let value = condition.equals.clone().unwrap_or_else(|| "sample".to_owned());
        if let Some(pointer) = &condition.pointer {
            set(&mut self.envelope, pointer, Value::String(value.clone()));
        }
        if let Some(name) = &condition.form {
            self.form_field(name, value);
        }
    }

    fn present(&mut self, pointer: &str) {
        if self.envelope.pointer(pointer).is_none() && self.item.pointer(pointer).is_none() {
            set(&mut self.envelope, pointer, json!("sample"));
        }
    }

    fn field(&mut self, field: &Field, value: &str) {
        if let Some(name) = &field.header {
            self.header(name, value);
        } else if let Some(pointer) = &field.pointer {
            set(&mut self.item, pointer, json!(value));
        } else if let Some(name) = &field.query {
            self.query.push((name.clone(), value.to_owned()));
        } else if let Some(name) = &field.form {
            self.form_field(name, value.to_owned());
        } else if let Some(pointer) = &field.envelope {
            set(&mut self.envelope, pointer, json!(value));
        }
    }

    fn missing(&mut self, field: &Field, value: &str) {
        let there = field.pointer.as_ref().is_some_and(|pointer| self.item.pointer(pointer).is_some())
            || field.header.as_ref().is_some_and(|name| self.headers.contains_key(name));
        if !there {
            self.field(field, value);
        }
    }

    fn time(&mut self, field: &TimeField, now: Timestamp) {
        let text = time::write(now, field.unit);
        if let Some(name) = &field.header {
            self.header(name, &text);
        } else if let Some(pointer) = &field.pointer {
            set(&mut self.item, pointer, time_value(now, field.unit));
        } else if let Some(pointer) = &field.envelope {
            set(&mut self.envelope, pointer, time_value(now, field.unit));
        } else if let Some(name) = &field.form {
            self.form_field(name, text);
        }
    }

    /// A field has one value, the last that is asked for: one that stands twice proves nothing.
    fn form_field(&mut self, name: &str, value: String) {
        self.form.retain(|(known, _)| known != name);
        self.form.push((name.to_owned(), value));
    }

    fn header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
    }

    fn finish(mut self, spec: &WebhookProviderSpec, form_is_signed: bool) -> Sample {
        let mut document = self.item;
        for split in spec.split.iter().rev() {
            if let Some(pointer) = &split.item {
                let mut outer = json!({});
                set(&mut outer, pointer, document);
                document = outer;
            }
            let list = json!([document]);
            document = if split.pointer.is_empty() {
                list
            } else {
                let mut outer = json!({});
                set(&mut outer, &split.pointer, list);
                outer
            };
        }
        merge(&mut document, self.envelope);
        let decode = spec.decode.clone().unwrap_or_default();
        let wanted = |format: &&BodyFormat| !form_is_signed || **format == BodyFormat::Form;
        let format = decode.formats.iter().find(wanted).or(decode.formats.first()).copied().unwrap_or(BodyFormat::JSON);
        let (media, body) = match (format, &decode.field) {
            (BodyFormat::Form, Some(field)) => {
                // A scheme that signs this field asked for it before the document was there.
                self.form.retain(|(name, _)| name != field);
                self.form.push((
                    field.clone(),
                    packed(decode.field_base64, decode.field_format.unwrap_or_default(), &document),
                ));
                ("application/x-www-form-urlencoded", form(&self.form))
            }
            (BodyFormat::Form, None) => {
                if let Value::Object(members) = &document {
                    self.form.extend(members.iter().map(|(name, value)| (name.clone(), plain(value))));
                }
                ("application/x-www-form-urlencoded", form(&self.form))
            }
            (BodyFormat::Multipart, field) => {
                match (field, &document) {
                    (Some(field), document) => self.form.push((
                        field.clone(),
                        packed(decode.field_base64, decode.field_format.unwrap_or_default(), document),
                    )),
                    (None, Value::Object(members)) => {
                        self.form.extend(members.iter().map(|(name, value)| (name.clone(), plain(value))));
                    }
                    (None, _) => {}
                }
                ("multipart/form-data; boundary=hookgate", multipart(&self.form))
            }
            (BodyFormat::Query, _) => {
                if let Value::Object(members) = &document {
                    self.query.extend(members.iter().map(|(name, value)| (name.clone(), plain(value))));
                }
                self.query.append(&mut self.form);
                ("application/x-www-form-urlencoded", String::new())
            }
            (BodyFormat::CloudEvents, _) => {
                let event = json!({"specversion": "1.0", "id": "sample", "source": "/sample", "type": "test", "data": document});
                let mut event = event;
                merge(&mut event, document.clone());
                ("application/cloudevents+json", event.to_string())
            }
            (BodyFormat::XML, _) => ("text/xml", xml::write(&document)),
            (BodyFormat::Text, _) => ("text/plain", "sample".to_owned()),
            (BodyFormat::JSONLines, _) => ("application/x-ndjson", document.to_string()),
            (BodyFormat::JSON | BodyFormat::JWT, _) => ("application/json", document.to_string()),
        };
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        let query = (!self.query.is_empty()).then(|| form(&self.query));
        Sample { headers: self.headers, query, body: body.into_bytes() }
    }
}

/// A document as the field holds it that the definition names.
pub(super) fn packed(base64: bool, format: FieldFormat, document: &Value) -> String {
    let text = match format {
        FieldFormat::XML => xml::write(document),
        FieldFormat::JSON => document.to_string(),
    };
    if base64 { STANDARD.encode(text) } else { text }
}

fn multipart(fields: &[(String, String)]) -> String {
    let part = |(name, value): &(String, String)| {
        format!("--hookgate\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--hookgate--\r\n"
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn form(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn time_value(now: Timestamp, unit: TimeUnit) -> Value {
    let text = time::write(now, unit);
    match unit {
        TimeUnit::Seconds | TimeUnit::Milliseconds | TimeUnit::Microseconds => {
            text.parse::<i64>().map_or(Value::String(text), |n| json!(n))
        }
        _ => Value::String(text),
    }
}

fn mapped_time(now: Timestamp, unit: MapUnit) -> Value {
    let unit = match unit {
        MapUnit::Seconds | MapUnit::Any => TimeUnit::Seconds,
        MapUnit::Milliseconds => TimeUnit::Milliseconds,
        MapUnit::Microseconds => TimeUnit::Microseconds,
        MapUnit::Nanoseconds => TimeUnit::Nanoseconds,
        MapUnit::DateTime => TimeUnit::DateTime,
        MapUnit::HTTPDate => TimeUnit::HTTPDate,
        MapUnit::RFC3339 | MapUnit::ISO8601 | MapUnit::Minutes | MapUnit::Clock => TimeUnit::RFC3339,
    };
    time_value(now, unit)
}

/// About a minute.
fn mapped_duration(unit: MapUnit) -> Value {
    match unit {
        MapUnit::Milliseconds => json!(61_000),
        MapUnit::Microseconds => json!(61_000_000),
        MapUnit::Nanoseconds => json!(61_000_000_000_u64),
        MapUnit::Minutes => json!(1),
        MapUnit::Clock => json!("00:01:01"),
        MapUnit::ISO8601 => json!("PT1M1S"),
        _ => json!(61),
    }
}

/// Sets a value at a pointer, making objects and lists on the way; indices make lists.
/// Puts a value where a pointer leads, and makes what is on the way.
pub(in crate::provider) fn set(document: &mut Value, pointer: &str, value: Value) {
    let Ok(names) = parse_pointer(pointer) else { return };
    let mut at = document;
    for name in &names {
        let index = name.parse::<usize>().ok().filter(|index| *index < 8);
        if let (Some(index), true) = (index, !at.is_object() || at.as_object().is_some_and(Map::is_empty)) {
            if !at.is_array() {
                *at = json!([]);
            }
            let Value::Array(items) = at else { return };
            while items.len() <= index {
                items.push(json!({}));
            }
            at = &mut items[index];
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            let Value::Object(members) = at else { return };
            at = members.entry(name.clone()).or_insert_with(|| json!({}));
        }
    }
    *at = value;
}

fn merge(document: &mut Value, other: Value) {
    match (document, other) {
        (Value::Object(members), Value::Object(others)) => {
            for (name, value) in others {
                match members.get_mut(&name) {
                    Some(member) if member.is_object() && value.is_object() => merge(member, value),
                    _ => {
                        members.insert(name, value);
                    }
                }
            }
        }
        (document, other) if *document == json!({}) => *document = other,
        _ => {}
    }
}
