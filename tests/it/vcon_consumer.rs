//! The example that folds the events of a call into a vCon, fed with what vendors' documented deliveries become.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::run::run;

/// The conversation that stands beside a sample, as `hookgate tail -o json` shows its event.
fn event(provider: &str, name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider/samples").join(provider);
    let text = std::fs::read_to_string(folder.join(format!("{name}.expected.json"))).unwrap();
    let data: Value = serde_json::from_str(&text).unwrap();
    let headers = json!({
        "ce-source": format!("/namespaces/sales/webhooksources/{provider}"),
        "ce-type": format!("{provider}.{name}"),
        "ce-time": data.get("occurredAt").cloned().unwrap_or_else(|| json!("2026-01-01T00:00:00Z")),
    });
    json!({"subject": "webhooks.sales.calls", "headers": headers, "data": data})
}

#[tokio::test]
async fn the_events_of_one_call_become_one_vcon_and_those_of_another_another() {
    let names = [
        "call.completed",
        "call.recording.completed~recording",
        "call.transcript.completed~transcript",
        "call.summary.completed",
    ];
    let mut events: Vec<Value> = names.iter().map(|name| event("quo", name)).collect();
    events.push(event("xosum", "transcript.ready"));
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/consumers/vcon.py"));
    let folded = run(command, &lines).await.ok();
    let vcons: Vec<Value> = folded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(vcons.len(), 2, "{folded}");
    let call = &vcons[0];
    assert_eq!(call["vcon"], "0.4.0");
    assert_eq!(call["attachments"].as_array().unwrap().len(), names.len(), "what every event said is there");
    let parties = call["parties"].as_array().unwrap();
    assert_eq!(parties.len(), 2, "each stands once: {parties:?}");
    let dialog = &call["dialog"].as_array().unwrap()[0];
    let recording = &events[1]["data"]["recording"];
    assert_eq!((&dialog["type"], &dialog["url"]), (&json!("recording"), &recording["uri"]));
    let originator = usize::try_from(dialog["originator"].as_u64().unwrap()).unwrap();
    assert_eq!(parties[originator]["role"], "caller");
    let kinds: Vec<&str> =
        call["analysis"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"transcript") && kinds.contains(&"summary"), "{kinds:?}");
    let again = {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/consumers/vcon.py"));
        run(command, &lines).await.ok()
    };
    assert_eq!(again, folded, "the same events are the same vCon");
}
