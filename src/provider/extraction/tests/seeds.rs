//! The four seed vendors, in every variation that their documents and the contract name.

use serde_json::json;

use super::*;
use crate::api::source::DataShape;
use crate::provider::conversation::payload;

fn mapped(event: &Event) -> Value {
    super::json(event.data.mapped.as_ref().unwrap())
}

#[test]
fn focus_push_yields_one_event_an_item() {
    let body = r#"[{"clientId": 123456, "interactionId": 9876543, "tags": ["callCategory.categoryNames.Sales"]},
        {"interactionId": "abc", "clientId": "c"}, {"interactionId": 90071992547409931234}]"#;
    let batch = request(body).read(built_in("focus-push")).unwrap();
    assert_eq!(ids(&batch), [Ok("9876543"), Ok("abc"), Ok("90071992547409931234")]);
    assert_eq!(batch.received, 3);
    let first = batch.items[0].as_ref().unwrap();
    assert_eq!((first.event_type.as_str(), first.subject.as_deref()), ("transcript.completed", Some("9876543")));
    let expected = json!({"id": "9876543", "kind": "transcript", "tags": ["callCategory.categoryNames.Sales"],
        "metadata": {"clientId": 123456}});
    assert_eq!(mapped(first), expected);
    assert_eq!(mapped(batch.items[2].as_ref().unwrap()), json!({"id": "90071992547409931234", "kind": "transcript"}));
}

