//! What each part of a definition does to a delivery; the four seed vendors are in `seeds`, others in `platforms`.

mod business;
mod catalogue_a;
mod documents;
mod identity;
mod platforms;
mod promises;
mod seeds;
mod told_apart;

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

use super::*;
use crate::provider::Coverage;
use crate::provider::catalogue;

const RECEIVED_AT: &str = "2026-03-01T12:00:00Z";

/// A request on its way into an extraction.
pub(super) struct Request {
    headers: HeaderMap,
    query: Option<String>,
    body: Bytes,
    coverage: Coverage,
}

pub(super) fn request(body: impl AsRef<[u8]>) -> Request {
    Request {
        headers: HeaderMap::new(),
        query: None,
        body: Bytes::copy_from_slice(body.as_ref()),
        coverage: Coverage { body: true, ..Coverage::default() },
    }
    .header("content-type", "application/json")
}

impl Request {
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    fn query(mut self, query: &str) -> Self {
        self.query = Some(query.to_owned());
        self
    }

    fn covered(mut self, coverage: Coverage) -> Self {
        self.coverage = coverage;
        self
    }

    fn verified(&self) -> Verified {
        Verified::made_up(self.body.clone(), self.coverage.clone())
    }

    fn head<'a>(&'a self, method: &'a Method) -> Head<'a> {
        Head {
            method,
            path: "/",
            query: self.query.as_deref(),
            headers: &self.headers,
            received: RECEIVED_AT.parse().unwrap(),
        }
    }

    pub(super) fn read(&self, extraction: &Extraction) -> Result<Batch, DecodeError> {
        self.read_as(extraction, None)
    }

    /// Reads it for a source that says what counts as the same event.
    fn read_as(&self, extraction: &Extraction, deduplicate: Option<Deduplicate>) -> Result<Batch, DecodeError> {
        extraction.read(&self.verified(), &self.head(&Method::POST), deduplicate)
    }

    /// The one event of the request.
    pub(super) fn event(&self, extraction: &Extraction) -> Event {
        let mut batch = self.read(extraction).unwrap();
        assert_eq!(batch.items.len(), 1);
        batch.items.remove(0).unwrap()
    }
}

pub(super) fn built_in(id: &str) -> &'static Extraction {
    &catalogue::built_in(id).unwrap().provider().unwrap().extraction
}

