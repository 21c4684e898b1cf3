use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;

fn decoder(decode: &str) -> Decoder {
    Decoder::compile(Some(&serde_saphyr::from_str(decode).unwrap())).unwrap()
}

fn read(decoder: &Decoder, headers: &[(&'static str, &str)], body: &[u8]) -> Result<Vec<Document>, DecodeError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let head =
        Head { method: &Method::POST, path: "/", query: None, headers: &map, received: jiff::Timestamp::UNIX_EPOCH };
    decoder.decode(&Bytes::copy_from_slice(body), &head).map(|decoded| decoded.documents)
}

fn kind(decoder: &Decoder, content_type: &str, body: &[u8]) -> Result<Kind, DecodeError> {
    read(decoder, &[("content-type", content_type)], body).map(|documents| documents[0].kind)
}

#[test]
fn json_takes_the_media_types_that_vendors_send_it_under() {
    let json = decoder("formats: [JSON]");
    for accepted in
        ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "text/json", "text/plain"]
    {
        assert_eq!(kind(&json, accepted, b"{}"), Ok(Kind::Json), "{accepted}");
    }
    assert!(read(&json, &[], b"{}").is_ok());
    for refused in
        ["text/html", "application/xml", "application/x-www-form-urlencoded", "application/octet-stream", "json"]
    {
        assert_eq!(kind(&json, refused, b"{}"), Err(DecodeError::MediaType(refused.into())), "{refused}");
    }
    let twice = read(&json, &[("content-type", "application/json"), ("content-type", "text/plain")], b"{}");
    assert!(matches!(twice, Err(DecodeError::MediaType(_))));
    assert_eq!(kind(&decoder("{formats: [JSON], anyMediaType: true}"), "text/html", b"{}"), Ok(Kind::Json));
}

#[test]
fn the_media_type_chooses_among_formats() {
    let many = decoder("formats: [JSON, Form, JSONLines, CloudEvents, Text]");
    assert_eq!(kind(&many, "application/x-www-form-urlencoded", b"a=1"), Ok(Kind::Form));
    assert_eq!(kind(&many, "application/x-ndjson", b"{}\n{}"), Ok(Kind::Json));
    assert_eq!(kind(&many, "text/xml", b"<a/>"), Ok(Kind::Text));
    assert_eq!(kind(&many, "text/plain", b"hello"), Ok(Kind::Text));
    assert_eq!(kind(&many, "text/plain", b" {\"a\":1}"), Ok(Kind::Json));
    let event = [("content-type", "application/json"), ("ce-specversion", "1.0")];
    assert_eq!(read(&many, &event, b"{}").unwrap()[0].kind, Kind::BinaryEvent);
    assert_eq!(
        kind(&many, "application/cloudevents+xml", b"<a/>"),
        Err(DecodeError::MediaType("application/cloudevents+xml".into()))
    );
}

#[test]
fn a_form_is_viewed_as_json_and_kept_as_received() {
    let documents = read(
        &decoder("formats: [Form]"),
        &[("content-type", "application/x-www-form-urlencoded")],
        b"To=%2B1&Media=a&Media=b+c&Empty",
    )
    .unwrap();
    assert_eq!(documents[0].json.as_ref().unwrap(), r#"{"To":"+1","Media":["a","b c"],"Empty":""}"#);
    assert_eq!(documents[0].original.as_ref(), b"To=%2B1&Media=a&Media=b+c&Empty");
    assert_eq!(documents[0].media_type.as_str(), "application/x-www-form-urlencoded");
}

#[test]
fn a_form_field_that_holds_the_document_stands_once() {
    let payload = decoder("{formats: [Form], field: payload}");
    let form = |body: &[u8]| kind(&payload, "application/x-www-form-urlencoded", body);
    assert_eq!(form(b"x=1&payload=%7B%7D"), Ok(Kind::Json));
    assert!(matches!(form(b"x=1"), Err(DecodeError::Shape(_))));
    assert_eq!(form(b"payload=1&payload=2"), Err(DecodeError::DuplicateKey("payload".into())));
    let many = vec!["a=1"; super::multipart::MAX_PARTS + 1].join("&");
    assert!(matches!(form(many.as_bytes()), Err(DecodeError::Shape(_))));
}

/// What pointers of a scheme lead into, of which everything is asked for.
fn carried(decode: &str, content_type: &str, body: &str) -> String {
    let carrier = Carrier::compile(Some(&serde_saphyr::from_str(decode).unwrap())).unwrap();
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type.parse().unwrap())]);
    let received = jiff::Timestamp::UNIX_EPOCH;
    let head = Head { method: &Method::POST, path: "/", query: None, headers: &headers, received };
    let request = crate::provider::request::RequestView { head, body: body.as_bytes() };
    String::from_utf8(carrier.document(&request, &|_| true).into_owned()).unwrap()
}

