//! Says in statuses that nobody serves any more, before an operator goes for good.
//!
//! Takes the Lease from the replicas that still run, so that none of them says otherwise, and leaves it behind. What the next installation
//! goes on from stays: generations, the last good spec, when requests came.

use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tracing::{debug, info};

use super::index::Scope;
use super::lease;
use super::settings::Settings;
use super::status::writer::FIELD_MANAGER;
use crate::api::API_VERSION;
use crate::api::condition::{Reason, types};
use crate::api::source::{WebhookSource, WebhookSourceStatus};

/// What conditions say of a source that nobody serves.
const GONE: &str = "Hookgate left, such as at an uninstall: nobody serves this source, and nobody looks after its status, until an operator runs again.";
/// How many statuses are written at one time.
const AT_ONCE: usize = 8;
/// How many sources are listed at one time.
const PAGE: u32 = 500;
/// How often it is looked whether a replica wrote something else meanwhile.
const LOOKS: usize = 3;

/// The cluster of the kubeconfig, or of the pod.
///
/// # Errors
/// Where there is neither.
pub async fn client() -> Result<Client, kube::Error> {
    Client::try_default().await
}

/// Why an operator could not leave.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Lease could not be taken.
    #[error(
        "cannot take the Lease {} in {namespace}: it takes get, create, update and delete on leases there",
        lease::NAME
    )]
    Lease {
        /// Where.
        namespace: String,
        /// Why.
        source: kube::Error,
    },
    /// Sources could not be listed.
    #[error("cannot list WebhookSources ({scope:?}): it takes list on them")]
    List {
        /// Which.
        scope: Scope,
        /// Why.
        source: kube::Error,
    },
    /// A status could not be written.
    #[error("cannot write the status of {source_key}: it takes patch on webhooksources/status")]
    Status {
        /// Whose.
        source_key: String,
        /// Why.
        source: kube::Error,
    },
    /// A replica goes on writing.
    #[error("statuses of {0} sources say again that they are served: does another operator serve them too?")]
    Contradicted(usize),
}

/// Writes Ready=Unknown on every source that the settings select. Returns how many there are.
///
/// # Errors
/// What keeps a status from saying so.
pub async fn run(client: &Client, namespace: &str, who: &str, settings: &Settings) -> Result<usize, Error> {
    let taken = lease::take_from_all(client.clone(), namespace, who).await;
    let learn = taken.map_err(|source| Error::Lease { namespace: namespace.to_owned(), source })?;
    info!(namespace, "took the Lease: waiting {learn:?} until every replica knows");
    tokio::time::sleep(learn).await;
    let mut sources = 0;
    for look in 0..LOOKS {
        let mut wrong = Vec::new();
        sources = 0;
        for scope in settings.scopes() {
            let (all, served) = list(client, scope, settings).await?;
            sources += all;
            wrong.extend(served);
        }
        if wrong.is_empty() {
            return Ok(sources);
        }
        if look + 1 == LOOKS {
            return Err(Error::Contradicted(wrong.len()));
        }
        futures::stream::iter(wrong.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |source| write(client, source))
            .await?;
        // What was on its way from a replica when the Lease was taken has arrived by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(sources)
}

/// How many sources there are, and those whose status says something else than that nobody serves them.
async fn list(client: &Client, scope: Scope, settings: &Settings) -> Result<(usize, Vec<DynamicObject>), Error> {
    let resource = ApiResource::erase::<WebhookSource>(&());
    let api: Api<DynamicObject> = match scope.namespace() {
        None => Api::all_with(client.clone(), &resource),
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let mut params = ListParams::default().labels_from(&settings.selector).limit(PAGE);
    let (mut all, mut served) = (0, Vec::new());
    loop {
        let page = match api.list(&params).await {
            Ok(page) => page,
            // Without the CRDs there is no source.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok((0, Vec::new())),
            Err(source) => return Err(Error::List { scope, source }),
        };
        all += page.items.len();
        served.extend(page.items.into_iter().filter(|source| !is_left(source)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok((all, served)),
        }
    }
}

fn status(source: &DynamicObject) -> WebhookSourceStatus {
    source.data.get("status").and_then(|status| serde_json::from_value(status.clone()).ok()).unwrap_or_default()
}

/// The conditions that say whether somebody serves a source.
const SERVED: [&str; 2] = [types::PROGRAMMED, types::READY];

fn is_left(source: &DynamicObject) -> bool {
    let status = status(source);
    let said = |type_: &&str| {
        status
            .conditions
            .iter()
            .any(|c| c.type_ == **type_ && c.status == "Unknown" && c.reason == Reason::OperatorLeft.as_str())
    };
    SERVED.iter().all(said)
}

async fn write(client: &Client, object: DynamicObject) -> Result<(), Error> {
    let status = leave(status(&object), object.metadata.generation, Timestamp::now());
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let resource = ApiResource::erase::<WebhookSource>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let body: Value = json!({
        "apiVersion": API_VERSION,
        "kind": resource.kind,
        "metadata": {"name": name, "uid": object.metadata.uid},
        "status": status,
    });
    match api.patch_status(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&body)).await {
        Ok(_) => Ok(()),
        // 409: another object has the name by now.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
            debug!(namespace, name, "the source is gone");
            Ok(())
        }
        Err(source) => Err(Error::Status { source_key: format!("{namespace}/{name}"), source }),
    }
}

/// The same status, of a source that nobody serves.
fn leave(mut status: WebhookSourceStatus, generation: Option<i64>, now: Timestamp) -> WebhookSourceStatus {
    let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
    status.conditions.retain(|condition| !SERVED.contains(&condition.type_.as_str()));
    status.conditions.extend(SERVED.map(|type_| Condition {
        type_: type_.to_owned(),
        status: "Unknown".to_owned(),
        reason: Reason::OperatorLeft.as_str().to_owned(),
        message: GONE.to_owned(),
        observed_generation: generation,
        last_transition_time: Time(second),
    }));
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_next_installation_goes_on_from_stays() {
        let source: DynamicObject = serde_json::from_value(json!({
            "metadata": {"name": "calls", "namespace": "sales", "generation": 3},
            "status": {
                "observedGeneration": 3, "servedGeneration": 2, "lastGood": {"generation": 2, "spec": {"provider": "xosum"}},
                "lastAcceptedTime": "2026-11-25T12:00:00Z",
                "conditions": [
                    {"type": "Accepted", "status": "False", "reason": "Invalid", "message": "", "lastTransitionTime": "2026-11-25T12:00:00Z"},
                    {"type": "Ready", "status": "False", "reason": "Invalid", "message": "", "lastTransitionTime": "2026-11-25T12:00:00Z"},
                ],
            },
        }))
        .unwrap();
        assert!(!is_left(&source));
        let before = status(&source);
        let left = leave(before.clone(), Some(3), "2026-11-26T00:00:00.5Z".parse().unwrap());
        assert_eq!(WebhookSourceStatus { conditions: before.conditions.clone(), ..left.clone() }, before);
        let said: Vec<_> = left.conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect();
        assert_eq!(said, ["Accepted=False/Invalid", "Programmed=Unknown/OperatorLeft", "Ready=Unknown/OperatorLeft"]);
        let mut source = source;
        source.data["status"] = serde_json::to_value(left).unwrap();
        assert!(is_left(&source));
    }
}
