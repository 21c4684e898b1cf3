//! Writes statuses and their Events while this replica holds the Lease.
//!
//! Server-side apply under one field manager for all replicas: whoever leads owns the fields, and two leaders for a second write the same.
//! A status that was not written is nobody's loss: the control task evaluates all of them again and again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event as Note, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tracing::debug;

use super::{NotWritten, Target, Transition, Write};
use crate::api::API_VERSION;
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;
use crate::control::event::Event;

/// The field manager of every status.
pub(crate) const FIELD_MANAGER: &str = "hookgate";

const TIMEOUT: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 4;
/// The API server takes notes of at most 1 kB.
const NOTE: usize = 1000;

/// Writes what comes until nobody sends any more.
pub(crate) async fn run(
    client: Client,
    leader: watch::Receiver<bool>,
    writes: mpsc::Receiver<Write>,
    events: mpsc::Sender<Event>,
) {
    let reporter =
        Reporter { controller: "hookgate.dev/operator".to_owned(), instance: std::env::var("HOSTNAME").ok() };
    let recorder = Arc::new(Recorder::new(client.clone(), reporter));
    let writes = futures::stream::unfold(writes, async |mut writes| writes.recv().await.map(|write| (write, writes)));
    writes
        .for_each_concurrent(AT_ONCE, async |write| {
            // Asked at the moment of writing: the Lease may have been lost while the write waited.
            let leads = *leader.borrow();
            let written = if leads { patch(client.clone(), &write).await } else { Err(NotWritten::NotLeader) };
            if written.is_ok()
                && let Some(transition) = &write.transition
            {
                note(&recorder, &write, transition).await;
            }
            let _ = events.send(Event::Written(write.target, written)).await;
        })
        .await;
}

async fn patch(client: Client, write: &Write) -> Result<Option<Value>, NotWritten> {
    let key = write.target.key();
    let (api, kind): (Api<DynamicObject>, _) = match &write.target {
        Target::Source(_) => {
            let resource = ApiResource::erase::<WebhookSource>(&());
            (Api::namespaced_with(client, &key.namespace, &resource), resource.kind)
        }
        Target::Provider(_) => {
            let resource = ApiResource::erase::<WebhookProvider>(&());
            (Api::all_with(client, &resource), resource.kind)
        }
    };
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": key.name, "uid": write.uid},
        "status": write.status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match tokio::time::timeout(TIMEOUT, api.patch_status(&key.name, &params, &Patch::Apply(&body))).await {
        Ok(Ok(mut object)) => Ok(object.data.get_mut("status").map(Value::take)),
        // 409: another object has the name by now.
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Err(NotWritten::Gone),
        Ok(Err(error)) => Err(NotWritten::Refused(Box::new(error))),
        Err(_) => Err(NotWritten::TimedOut(TIMEOUT)),
    }
}

/// Events are a courtesy: one that cannot be written is not missed.
async fn note(recorder: &Recorder, write: &Write, transition: &Transition) {
    let Target::Source(key) = &write.target else { return };
    let note = Note {
        type_: if transition.ready { EventType::Normal } else { EventType::Warning },
        reason: transition.reason.clone(),
        note: Some(cut(&transition.message, NOTE).to_owned()),
        action: if transition.ready { "Serve" } else { "Withhold" }.to_owned(),
        secondary: None,
    };
    let regarding = ObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: Some(WebhookSource::kind(&()).into_owned()),
        namespace: Some(key.namespace.clone()),
        name: Some(key.name.clone()),
        uid: Some(write.uid.clone()),
        ..ObjectReference::default()
    };
    match tokio::time::timeout(TIMEOUT, recorder.publish(&note, &regarding)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(source = %key, %error, "an Event was not written"),
        Err(_) => debug!(source = %key, "an Event was not written within {TIMEOUT:?}"),
    }
}

/// At most `length` bytes, whole characters.
fn cut(text: &str, length: usize) -> &str {
    let mut end = text.len().min(length);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
