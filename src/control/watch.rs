//! Watches the cluster: sources, providers, and Secrets by their metadata alone.
//!
//! Only translates what the API server says into events. A watch that breaks, or a kind that does not exist yet, is tried again without
//! end, and removes nothing: a `Reset` is sent only when a list was read to its end.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::event::Event;
use super::index::{Change, Scope};
use super::object::{Key, Object};
use super::settings::Settings;
use super::tasks::until;
use super::vault::Sighting;
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;

/// How long a watch may last, in seconds. A connection that a load balancer dropped in silence is found out a few seconds after that.
const WATCH_SECONDS: u32 = 110;

/// The same failure is told again after this time.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Starts every watch, until `stop`.
pub(crate) fn spawn(
    client: &Client,
    settings: &Settings,
    events: &Sender<Event>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let sources = ApiResource::erase::<WebhookSource>(&());
    for scope in settings.scopes() {
        let selected = match settings.selector.selects_all() {
            true => config.clone(),
            false => config.clone().labels_from(&settings.selector),
        };
        let kind = Watch { what: "WebhookSources", scope: scope.clone(), events: events.clone(), absent: None };
        let api: Api<DynamicObject> = match scope.namespace() {
            None => Api::all_with(client.clone(), &sources),
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &sources),
        };
        until(stop, kind.follow(api, selected, Object::<WebhookSource>::read, Event::Sources), tasks);
    }
    for scope in settings.secret_scopes() {
        let kind = Watch { what: "Secrets", scope: scope.clone(), events: events.clone(), absent: None };
        let (scope, selected) = match scope {
            // Rights to a name are rights to a list of that name alone.
            Scope::Named(scope, name) => (*scope, config.clone().fields(&format!("metadata.name={name}"))),
            scope => (scope, config.clone()),
        };
        // Of this type the API server sends metadata alone.
        let api: Api<PartialObjectMeta<Secret>> = match scope.namespace() {
            None => Api::all(client.clone()),
            Some(namespace) => Api::namespaced(client.clone(), namespace),
        };
        until(stop, kind.follow(api, selected, sighting, Event::Secrets), tasks);
    }
    let providers = ApiResource::erase::<WebhookProvider>(&());
    let kind = Watch {
        what: "WebhookProviders",
        scope: Scope::All,
        events: events.clone(),
        absent: Some(|| Event::NoProviders),
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &providers);
    until(stop, kind.follow(api, config, Object::<WebhookProvider>::read, Event::Providers), tasks);
}

fn sighting(secret: PartialObjectMeta<Secret>) -> Sighting {
    Sighting { key: Key::of(&secret.metadata), version: secret.metadata.resource_version.unwrap_or_default() }
}

/// One list and what follows it.
struct Watch {
    what: &'static str,
    scope: Scope,
    events: Sender<Event>,
    /// What to tell once where the kind cannot be listed at all.
    absent: Option<fn() -> Event>,
}

impl Watch {
    async fn follow<K, T>(self, api: Api<K>, config: watcher::Config, read: fn(K) -> T, tell: fn(Change<T>) -> Event)
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
        T: Send + 'static,
    {
        let mut stream = std::pin::pin!(watcher(api, config).default_backoff());
        let mut listed = Vec::new();
        let mut complaint = Complaint::default();
        while let Some(next) = stream.next().await {
            let change = match next {
                Ok(watcher::Event::Init) => {
                    listed.clear();
                    continue;
                }
                Ok(watcher::Event::InitApply(object)) => {
                    listed.push(read(object));
                    continue;
                }
                Ok(watcher::Event::InitDone) => {
                    complaint.is_over(&self);
                    Change::Reset(self.scope.clone(), std::mem::take(&mut listed))
                }
                Ok(watcher::Event::Apply(object)) => Change::Apply(read(object)),
                Ok(watcher::Event::Delete(object)) => Change::Delete(Key::of(object.meta())),
                Err(error) => {
                    complaint.tell(&self, &error);
                    if let Some(absent) = self.absent
                        && cannot_be_listed(&error)
                        && self.events.send(absent()).await.is_err()
                    {
                        return;
                    }
                    continue;
                }
            };
            if self.events.send(tell(change)).await.is_err() {
                return;
            }
        }
    }
}

/// The kind does not exist, or the operator may not list it.
fn cannot_be_listed(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => matches!(status.code, 401 | 403 | 404),
        _ => false,
    }
}

/// Tells a failure once, and again now and then while it lasts.
#[derive(Default)]
struct Complaint {
    told: Option<(String, tokio::time::Instant)>,
}

impl Complaint {
    fn tell(&mut self, watch: &Watch, error: &watcher::Error) {
        // A watch that ends is watched anew: that alone is not worth a word.
        if matches!(error, watcher::Error::WatchError(status) if status.code == 410) {
            debug!(kind = watch.what, %error, "watching anew");
            return;
        }
        let said = error.to_string();
        if self.told.as_ref().is_some_and(|(known, at)| *known == said && at.elapsed() < TELL_AGAIN) {
            return;
        }
        let missing = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404 => {
                " (are Hookgate's CRDs installed? `hookgate crds` prints them)"
            }
            watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 403 => {
                " (the service account needs get, list and watch on them)"
            }
            _ => "",
        };
        warn!(kind = watch.what, scope = ?watch.scope, "cannot watch{missing}: {said}; what was observed stays, trying again");
        self.told = Some((said, tokio::time::Instant::now()));
    }

    fn is_over(&mut self, watch: &Watch) {
        if self.told.take().is_some() {
            info!(kind = watch.what, scope = ?watch.scope, "watching again");
        }
    }
}
