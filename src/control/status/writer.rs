//! Writes statuses, and has Events tell of it, while this replica holds the Lease.
//!
//! Server-side apply under one field manager for all replicas: whoever leads owns the fields, and two leaders for a second write the same.
//! A status that was not written is nobody's loss: the control task evaluates all of them again and again.

use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::notes::Notes;
use super::{NotWritten, Target, Write};
use crate::api::API_VERSION;
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;
use crate::control::event::Event;

/// The field manager of every status.
pub(crate) const FIELD_MANAGER: &str = "hookgate";

const TIMEOUT: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 4;

/// Writes what comes until nobody sends any more.
pub(crate) async fn run(
    client: Client,
    leader: watch::Receiver<bool>,
    writes: mpsc::Receiver<Write>,
    events: mpsc::Sender<Event>,
) {
    let notes = Notes::new(client.clone());
    let notes = &notes;
    let writes = futures::stream::unfold(writes, async |mut writes| writes.recv().await.map(|write| (write, writes)));
    writes
        .for_each_concurrent(AT_ONCE, async |write| {
            // Asked at the moment of writing: the Lease may have been lost while the write waited.
            let leads = *leader.borrow();
            let written = if leads { patch(client.clone(), &write).await } else { Err(NotWritten::NotLeader) };
            if written.is_ok() {
                notes.tell(&write).await;
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
