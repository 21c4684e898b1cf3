//! What is answered, and what a challenge may be.

use http::Method;

use super::*;
use crate::provider::request::Head;

/// A route without keys and parameters.
struct Nothing;

impl Ours for Nothing {
    fn signed(&self, _: HashAlgorithm, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn decrypted(&self, _: &[u8]) -> Option<Bytes> {
        None
    }
    fn parameter(&self, _: &str) -> Option<&str> {
        None
    }
}

fn of_events(written: &api::provider::Answer) -> Result<Answer, String> {
    Answer::of_events(written, &Carrier::default())
}

fn written(body: &str, headers: &[(&str, &str)]) -> api::provider::Answer {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let headers = headers.iter().map(owned).collect();
    api::provider::Answer { body: Some(body.to_owned()), headers, ..api::provider::Answer::default() }
}

fn accepted(answer: &Answer, body: &[u8], items: usize) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("x-call", HeaderValue::from_static("c-7"));
    let received = jiff::Timestamp::UNIX_EPOCH;
    let head = Head { method: &Method::POST, path: "/", query: Some("id=q-1"), headers: &headers, received };
    answer.accepted(&RequestView { head, body }, items, &Nothing)
}

#[test]
fn items_are_counted_where_the_vendor_wants_to_hear_it() {
    let answer = of_events(&written(r#"{"accepted": {items}}"#, &[])).unwrap();
    let reply = accepted(&answer, b"{}", 12);
    assert_eq!((reply.status, &*reply.body), (StatusCode::OK, &br#"{"accepted": 12}"#[..]));
    assert_eq!(reply.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let literal = Answer::literal(StatusCode::ACCEPTED, None, "{items}".to_owned());
    assert_eq!(accepted(&literal, b"{}", 12).body, "{items}");
    let empty = of_events(&api::provider::Answer::default()).unwrap();
    assert!(!accepted(&empty, b"{}", 1).headers.contains_key(header::CONTENT_TYPE), "no body has no type");
}

#[test]
fn an_answer_to_events_has_the_headers_and_values_that_its_definition_asks_for() {
    let body = r#"{"id":"{pointer:/id}","call":"{header:X-Call}"}"#;
    let answer = of_events(&written(body, &[("X-Fixed", "1"), ("X-Echo", "{query:id}")])).unwrap();
    let reply = accepted(&answer, br#"{"id":"a\"b"}"#, 1);
    assert_eq!(reply.body, r#"{"id":"a\"b","call":"c-7"}"#);
    assert_eq!(
        (&reply.headers["x-fixed"], &reply.headers["x-echo"]),
        (&HeaderValue::from_static("1"), &HeaderValue::from_static("q-1"))
    );
    let absent = accepted(&answer, b"[]", 1);
    assert_eq!(absent.body, r#"{"id":"","call":"c-7"}"#, "what was accepted is answered all the same");
    assert!(of_events(&written("{cookie:a}", &[])).unwrap_err().contains("{cookie:a}"));
}
