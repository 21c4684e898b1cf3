//! What each built-in definition promises of the identity of its events, proven with deliveries made from it.

use std::borrow::Cow;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::*;
use crate::api::extract::{Extract, Field, IdOf, WithoutId};
use crate::api::provider::Decode;
use crate::provider::catalogue::{BuiltIn, built_ins};
use crate::provider::decode::Carrier;
use crate::provider::request::RequestView;
use crate::provider::sample::{self, sample};

/// Definitions whose id names one event whatever its type says, and argue for it: an object that no id depends on, a task
/// that ends once, a type and a status that no delivery has together.
const TYPE_ASIDE: [&str; 3] = ["meta", "sonarqube", "vonage-sms"];

/// The delivery that a definition suggests, of an id.
fn delivery(built_in: &BuiltIn, id: &str) -> Request {
    let made = sample(built_in.spec().unwrap(), None, None, id, RECEIVED_AT.parse().unwrap());
    let mut request = request(made.body);
    request.headers = made.headers;
    request.query = made.query;
    request
}

/// The first event of a delivery; none where nothing is read of it.
fn event(request: &Request, built_in: &BuiltIn) -> Option<Event> {
    let batch = request.read(&built_in.provider().unwrap().extraction).ok()?;
    batch.items.into_iter().find_map(Result::ok)
}

/// The delivery with one thing changed, once for each: a member of the body, a form field, a parameter, a header.
fn altered(request: &Request, decode: Option<&Decode>) -> Vec<(String, Request)> {
    let mut all = Vec::new();
    let mut add = |what: String, change: &dyn Fn(&mut Request)| {
        let mut other = Request {
            headers: request.headers.clone(),
            query: request.query.clone(),
            body: request.body.clone(),
            coverage: request.coverage.clone(),
        };
        change(&mut other);
        all.push((what, other));
    };
    let decode = decode.cloned().unwrap_or_default();
    let write = |document: &Value| match &decode.field {
        Some(name) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair(
                name,
                &sample::packed(decode.field_base64, decode.field_format.unwrap_or_default(), document),
            )
            .finish()
        }
        None => sample::xml::write(document),
    };
    if let Some(body) = spelled_anew(request, &decode) {
        for pointer in leaves(&body, "") {
            let mut body = body.clone();
            if let Some(leaf) = body.pointer_mut(&pointer) {
                *leaf = other(leaf);
            }
            add(pointer, &|request| request.body = write(&body).into());
        }
    } else if let Ok(body) = serde_json::from_slice::<Value>(&request.body) {
        for pointer in leaves(&body, "") {
            let mut body = body.clone();
            if let Some(leaf) = body.pointer_mut(&pointer) {
                *leaf = other(leaf);
            }
            add(pointer, &|request| request.body = body.to_string().into());
        }
    } else if request.headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().ends_with(b"urlencoded")) {
        for form in others(&request.body) {
            add(format!("form {form}"), &|request| request.body = form.clone().into());
        }
    }
    for query in request.query.iter().flat_map(|query| others(query.as_bytes())) {
        add(format!("query {query}"), &|request| request.query = Some(query.clone()));
    }
    for (name, value) in request.headers.iter().filter(|(name, _)| **name != CONTENT_TYPE) {
        let value = HeaderValue::try_from(format!("{}x", value.to_str().unwrap())).unwrap();
        add(name.to_string(), &|request| drop(request.headers.insert(name, value.clone())));
    }
    all
}

/// The document of a body that is written otherwise than it is read.
fn spelled_anew(request: &Request, decode: &Decode) -> Option<Value> {
    let head = request.head(&Method::POST);
    let view = RequestView { head, body: &request.body };
    match Carrier::compile(Some(decode)).unwrap().document(&view, &|_| true) {
        Cow::Owned(document) if decode.field_format.is_some() || request.body.starts_with(b"<") => {
            Some(serde_json::from_slice(&document).unwrap())
        }
        _ => None,
    }
}

fn leaves(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| leaves(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))))
            .collect(),
        Value::Array(items) => items.iter().enumerate().flat_map(|(n, v)| leaves(v, &format!("{at}/{n}"))).collect(),
        Value::Null => Vec::new(),
        _ => vec![at.to_owned()],
    }
}

fn other(leaf: &Value) -> Value {
    match leaf {
        Value::String(text) => Value::String(format!("{text}x")),
        Value::Number(number) => number.as_i64().map_or(Value::from(1.5), |n| Value::from(n + 1)),
        Value::Bool(yes) => Value::Bool(!yes),
        other => other.clone(),
    }
}

/// A form with each of its values changed, one at a time.
fn others(form: &[u8]) -> Vec<String> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    let changed = |at: usize| {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (n, (name, value)) in pairs.iter().enumerate() {
            out.append_pair(name, &if n == at { format!("{value}x") } else { value.clone() });
        }
        out.finish()
    };
    (0..pairs.len()).map(changed).collect()
}

fn vendors(id: &str) -> bool {
    !id.starts_with("sha256-") && !id.starts_with("once-")
}

fn parts(fields: &[Field]) -> usize {
    fields.iter().filter(|field| field.value.is_none()).count()
}

