//! `hookgate map` shows what a definition makes of a payload and what found no place; samples are shown and sent.

use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::operator::hookgate;

const CALLS: &str = r#"
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {name: acme-calls}
spec:
  displayName: Acme Calls
  methods: [{name: signature, anyOf: [{allOf: [{hmac: {algorithm: SHA256, signature: {header: X-Acme, encoding: Base64}}}]}]}]
  extract: {type: [{header: X-Event}], id: [{pointer: /id}], time: [{pointer: /at, unit: Seconds}]}
  drop: [{pointer: /ping}]
  map:
    - {types: [call.ended], kind: call, set: {id: {pointer: /id}, durationSeconds: {pointer: /minutes, unit: Minutes}}}
"#;

#[tokio::test]
async fn a_payload_is_mapped_as_the_receiver_would_and_what_found_no_place_is_named() {
    let folder = Folder::new("map");
    let definition = folder.write("acme.yaml", CALLS).display().to_string();
    let body = r#"{"id":7,"at":1772000000,"minutes":1.5,"agent":{"name":"Ann"}}"#;
    let data = folder.write("call.json", body).display().to_string();
    let map = ["map", "-f", &definition, "--data", &data, "--header", "X-Event: call.ended"];
    let said = hookgate(&map).await.ok();
    for part in
        ["no proof that was received is judged", "\"durationSeconds\": 90", "type call.ended, id 7", "/agent/name"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let answer: Value =
        serde_json::from_str(&hookgate(&[&map[..], &["-o", "json"]].concat()).await.ok()).expect("JSON");
    let event = &answer["events"][0];
    let conversation = json!({"id": "7", "kind": "call", "occurredAt": "2026-02-25T06:13:20Z", "durationSeconds": 90});
    assert_eq!(event["conversation"], conversation);
    assert_eq!(event["unplaced"], json!([{"pointer": "/agent/name", "value": "Ann"}]));
    // A captured request, whatever its proof is.
    let captured = format!(
        "POST /in HTTP/1.1\r\nX-Event: call.ended\r\nX-Acme: wrong\r\nContent-Type: application/json\r\n\r\n{body}"
    );
    let captured = folder.write("captured.http", &captured).display().to_string();
    let said = hookgate(&["map", "-f", &definition, "--request", &captured]).await.ok();
    assert!(said.contains("\"durationSeconds\": 90"), "{said}");
}

#[tokio::test]
async fn what_is_not_mapped_is_1_and_what_cannot_be_read_2() {
    let folder = Folder::new("unmapped");
    let definition = folder.write("acme.yaml", CALLS).display().to_string();
    let write = |name: &str, body: &str| folder.write(name, body).display().to_string();
    let (other, ping, broken) =
        (write("a.json", r#"{"id":7}"#), write("b.json", r#"{"ping":1}"#), write("c.json", "{"));
    for (data, code, part) in
        [(&other, 1, "not mapped"), (&ping, 1, "dropped by the definition: 1"), (&broken, 2, "JSON")]
    {
        let said = hookgate(&["map", "-f", &definition, "--data", data]).await;
        assert_eq!(said.status.code(), Some(code), "{} {}", said.stdout, said.stderr);
        assert!(format!("{}{}", said.stdout, said.stderr).contains(part), "{} {}", said.stdout, said.stderr);
    }
    let said = hookgate(&["map", "ringcentrall", "--data", &other]).await;
    assert!(said.status.code() == Some(2) && said.stderr.contains("ringcentral"), "{}", said.stderr);
}

#[tokio::test]
async fn samples_are_shown_and_sent() {
    let shown = hookgate(&["providers", "post-call", "--samples"]).await.ok();
    for part in [
        "# call.completed (application/json)",
        "\"callId\"",
        "# becomes post-call.call.completed",
        "\"kind\": \"call\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");
    let send = ["send", "-f", quickstart, "--source", "demo/xosum", "--curl", "--sample"];
    let curl = hookgate(&[&send[..], &["transcript.ready"]].concat()).await.ok();
    assert!(curl.contains("doc-4711") && curl.contains("\"secret\""), "{curl}");
    let none = hookgate(&[&send[..], &["transcript.gone"]].concat()).await;
    assert!(none.stderr.contains("has no sample \"transcript.gone\", but transcript.ready"), "{}", none.stderr);
}
