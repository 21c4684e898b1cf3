use serde_json::{Value as Json, json};

use super::*;
use crate::provider::extraction::Extraction;

/// Maps an item by the fields of one mapping, through the whole extraction.
fn map(mapping: &str, item: &str) -> Json {
    serde_json::from_str(&written(mapping, item)).unwrap()
}

fn written(mapping: &str, item: &str) -> String {
    use crate::provider::Coverage;
    use crate::provider::request::Head;
    use crate::provider::verify::Verified;
    let yaml = format!("displayName: Test\nmethods: []\nmap: [{{kind: call, {mapping}}}]");
    let extraction = Extraction::compile(&serde_saphyr::from_str(&yaml).unwrap()).unwrap();
    let verified = Verified::made_up(Bytes::copy_from_slice(item.as_bytes()), Coverage::default());
    let headers = http::HeaderMap::new();
    let head = Head {
        method: &http::Method::POST,
        path: "/",
        query: None,
        headers: &headers,
        received: jiff::Timestamp::UNIX_EPOCH,
    };
    let batch = extraction.read(&verified, &head, None).unwrap();
    let event = batch.items.into_iter().next().unwrap().unwrap();
    String::from_utf8(event.data.mapped.unwrap().to_vec()).unwrap()
}

#[test]
fn globs_take_any_run_of_characters() {
    for (glob, text, expected) in [
        ("*", "", true),
        ("a.*", "a.b.c", true),
        ("a.*", "a", false),
        ("*.c", "a.b.c", true),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abde", false),
        ("a", "A", false),
        ("a*a", "a", false),
        ("a*ab", "aab", true),
        ("**", "x", true),
        ("[a]?", "[a]?", true),
    ] {
        assert_eq!(glob::matches(glob, text), expected, "{glob} {text}");
    }
}

#[test]
fn members_stand_in_the_order_of_the_schema_and_numbers_as_sent() {
    let mapping = "set: {analysis.score: {pointer: /s}, recording.sizeBytes: {pointer: /b}, id: {pointer: /id}, title: {value: Fixed}}";
    assert_eq!(
        written(mapping, r#"{"s":1.500,"b":"104857600","id":12345678901234567890}"#),
        r#"{"id":"12345678901234567890","kind":"call","title":"Fixed","recording":{"sizeBytes":104857600},"analysis":{"score":1.500}}"#
    );
}

#[test]
fn values_of_another_kind_set_nothing() {
    let mapping = "set: {id: {pointer: /v}, title: {pointer: /v}, metadata: {pointer: /v}, transcript.speakers: {pointer: /v}, recording.durationSeconds: {pointer: /v}, occurredAt: {pointer: /v}, transcript.format: {pointer: /v}}";
    let none = json!({"kind": "call"});
    for value in ["null", "\"\""] {
        assert_eq!(map(mapping, &format!("{{\"v\":{value}}}")), none, "{value}");
    }
    assert_eq!(map(mapping, r#"{"v":true}"#), json!({"kind": "call", "title": "true"}));
    assert_eq!(map(mapping, r#"{"v":{"a":1}}"#), json!({"kind": "call", "metadata": {"a": 1}}));
    assert_eq!(map(mapping, r#"{"v":[1]}"#), json!({"kind": "call", "transcript": {"speakers": [1]}}));
    assert_eq!(
        map(mapping, r#"{"v":1.5}"#),
        json!({"kind": "call", "title": "1.5", "recording": {"durationSeconds": 1.5}})
    );
}

#[test]
fn the_second_place_counts_where_the_first_says_nothing() {
    let mapping = "set: {title: {pointer: /a, else: /b}}";
    for first in ["", r#""a":null,"#, r#""a":"","#] {
        assert_eq!(map(mapping, &format!("{{{first}\"b\":\"x\"}}"))["title"], "x");
    }
    assert_eq!(map(mapping, r#"{"a":"y","b":"x"}"#)["title"], "y");
}

#[test]
fn times_and_durations_are_normalised_by_their_unit() {
    let mapping = "set: {occurredAt: {pointer: /t, unit: Milliseconds}, recording.durationSeconds: {pointer: /d, unit: Milliseconds}}";
    let mapped = map(mapping, r#"{"t":1700000000123,"d":90500}"#);
    assert_eq!(mapped["occurredAt"], "2023-11-14T22:13:20.123Z");
    assert_eq!(mapped["recording"]["durationSeconds"], 90.5);
    let rfc = map("set: {occurredAt: {pointer: /t}}", r#"{"t":"2026-01-01T01:00:00+01:00"}"#);
    assert_eq!(rfc["occurredAt"], "2026-01-01T00:00:00Z");
    assert_eq!(map("set: {occurredAt: {pointer: /t}}", r#"{"t":"2026-01-01T01:00:00"}"#).get("occurredAt"), None);
}

#[test]
fn lists_of_texts_take_scalars_and_leave_out_what_is_no_text() {
    let mapping = "set: {tags: {pointer: /v}}";
    for (value, tags) in [
        (r#"["a","\u0062"]"#, json!(["a", "b"])),
        ("[]", json!([])),
        (r#""a""#, json!(["a"])),
        ("7", json!(["7"])),
        (r#"["a",7,null,"",{},true]"#, json!(["a", "7", "true"])),
    ] {
        assert_eq!(map(mapping, &format!("{{\"v\":{value}}}"))["tags"], tags, "{value}");
    }
    assert_eq!(map(mapping, r#"{"v":{}}"#).get("tags"), None);
}

#[test]
fn people_come_from_objects_lists_and_texts() {
    let mapping = "participants: [{from: /people, role: guest, roleFrom: /kind, name: /n, email: /c/mail, attributes: true}, {from: /host, role: host, name: ''}, {role: self, phoneNumber: /phone}]";
    let item =
        r#"{"people":[{"n":"A","kind":"agent","c":{"mail":"a@x"},"z":1.0},{"n":"B"},{},null],"host":"H","phone":491}"#;
    assert_eq!(
        map(mapping, item)["participants"],
        json!([
            {"role": "agent", "name": "A", "email": "a@x", "attributes": {"c": {"mail": "a@x"}, "z": 1.0}},
            {"role": "guest", "name": "B"},
            {"role": "host", "name": "H"},
            {"role": "self", "phoneNumber": "491"},
        ])
    );
    assert_eq!(map(mapping, "{}").get("participants"), None);
}

#[test]
fn a_vendors_turns_become_segments() {
    let mapping = "set: {transcript.text: {pointer: /t}}, segments: {from: /turns, speaker: /who, text: /said}";
    let item = r#"{"t":"x","turns":[{"who":1,"said":"a"},{"said":"b"},{"who":"c"},5]}"#;
    assert_eq!(
        map(mapping, item)["transcript"],
        json!({"text": "x", "format": "diarized", "segments": [{"speaker": "1", "text": "a"}, {"text": "b"}]})
    );
    assert_eq!(map(mapping, r#"{"t":"x","turns":[]}"#)["transcript"], json!({"text": "x", "format": "plain"}));
}