/// What is wrong with the identity of one vendor's events.
fn wrongs(built_in: &BuiltIn, judged: &mut usize) -> Vec<String> {
    let none = Extract::default();
    let extract = built_in.spec().unwrap().extract.as_ref().unwrap_or(&none);
    let mut wrong = Vec::new();
    if extract.identity.is_none() {
        wrong
            .push("no identity: say in one line why its id, or its content, tells any two deliveries apart".to_owned());
    }
    let first = delivery(built_in, "delivery-0001");
    let (Some(once), Some(again)) = (event(&first, built_in), event(&first, built_in)) else { return wrong };
    *judged += 1;
    let changed: Vec<(String, Event)> = altered(&first, built_in.spec().unwrap().decode.as_ref())
        .into_iter()
        .filter_map(|(what, request)| Some((what, event(&request, built_in)?)))
        .collect();
    let apart = changed.iter().filter(|(_, event)| event.id != once.id).count();
    match (vendors(&once.id), extract.id_of, extract.without_id) {
        (false, _, WithoutId::None) => {
            if once.id == again.id {
                wrong.push(format!("{}: what has no id is taken for a repetition", once.id));
            }
            return wrong;
        }
        (false, ..) => {
            // What is cut is no part of the event.
            let shown = |event: &Event| event.data.original != once.data.original;
            let missed = changed.iter().filter(|(_, event)| event.id == once.id && shown(event));
            wrong.extend(missed.map(|(what, _)| format!("{what} changes and the id does not")));
        }
        (true, IdOf::Delivery, _) => {
            let second = event(&delivery(built_in, "delivery-0002"), built_in);
            if second.is_some_and(|second| second.id == once.id) {
                wrong.push(format!("{}: another delivery has the same id", once.id));
            }
        }
        (true, IdOf::Entity, _) => {
            let same = changed.iter().filter(|(_, event)| event.event_type != once.event_type && event.id == once.id);
            let same = same.filter(|_| !TYPE_ASIDE.contains(&built_in.id));
            wrong.extend(same.map(|(what, event)| format!("{what}: {} has the id of another type", event.event_type)));
            let rules = extract.id_rules.iter().map(|rule| parts(&rule.id));
            let least = rules.chain((!extract.id.is_empty()).then(|| parts(&extract.id))).min().unwrap_or_default();
            if apart < least && !changed.is_empty() {
                wrong.push(format!("{}: {least} parts, and {apart} changes make another id", once.id));
            }
        }
    }
    if once.id != again.id {
        wrong.push(format!("{} and {}: a repetition is another event", once.id, again.id));
    }
    wrong
}

#[test]
fn every_built_in_argues_for_its_identity_and_keeps_it() {
    let (mut judged, mut wrong) = (0, Vec::new());
    for built_in in built_ins() {
        wrong.extend(wrongs(built_in, &mut judged).into_iter().map(|what| format!("{}: {what}", built_in.id)));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 170, "only {judged} deliveries could be read: what made them has gone");
}

#[test]
fn every_built_in_has_a_place_of_its_subject_or_says_why_there_is_none() {
    for built_in in built_ins() {
        let extract = built_in.spec().unwrap().extract.clone().unwrap_or_default();
        let (places, why) = (!extract.subject.is_empty(), extract.without_subject.is_some());
        assert!(places || why, "{}: write extract.subject, or in withoutSubject why none", built_in.id);
        assert!(!(places && why), "{}: has places of a subject and says why none", built_in.id);
    }
}

#[test]
fn whatever_names_an_entity_has_it_as_its_subject() {
    for (id, body, subject) in [
        ("azure-devops", json!({"resource": {"environment": {"id": 5, "release": {"id": 1}}}}), "1"),
        ("chargebee", json!({"content": {"coupon": {"id": "SUMMER"}}}), "SUMMER"),
        ("chargebee", json!({"content": {"item": {"id": "basic"}}}), "basic"),
        ("chargebee", json!({"content": {"credit_note": {"id": "CN-1"}, "customer": {"id": "c"}}}), "CN-1"),
        (
            "pagerduty",
            json!({"event": {"data": {"type": "incident_responder", "incident": {"id": "PGR0VU2"}}}}),
            "PGR0VU2",
        ),
        ("paypal", json!({"resource": {"dispute_id": "PP-D-1"}}), "PP-D-1"),
        ("plaid", json!({"payment_id": "payment-1"}), "payment-1"),
        (
            "razorpay",
            json!({"payload": {"payment_link": {"entity": {"id": "plink_1"}}, "payment": {"entity": {"id": "pay_1"}}}}),
            "plink_1",
        ),
        ("razorpay", json!({"payload": {"payout": {"entity": {"id": "pout_1"}}}}), "pout_1"),
        ("shopify", json!({"shop_id": 1, "customer": {"id": 2}, "data_request": {"id": 3}}), "3"),
        ("shopify", json!({"shop_id": 1, "customer": {"id": 2}}), "2"),
        ("shopify", json!({"shop_id": 1}), "1"),
        ("sinch-conversation", json!({"opt_in_notification": {"contact_id": "c1"}}), "c1"),
        ("sinch-conversation", json!({"opt_out_notification": {"contact_id": "c1"}}), "c1"),
        ("sinch-conversation", json!({"capability_notification": {"contact_id": "c1"}}), "c1"),
        ("sinch-conversation", json!({"contact_create_notification": {"contact": {"id": "c1"}}}), "c1"),
        ("sinch-conversation", json!({"contact_update_notification": {"contact": {"id": "c1"}}}), "c1"),
        ("sinch-conversation", json!({"message_submit_notification": {"message_id": "m1"}}), "m1"),
        ("sinch-conversation", json!({"event_delivery_report": {"event_id": "e1"}}), "e1"),
        ("slack", json!({"event": {"type": "channel_created", "channel": {"id": "C1", "creator": "U1"}}}), "C1"),
        ("slack", json!({"event": {"type": "team_join", "user": {"id": "U1"}}}), "U1"),
    ] {
        let built_in = built_ins().find(|built_in| built_in.id == id).unwrap();
        let event = event(&request(body.to_string()), built_in).unwrap();
        assert_eq!(event.subject.as_deref(), Some(subject), "{id}: {body}");
    }
}