const FORM_TYPE: &str = "application/x-www-form-urlencoded";

#[test]
fn a_proof_is_read_from_the_one_field_of_a_form_or_a_multipart_body() {
    let field =
        |content_type: &str, body: &str| carried("{formats: [Form, Multipart], field: json}", content_type, body);
    assert_eq!(field(FORM_TYPE, "a=1&json=%7B%22b%22%3A1%7D"), r#"{"b":1}"#);
    assert_eq!(field(FORM_TYPE, "json={}&json={}"), "", "two readers could take two");
    assert_eq!(field(FORM_TYPE, "{}"), "", "a form is no document");
    let part = "--x\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{}\r\n";
    let multipart = "multipart/form-data; boundary=x";
    assert_eq!(field(multipart, &format!("{part}--x--\r\n")), "{}");
    assert_eq!(field(multipart, &format!("{part}{part}--x--\r\n")), "");
    assert_eq!(field("application/json", "{}"), "{}", "then the body is the document");
}

#[test]
fn xml_is_read_alike_before_and_after_the_proof() {
    let xml = "<xml><A>1</A><B><![CDATA[2]]></B></xml>";
    let json = r#"{"A":"1","B":"2"}"#;
    for (media, formats) in [
        ("text/xml", "[XML]"),
        ("application/xml; charset=utf-8", "[XML, JSON]"),
        ("application/atom+xml", "[JSON, XML]"),
    ] {
        let decode = format!("formats: {formats}");
        assert_eq!(carried(&decode, media, xml), json, "{media}");
        let documents = read(&decoder(&decode), &[("content-type", media)], xml.as_bytes()).unwrap();
        assert_eq!((documents[0].kind, documents[0].original.as_ref()), (Kind::Json, json.as_bytes()), "{media}");
    }
    assert_eq!(
        kind(&decoder("formats: [XML]"), "application/json", b"{}"),
        Err(DecodeError::MediaType("application/json".into()))
    );
    assert_eq!(kind(&decoder("formats: [XML]"), "text/xml", b"{}"), Err(DecodeError::Malformed("XML")));
    assert_eq!(carried("formats: [XML]", "text/xml", "{}"), "", "nothing is found in what is none");
    assert_eq!(carried("formats: [XML, JSON]", "application/json", json), json);
}

#[test]
fn a_field_may_hold_xml_in_base64() {
    let decode = "{formats: [Form], field: p, fieldBase64: true, fieldFormat: XML}";
    // <n><k>check</k></n>, in lines.
    let body = "x=1&p=PG4%2BPGs%2BY2hl%0AY2s8L2s%2BPC9uPg%3D%3D%0A";
    assert_eq!(carried(decode, FORM_TYPE, body), r#"{"k":"check"}"#);
    let documents = read(&decoder(decode), &[("content-type", FORM_TYPE)], body.as_bytes()).unwrap();
    assert_eq!(documents[0].original, r#"{"k":"check"}"#);
    assert_eq!(kind(&decoder(decode), FORM_TYPE, b"p=*"), Err(DecodeError::Malformed("base64")));
    assert_eq!(kind(&decoder(decode), FORM_TYPE, b"p=e30%3D"), Err(DecodeError::Malformed("XML")));
    for (wrong, field) in
        [("fieldBase64: true", "fieldBase64"), ("fieldFormat: XML", "fieldFormat"), ("field: a", "field")]
    {
        let compiled = Decoder::compile(Some(&serde_saphyr::from_str(wrong).unwrap()));
        assert_eq!(compiled.map(|_| ()).map_err(|(at, _)| at), Err(field), "{wrong}");
    }
}

#[test]
fn a_field_that_is_no_utf8_keeps_its_bytes() {
    let body = b"--B\r\nContent-Disposition: form-data; name=subject\r\n\r\nGr\xfc\xdfe\r\n--B\r\nContent-Disposition: form-data; name=text\r\n\r\nhello\r\n--B\r\nContent-Disposition: form-data; name=scan; filename=a.pdf\r\n\r\n\xff\r\n--B--\r\n";
    let headers = [("content-type", "multipart/form-data; boundary=B")];
    let documents = read(&decoder("formats: [Multipart]"), &headers, body).unwrap();
    let said = r#"{"subject":{"size":5,"base64":"R3L832U="},"text":"hello","scan":{"filename":"a.pdf","size":1}}"#;
    assert_eq!(documents[0].original, said);
}

#[test]
fn a_multipart_body_is_read_by_its_part() {
    let json = decoder("{formats: [Multipart], field: json}");
    let body = b"preamble\r\n--B\r\nContent-Disposition: form-data; filename=\"a;b\"; name=\"file\"\r\n\r\n--Bx\r\n\r\n--B\r\ncontent-disposition: form-data; name=json\r\n\r\n{\"a\":\r\n1}\r\n--B--\r\n";
    let part = |content_type: &str, body: &[u8]| {
        read(&json, &[("content-type", content_type)], body).map(|d| d[0].original.clone())
    };
    assert_eq!(part("multipart/form-data; boundary=\"B\"", body), Ok(Bytes::from_static(b"{\"a\":\r\n1}")));
    let malformed = Err(DecodeError::Malformed("multipart body"));
    assert_eq!(part("multipart/form-data", body), malformed);
    assert_eq!(part("multipart/form-data; boundary=B", &body[..body.len() - 12]), malformed);
    assert!(part("multipart/form-data; boundary=B", b"--B--").is_err());
    assert_eq!(part("multipart/form-data; boundary=B", b"--B"), malformed);
}

#[test]
fn a_token_that_is_the_body_is_read_by_its_payload() {
    let jwt = decoder("formats: [JWT]");
    let document = read(&jwt, &[("content-type", "application/jwt")], b"aGVhZA.eyJhIjoxfQ.c2ln\n").unwrap();
    assert_eq!(document[0].original.as_ref(), br#"{"a":1}"#);
    for wrong in ["a.b", "a.eyJhIjoxfQ.c.d", "a.**.c"] {
        assert!(read(&jwt, &[], wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn a_compressed_body_unpacks_within_bounds() {
    use std::io::Write;
    let pack = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let gzip = decoder("compressed: Gzip");
    let coded = [("content-encoding", "gzip")];
    assert_eq!(read(&gzip, &coded, &pack(b"{\"a\":1}")).unwrap()[0].original.as_ref(), b"{\"a\":1}");
    assert!(read(&gzip, &[], b"{\"a\":1}").is_ok());
    let bomb = pack(&vec![b' '; 1 << 20]);
    assert!(matches!(read(&gzip, &coded, &bomb), Err(DecodeError::Malformed(_))));
    assert_eq!(read(&gzip, &coded, b"{}").unwrap_err(), DecodeError::Malformed("gzip"));
}

#[test]
fn an_events_data_is_viewed_by_its_media_type() {
    let events = decoder("formats: [CloudEvents]");
    let view = |content_type: Option<&'static str>, body: &[u8]| {
        let mut headers = vec![("ce-specversion", "1.0"), ("ce-data", "x")];
        headers.extend(content_type.map(|value| ("content-type", value)));
        read(&events, &headers, body).map(|d| String::from_utf8(d[0].json.as_ref().unwrap().to_vec()).unwrap())
    };
    assert_eq!(view(None, b"[1.0]").unwrap(), r#"{"specversion":"1.0","data":[1.0]}"#);
    assert_eq!(
        view(Some("text/xml"), b"<a/>").unwrap(),
        r#"{"specversion":"1.0","datacontenttype":"text/xml","data":"<a/>"}"#
    );
    assert!(view(Some("image/png"), b"\xff").unwrap().contains(r#""data_base64":"/w==""#));
    assert_eq!(view(Some("application/json"), b"{"), Err(DecodeError::Malformed("JSON")));
    let doubled = [("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-id", "b")];
    assert_eq!(read(&events, &doubled, b"{}").unwrap_err(), DecodeError::DuplicateKey("ce-id".into()));
}

proptest! {
    #[test]
    fn no_body_panics(
        body in prop::collection::vec(prop_oneof![Just(b"--B".to_vec()), Just(b"\r\n".to_vec()), Just(b"name=\"".to_vec()),
            Just(b"Content-Disposition: form-data; ".to_vec()), Just("é".as_bytes().to_vec()), Just(b"\"\\".to_vec()),
            prop::collection::vec(any::<u8>(), 0..6)], 0..12),
        content_type in prop::sample::select(vec!["multipart/form-data; boundary=B", "application/json", "application/jwt",
            "application/x-www-form-urlencoded", "application/x-ndjson", "application/cloudevents-batch+json", "text/xml"]),
        coding in prop::sample::select(vec!["gzip", "identity"]),
    ) {
        let all = decoder("{formats: [JSON, Form, Multipart, JSONLines, JWT, CloudEvents, Text], field: f, compressed: Gzip, base64At: /a}");
        let _ = read(&all, &[("content-type", content_type), ("content-encoding", coding)], &body.concat());
    }
}
