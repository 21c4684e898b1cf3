//! Traffic does not depend on the API server: not on its CRDs being there yet, nor on itself.

use std::path::Path;
use std::time::Duration;

use hookgate::control::settings::Settings;
use hookgate::control::start::{Replica, in_cluster};
use serde_json::{Value, json};

use crate::control_world::{Operator, Place, SOON, generic, said};
use crate::support::cluster::Cluster;
use crate::support::wait::{eventually, eventually_some};

pub async fn install_crds(cluster: &Cluster) {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    cluster.kubectl(&["apply", "--filename", &crds.to_string_lossy()]).await.ok();
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]).await.ok();
}

#[tokio::test]
async fn routes_outlive_the_api_server_and_crds_may_come_late() {
    let mut cluster = Cluster::start().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let operator = Operator::start(&place.client, &place.namespace, "one");
    // Nothing is served before the first sync, and nothing breaks.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(operator.answers("/x"), "unsynced");

    install_crds(&cluster).await;
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    operator.until_answers(&place.path("calls"), "calls@1").await;
    place.until_conditions("calls", &["Ready=True/Ready"]).await;

    cluster.stop_apiserver();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(operator.answers(&place.path("calls")), "calls@1", "a watch that is down removes nothing");
    cluster.start_apiserver().await;
    assert_eq!(operator.answers(&place.path("calls")), "calls@1");

    // What happens afterwards is seen again, deletions too.
    place.apply("more", generic("s")).await;
    operator.until_answers(&place.path("more"), "more@1").await;
    place.delete("calls").await;
    operator.until_answers(&place.path("calls"), "404").await;
    place.until_conditions("more", &["Ready=True/Ready"]).await;

    // One that is frozen takes the leadership away, for who cannot renew must not write, and nothing else.
    eventually("this replica leads", SOON, async || *operator.running.leader.borrow()).await;
    cluster.pause_apiserver();
    eventually("it leads no more", SOON, async || !*operator.running.leader.borrow()).await;
    assert_eq!(operator.answers(&place.path("more")), "more@1");
    cluster.resume_apiserver();
    eventually("it leads again", SOON, async || *operator.running.leader.borrow()).await;
    place.apply("last", generic("s")).await;
    operator.until_answers(&place.path("last"), "last@1").await;
}

#[tokio::test]
async fn providers_come_from_the_cluster_too_and_say_who_uses_them() {
    // Providers belong to the whole cluster, and only who watches all of it counts their sources.
    let cluster = Cluster::start().await;
    install_crds(&cluster).await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let replica = Replica { namespace: place.namespace.clone(), identity: "one".to_owned(), pod: None };
    let operator = Operator::start_with(Settings::default(), |needs| in_cluster(&place.client, replica, needs));
    let name = "acme";
    let resource = kube::api::ApiResource::erase::<hookgate::api::provider::WebhookProvider>(&());
    let providers: kube::Api<kube::api::DynamicObject> = kube::Api::all_with(place.client.clone(), &resource);
    let provider = json!({
        "apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookProvider", "metadata": {"name": name},
        "spec": {
            "displayName": "Acme",
            "methods": [{"name": "token", "anyOf": [{"allOf": [{"token": {"header": "X-Token"}}]}]}],
        },
    });
    place.secret("s", "one").await;
    let spec = json!({"provider": name, "verification": {"secretRefs": [{"name": "s", "key": "k"}]}});
    place.apply("calls", spec).await;
    place.until_conditions("calls", &["Accepted=False/UnknownProvider"]).await;
    let params = kube::api::PatchParams::apply("a-user").force();
    providers.patch(name, &params, &kube::api::Patch::Apply(&provider)).await.expect("a provider");
    operator.until_answers(&place.path("calls"), "calls@1").await;
    let status: Value = eventually_some("the provider's status", SOON, async || {
        let status = providers.get(name).await.expect("the provider").data["status"].clone();
        (status["sources"] == 1).then_some(status)
    })
    .await;
    assert_eq!(said(&status), ["Accepted=True/Accepted"]);
    // A definition that says something wrong keeps its last good version.
    let body = json!({"spec": {"methods": [{"name": "token", "anyOf": [{"allOf": [{"hmac": {
        "algorithm": "SHA256", "signature": {"header": "X-Signature"}, "content": "{no-such-thing}",
    }}]}]}]}});
    providers.patch(name, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(&body)).await.expect("an edit");
    eventually("the provider is refused", SOON, async || {
        let status = providers.get(name).await.expect("the provider").data["status"].clone();
        said(&status).contains(&"Accepted=False/Invalid".to_owned())
    })
    .await;
    place.until_conditions("calls", &["Accepted=True/Accepted", "Ready=True/Ready"]).await;
    providers.delete(name, &Default::default()).await.expect("the provider is deleted");
    place.until_conditions("calls", &["Accepted=False/UnknownProvider", "Programmed=True/PreviousGeneration"]).await;
    assert_eq!(operator.answers(&place.path("calls")), "calls@1");
}
