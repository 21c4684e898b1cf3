//! A control line in the test's own process, and its namespace in a real cluster.
#![allow(clippy::expect_used, clippy::panic, reason = "a helper of tests fails loudly")]

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hookgate::control::settings::Settings;
use hookgate::control::start::{Needs, Replica, Running, in_cluster};
use hookgate::route::{Entry, RouteTable};
use hookgate::subject::Readings;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::wait::{eventually, eventually_some};

pub const SOON: Duration = Duration::from_secs(15);

/// One replica's control line and the table that it published last.
pub struct Operator {
    pub table: Arc<ArcSwapOption<RouteTable>>,
    pub running: Running,
    pub streams: watch::Sender<Readings>,
    pub stop: CancellationToken,
}

impl Operator {
    /// Watches one namespace, with the Lease in it.
    pub fn start(client: &kube::Client, namespace: &str, identity: &str) -> Operator {
        let settings = Settings { namespaces: vec![namespace.to_owned()], ..Settings::default() };
        Operator::start_with(settings, |needs| {
            let replica = Replica { namespace: namespace.to_owned(), identity: identity.to_owned(), pod: None };
            in_cluster(client, replica, needs)
        })
    }

    pub fn start_with(settings: Settings, start: impl FnOnce(Needs) -> Running) -> Operator {
        let table = Arc::new(ArcSwapOption::<RouteTable>::empty());
        let (streams, received) = watch::channel(vec![None]);
        let stop = CancellationToken::new();
        let published = table.clone();
        let running = start(Needs {
            settings: Arc::new(settings),
            streams: received,
            max_payload: watch::channel(64 << 10).1,
            publish: Box::new(move |table| published.store(Some(Arc::new(table)))),
            captures: tokio::sync::mpsc::channel(1).1,
            peers: None,
            stop: stop.clone(),
        });
        Operator { table, running, streams, stop }
    }

    /// What answers a path: the name and generation of a source, `suspended`, `closed`, 503 or 404.
    pub fn answers(&self, path: &str) -> String {
        let Some(table) = self.table.load_full() else { return "unsynced".to_owned() };
        match table.find("any.test", path) {
            Some(Entry::Served(route)) if route.suspended => "suspended".to_owned(),
            Some(Entry::Served(route)) if !route.verifier.open(jiff::Timestamp::now()) => "closed".to_owned(),
            Some(Entry::Served(route)) => format!("{}@{}", route.claim.name, route.generation),
            Some(Entry::NotServed(_)) => "503".to_owned(),
            None => "404".to_owned(),
        }
    }

    pub async fn until_answers(&self, path: &str, wanted: &str) {
        eventually(&format!("{path} is answered by {wanted}"), SOON, async || self.answers(path) == wanted).await;
    }
}

/// A namespace in which sources and Secrets are written.
pub struct Place {
    pub client: kube::Client,
    pub namespace: String,
}

impl Place {
    pub fn path(&self, name: &str) -> String {
        format!("/{}/{name}", self.namespace)
    }

    pub fn sources(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<hookgate::api::source::WebhookSource>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn apply(&self, name: &str, spec: Value) -> DynamicObject {
        let body = json!({
            "apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookSource", "metadata": {"name": name}, "spec": spec,
        });
        let params = PatchParams::apply("a-user").force();
        self.sources().patch(name, &params, &Patch::Apply(&body)).await.expect("a source is applied")
    }

    pub async fn delete(&self, name: &str) {
        self.sources().delete(name, &DeleteParams::default()).await.expect("a source is deleted");
    }

    pub async fn secret(&self, name: &str, value: &str) {
        let body =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": value}});
        let params = PatchParams::apply("a-user").force();
        self.secrets().patch(name, &params, &Patch::Apply(&body)).await.expect("a Secret is applied");
    }

    pub async fn get(&self, name: &str) -> DynamicObject {
        self.sources().get(name).await.expect("a source")
    }

    /// Waits for a status and returns it.
    pub async fn until_status(&self, name: &str, what: &str, check: impl Fn(&Value) -> bool) -> Value {
        let last = std::cell::RefCell::new(Value::Null);
        let wait = eventually_some(what, SOON, async || {
            let status = self.get(name).await.data["status"].clone();
            *last.borrow_mut() = status.clone();
            check(&status).then_some(status)
        });
        match tokio::time::timeout(SOON - Duration::from_millis(500), wait).await {
            Ok(status) => status,
            Err(_) => panic!("no status in which {what}: {:#}", last.borrow()),
        }
    }

    /// Waits until conditions are as wanted, written `Type=Status/Reason`, and returns the status.
    pub async fn until_conditions(&self, name: &str, wanted: &[&str]) -> Value {
        self.until_status(name, &wanted.join(", "), |status| {
            let said = said(status);
            wanted.iter().all(|one| said.iter().any(|known| known == one))
        })
        .await
    }
}

/// The conditions of a status as `Type=Status/Reason`.
pub fn said(status: &Value) -> Vec<String> {
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().map(|c| format!("{}={}/{}", text(c, "type"), text(c, "status"), text(c, "reason"))).collect()
}

/// The message of a condition.
pub fn message(status: &Value, type_: &str) -> String {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == type_);
    found.and_then(|condition| condition["message"].as_str()).unwrap_or_default().to_owned()
}

/// A spec of provider `generic` that proves by a token in key `k` of a Secret.
pub fn generic(secret: &str) -> Value {
    json!({
        "provider": "generic",
        "verification": {"method": "token", "token": {"header": "X-Token"}, "secretRefs": [{"name": secret, "key": "k"}]},
    })
}

/// A spec with further fields.
pub fn with(mut spec: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut spec, more) else { panic!("two objects") };
    fields.extend(more);
    spec
}
