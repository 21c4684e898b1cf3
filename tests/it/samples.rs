//! Every vendor's documented deliveries, signed as the vendor signs, become the conversations that stand beside them, and
//! nothing that the vendor did not send.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bytes::Bytes;
use hookgate::provider::catalogue::{built_in, built_ins};
use hookgate::provider::documented::{Documented, SENT, all};
use hookgate::provider::event::Event;
use hookgate::provider::rehearsal::{Rehearsed, rehearse};
use hookgate::provider::time;
use hookgate::provider::verify::sign::Draft;
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::asyncapi::judge;
use crate::support::folder::Folder;
use crate::support::operator::hookgate;

/// What the vendor sends with its delivery, made up.
const ID: &str = "delivery-1";

/// A sample as it is sent.
fn draft(documented: &Documented, body: Option<Vec<u8>>) -> Draft {
    let spec = built_in(documented.provider).and_then(|b| b.spec().ok()).expect(documented.provider);
    let made = documented.sample(spec, None, ID, SENT);
    Draft {
        method: Method::POST,
        path: "/rehearsal".to_owned(),
        query: made.query,
        headers: made.headers,
        body: Bytes::from(body.unwrap_or(made.body)),
    }
}

/// The events of a delivery.
fn events(documented: &Documented, draft: &Draft) -> Result<Vec<Event>, String> {
    let spec = built_in(documented.provider).and_then(|b| b.spec().ok()).expect(documented.provider);
    match rehearse(documented.provider, spec, draft, SENT) {
        Ok(Rehearsed::Events(batch)) => {
            batch.items.into_iter().map(|item| item.map_err(|bad| format!("{:?}", bad.reason))).collect()
        }
        Ok(Rehearsed::Handshake) => Err("a handshake".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `conversation/v1` of an event, null where it is not mapped.
fn conversation(event: &Event) -> Value {
    event
        .data
        .mapped
        .as_ref()
        .map_or(Value::Null, |mapped| serde_json::from_slice(mapped).expect("mapped data is JSON"))
}

#[test]
fn documented_deliveries_become_the_conversations_beside_them() {
    let ids = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample_ids.json"));
    let ids: BTreeMap<String, BTreeMap<String, Option<String>>> =
        serde_json::from_str(&ids.expect("tests/sample_ids.json")).expect("JSON");
    let mut wrong = Vec::new();
    for documented in all() {
        let what = format!("{}/{}", documented.provider, documented.name);
        let expected: Value = serde_json::from_str(documented.expected).unwrap_or_else(|e| panic!("{what}: {e}"));
        let expected = match expected {
            Value::Array(expected) => expected,
            one => vec![one],
        };
        let events = events(documented, &draft(documented, None)).unwrap_or_else(|e| panic!("{what}: {e}"));
        for event in &events {
            if event.event_type != documented.event_type() {
                wrong.push(format!("{what}: the type is {}", event.event_type));
            }
        }
        let made: Vec<Value> = events.iter().map(conversation).collect();
        if made != expected {
            wrong.push(format!("{what}: {}", Value::Array(made)));
        }
        if let (Some(id), Some(event)) =
            (ids.get(documented.provider).and_then(|ids| ids.get(documented.name)), events.first())
        {
            let ours = ["sha256-", "once-"].iter().any(|ours| event.id.starts_with(ours));
            if id.as_ref().map_or(!ours, |id| *id != event.id) {
                wrong.push(format!("{what}: the id is {}", event.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_mapped_vendor_has_a_sample() {
    let shown: BTreeSet<&str> = all().iter().map(|documented| documented.provider).collect();
    let mapped = built_ins().filter(|b| b.spec().is_ok_and(|spec| !spec.map.is_empty())).map(|b| b.id);
    let without: Vec<&str> = mapped.filter(|id| !shown.contains(id)).collect();
    assert!(without.is_empty(), "src/provider/samples has nothing of {without:?}");
}

#[tokio::test]
async fn the_closed_schema_holds_for_every_conversation() {
    let folder = Folder::new("samples");
    let schema = folder.write("conversation.json", &hookgate(&["schema", "conversation"]).await.ok());
    let lines: Vec<String> = all()
        .iter()
        .flat_map(|documented| events(documented, &draft(documented, None)).unwrap_or_default())
        .filter(|event| event.data.mapped.is_some())
        .map(|event| conversation(&event).to_string())
        .collect();
    assert!(lines.len() >= all().len() / 2, "{}", lines.len());
    judge("valid", &[&schema, &folder.write("all.jsonl", &lines.join("\n"))]).await.ok();
    let unknown = judge("valid", &[&schema, &folder.write("wrong.jsonl", r#"{"kind":"call","mood":"x"}"#)]).await;
    assert!(!unknown.status.success(), "{}", unknown.stdout);
}

/// All that a vendor sent, as texts and as numbers.
#[derive(Default)]
struct Sent {
    texts: BTreeSet<String>,
}

impl Sent {
    fn of(documented: &Documented, draft: &Draft) -> Self {
        let mut sent = Self::default();
        let body = std::str::from_utf8(&draft.body).unwrap_or_default();
        match documented.media_type {
            "application/json" => sent.add(&serde_json::from_str(body).expect("JSON")),
            _ => sent.pairs(body),
        }
        sent.pairs(draft.query.as_deref().unwrap_or_default());
        sent.texts.extend(draft.headers.values().filter_map(|value| value.to_str().ok()).map(str::to_owned));
        sent
    }

    fn pairs(&mut self, form: &str) {
        for (_, value) in form_urlencoded::parse(form.as_bytes()) {
            self.add(&Value::String(value.into_owned()));
        }
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                    self.add(&inner);
                }
                self.texts.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => members.values().for_each(|member| self.add(member)),
            Value::Null => {}
            other => drop(self.texts.insert(other.to_string())),
        }
    }

    /// Whether a text was sent, whole or in pieces that are joined.
    fn says(&self, text: &str) -> bool {
        self.texts.contains(text) || self.joined(text)
    }

    fn joined(&self, text: &str) -> bool {
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        for at in 0..text.len() {
            if !reached[at] || !text.is_char_boundary(at) {
                continue;
            }
            let rest = &text[at..];
            for between in [" ", "\n", ", "] {
                if rest.starts_with(between) {
                    reached[at + between.len()] = true;
                }
            }
            for piece in self.texts.iter().filter(|piece| !piece.is_empty() && rest.starts_with(piece.as_str())) {
                reached[at + piece.len()] = true;
            }
        }
        reached[text.len()]
    }

    /// Whether an instant was sent, in any format, or in two pieces.
    fn times(&self, text: &str) -> bool {
        use hookgate::api::scheme::TimeUnit as Unit;
        let Some(wanted) = time::read(text, Unit::RFC3339) else { return false };
        let units = [
            Unit::Seconds,
            Unit::Milliseconds,
            Unit::Microseconds,
            Unit::Nanoseconds,
            Unit::RFC3339,
            Unit::ISO8601,
            Unit::DateTime,
            Unit::HTTPDate,
        ];
        let is = |text: &str| units.iter().any(|unit| time::read(text, *unit) == Some(wanted));
        let days: Vec<&String> = self.texts.iter().filter(|text| text.len() == 10).collect();
        self.texts.iter().any(|text| is(text) || days.iter().any(|day| is(&format!("{day} {text}"))))
    }

    /// Whether a number was sent, or one that a unit makes of it.
    fn counts(&self, number: f64) -> bool {
        let near = |sent: f64| (sent - number).abs() <= number.abs() * 1e-9;
        self.texts.iter().any(|text| {
            let clock =
                text.split(':').try_fold(0.0, |sum, part| part.parse::<f64>().ok().map(|part| sum * 60.0 + part));
            let plain = text.parse::<f64>().ok();
            let iso = text.parse::<jiff::SignedDuration>().ok().filter(|_| text.starts_with('P'));
            plain.is_some_and(|sent| [1.0, 1e-3, 1e-6, 1e-9, 60.0].iter().any(|unit| near(sent * unit)))
                || text.contains(':') && clock.is_some_and(near)
                || iso.is_some_and(|sent| near(sent.as_secs_f64()))
        })
    }
}

/// Members whose values are as sent, whatever they are.
const AS_SENT: [&str; 9] =
    ["metadata", "attributes", "speakers", "sentiment", "interests", "actionItems", "topics", "data", "original"];
/// Members that have words of their own, beside roles.
const CLOSED: [&str; 6] = ["kind", "direction", "format", "type", "side", "voicemail"];
const ROLES: [&str; 4] = ["caller", "callee", "host", "attendee"];
const CHANNELS: [&str; 3] = ["phone", "web", "video"];

/// Every value that was not sent, with where it stands. The schema says which words are of a closed set.
fn invented(at: &str, value: &Value, sent: &Sent, fixed: &BTreeSet<String>, found: &mut Vec<String>) {
    let name = at.rsplit('/').find(|name| name.parse::<usize>().is_err()).unwrap_or_default();
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| !AS_SENT.contains(&name.as_str())) {
                invented(&format!("{at}/{name}"), member, sent, fixed, found);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                invented(&format!("{at}/{n}"), item, sent, fixed, found);
            }
        }
        Value::Number(number) if sent.counts(number.as_f64().unwrap_or(f64::NAN)) => {}
        Value::String(text) if name.ends_with("At") && sent.times(text) => {}
        Value::String(text) if sent.says(text) => {}
        Value::String(text) if name == "role" && ROLES.contains(&text.as_str()) => {}
        Value::String(text) if at == "/channel" && CHANNELS.contains(&text.as_str()) => {}
        Value::String(text) if fixed.contains(&format!("{name} {text}")) => {}
        // A turn whose label stands in a text is a piece of it.
        Value::String(text)
            if at.contains("/segments/") && sent.texts.iter().any(|sent| sent.contains(text.as_str())) => {}
        _ if CLOSED.contains(&name) => {}
        other => found.push(format!("{at}: {other}")),
    }
}

/// The words that a definition says for the vendor: what a cost counts, what is heard in a file, the media type of a format; each
/// behind its member's name.
fn fixed(documented: &Documented) -> BTreeSet<String> {
    let spec = built_in(documented.provider).and_then(|b| b.spec().ok()).expect(documented.provider);
    let sets =
        spec.map.iter().flat_map(|map| [&map.set].into_iter().chain(map.recordings.iter().map(|files| &files.set)));
    let said = sets.flatten().flat_map(|(name, value)| {
        let member = name.rsplit('.').next().unwrap_or_default();
        let types = value.words.values().filter(move |_| member == "mediaType");
        let words = value.value.iter().chain(value.otherwise.iter().filter_map(|choice| choice.value.as_ref()));
        words.chain(types).map(move |word| format!("{member} {word}"))
    });
    said.collect()
}

fn nothing_invented(documented: &Documented, draft: &Draft, what: &str) {
    let (sent, fixed) = (Sent::of(documented, draft), fixed(documented));
    for event in events(documented, draft).unwrap_or_default().into_iter().filter(|event| event.data.mapped.is_some()) {
        let mut found = Vec::new();
        invented("", &conversation(&event), &sent, &fixed, &mut found);
        assert!(found.is_empty(), "{}/{} {what}: {found:#?}", documented.provider, documented.name);
    }
}

/// A document whose values are others of the same kind, by a seed; words that decide what it is stay.
fn altered(value: &Value, seed: &mut u64) -> Value {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let turn = *seed >> 33;
    match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), altered(member, seed))).collect(),
        Value::Array(items) => items.iter().map(|item| altered(item, seed)).collect(),
        _ if !turn.is_multiple_of(3) => value.clone(),
        Value::String(_) => match turn % 4 {
            0 => Value::String(format!("Wert {turn} \u{1f600} \"\\")),
            1 => Value::Null,
            2 => Value::from(turn),
            _ => Value::String(turn.to_string()),
        },
        Value::Number(_) => match turn % 4 {
            0 => Value::from(turn),
            1 => Value::Null,
            2 => Value::from(f64::from(u32::try_from(turn % 100_000).unwrap_or(0)) / 8.0),
            _ => Value::String("keine Zahl".to_owned()),
        },
        Value::Bool(said) => Value::Bool(!said),
        Value::Null => Value::String(format!("da {turn}")),
    }
}

#[test]
fn every_value_is_one_that_was_sent_or_a_word_of_the_schema() {
    for documented in all() {
        nothing_invented(documented, &draft(documented, None), "as documented");
    }
    let json: Vec<&Documented> = all().iter().filter(|d| d.media_type == "application/json").collect();
    let mut runner = TestRunner::new(Config { cases: 512, failure_persistence: None, ..Config::default() });
    runner
        .run(&(0..json.len(), any::<u64>()), |(at, mut seed)| {
            let documented = json[at];
            let body: Value = serde_json::from_str(documented.body).expect("JSON");
            let body = altered(&body, &mut seed).to_string();
            nothing_invented(documented, &draft(documented, Some(body.clone().into_bytes())), &body);
            Ok(())
        })
        .expect("nothing is invented");
}
