//! EventSources of Argo Events: each key below a kind is one source.

use serde_json::{Map, Value, json};

use super::draft::{Draft, Places};
use super::remark::{Remark, Remarks};
use super::table::{Kind, Table};

/// The sources of one EventSource; what concerns none of them goes to `left`.
pub(super) fn sources(object: &Value, table: &Table, places: &mut Places<'_>, left: &mut Remarks) -> Vec<Draft> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (name, namespace) = (text("/metadata/name").unwrap_or("eventsource"), text("/metadata/namespace"));
    let mut drafts = Vec::new();
    for (member, value) in object["spec"].as_object().into_iter().flatten() {
        let field = format!("{name}: spec.{member}");
        if let Some(kind) = table.kinds.get(member) {
            for (event, entry) in value.as_object().into_iter().flatten() {
                let origin = format!("EventSource {name}: {member}.{event}");
                let label = places.name(namespace, &format!("{name}-{event}"));
                let mut draft = Draft::new(origin, label, namespace, kind);
                fill(&mut draft, entry.as_object().unwrap_or(&Map::new()), kind, table, places);
                drafts.push(draft);
            }
        } else if let Some(remark) = table.spec.get(member) {
            left.say(&field, remark.clone());
        } else {
            let other = table.others.get(member).map_or("no webhook feeds it", String::as_str);
            left.say(&field, Remark::Lost(other.to_owned()));
        }
    }
    drafts
}

/// What an entry says.
fn fill(draft: &mut Draft, entry: &Map<String, Value>, kind: &Kind, table: &Table, places: &mut Places<'_>) {
    let webhook = if kind.flat { Some(entry) } else { entry.get("webhook").and_then(Value::as_object) };
    for (member, value) in webhook.into_iter().flatten() {
        context(draft, member, value, kind, table, places);
    }
    if let Some(proof) = &kind.secret {
        let selector = proof.field.as_ref().and_then(|field| entry.get(field)).and_then(selector);
        draft.proof(proof, selector);
    }
    for (parameter, field) in &kind.parameters {
        draft.verify("parameters", json!({parameter: entry.get(field).unwrap_or(&json!("UNKNOWN"))}));
    }
    for (member, value) in entry {
        if member == "webhook" || (kind.flat && member != "filter") {
            continue;
        }
        let proves = kind.secret.as_ref().is_some_and(|proof| proof.field.as_ref() == Some(member));
        if proves || kind.parameters.values().any(|field| field == member) {
            continue;
        }
        match &kind.events {
            Some(events) if events.field == *member => draft.events(events, value),
            _ if member == "filter" => {
                let filter = value["expression"].as_str().map_or_else(|| value.to_string(), str::to_owned);
                let how = "write it as CEL in `events.filter`: body is data, headers are not visible; all events pass until then";
                draft.remarks.say(member, Remark::Lost(format!("{how} ({filter})")));
            }
            _ => {
                let remark = kind.fields.get(member).or_else(|| table.fields.get(member));
                draft.remarks.say(member, remark.cloned().unwrap_or_else(unknown));
            }
        }
    }
}

/// A member of `webhook`.
fn context(draft: &mut Draft, member: &str, value: &Value, kind: &Kind, table: &Table, places: &mut Places<'_>) {
    let field = format!("webhook.{member}");
    match (member, value.as_str()) {
        ("endpoint", Some(path)) => draft.path(&field, path, places),
        ("method", Some(method)) if method.eq_ignore_ascii_case("POST") => {}
        ("method", _) => {
            let how = "sources take POST: a WebhookProvider with `httpMethods` takes others";
            draft.remarks.say(&field, Remark::Lost(format!("{how} ({})", value.as_str().unwrap_or_default())));
        }
        ("maxPayloadSize", _) if value.is_u64() => {
            draft.spec.insert("limits".to_owned(), json!({"maxBodySize": value}));
            draft.remarks.say(&field, Remark::Changes("larger is answered 413, no longer 400".to_owned()));
        }
        ("authSecret", _) if kind.bearer => {
            if let Some((name, key)) = selector(value) {
                draft.spec.remove("verification");
                draft.verify("method", json!("token"));
                draft.verify("token", json!({"header": "Authorization", "prefix": "Bearer "}));
                draft.secret(name, key, "the bearer token");
                draft.remarks.forget(&kind.notes);
            }
        }
        ("authSecret", _) => {
            draft.remarks.say(&field, Remark::Changes("the vendor's own proof takes its place".to_owned()));
        }
        ("filter", _) if kind.flat => {}
        _ => draft.remarks.say(&field, table.webhook.get(member).cloned().unwrap_or_else(unknown)),
    }
}

/// `{name, key}` of a Secret.
fn selector(value: &Value) -> Option<(&str, &str)> {
    Some((value["name"].as_str()?, value["key"].as_str()?))
}

fn unknown() -> Remark {
    Remark::Lost("not known here".to_owned())
}
