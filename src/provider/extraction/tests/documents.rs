//! Bodies of each kind: forms, queries, CloudEvents, packed items, and what is no document.

use super::*;

#[test]
fn forms_without_a_document_are_objects_of_their_fields() {
    let fields = "decode: {formats: [Form, Multipart]}\nredact: [/token]\nextract: {id: [{form: id}], subject: [{pointer: /from}]}";
    let definition = definition(fields).unwrap();
    let part =
        |head: &str, content: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    let body = [
        part("name=\"id\"", "m-1"),
        part("name=\"from\"", "a@example.com"),
        part("name=\"to\"", "b"),
        part("name=\"to\"", "c"),
        part("name=\"token\"", "t"),
        part("name=\"file\"; filename=\"a \\\"b\\\".txt\"\r\nContent-Type: text/plain", "four"),
        "--b--\r\n".to_owned(),
    ];
    let event = request(body.concat()).header("content-type", "multipart/form-data; boundary=b").event(&definition);
    assert_eq!((event.id.as_str(), event.subject.as_deref()), ("m-1", Some("a@example.com")));
    assert_eq!(event.data.media_type, MediaType::Json);
    let file = serde_json::json!({"filename": "a \"b\".txt", "contentType": "text/plain", "size": 4});
    let expected = serde_json::json!({"id": "m-1", "from": "a@example.com", "to": ["b", "c"], "file": file});
    assert_eq!(json(&event.data.original), expected);
}

#[test]
fn what_is_json_is_never_read_as_a_form_whatever_a_header_says() {
    // A text within what was signed, which as a form would be fields of another event.
    let text = "&payload=%7B%22action%22:%22deleted%22%7D&command=%2Fdeploy&CallSid=CA9&id=1&x=";
    let forms = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"];
    let mut both = 0;
    for built_in in crate::provider::catalogue::built_ins() {
        let extraction = &built_in.provider().unwrap().extraction;
        for form in forms {
            let accepts = |media_type: &str| {
                extraction.accepts(request("").header("content-type", media_type).head(&Method::POST).headers)
            };
            if !accepts("application/json") || !accepts(form) {
                continue;
            }
            both += 1;
            for begin in ["", "\r\n ", "\u{feff}"] {
                let signed = format!("{begin}{{\"text\":\"{text}\"}}");
                let as_json = request(&signed).header("content-type", "application/json").read(extraction);
                match request(&signed).header("content-type", form).read(extraction) {
                    Err(DecodeError::Malformed(_)) => {}
                    // Some read one format whatever a header says.
                    Ok(batch) => {
                        let content = |batch: &Batch| -> Vec<Bytes> {
                            let of = |item: &Result<Event, BadItem>| {
                                item.as_ref().map_or_else(|bad| bad.item.clone(), |event| event.data.original.clone())
                            };
                            batch.items.iter().map(of).collect()
                        };
                        assert_eq!(content(&batch), content(&as_json.unwrap()), "{}: {form}", built_in.id);
                    }
                    Err(other) => panic!("{}: {form}: {other}", built_in.id),
                }
            }
        }
    }
    assert!(both > 5, "{both} definitions read both");
}

#[test]
fn a_delivery_by_get_is_read_from_its_query() {
    let fields = "httpMethods: [POST, GET]\nredact: [/key]\nextract: {id: [{form: id}], type: [{pointer: /state}]}";
    let definition = definition(fields).unwrap();
    let read = |coverage: Coverage| {
        let get = request("").query("id=7&state=ringing&key=s&a=%20b").covered(coverage);
        let batch = definition.read(&get.verified(), &get.head(&Method::GET), None);
        batch.unwrap().items.remove(0).unwrap()
    };
    let event = read(Coverage { url: true, ..Coverage::default() });
    assert_eq!((event.event_type.as_str(), event.id.as_str()), ("ringing", "7"));
    assert_eq!(event.data.original.as_ref(), b"id=7&state=ringing&a=%20b");
    assert_eq!(event.unsigned, Unsigned::default());
    assert!(read(Coverage { body: true, ..Coverage::default() }).unsigned.id, "an empty body proves no query");
}

