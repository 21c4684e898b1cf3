use proptest::prelude::*;

use super::super::limits::{MAX_HEADERS, MAX_MSG_ID};
use super::*;
use crate::provider::event::{BadItemReason, Data};

fn origin(format: Format) -> Origin {
    Origin::new("https://hooks.example.com", "sales", "calls", "0b51-uid", "xosum", format)
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

fn json(mapped: bool) -> Payload {
    let bytes = Bytes::from_static(b" {\"a\": 1.0}\n");
    Payload { bytes, media_type: MediaType::Json, mapped, without_original: None, item: None }
}

/// The message of an event in this mode.
fn message(format: Format, event: Event, payload: Payload, receipt: &Receipt<'_>) -> Message {
    Envelope::event(&origin(format), receipt, "w.x".to_owned(), event, payload).message(Content::Whole)
}

fn lines(message: &Message) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    message.lines().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
}

#[test]
fn a_binary_message_has_the_headers_of_the_contract() {
    let message = message(Format::Binary, event("d 1", Some("Grüße")), json(true), &receipt());
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
        "ce-verifiedby: webhook-secret",
        "ce-covers: none",
        "ce-unsigned: id,time,subject",
        "ce-recordedtime: 2026-11-25T10:00:01.25Z",
        "ce-traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "content-type: application/json",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "tracestate: a=1,%20b=2",
        "Nats-Msg-Id: 0b51-uid:d%201",
    ];
    assert_eq!(lines(&message), expected);
    assert_eq!(message.msg_id, "0b51-uid:d%201");
    assert_eq!(&message.payload[..], b" {\"a\": 1.0}\n", "the bytes stay as they are");
}

#[test]
fn what_is_absent_has_no_header() {
    let plain = Receipt { traceparent: None, ..receipt() };
    let mut event = event("1", None);
    event.unsigned = Unsigned::default();
    let message = message(Format::Binary, event, json(false), &plain);
    for absent in [
        header::SUBJECT,
        header::DATASCHEMA,
        header::UNSIGNED,
        header::OMITTED,
        header::CE_TRACEPARENT,
        header::TRACEPARENT,
        header::TRACESTATE,
    ] {
        assert_eq!(message.header(absent), None, "{absent:?}");
    }
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
    let message = message(Format::Structured, event("d 1", Some("Grü\"ße")), json(true), &receipt());
    assert_eq!(
        std::str::from_utf8(&message.payload).unwrap(),
        concat!(
            r#"{"specversion":"1.0","source":"https://hooks.example.com/namespaces/sales/webhooksources/calls","#,
            r#""provider":"xosum","id":"d 1","type":"xosum.transcript.ready","subject":"Grü\"ße","time":"2026-11-25T10:00:00Z","#,
            r#""dataschema":"urn:hookgate:schema:conversation:v1","datacontenttype":"application/json","#,
            r#""verifiedby":"webhook-secret","covers":"none","unsigned":"id,time,subject","recordedtime":"2026-11-25T10:00:01.25Z","#,
            r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00","tracestate":"a=1, b=2","data":{"a": 1.0}}"#
        )
    );
    assert_eq!(message.header(header::CONTENT_TYPE), Some("application/cloudevents+json"));
    assert_eq!(message.header(header::ID), None);
    assert_eq!(message.msg_id, "0b51-uid:d%201", "the same in both modes");
}

#[test]
fn data_that_is_no_json_is_text_or_base64_in_a_structured_message() {
    let data = |media_type: &str, bytes: &'static [u8]| {
        let media_type = MediaType::Other(media_type.to_owned());
        let payload =
            Payload { bytes: Bytes::from_static(bytes), media_type, mapped: false, without_original: None, item: None };
        let message = message(Format::Structured, event("1", None), payload, &receipt());
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
fn a_rejected_item_says_why_and_shares_no_id_with_an_event_or_with_the_same_item_of_another_delivery() {
    let item = |id: Option<&str>| BadItem {
        reason: BadItemReason::NoId,
        event_type: Some("call.completed".to_owned()),
        id: id.map(str::to_owned),
        index: Some(3),
        item: Bytes::from_static(b"{}"),
        media_type: MediaType::Json,
    };
    let (origin, receipt) = (origin(Format::Binary), receipt());
    let message = |id| {
        let envelope = Envelope::rejected(&origin, &receipt, "webhooks._rejected.sales.calls".to_owned(), item(id));
        assert!(envelope.is_rejected());
        envelope.message(Content::Whole)
    };
    let one = message(None);
    assert_eq!(one.header(header::TYPE), Some("hookgate.rejected"));
    assert_eq!(one.header(header::REASON), Some("NoId"));
    assert_eq!(one.header(header::ORIGINALTYPE), Some("xosum.call.completed"));
    assert_eq!(one.header(header::ORIGINALID), None);
    let hash = hex::encode(Sha256::digest(b"{}"));
    assert_eq!(one.header(header::ID), Some(&*format!("rejected-sha256-{hash}")));
    assert_eq!(one.msg_id, format!("0b51-uid:rejected-sha256-{hash}"));
    let known = message(Some("d 1"));
    assert_eq!(known.header(header::ORIGINALID), Some("d%201"));
    assert_ne!(known.msg_id, one.msg_id);
    assert_ne!(known.msg_id, message(Some("d 2")).msg_id);
    assert_eq!(known.msg_id, message(Some("d 1")).msg_id);

    let nothing = BadItem { item: Bytes::new(), media_type: MediaType::Other("text/plain".to_owned()), ..item(None) };
    let nothing = Envelope::rejected(&origin, &receipt, "w".to_owned(), nothing).message(Content::Whole);
    assert!(!nothing.payload.is_empty(), "never nothing");
    assert_eq!(nothing.header(header::CONTENT_TYPE), Some("application/json"));
}

#[test]
fn what_is_left_out_is_said_in_both_modes() {
    for format in [Format::Binary, Format::Structured] {
        let bytes = Bytes::from(format!("{{\"original\":\"{}\"}}", "x".repeat(1000)));
        let payload = Payload { bytes, without_original: Some(Bytes::from_static(b"{}")), ..json(true) };
        let (origin, receipt) = (origin(format), receipt());
        let envelope = Envelope::event(&origin, &receipt, "w".to_owned(), event("1", None), payload);
        let (whole, short) = (envelope.message(Content::Whole), envelope.message(Content::WithoutOriginal));
        assert_eq!(whole.msg_id, short.msg_id, "it is the same event");
        let said = |message: &Message| match format {
            Format::Binary => message.header(header::OMITTED).map(str::to_owned),
            Format::Structured => serde_json::from_slice::<serde_json::Value>(&message.payload).unwrap()["omitted"]
                .as_str()
                .map(str::to_owned),
        };
        assert_eq!((said(&whole), said(&short)), (None, Some("original".to_owned())));
        assert!(short.payload.len() < whole.payload.len());
    }
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
        let payload = Payload { bytes: Bytes::new(), media_type, mapped: true, without_original: None, item: None };
        let receipt = Receipt { method: &method, tracestate: Some(&state), ..receipt() };
        let message = message(Format::Binary, event, payload, &receipt);
        let mut read = b"NATS/1.0\r\n".to_vec();
        for (name, value) in message.lines() {
            prop_assert!(value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"'), "{:?}: {:?}", name, value);
            read.extend([name, b": ", value, b"\r\n"].concat());
        }
        prop_assert_eq!(&read, &message.headers, "nothing but its lines");
        prop_assert!(message.headers.len() <= MAX_HEADERS - 256, "{}", message.headers.len());
        prop_assert!(message.msg_id.len() <= MAX_MSG_ID);
    }
}