/// A definition of the given fields beside its name and methods, which extraction does not read.
fn definition(fields: &str) -> Result<Extraction, Vec<String>> {
    let yaml = format!("displayName: Test\nmethods: []\n{fields}");
    let spec = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    Extraction::compile(&spec).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

pub(super) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn ids(batch: &Batch) -> Vec<Result<&str, BadItemReason>> {
    batch.items.iter().map(|item| item.as_ref().map(|e| e.id.as_str()).map_err(|bad| bad.reason)).collect()
}

#[test]
fn types_join_their_parts_and_fall_back() {
    let github = built_in("github");
    let issues = request(r#"{"action":"opened","repository":{"full_name":"a/b"}}"#).header("x-github-event", "issues");
    let event = issues.event(github);
    assert_eq!((event.event_type.as_str(), event.subject.as_deref()), ("issues.opened", Some("a/b")));
    let push = request(r#"{"ref":"x","action":null}"#).header("x-github-event", "push").event(github);
    assert_eq!(push.event_type, "push");
    assert_eq!(request("{}").event(github).event_type, "received");
    let named = definition("extract: {type: [{pointer: /t}], typeNames: {a_b: a.b}, defaultType: none}").unwrap();
    let type_of = |body| request(body).event(&named).event_type;
    assert_eq!(type_of(r#"{"t":"a_b"}"#), "a.b");
    assert_eq!(type_of(r#"{"t":7}"#), "7");
    for absent in [r#"{"t":""}"#, r#"{"t":true}"#, "{}"] {
        assert_eq!(type_of(absent), "none", "{absent}");
    }
}

#[test]
fn pings_are_counted_and_not_published() {
    let ping = request("{}").header("x-github-event", "ping").read(built_in("github")).unwrap();
    assert_eq!((ping.received, ping.dropped, ping.items.len()), (1, 1, 0));
    let conditions = "drop: [{pointer: /events, equals: '[]'}, {pointer: /test, equals: 'true'}, {pointer: /x, absent: true}, {query: ping}, {header: X-A}]";
    let definition = definition(conditions).unwrap();
    let dropped = |request: Request| request.read(&definition).unwrap().dropped == 1;
    assert!(dropped(request(r#"{"x":1,"events": [ ]}"#)));
    assert!(dropped(request(r#"{"x":1,"test":true}"#)));
    assert!(dropped(request(r#"{"x":null}"#)));
    assert!(dropped(request(r#"{"x":1}"#).query("ping=1")));
    assert!(dropped(request(r#"{"x":1}"#).header("x-a", "")));
    assert!(!dropped(request(r#"{"x":1,"events":[1],"test":false}"#)));
    // What is no object says nothing, not even that something is absent.
    let list = self::definition("split: [{pointer: ''}]\ndrop: [{pointer: /x, absent: true}]").unwrap();
    let batch = request(r#"[5,{}]"#).read(&list).unwrap();
    assert_eq!((ids(&batch), batch.dropped), (vec![Err(BadItemReason::NotMappable)], 1));
}

#[test]
fn what_stands_in_a_signed_field_is_signed() {
    let signed = |field: &str| Coverage { form: [field.to_owned()].into(), ..Coverage::default() };
    let body = "payload=%7B%22id%22%3A1%2C%22type%22%3A%22push%22%2C%22state%22%3A%22passed%22%2C%22finished_at%22%3A%222026-01-01T00%3A00%3A00Z%22%7D&x=1";
    let unsigned = |field: &str| {
        let form = request(body).header("content-type", "application/x-www-form-urlencoded").covered(signed(field));
        let event = form.event(built_in("travis-ci"));
        assert_eq!(event.event_type, "push.passed");
        [event.unsigned.id, event.unsigned.event_type, event.unsigned.time, event.unsigned.subject]
    };
    assert_eq!((unsigned("payload"), unsigned("x")), ([false; 4], [true; 4]));
}

#[test]
fn github_forms_are_read_by_their_payload() {
    let form = request("payload=%7B%22action%22%3A%22closed%22%7D")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-github-event", "issues")
        .header("x-github-delivery", "d-1");
    let event = form.event(built_in("github"));
    assert_eq!((event.event_type.as_str(), event.id.as_str()), ("issues.closed", "d-1"));
    assert_eq!(event.data.original.as_ref(), br#"{"action":"closed"}"#);
    assert_eq!(event.data.media_type, MediaType::Json);
}

#[test]
fn lists_inside_lists_are_split_and_their_misfits_rejected() {
    let nested = "split: [{pointer: /entry}, {pointer: /changes, item: /value}]\nextract: {id: [{pointer: /id}], type: [{pointer: /t}]}";
    let definition = definition(nested).unwrap();
    let body =
        r#"{"entry":[{"changes":[{"value":{"id":"a"}},{"other":1}]},{"none":1},{"changes":[{"value":{"id":"b"}}]}]}"#;
    let batch = request(body).read(&definition).unwrap();
    let misfit = Err(BadItemReason::NotMappable);
    assert_eq!(ids(&batch), [Ok("a"), misfit, misfit, Ok("b")]);
    assert_eq!(batch.received, 4);
    assert!(matches!(request("{}").read(&definition), Err(DecodeError::Shape(_))));
    assert!(matches!(request(r#"{"entry":{}}"#).read(&definition), Err(DecodeError::Shape(_))));
    assert_eq!(request(r#"{"entry":[]}"#).read(&definition).unwrap().received, 0);
}

#[test]
fn a_body_without_an_optional_list_is_one_event() {
    let optional = definition("split: [{pointer: '', optional: true}]\nextract: {id: [{pointer: /id}]}").unwrap();
    let one = request(r#"{"id":"a"}"#).read(&optional).unwrap();
    assert_eq!(ids(&one), [Ok("a")]);
    assert_eq!(ids(&request(r#"[{"id":"a"},{"id":"b"}]"#).read(&optional).unwrap()), [Ok("a"), Ok("b")]);
}

#[test]
fn a_delivery_holds_at_most_a_thousand_items() {
    let split = definition("split: [{pointer: ''}]").unwrap();
    let list = |n: usize| format!("[{}]", vec!["{}"; n].join(","));
    assert_eq!(request(list(1000)).read(&split).unwrap().received, 1000);
    assert_eq!(request(list(1001)).read(&split).unwrap_err(), DecodeError::TooManyItems(1001));
    let lines = definition("decode: {formats: [JSONLines]}").unwrap();
    let body = (0..1001).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>();
    assert_eq!(request(&body).read(&lines).unwrap_err(), DecodeError::TooManyItems(1001));
    let nested = definition("split: [{pointer: ''}, {pointer: ''}]").unwrap();
    let body = format!("[{},{}]", list(600), list(600));
    assert!(matches!(request(body).read(&nested), Err(DecodeError::TooManyItems(1200))));
}

#[test]
fn the_vendors_time_counts_where_it_is_plausible() {
    let times = "extract: {time: [{pointer: /s, unit: Seconds}, {pointer: /ms, unit: Milliseconds}, {pointer: /t}]}";
    let definition = definition(times).unwrap();
    let time = |body| request(body).event(&definition).time.to_string();
    assert_eq!(time(r#"{"s":1700000000}"#), "2023-11-14T22:13:20Z");
    assert_eq!(time(r#"{"ms":"1700000000123"}"#), "2023-11-14T22:13:20.123Z");
    assert_eq!(time(r#"{"t":"2023-11-14T23:13:20+01:00"}"#), "2023-11-14T22:13:20Z");
    for receipt in [
        "{}",
        r#"{"t":"2023-11-14T23:13:20"}"#,
        r#"{"t":"1999-12-31T23:59:59Z"}"#,
        r#"{"t":"2101-01-01T00:00:00Z"}"#,
        r#"{"s":1700000000000}"#,
        r#"{"t":"soon"}"#,
    ] {
        assert_eq!(time(receipt), RECEIVED_AT, "{receipt}");
    }
}

#[test]
fn a_time_counts_where_its_conditions_hold_and_is_signed_where_they_are() {
    let times = "extract: {time: [{pointer: /end, when: [{pointer: /k, matches: [ended, 'left*']}]}, {header: x-at, when: [{header: x-k}]}, {pointer: /start}]}";
    let definition = definition(times).unwrap();
    let (start, end) = ("2026-02-25T06:00:00Z", "2026-02-25T06:13:20Z");
    let body = |kind: &str| format!(r#"{{"k":"{kind}","start":"{start}","end":"{end}"}}"#);
    for (kind, expected) in [("ended", end), ("left.early", end), ("began", start)] {
        assert_eq!(request(body(kind)).event(&definition).time.to_string(), expected, "{kind}");
    }
    let unsigned = |covered: &str| {
        let coverage = Coverage { pointers: covered.split(' ').map(str::to_owned).collect(), ..Coverage::default() };
        request(body("ended")).covered(coverage).event(&definition).unsigned.time
    };
    assert!(!unsigned("/k /end"));
    assert!(unsigned("/end") && unsigned("/k"));
    // What could have chosen another time is not signed.
    assert!(request(body("began")).event(&definition).unsigned.time);
}

#[test]
fn an_entity_whose_name_is_too_long_is_left_out() {
    let definition = definition("extract: {subject: [{pointer: /s}]}").unwrap();
    let subject = |length: usize| {
        let body = format!(r#"{{"s":"{}"}}"#, "x".repeat(length));
        request(body.as_str()).event(&definition).subject.map(|subject| subject.len())
    };
    assert_eq!((subject(512), subject(513)), (Some(512), None));
}

#[test]
fn attributes_from_places_without_proof_are_named() {
    let fields = "extract: {type: [{header: X-Type, else: {value: fixed}}, {pointer: /a/t}], id: [{pointer: /id}], time: [{query: time}], subject: [{form: s, else: {pointer: /s}}]}";
    let definition = definition(fields).unwrap();
    let full =
        || request(r#"{"a":{"t":"x"},"id":"1","s":"e"}"#).header("x-type", "t").query("time=2026-01-01T00:00:00Z");
    let unsigned = |coverage| {
        let u = full().covered(coverage).event(&definition).unsigned;
        (u.event_type, u.id, u.time, u.subject)
    };
    let body = Coverage { body: true, ..Coverage::default() };
    assert_eq!(unsigned(body.clone()), (true, false, true, false));
    let headers = ["x-type".to_owned()].into();
    assert_eq!(unsigned(Coverage { headers, ..body.clone() }), (false, false, true, false));
    assert_eq!(unsigned(Coverage { url: true, ..body.clone() }), (true, false, false, false));
    let pointers = ["/a".to_owned(), "/id".to_owned()].into();
    assert_eq!(unsigned(Coverage { pointers, ..Coverage::default() }), (true, false, true, true));
    assert_eq!(unsigned(Coverage::default()), (true, true, true, true));
    // What nobody sent needs no proof, nor does what we made; a hash is as good as the body.
    let bare = |coverage: Coverage, definition: &Extraction| request("{}").covered(coverage).event(definition).unsigned;
    assert_eq!(bare(Coverage::default(), &definition), Unsigned::default());
    let content = self::definition("extract: {withoutId: Content}").unwrap();
    assert_eq!(bare(Coverage::default(), &content), Unsigned { id: true, ..Unsigned::default() });
    assert_eq!(bare(body, &content), Unsigned::default());
}

#[test]
fn what_covers_a_place_follows_from_where_its_document_stood() {
    let fields = "decode: {base64At: /m/data}\nextract: {type: [{pointer: /t}], id: [{envelope: /m/id}]}";
    let packed = definition(fields).unwrap();
    let body = || request(r#"{"m":{"data":"eyJ0IjoieCJ9","id":"1"}}"#);
    let unsigned = |definition: &Extraction, request: Request, coverage: Coverage| {
        let u = request.covered(coverage).event(definition).unsigned;
        (u.event_type, u.id)
    };
    let pointers = |pointer: &str| Coverage { pointers: [pointer.to_owned()].into(), ..Coverage::default() };
    assert_eq!(unsigned(&packed, body(), pointers("/m")), (false, false));
    assert_eq!(unsigned(&packed, body(), pointers("/m/data")), (false, true));
    assert_eq!(unsigned(&packed, body(), pointers("/t")), (true, true));

    let form = definition("decode: {formats: [Form]}\nextract: {type: [{pointer: /t}], id: [{form: i}]}").unwrap();
    let body = || request("t=x&i=1").header("content-type", "application/x-www-form-urlencoded");
    let fields = Coverage { form: ["t".to_owned()].into(), ..Coverage::default() };
    assert_eq!(unsigned(&form, body(), fields), (false, true));

    let split = definition("split: [{pointer: /l}]\nextract: {type: [{pointer: /t}], id: [{envelope: /id}]}").unwrap();
    let body = || request(r#"{"id":"1","l":[{"t":"x"}]}"#);
    assert_eq!(unsigned(&split, body(), pointers("/l")), (false, true));
    assert_eq!(unsigned(&split, body(), pointers("/t")), (true, true));
}

#[test]
fn items_that_are_proven_one_by_one_are_covered_by_their_own_pointers() {
    let yaml = "displayName: Test\nmethods: [{name: m, anyOf: [{allOf: [{each: {pointer: /l}, hmac: {algorithm: SHA256, signature: {pointer: /sig}, content: '{pointer:/id}'}}]}]}]\nsplit: [{pointer: /l}]\nextract: {id: [{pointer: /id}], subject: [{pointer: /s}]}";
    let extraction = Extraction::compile(&serde_saphyr::from_str(yaml).unwrap()).unwrap();
    let pointers = ["/id".to_owned()].into();
    let request = request(r#"{"l":[{"id":"1","s":"x"}]}"#).covered(Coverage { pointers, ..Coverage::default() });
    let unsigned = request.event(&extraction).unsigned;
    assert_eq!((unsigned.id, unsigned.subject), (false, true));
}

#[test]
fn credentials_are_cut_before_anything_else_sees_them() {
    let fields = "redact: [/token, /o/key]\nextract: {id: [{pointer: /token}], withoutId: Content}\ndecode: {formats: [JSON, Form]}";
    let definition = definition(fields).unwrap();
    let event = request(r#"{"token":"t","a":1.50,"o":{"key":1},"\u0074oken":2}"#).event(&definition);
    assert_eq!(event.data.original.as_ref(), br#"{"a":1.50,"o":{}}"#);
    assert!(event.id.starts_with("sha256-"));
    let form = request("a=1&token=x&b=%20&t%6fken=y").header("content-type", "application/x-www-form-urlencoded");
    let event = form.event(&definition);
    assert_eq!(event.data.original.as_ref(), b"a=1&b=%20");
    assert_eq!(json(event.data.json.as_ref().unwrap()), serde_json::json!({"a": "1", "b": " "}));
}

#[test]
fn a_token_in_the_body_is_cut_without_being_named() {
    let yaml = "displayName: Test\nmethods: [{name: m, anyOf: [{allOf: [{token: {pointer: /auth/token}}]}, {allOf: [{token: {form: tok}}]}]}]\ndecode: {formats: [JSON, Form]}";
    let extraction = Extraction::compile(&serde_saphyr::from_str(yaml).unwrap()).unwrap();
    assert_eq!(request(r#"{"auth":{"token":"t"}}"#).event(&extraction).data.original.as_ref(), br#"{"auth":{}}"#);
    let form = request("tok=1&a=2").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.event(&extraction).data.original.as_ref(), b"a=2");
}

#[test]
fn a_refused_body_is_rejected_without_its_credentials() {
    let definition = definition("redact: [/secret]\nextract: {id: [{pointer: /id}]}").unwrap();
    let refused = |body: &str| {
        let request = request(body);
        assert!(request.read(&definition).is_err());
        definition.refused(&request.verified(), &request.head(&Method::POST), None)
    };
    assert_eq!(refused(r#"{"secret":1,"id":1,"id":2}"#).item.as_ref(), br#"{"id":1,"id":2}"#);
    // However deep, for nobody knows how it is built.
    let odd = refused(r#"{"id":1,"id":2,"a":[{"secret":1,"b":[{"\u0073ecret":2}]}]}"#);
    assert_eq!(odd.item.as_ref(), br#"{"id":1,"id":2,"a":[{"b":[{}]}]}"#);
    let cut_off = refused(r#"{"secret":1"#);
    let mark = json(&cut_off.item);
    assert_eq!((mark["size"].clone(), mark["sha256"].as_str().map(str::len)), (Value::from(11), Some(64)));
    assert_eq!(cut_off.media_type, MediaType::Json);
    assert_eq!(refused("[1]").item.as_ref(), b"[1]");
    assert_ne!(refused(r#"{"secret":1"#).id, refused(r#"{"secret":2"#).id, "two that cannot be read are two");
}

#[test]
fn a_refused_body_is_rejected_without_a_token_that_stands_around_its_items() {
    let spec = "{displayName: T, methods: [{name: token, anyOf: [{allOf: [{token: {pointer: /auth/token}}]}]}], split: [{pointer: /items}]}";
    let definition = Extraction::compile(&serde_saphyr::from_str(spec).unwrap()).unwrap();
    let request = request(r#"{"auth":{"token":"hush","n":1},"events":[]}"#);
    assert!(definition.read(&request.verified(), &request.head(&Method::POST), None).is_err());
    let refused = definition.refused(&request.verified(), &request.head(&Method::POST), None);
    assert_eq!(refused.item, r#"{"auth":{"n":1},"events":[]}"#);
}

#[test]
fn a_refused_body_is_never_empty_and_says_what_it_is() {
    let definition = definition("extract: {id: [{header: X-Id}]}\ndecode: {formats: [JSON, Form]}").unwrap();
    let refused = |request: Request| {
        let bad = definition.refused(&request.verified(), &request.head(&Method::POST), None);
        (String::from_utf8(bad.item.to_vec()).unwrap(), bad.media_type.as_str().to_owned(), bad.id)
    };
    let (item, media_type, id) = refused(request("{").header("x-id", "d-1"));
    assert_eq!((item.as_str(), media_type.as_str()), ("{", "text/plain; charset=utf-8"));
    assert_eq!(id.as_deref(), Some("d-1"));
    let (item, media_type, _) = refused(request(""));
    assert!(item.contains(r#""size":0"#) && media_type == "application/json", "{item}");
    let (item, media_type, _) = refused(request("a=1").header("content-type", "application/x-www-form-urlencoded"));
    assert_eq!((item.as_str(), media_type.as_str()), ("a=1", "application/x-www-form-urlencoded"));
}

#[test]
fn every_list_of_a_level_is_split() {
    let fields = "split: [{pointer: /entry}, {pointer: /changes, also: [/messaging, /standby], optional: true}]\nextract: {id: [{pointer: /id}]}";
    let definition = definition(fields).unwrap();
    let body = r#"{"entry":[{"standby":[{"id":"a"},{"id":"b"}]},{"messaging":[{"id":"c"}],"changes":[{"id":"d"}]},{"id":"e"}]}"#;
    let batch = request(body).read(&definition).unwrap();
    assert_eq!(ids(&batch), [Ok("a"), Ok("b"), Ok("d"), Ok("c"), Ok("e")]);
}

#[test]
fn a_wrong_definition_is_told_where_and_what() {
    let paths = |fields: &str| -> Vec<String> {
        let errors = definition(fields).unwrap_err();
        errors.iter().map(|e| e.split_once(": ").unwrap().0.to_owned()).collect()
    };
    assert_eq!(paths("extract: {id: [{pointer: /a}, {pointer: b}]}"), ["spec.extract.id[1].pointer"]);
    assert_eq!(paths("extract: {type: [{value: a, else: {envelope: x}}]}"), ["spec.extract.type[0].else.envelope"]);
    assert_eq!(paths("extract: {subject: [{}]}"), ["spec.extract.subject[0]"]);
    assert_eq!(paths("split: [{pointer: x}]"), ["spec.split[0].pointer"]);
    assert_eq!(paths("redact: [/a, b]"), ["spec.redact[1]"]);
    assert_eq!(paths("decode: {field: a}"), ["spec.decode.field"]);
    assert_eq!(paths("map: [{kind: call, set: {titel: {pointer: /a}}}]"), ["spec.map[0].set[titel]"]);
    assert_eq!(
        paths("map: [{kind: call, set: {title: {pointer: /a, unit: Seconds}}}]"),
        ["spec.map[0].set[title].unit"]
    );
    for (wrong, path) in [
        ("segments: [{label: A}]", "segments[0].label"),
        ("segments: [{set: {txt: {pointer: /a}}}]", "segments[0].set[txt]"),
        ("segments: [{from: /a, attach: [{pointer: /b}], set: {text: {pointer: /a}}}]", "segments[0].attach"),
        ("participants: [{where: [{pointer: /b}], set: {name: {pointer: /a}}}]", "participants[0].where"),
        ("recordings: [{from: /f, set: {url: {pointer: /a}}}]", "recordings[0].set[url]"),
        ("set: {occurredAt: {pointer: /a}}", "set[occurredAt]"),
        ("set: {title: {value: Fixed}}", "set[title].value"),
        ("set: {direction: {value: up}}", "set[direction].value"),
        ("set: {direction: {pointer: /a, words: {up: down}}}", "set[direction].words"),
        ("set: {title: {pointer: /a, words: {up: down}}}", "set[title].words"),
        ("set: {title: {pointer: /a, join: x}}", "set[title].join"),
        ("set: {title: {from: /a, pointer: /b, attach: [{pointer: /c}]}}", "set[title].attach"),
        ("set: {title: {pointer: /a, else: [{pointer: b}]}}", "set[title].else[0].pointer"),
        ("set: {title: {pointer: /a, when: [{pointer: /b, equals: x, matches: [y]}]}}", "set[title].when[0]"),
        ("set: {startedAt: {pointer: /a, unit: Clock}}", "set[startedAt].unit"),
        ("set: {durationSeconds: {pointer: /a, unit: RFC3339}}", "set[durationSeconds].unit"),
    ] {
        assert_eq!(paths(&format!("map: [{{kind: call, {wrong}}}]")), [format!("spec.map[0].{path}")], "{wrong}");
    }
    let sets = "map: [{kind: call, set: {metadata: {pointer: /a}, metadata.b: {pointer: /b}}}]";
    assert_eq!(paths(sets), ["spec.map[0].set"]);
}

#[test]
fn every_built_in_names_its_types_by_the_contract() {
    let types: BTreeMap<&str, &str> = [
        ("stripe", r#"{"type":"charge.failed","id":"evt_1","created":1700000000,"data":{"object":{"id":"ch_1"}}}"#),
        ("standard-webhooks", r#"{"type":"contact.created","timestamp":"2026-01-01T00:00:00Z","data":{"id":"c"}}"#),
    ]
    .into();
    let stripe = request(types["stripe"]).event(built_in("stripe"));
    assert_eq!((stripe.event_type.as_str(), stripe.id.as_str()), ("charge.failed", "evt_1"));
    assert_eq!((stripe.subject.as_deref(), stripe.time.as_second()), (Some("ch_1"), 1_700_000_000));
    let standard =
        request(types["standard-webhooks"]).header("webhook-id", "msg_1").event(built_in("standard-webhooks"));
    assert_eq!((standard.event_type.as_str(), standard.id.as_str()), ("contact.created", "msg_1"));
    assert_eq!(standard.time.to_string(), "2026-01-01T00:00:00Z");
}