#[test]
fn what_no_reader_holds_is_in_nobodys_way() {
    let definition =
        definition("extract: {id: [{pointer: /a/id, else: {pointer: /id}}], type: [{pointer: /t}]}").unwrap();
    let event = request(r#"{"a":1e400,"id":"7\ud83d","t":"cut \ud83d"}"#).event(&definition);
    assert_eq!((event.id.as_str(), event.event_type.as_str()), ("7\u{fffd}", "cut \u{fffd}"));
    assert_eq!(event.data.original.as_ref(), br#"{"a":1e400,"id":"7\ud83d","t":"cut \ud83d"}"#);
}

#[test]
fn doubled_names_in_an_object_that_is_read_are_refused() {
    let definition = definition("extract: {id: [{pointer: /a/id}]}").unwrap();
    for doubled in [r#"{"a":{"id":1,"id":1}}"#, r#"{"a":{},"x":1,"x":2}"#, r#"{"a":{"z":1,"\u007a":2}}"#] {
        assert!(matches!(request(doubled).read(&definition), Err(DecodeError::DuplicateKey(_))), "{doubled}");
    }
    assert!(request(r#"{"a":{},"o":{"x":1,"x":2}}"#).read(&definition).is_ok());
}

#[test]
fn what_is_no_json_document_is_malformed() {
    for body in ["", "{", "{} {}", "\u{feff}{", "nul"] {
        assert_eq!(request(body).read(built_in("stripe")).unwrap_err(), DecodeError::Malformed("JSON"), "{body}");
    }
    assert!(request("\u{feff}{}").read(built_in("stripe")).is_ok());
}

#[test]
fn binary_and_structured_cloud_events_read_alike() {
    let fields = "decode: {formats: [CloudEvents]}\nredact: [/data/key]\nextract: {type: [{pointer: /type}], id: [{pointer: /id}], subject: [{pointer: /subject}], time: [{pointer: /time}]}\nmap: [{kind: call, set: {id: {pointer: /data/call}}}]";
    let definition = definition(fields).unwrap();
    let binary = request(r#"{"call":7,"key":"s"}"#)
        .header("ce-specversion", "1.0")
        .header("ce-type", "call.ended")
        .header("ce-id", "A%20B")
        .header("ce-subject", "7")
        .header("ce-time", "2026-01-01T00:00:00Z");
    let structured = r#"{"specversion":"1.0","type":"call.ended","id":"A B","subject":"7","time":"2026-01-01T00:00:00Z","data":{"call":7,"key":"s"}}"#;
    let of_structured = request(structured).header("content-type", "application/cloudevents+json").event(&definition);
    let of_binary = binary.event(&definition);
    for event in [&of_structured, &of_binary] {
        assert_eq!((event.event_type.as_str(), event.id.as_str()), ("call.ended", "A B"));
        assert_eq!((event.subject.as_deref(), event.time.to_string().as_str()), (Some("7"), "2026-01-01T00:00:00Z"));
        assert_eq!(
            event.data.mapped.as_ref().unwrap().as_ref(),
            br#"{"id":"7","kind":"call","occurredAt":"2026-01-01T00:00:00Z"}"#
        );
        assert_eq!(event.data.media_type, MediaType::Json);
    }
    assert_eq!(of_binary.data.original.as_ref(), br#"{"call":7}"#);
    assert_eq!(json(of_binary.data.json.as_ref().unwrap())["data"], serde_json::json!({"call": 7}));
    // The body is proven, the headers are not.
    assert_eq!((of_binary.unsigned.id, of_structured.unsigned.id), (true, false));
    let batch =
        request(format!("[{structured},{structured}]")).header("content-type", "application/cloudevents-batch+json");
    assert_eq!(ids(&batch.read(&definition).unwrap()), [Ok("A B")]);
}

#[test]
fn a_packed_item_is_read_in_its_envelope() {
    let fields =
        "decode: {base64At: /message/data}\nextract: {type: [{pointer: /t}], id: [{envelope: /message/messageId}]}";
    let definition = definition(fields).unwrap();
    let event = request(r#"{"message":{"data":"eyJ0IjoieCJ9","messageId":"m1"}}"#).event(&definition);
    assert_eq!((event.event_type.as_str(), event.id.as_str()), ("x", "m1"));
    assert_eq!(event.data.original.as_ref(), br#"{"t":"x"}"#);
    let empty = request(r#"{"message":{"messageId":"m2"}}"#).event(&definition);
    assert_eq!(empty.id, "m2");
    let wrong = request(r#"{"message":{"data":"***"}}"#).read(&definition);
    assert_eq!(wrong.unwrap_err(), DecodeError::Malformed("base64"));
}
