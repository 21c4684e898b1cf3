//! What deliveries of business and payment vendors become.

use super::*;

/// Type, id and subject of each item.
fn read(provider: &str, request: &Request) -> Vec<(String, String, Option<String>)> {
    let batch = request.read(built_in(provider)).unwrap();
    let items = batch.items.iter().map(|item| item.as_ref().unwrap());
    items.map(|event| (event.event_type.clone(), event.id.clone(), event.subject.clone())).collect()
}

fn event(event_type: &str, id: &str, subject: &str) -> (String, String, Option<String>) {
    (event_type.to_owned(), id.to_owned(), Some(subject.to_owned()))
}

#[test]
fn a_payment_notification_is_read_with_and_without_its_envelope() {
    let item = r#"{"pspReference":"8836","eventCode":"AUTHORISATION","success":"true","eventDate":"2026-01-01T00:00:00+01:00","additionalData":{"hmacSignature":"c2ln"}}"#;
    let wrapped = format!(r#"{{"live":"false","notificationItems":[{{"NotificationRequestItem":{item}}}]}}"#);
    for body in [&wrapped, item] {
        let request = request(body);
        assert_eq!(
            read("adyen", &request),
            [event("AUTHORISATION", "8836:AUTHORISATION:true:2026-01-01T00:00:00+01:00", "8836")]
        );
        let shown = request.read(built_in("adyen")).unwrap().items.remove(0).unwrap().data.original;
        assert!(!String::from_utf8_lossy(&shown).contains("c2ln"), "the signature is cut");
    }
}

#[test]
fn the_event_in_a_multipart_field_is_the_event() {
    let json = r#"{"event":{"event_time":"1348177752","event_type":"signature_request_sent","event_hash":"3a31"},"signature_request":{"signature_request_id":"sr1"}}"#;
    let body = format!("--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{json}\r\n--b--\r\n");
    let request = request(body).header("content-type", "multipart/form-data; boundary=b");
    assert_eq!(
        read("dropbox-sign", &request),
        [event("signature_request_sent", "signature_request_sent:1348177752:sr1", "sr1")]
    );
    let at = request.event(built_in("dropbox-sign")).time;
    assert_eq!(at.as_second(), 1_348_177_752);
}

#[test]
fn batches_become_their_events_and_heartbeats_none() {
    let tasks = r#"{"events":[{"action":"changed","resource":{"gid":"1","resource_type":"task"},"created_at":"2026-01-01T00:00:00Z"}]}"#;
    let asana = read("asana", &request(tasks));
    assert_eq!((asana[0].0.as_str(), asana[0].2.as_deref()), ("task.changed", Some("1")));
    assert!(read("asana", &request(r#"{"events":[]}"#)).is_empty());
    assert!(read("xero", &request(r#"{"events":[],"firstEventSequence":0}"#)).is_empty());
    let deals = r#"[{"eventId":1,"subscriptionId":2,"portalId":9,"occurredAt":1693657560000,"subscriptionType":"deal.creation","objectId":3}]"#;
    assert_eq!(read("hubspot", &request(deals)), [event("deal.creation", "1:2:9:1693657560000", "3")]);
    let mandates = r#"{"events":[{"id":"EV1","resource_type":"mandates","action":"failed"},{"id":"EV2","resource_type":"mandates","action":"created"}]}"#;
    let types: Vec<_> = read("gocardless", &request(mandates)).into_iter().map(|(t, id, _)| (t, id)).collect();
    assert_eq!(
        types,
        [("mandates.failed".into(), "EV1".into()), ("mandates.created".into(), "EV2".into())] as [(String, String); 2]
    );
    let pong = request(r#"{"type":"hook.ping","id":"hook_1"}"#).read(built_in("mollie")).unwrap();
    assert!(pong.items.is_empty());
}

#[test]
fn shared_secrets_in_a_body_are_cut_from_the_event() {
    let figma = request(
        r#"{"event_type":"FILE_UPDATE","webhook_id":"7","timestamp":"2026-01-01T00:00:00Z","file_key":"k","passcode":"hush"}"#,
    );
    assert_eq!(read("figma", &figma), [event("FILE_UPDATE", "7:FILE_UPDATE:k:2026-01-01T00:00:00Z", "k")]);
    let graph = request(
        r#"{"value":[{"id":"n1","subscriptionId":"s","changeType":"updated","resource":"users/1","clientState":"hush"}]}"#,
    );
    assert_eq!(read("microsoft-graph", &graph), [event("updated", "n1:s:updated", "users/1")]);
    for (provider, request) in [("figma", figma), ("microsoft-graph", graph)] {
        let shown = request.event(built_in(provider)).data.original;
        assert!(!String::from_utf8_lossy(&shown).contains("hush"), "{provider}");
    }
}
