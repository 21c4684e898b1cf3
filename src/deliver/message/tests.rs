use proptest::prelude::*;

use super::super::headers::MAX_HEADERS;
use super::*;
use crate::provider::event::{BadItemReason, Data};

fn origin(format: Format) -> Origin {
    Origin::new(
        "https://hooks.example.com",
        "sales",
        "calls",
        "0b51-uid",
        "xosum",
        Some("WEBHOOKS"),
        "webhooks._rejected.sales.calls",
        format,
    )
}

fn receipt() -> Receipt<'static> {
    Receipt {
        method: "webhook-secret",
        covers: Covers::None,
        received: "2026-11-25T10:00:01.25Z".parse().unwrap(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        tracestate: Some("a=1, b=2"),
    }
}

fn event(id: &str, subject: Option<&str>) -> Event {
    let original = Bytes::from_static(br#"{"docId": "d 1"}"#);
    Event {
        event_type: "transcript.ready".to_owned(),
        id: id.to_owned(),
        index: None,
        subject: subject.map(str::to_owned),
        time: "2026-11-25T10:00:00Z".parse().unwrap(),
        data: Data { original, media_type: MediaType::Json, mapped: None, json: None },
        unsigned: Unsigned { id: true, event_type: false, time: true, subject: true },
    }
}

fn json(mapped: bool) -> Payload<'static> {
    Payload { bytes: Bytes::from_static(b" {\"a\": 1.0}\n"), media_type: &MediaType::Json, mapped }
}

fn lines(message: &Message) -> Vec<String> {
    message.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn a_binary_message_has_the_headers_of_the_contract() {
    let message = origin(Format::Binary).event(&event("d 1", Some("Grüße")), json(true), &receipt(), "w.x".to_owned());
    let expected = [
        "ce-specversion: 1.0",
        "ce-source: https://hooks.example.com/namespaces/sales/webhooksources/calls",
        "ce-provider: xosum",
        "ce-id: d%201",
        "ce-type: xosum.transcript.ready",
        "ce-subject: Gr%C3%BC%C3%9Fe",
        "ce-time: 2026-11-25T10:00:00Z",
        "ce-dataschema: urn:hookgate:schema:conversation:v1",
        "ce-datacontenttype: application/json",
        "content-type: application/json",
        "ce-verifiedby: webhook-secret",
        "ce-covers: none",
        "ce-unsigned: id,time,subject",
        "ce-recordedtime: 2026-11-25T10:00:01.25Z",
        "ce-traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "tracestate: a=1,%20b=2",
    ];
    assert_eq!(lines(&message), expected);
    assert_eq!(message.msg_id, "0b51-uid:d%201");
    assert_eq!(message.expected_stream.as_deref(), Some("WEBHOOKS"));
    assert_eq!(&message.payload[..], b" {\"a\": 1.0}\n", "the bytes stay as they are");
}

#[test]
fn what_is_absent_has_no_header() {
    let plain = Receipt { traceparent: None, ..receipt() };
    let mut event = event("1", None);
    event.unsigned = Unsigned::default();
    let message = origin(Format::Binary).event(&event, json(false), &plain, "w.x".to_owned());
    for absent in
        [name::SUBJECT, name::DATASCHEMA, name::UNSIGNED, name::CE_TRACEPARENT, name::TRACEPARENT, name::TRACESTATE]
    {
        assert_eq!(message.headers.get(absent), None, "{absent}");
    }
}

#[test]
fn values_over_their_limit_become_a_hash_or_are_left_out() {
    let long = "x".repeat(513);
    let message = origin(Format::Binary).event(&event(&long, Some(&long)), json(false), &receipt(), "w".to_owned());
    let hash = format!("sha256-{}", hex::encode(Sha256::digest(&long)));
    assert_eq!(message.headers.get(name::ID), Some(&*hash));
    assert_eq!(message.headers.get(name::SUBJECT), None);
    assert_eq!(message.headers.get(name::UNSIGNED), Some("id,time"));
    assert_eq!(message.msg_id, format!("0b51-uid:{hash}"));

    let fits = "x".repeat(256 - "0b51-uid:".len());
    let origin = origin(Format::Binary);
    assert_eq!(origin.msg_id(&fits), format!("0b51-uid:{fits}"));
    let over = format!("{fits}x");
    assert_eq!(origin.msg_id(&over), hex::encode(Sha256::digest(format!("0b51-uid:{over}"))));
}

#[test]
fn a_binary_message_never_claims_to_be_a_whole_cloudevent() {
    let header = |text: &str| media_type(&MediaType::Other(text.to_owned())).into_owned();
    assert_eq!(header("Application/CloudEvents+json; charset=utf-8"), "application/json");
    assert_eq!(header("application/cloudevents-batch+json"), "application/json");
    assert_eq!(header("application/cloudevents+avro"), "application/octet-stream");
    assert_eq!(header("text/plain ; charset=utf-8"), "text/plain;charset=utf-8");
    assert_eq!(header(&"x".repeat(300)), "application/octet-stream");
}

#[test]
fn a_structured_message_is_one_document_with_data_as_it_came() {
    let message =
        origin(Format::Structured).event(&event("d 1", Some("Grü\"ße")), json(true), &receipt(), "w".to_owned());
    assert_eq!(
        std::str::from_utf8(&message.payload).unwrap(),
        concat!(
            r#"{"specversion":"1.0","id":"d 1","source":"https://hooks.example.com/namespaces/sales/webhooksources/calls","#,
            r#""type":"xosum.transcript.ready","subject":"Grü\"ße","time":"2026-11-25T10:00:00Z","#,
            r#""dataschema":"urn:hookgate:schema:conversation:v1","datacontenttype":"application/json","provider":"xosum","#,
            r#""verifiedby":"webhook-secret","covers":"none","unsigned":"id,time,subject","recordedtime":"2026-11-25T10:00:01.25Z","#,
            r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00","tracestate":"a=1, b=2","data":{"a": 1.0}}"#
        )
    );
    assert_eq!(message.headers.get(name::CONTENT_TYPE), Some("application/cloudevents+json"));
    assert_eq!(message.headers.get(name::ID), None);
    assert_eq!(message.msg_id, "0b51-uid:d%201", "the same in both modes");
}

#[test]
fn data_that_is_no_json_is_text_or_base64_in_a_structured_message() {
    let data = |media_type: &str, bytes: &'static [u8]| {
        let media_type = MediaType::Other(media_type.to_owned());
        let payload = Payload { bytes: Bytes::from_static(bytes), media_type: &media_type, mapped: false };
        let message = origin(Format::Structured).event(&event("1", None), payload, &receipt(), "w".to_owned());
        let document: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        (document["data"].clone(), document["data_base64"].clone())
    };
    assert_eq!(
        data("application/x-www-form-urlencoded", b"a=1&b=\"2\""),
        ("a=1&b=\"2\"".into(), serde_json::Value::Null)
    );
    assert_eq!(data("application/octet-stream", b"\xff\x00"), (serde_json::Value::Null, "/wA=".into()));
    assert_eq!(data("application/vnd.acme+json", b"[1]"), (serde_json::json!([1]), serde_json::Value::Null));
    let injected = br#"1,"id":"forged""#;
    assert_eq!(
        data("application/json", injected).1,
        serde_json::json!("MSwiaWQiOiJmb3JnZWQi"),
        "cannot break out of it"
    );
}

