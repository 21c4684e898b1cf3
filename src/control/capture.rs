//! Writes secrets that vendors deliver in handshakes: to an existing Secret that is labelled for it, whose key is absent.
//!
//! The only place where the operator writes a Secret. Takes the right to patch just the Secrets that are named for it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::route::capture::{Capture, CaptureError};

/// The label, and the value that invites.
const LABEL: (&str, &str) = ("hookgate.dev/capture", "allowed");
/// How long reading and writing may take: the vendor waits.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Writes what comes until nobody sends any more, one after the other: a secret is captured once.
pub(crate) async fn run(client: Client, mut captures: mpsc::Receiver<Capture>) {
    while let Some(capture) = captures.recv().await {
        let name = format!("{}/{}", capture.namespace, capture.target.name);
        let written = match tokio::time::timeout(TIMEOUT, write(&client, &capture, &name)).await {
            Ok(written) => written,
            Err(_) => Err(CaptureError::Refused(name.clone(), "no answer in time".to_owned())),
        };
        match &written {
            Ok(()) => info!(secret = %name, key = %capture.target.key, "captured the vendor's secret"),
            Err(error) => warn!(%error, "the vendor's secret was not captured"),
        }
        // The vendor may have gone.
        let _ = capture.done.send(written);
    }
}

async fn write(client: &Client, capture: &Capture, name: &str) -> Result<(), CaptureError> {
    let refused = |error: kube::Error| CaptureError::Refused(name.to_owned(), error.to_string());
    let api: Api<Secret> = Api::namespaced(client.clone(), &capture.namespace);
    let secret = api.get(&capture.target.name).await.map_err(refused)?;
    let label = secret.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL.0));
    if label.map(String::as_str) != Some(LABEL.1) {
        return Err(CaptureError::NotLabelled(name.to_owned()));
    }
    if secret.data.as_ref().is_some_and(|data| data.contains_key(&capture.target.key)) {
        return Err(CaptureError::Present(name.to_owned()));
    }
    // The resource version makes it a swap: whoever wrote in between wins.
    let patch = json!({
        "metadata": {"resourceVersion": secret.metadata.resource_version},
        "data": {capture.target.key.as_str(): STANDARD.encode(capture.value.expose())},
    });
    api.patch(&capture.target.name, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(refused)?;
    Ok(())
}