#[test]
fn focus_push_rejects_misfits_and_keeps_their_neighbours() {
    let body = r#"[{"interactionId":1},5,"x",null,[{"interactionId":2}],{"clientId":1},{"interactionId":1.5},
        {"interactionId":true},{"interactionId":""},{"interactionId":null},{"interactionId":3}]"#;
    let batch = request(body).read(built_in("focus-push")).unwrap();
    let (misfit, no_id) = (Err(BadItemReason::NotMappable), Err(BadItemReason::NoId));
    assert_eq!(ids(&batch), [Ok("1"), misfit, misfit, misfit, misfit, no_id, no_id, no_id, no_id, no_id, Ok("3")]);
    assert_eq!(batch.received, 11);
    let bad = batch.items[5].as_ref().unwrap_err();
    assert_eq!((bad.index, bad.item.as_ref()), (Some(5), br#"{"clientId":1}"#.as_ref()));
    assert_eq!(bad.event_type.as_deref(), Some("transcript.completed"));
}

#[test]
fn focus_push_takes_an_empty_list_and_nothing_but_a_list() {
    let empty = request("[]").read(built_in("focus-push")).unwrap();
    assert_eq!((empty.received, empty.items.len()), (0, 0));
    for other in [r#"{"interactionId":1}"#, "null", "1", "\"x\""] {
        assert!(matches!(request(other).read(built_in("focus-push")), Err(DecodeError::Shape(_))), "{other}");
    }
}

#[test]
fn post_call_maps_every_field_of_its_document() {
    let body = r#"{
        "callId": "693bff62619c51fac21acf50",
        "recordingUri": "https://storage.example.com/r.ogg",
        "transcriptUri": "https://storage.example.com/t.json",
        "callerDetails": {"name": "John Smith", "phoneNumber": "+1-555-123-4567", "email": "john@example.com",
            "scheduledTime": "2025-01-20T10:00:00Z", "city": "New York", "age": 41, "pincode": null},
        "callAnalysis": {"summary": "Demo", "mood": "Positive", "score": 85.50, "callOutcome": "Demo Scheduled",
            "classification": "Sales Inquiry", "interestsAndNeeds": {"a": [1]}, "actionItems": {"b": 1.0}, "sentiment": {"c": "d"}}
    }"#;
    let event = request(body).event(built_in("post-call"));
    assert_eq!((event.event_type.as_str(), event.id.as_str()), ("call.completed", "693bff62619c51fac21acf50"));
    assert_eq!(event.time.to_string(), RECEIVED_AT);
    assert_eq!(
        mapped(&event),
        json!({"id": "693bff62619c51fac21acf50", "kind": "call",
            "recording": {"uri": "https://storage.example.com/r.ogg"},
            "transcript": {"uri": "https://storage.example.com/t.json"},
            "participants": [{"role": "caller", "name": "John Smith", "phoneNumber": "+1-555-123-4567",
                "email": "john@example.com",
                "attributes": {"scheduledTime": "2025-01-20T10:00:00Z", "city": "New York", "age": 41, "pincode": null}}],
            "analysis": {"summary": "Demo", "mood": "Positive", "score": 85.50, "outcome": "Demo Scheduled",
                "classification": "Sales Inquiry", "sentiment": {"c": "d"}, "interests": {"a": [1]},
                "actionItems": {"b": 1.0}}})
    );
    assert!(event.data.mapped.as_ref().unwrap().windows(13).any(|w| w == br#""score":85.50"#));
    let published = super::json(&payload(&event.data, DataShape::Normalized, true).bytes);
    assert_eq!(published["original"], super::json(body.as_bytes()));
}

#[test]
fn post_call_invents_nothing() {
    let event = request(r#"{"callId":7,"callerDetails":{},"callAnalysis":{"mood":""},"recordingUri":null}"#)
        .event(built_in("post-call"));
    assert_eq!(mapped(&event), json!({"id": "7", "kind": "call"}));
}

#[test]
fn post_call_without_an_id_is_rejected() {
    let batch = request(r#"{"recordingUri":"x"}"#).read(built_in("post-call")).unwrap();
    let bad = batch.items[0].as_ref().unwrap_err();
    assert_eq!((bad.reason, bad.index, batch.received), (BadItemReason::NoId, None, 1));
    for other in ["[]", "5", "null"] {
        assert!(matches!(request(other).read(built_in("post-call")), Err(DecodeError::Shape(_))), "{other}");
    }
    let doubled = r#"{"callId":"a","callerDetails":{"name":"x","name":"y"}}"#;
    assert!(matches!(request(doubled).read(built_in("post-call")), Err(DecodeError::DuplicateKey(_))));
}

fn xosum(transcription: &str) -> Value {
    let text = serde_json::to_string(transcription).unwrap();
    let event = request(format!(r#"{{"docId":"d","transcription":{text}}}"#)).event(built_in("xosum"));
    let transcript = mapped(&event)["transcript"].take();
    if !transcription.is_empty() {
        assert_eq!(transcript["text"], transcription);
    }
    transcript
}

#[test]
fn xosum_maps_its_document_and_cuts_the_secret() {
    let body = r#"{"event_type":"transcript_ready", "secret":"s1", "docId":"d-1","transcription":"ա","\u0073ecret": "s2",
        "metadata":{"phonenumber":"+37400000000","agent":"King Ruzi"},"title":"T","resolution":"R","link":"https://l"}"#;
    let event = request(body).event(built_in("xosum"));
    assert_eq!((event.event_type.as_str(), event.id.as_str()), ("transcript.ready", "d-1"));
    assert_eq!(event.subject.as_deref(), Some("d-1"));
    let expected = json!({"id": "d-1", "kind": "transcript", "title": "T", "summary": "R", "links": ["https://l"],
        "metadata": {"phonenumber": "+37400000000", "agent": "King Ruzi"},
        "transcript": {"text": "ա", "format": "plain"}});
    assert_eq!(mapped(&event), expected);
    let original = String::from_utf8(event.data.original.to_vec()).unwrap();
    assert!(!original.contains("s1") && !original.contains("s2") && !original.contains("ecret"), "{original}");
    assert!(original.starts_with(r#"{"event_type":"transcript_ready", "docId":"d-1""#), "{original}");
}

#[test]
fn xosum_types_default_to_transcript_ready_and_others_pass() {
    let event = |body: &str| request(body).event(built_in("xosum"));
    for ready in [r#"{"docId":"d"}"#, r#"{"event_type":null,"docId":"d"}"#, r#"{"event_type":"","docId":"d"}"#] {
        assert_eq!((event(ready).event_type.as_str(), event(ready).id.as_str()), ("transcript.ready", "d"), "{ready}");
    }
    let other = event(r#"{"event_type":"Transcript_Failed","docId":5,"secret":"s"}"#);
    assert_eq!((other.event_type.as_str(), other.id.as_str()), ("Transcript_Failed", "5:Transcript_Failed"));
    assert!(other.data.mapped.is_none());
    assert_eq!(other.data.original.as_ref(), br#"{"event_type":"Transcript_Failed","docId":5}"#);
    let unnamed = r#"{"title":"t"}"#;
    assert_ne!(event(unnamed).id, event(unnamed).id, "without a document's id nothing says that they are one");
}

#[test]
fn xosum_labels_become_segments() {
    let segments = json!([{"speaker": "Խոսնակ 1", "text": "Բարև"}, {"speaker": "Խոսնակ 2", "text": "Այո"}]);
    for text in ["Խոսնակ 1: Բարև\nԽոսնակ 2: Այո\n", "Խոսնակ 1: Բարև Խոսնակ 2: Այո"]
    {
        let transcript = xosum(text);
        assert_eq!((&transcript["format"], &transcript["segments"]), (&json!("diarized"), &segments));
    }
    let before = xosum("\"Ներածություն\" Խոսնակ 10: ա Խոսնակ 10: բ");
    assert_eq!(
        before["segments"],
        json!([{"text": "\"Ներածություն\""}, {"speaker": "Խոսնակ 10", "text": "ա"}, {"speaker": "Խոսնակ 10", "text": "բ"}])
    );
    assert_eq!(xosum("Պարզ տեքստ"), json!({"text": "Պարզ տեքստ", "format": "plain"}));
    assert_eq!(xosum(""), Value::Null);
}

#[test]
fn xosum_text_stays_byte_for_byte() {
    let body = "{\"docId\":\"d\",\"transcription\":\"\\u053d\u{578}\u{57d}\u{576}\u{561}\u{56f} 1: \\u0561\\n\"}";
    let event = request(body).event(built_in("xosum"));
    let written = String::from_utf8(event.data.mapped.clone().unwrap().to_vec()).unwrap();
    assert!(written.contains("\"text\":\"\\u053d\u{578}\u{57d}\u{576}\u{561}\u{56f} 1: \\u0561\\n\""), "{written}");
    assert_eq!(mapped(&event)["transcript"]["segments"], json!([{"speaker": "Խոսնակ 1", "text": "ա"}]));
}

#[test]
fn xosum_refuses_doubled_names_that_it_reads() {
    let doubled = request(r#"{"docId":"a","docId":"b","secret":"s"}"#).read(built_in("xosum"));
    assert_eq!(doubled.unwrap_err(), DecodeError::DuplicateKey("docId".into()));
}

#[test]
fn meeting_intelligence_maps_its_documents() {
    let meeting = built_in("meeting-intelligence");
    let completed = request(
        r#"{"event":"recording.processing.completed","timestamp":"2024-01-15T10:30:00Z","data":{"recording":
            {"id":123,"title":"Team Meeting","status":"completed","duration":3600,"transcript_ready":true}}}"#,
    )
    .event(meeting);
    assert_eq!(completed.event_type, "recording.processing.completed");
    assert_eq!(
        (completed.subject.as_deref(), completed.time.to_string().as_str()),
        (Some("123"), "2024-01-15T10:30:00Z")
    );
    assert!(completed.id.starts_with("sha256-"));
    assert_eq!(
        mapped(&completed),
        json!({"id": "123", "kind": "recording", "occurredAt": "2024-01-15T10:30:00Z", "title": "Team Meeting",
            "recording": {"durationSeconds": 3600, "status": "completed"}})
    );
    let created = request(
        r#"{"event":"recording.created","timestamp":"2024-01-15T10:00:00Z","data":{"recording":{"id":123,
            "title":"New Recording","status":"new","file_size":104857600,"created_at":"2024-01-15T10:00:00Z"}}}"#,
    )
    .event(meeting);
    assert_eq!(mapped(&created)["recording"], json!({"sizeBytes": 104_857_600, "status": "new"}));
    let ready = request(
        r#"{"event":"recording.transcript.ready","timestamp":"2024-01-15T10:30:00Z","data":{"recording":{"id":123,
            "title":"Team Meeting","transcript":{"id":456,"text":"Full transcript text...","speakers":[{"id":1,"name":"John Doe"}]}}}}"#,
    )
    .event(meeting);
    assert_eq!(
        mapped(&ready),
        json!({"id": "123", "kind": "transcript", "occurredAt": "2024-01-15T10:30:00Z", "title": "Team Meeting",
            "transcript": {"id": "456", "text": "Full transcript text...", "format": "plain",
                "speakers": [{"id": 1, "name": "John Doe"}]}})
    );
}

#[test]
fn meeting_intelligence_knows_its_seventeen_types_and_lets_others_pass() {
    let recording = ["created", "processing.started", "processing.completed", "processing.failed", "deleted"];
    let kinds = recording
        .iter()
        .map(|t| (format!("recording.{t}"), Some("recording")))
        .chain(
            ["created", "updated", "deleted", "started", "ended"]
                .iter()
                .map(|t| (format!("meeting.{t}"), Some("meeting"))),
        )
        .chain(
            ["recording.transcript.ready", "transcript.generated", "transcript.updated"]
                .map(|t| (t.into(), Some("transcript"))),
        )
        .chain(
            ["signal.detected", "signal.confirmed", "user.invited", "user.joined", "invoice.paid"]
                .map(|t| (t.into(), None)),
        );
    let mut count = 0;
    for (event_type, kind) in kinds {
        let event =
            request(format!(r#"{{"event":"{event_type}","data":{{}}}}"#)).event(built_in("meeting-intelligence"));
        assert_eq!(event.event_type, event_type);
        assert_eq!(event.data.mapped.as_ref().map(|m| super::json(m)["kind"].clone()), kind.map(Value::from));
        count += 1;
    }
    assert_eq!(count, 18, "seventeen and one of tomorrow");
}

#[test]
fn meeting_intelligence_tells_updates_from_redeliveries() {
    let id = |body: &str| request(body).event(built_in("meeting-intelligence")).id;
    let first = id(r#"{"event":"meeting.updated","data":{"meeting":{"id":1,"title":"A"}}}"#);
    assert_eq!(first, id("{\"event\": \"meeting.updated\",\n \"data\": {\"meeting\": {\"id\": 1, \"title\": \"A\"}}}"));
    assert_ne!(first, id(r#"{"event":"meeting.updated","data":{"meeting":{"id":1,"title":"B"}}}"#));
}