#[test]
fn a_rejected_item_says_why_and_shares_no_id_with_an_event() {
    let item = BadItem {
        reason: BadItemReason::NoId,
        event_type: Some("call.completed".to_owned()),
        id: None,
        index: Some(3),
        item: Bytes::from_static(b"{}"),
        media_type: MediaType::Json,
    };
    let message = origin(Format::Binary).rejected(&item, &receipt());
    assert_eq!(message.subject, "webhooks._rejected.sales.calls");
    assert_eq!(message.headers.get(name::TYPE), Some("hookgate.rejected"));
    assert_eq!(message.headers.get(name::REASON), Some("NoId"));
    assert_eq!(message.headers.get(name::ORIGINALTYPE), Some("xosum.call.completed"));
    assert_eq!(message.expected_stream, None);
    let hash = hex::encode(Sha256::digest(b"{}"));
    assert_eq!(message.headers.get(name::ID), Some(&*format!("rejected-sha256-{hash}")));
    assert_eq!(message.msg_id, format!("0b51-uid:rejected-sha256-{hash}"));
}

proptest! {
    #[test]
    fn whatever_arrives_makes_headers_that_are_clean_and_bounded(
        id in "(?s).{0,600}",
        subject in proptest::option::of("(?s).{0,600}"),
        event_type in "(?s).{0,128}",
        media in "(?s).{0,300}",
        method in "(?s).{0,63}",
        state in "(?s).{0,600}",
    ) {
        let event = Event { event_type, ..event(&id, subject.as_deref()) };
        let media_type = MediaType::Other(media);
        let payload = Payload { bytes: Bytes::new(), media_type: &media_type, mapped: true };
        let receipt = Receipt { method: &method, tracestate: Some(&state), ..receipt() };
        let message = origin(Format::Binary).event(&event, payload, &receipt, "w".to_owned());
        for (name, value) in message.headers.iter().chain([("id", &*message.msg_id)]) {
            prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'), "{}: {}", name, value);
        }
        prop_assert!(message.headers_len() <= MAX_HEADERS, "{}", message.headers_len());
        prop_assert!(message.msg_id.len() <= MAX_MSG_ID);
    }
}
