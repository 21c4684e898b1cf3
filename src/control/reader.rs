//! Reads the Secrets that sources refer to, one by one, when the control task asks. Keeps nothing.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tokio::sync::mpsc::{Receiver, Sender};
use tracing::warn;

use super::event::Event;
use super::object::Key;
use super::vault::Reading;
use crate::secret::{SecretBytes, SecretData};

/// How long one reading may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many readings are under way at one time.
const AT_ONCE: usize = 8;

/// Reads what is asked for until nobody asks any more.
pub(crate) async fn run(client: Client, asked: Receiver<Key>, events: Sender<Event>) {
    let asked = futures::stream::unfold(asked, async |mut asked| asked.recv().await.map(|key| (key, asked)));
    asked
        .for_each_concurrent(AT_ONCE, async |key| {
            let reading = read(client.clone(), &key).await;
            // Nobody listens any more when the process ends.
            let _ = events.send(Event::Read(key, reading)).await;
        })
        .await;
}

async fn read(client: Client, key: &Key) -> Reading {
    let api: Api<Secret> = Api::namespaced(client, &key.namespace);
    match tokio::time::timeout(TIMEOUT, api.get_opt(&key.name)).await {
        Ok(Ok(Some(secret))) => found(secret),
        Ok(Ok(None)) => Reading::NotFound,
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
            warn!(secret = %key, "the operator may not read this Secret: give its service account get on it");
            Reading::Forbidden
        }
        Ok(Err(error)) => {
            // An error of the client may quote what it could not parse, and that is a Secret.
            let kind = match &error {
                kube::Error::Api(status) => status.reason.as_str(),
                kube::Error::SerdeError(_) => "the answer cannot be parsed",
                _ => "no connection",
            };
            warn!(secret = %key, "cannot read this Secret ({kind}): what was read before stays, trying again");
            Reading::Failed
        }
        Err(_) => {
            warn!(secret = %key, "no answer within {TIMEOUT:?} when reading this Secret: trying again");
            Reading::Failed
        }
    }
}

fn found(secret: Secret) -> Reading {
    let data = secret.data.unwrap_or_default();
    let data = data.into_iter().map(|(key, value)| (key, SecretBytes::from_secret_value(value.0))).collect();
    let secret_data = SecretData {
        kind: secret.type_.unwrap_or_else(|| "Opaque".to_owned()),
        labels: secret.metadata.labels.unwrap_or_default(),
        data,
    };
    Reading::Found(secret.metadata.resource_version.unwrap_or_default(), secret_data)
}
