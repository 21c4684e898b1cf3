//! Routes follow WebhookSources live, last good wins, and status says what is served and why.

use hookgate::control::settings::Settings;
use hookgate::control::start::{Replica, in_cluster};
use kube::core::Expression;
use serde_json::json;

use crate::control_world::{Operator, Place, SOON, generic, message, said, with};
use crate::crds_live::cluster_with_crds;
use crate::support::wait::eventually;

async fn place() -> (Operator, Place) {
    let cluster = cluster_with_crds().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let operator = Operator::start(&place.client, &place.namespace, "one");
    (operator, place)
}

#[tokio::test]
async fn a_source_is_live_from_apply_to_delete_and_status_tells() {
    let (operator, place) = place().await;
    let path = place.path("calls");
    operator.until_answers(&path, "404").await;

    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    operator.until_answers(&path, "calls@1").await;
    let wanted =
        ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=True/Programmed", "Ready=True/Ready"];
    let status = place.until_conditions("calls", &wanted).await;
    assert_eq!(said(&status).len(), 4, "{status:#}");
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["servedGeneration"], 1);
    assert_eq!((&status["path"], &status["url"]), (&json!(path), &json!(path)));
    assert_eq!(status["verification"], json!({"method": "token", "covers": "None", "activeSecrets": 1}));

    let moved = place.path("moved");
    place.apply("calls", with(generic("s"), json!({"path": moved}))).await;
    operator.until_answers(&moved, "calls@2").await;
    assert_eq!(operator.answers(&path), "404");

    place.apply("calls", with(generic("s"), json!({"suspend": true}))).await;
    operator.until_answers(&path, "suspended").await;
    place.until_conditions("calls", &["Programmed=False/Suspended", "Ready=False/Suspended"]).await;

    place.apply("calls", generic("s")).await;
    operator.until_answers(&path, "calls@4").await;
    place.delete("calls").await;
    operator.until_answers(&path, "404").await;
}

#[tokio::test]
async fn a_secret_rotates_goes_and_comes_without_touching_the_source() {
    let (operator, place) = place().await;
    let path = place.path("calls");
    place.apply("calls", generic("s")).await;
    operator.until_answers(&path, "closed").await;
    let status =
        place.until_conditions("calls", &["ResolvedRefs=False/SecretNotFound", "Ready=False/SecretNotFound"]).await;
    assert!(message(&status, "ResolvedRefs").contains(&format!("Secret {}/s", place.namespace)), "{status:#}");
    assert!(!said(&status).iter().any(|c| c.starts_with("Stalled")), "creating the Secret helps, no edit is needed");

    place.secret("s", "one").await;
    operator.until_answers(&path, "calls@1").await;
    place.until_conditions("calls", &["ResolvedRefs=True/ResolvedRefs", "Ready=True/Ready"]).await;

    let route = |operator: &Operator| match operator.table.load_full().as_ref().and_then(|t| t.find("x", &path)) {
        Some(hookgate::route::Entry::Served(route)) => std::sync::Arc::as_ptr(route) as usize,
        _ => 0,
    };
    let before = route(&operator);
    place.secret("s", "two").await;
    eventually("the rotated secret is in force", SOON, async || route(&operator) != before).await;
    assert_eq!(place.get("calls").await.metadata.generation, Some(1));

    place.secrets().delete("s", &Default::default()).await.expect("a Secret is deleted");
    operator.until_answers(&path, "closed").await;
    let status =
        place.until_conditions("calls", &["ResolvedRefs=False/SecretNotFound", "Programmed=False/Invalid"]).await;
    assert!(!status.to_string().contains("two"), "{status:#}");
}

#[tokio::test]
async fn secrets_of_the_platform_are_no_keys() {
    let (operator, place) = place().await;
    let release = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "release"}, "type": "helm.sh/release.v1", "stringData": {"k": "x"},
    });
    let params = kube::api::PatchParams::apply("a-user");
    place.secrets().patch("release", &params, &kube::api::Patch::Apply(&release)).await.expect("a Secret");
    place.apply("calls", generic("release")).await;
    let status =
        place.until_conditions("calls", &["ResolvedRefs=False/SecretInvalid", "Ready=False/SecretInvalid"]).await;
    assert!(message(&status, "ResolvedRefs").contains("helm.sh/release.v1"), "{status:#}");
    assert_eq!(operator.answers(&place.path("calls")), "closed");
}

#[tokio::test]
async fn a_spec_that_stops_compiling_keeps_serving_and_says_which_generation() {
    let (operator, place) = place().await;
    let path = place.path("calls");
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    operator.until_answers(&path, "calls@1").await;
    place.apply("calls", with(generic("s"), json!({"events": {"filter": "data.("}}))).await;
    let wanted =
        ["Accepted=False/Invalid", "Programmed=True/PreviousGeneration", "Ready=False/Invalid", "Stalled=True/Invalid"];
    let status = place.until_conditions("calls", &wanted).await;
    assert_eq!((&status["observedGeneration"], &status["servedGeneration"]), (&json!(2), &json!(1)));
    assert!(message(&status, "Accepted").starts_with("spec.events.filter"), "{status:#}");
    assert_eq!(operator.answers(&path), "calls@1");
    // An Event tells those who look at the object.
    let events = kube::Api::<k8s_openapi::api::events::v1::Event>::namespaced(place.client.clone(), &place.namespace);
    eventually("an Event of the refusal", SOON, async || {
        let all = events.list(&Default::default()).await.expect("Events").items;
        all.iter().any(|event| event.type_.as_deref() == Some("Warning") && event.reason.as_deref() == Some("Invalid"))
    })
    .await;

    // The edit that helps ends it, and the condition that asked for it.
    place.apply("calls", generic("s")).await;
    operator.until_answers(&path, "calls@3").await;
    let status = place.until_conditions("calls", &["Ready=True/Ready"]).await;
    assert_eq!(said(&status).len(), 4, "{status:#}");

    // What never compiled here is answered 503; what its namespace may not claim is not answered at all.
    place
        .apply(
            "vendor",
            json!({"provider": "no-such-vendor", "verification": {"secretRefs": [{"name": "s", "key": "k"}]}}),
        )
        .await;
    operator.until_answers(&place.path("vendor"), "503").await;
    place.until_conditions("vendor", &["Accepted=False/UnknownProvider", "Programmed=False/Invalid"]).await;
    place.apply("thief", with(generic("s"), json!({"path": "/other/path"}))).await;
    place.until_conditions("thief", &["Accepted=False/PathNotAllowed"]).await;
    assert_eq!(operator.answers("/other/path"), "404");
}

#[tokio::test]
async fn the_older_source_keeps_a_path_that_two_claim() {
    let (operator, place) = place().await;
    let shared = place.path("shared");
    let spec = with(generic("s"), json!({"path": shared}));
    place.secret("s", "one").await;
    // Created in the same second, the name decides.
    place.apply("a", spec.clone()).await;
    operator.until_answers(&shared, "a@1").await;
    place.apply("b", spec).await;
    let status = place.until_conditions("b", &["Accepted=False/PathConflict", "Ready=False/PathConflict"]).await;
    assert!(message(&status, "Accepted").contains(&format!("{}/a", place.namespace)), "{status:#}");
    assert_eq!(operator.answers(&shared), "a@1");
    place.until_conditions("a", &["Ready=True/Ready"]).await;
    place.delete("a").await;
    operator.until_answers(&shared, "b@1").await;
    place.until_conditions("b", &["Ready=True/Ready"]).await;
}

#[tokio::test]
async fn a_status_is_written_when_something_changed_and_not_otherwise() {
    let (operator, place) = place().await;
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    place.until_conditions("calls", &["Ready=True/Ready"]).await;
    let large = json!({"limits": {"maxBodySize": "1Mi"}});
    place.apply("edited", with(generic("s"), large)).await;
    let noted = place.until_conditions("edited", &["Ready=True/Ready"]).await;
    assert!(message(&noted, "Accepted").contains("write at most 49152"), "{noted:#}");
    place.until_conditions("edited", &["Ready=True/Ready"]).await;
    let version = async || place.get("calls").await.metadata.resource_version;
    let before = version().await;
    // Whoever edits a status finds it restored: everything was evaluated anew then, and nothing else was written.
    let body = json!({"status": {"servedGeneration": 77}});
    let params = kube::api::PatchParams::default();
    place.sources().patch_status("edited", &params, &kube::api::Patch::Merge(&body)).await.expect("an edit of status");
    place.until_status("edited", "servedGeneration is right again", |status| status["servedGeneration"] == 1).await;
    assert_eq!(version().await, before, "somebody wrote although nothing changed");
    drop(operator);
}

#[tokio::test]
async fn streams_decide_whether_a_source_is_programmed() {
    use hookgate::subject::{Stream, Streams};
    let (operator, place) = place().await;
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    place.until_conditions("calls", &["Programmed=True/Programmed"]).await;
    operator.streams.send_replace(vec![Some(std::sync::Arc::new(Streams::default()))]);
    place.until_conditions("calls", &["Programmed=False/NoStream", "Ready=False/NoStream"]).await;
    let stream = |file_storage| Stream {
        name: "WEBHOOKS".to_owned(),
        subjects: vec!["webhooks.>".to_owned()],
        file_storage,
        duplicate_window: std::time::Duration::from_secs(3600),
        ..hookgate::subject::Stream::default()
    };
    operator
        .streams
        .send_replace(vec![Some(std::sync::Arc::new(Streams { streams: vec![stream(false)], ..Default::default() }))]);
    place.until_conditions("calls", &["Programmed=False/NotDurable", "Ready=False/NotDurable"]).await;
    operator
        .streams
        .send_replace(vec![Some(std::sync::Arc::new(Streams { streams: vec![stream(true)], ..Default::default() }))]);
    place.until_conditions("calls", &["Programmed=True/Programmed", "Ready=True/Ready"]).await;
}

#[tokio::test]
async fn a_ref_ends_at_its_instant_by_itself() {
    let (operator, place) = place().await;
    place.secret("s", "one").await;
    let end = jiff::Timestamp::now() + std::time::Duration::from_secs(3);
    let end = jiff::Timestamp::from_second(end.as_second()).expect("a time").to_string();
    let refs = json!([{"name": "s", "key": "k", "notAfter": end}]);
    let verification = json!({"method": "token", "token": {"header": "X-Token"}, "secretRefs": refs});
    place.apply("calls", json!({"provider": "generic", "verification": verification})).await;
    operator.until_answers(&place.path("calls"), "calls@1").await;
    operator.until_answers(&place.path("calls"), "closed").await;
    place.until_conditions("calls", &["ResolvedRefs=False/SecretExpired", "Ready=False/SecretExpired"]).await;
}

#[tokio::test]
async fn one_of_two_replicas_writes_and_the_other_takes_over() {
    let cluster = cluster_with_crds().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let mut one = Operator::start(&place.client, &place.namespace, "one");
    eventually("one leads", SOON, async || *one.running.leader.borrow()).await;
    let two = Operator::start(&place.client, &place.namespace, "two");
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    let path = place.path("calls");
    one.until_answers(&path, "calls@1").await;
    two.until_answers(&path, "calls@1").await;
    place.until_conditions("calls", &["Ready=True/Ready"]).await;
    assert!(!*two.running.leader.borrow());

    // It gives the Lease back when it ends: the other need not wait for its time to run out.
    one.stop.cancel();
    let ended = async { while one.running.tasks.join_next().await.is_some() {} };
    tokio::time::timeout(SOON, ended).await.expect("every task ends when it is told to");
    eventually("two leads", SOON, async || *two.running.leader.borrow()).await;
    place.apply("calls", with(generic("s"), json!({"suspend": true}))).await;
    place.until_conditions("calls", &["Ready=False/Suspended"]).await;
    let managers = place.get("calls").await.metadata.managed_fields.unwrap_or_default();
    let writers: Vec<_> = managers.iter().filter(|m| m.subresource.as_deref() == Some("status")).collect();
    assert_eq!(writers.len(), 1, "one field manager for all replicas: {writers:?}");
}

#[tokio::test]
async fn a_selector_decides_which_sources_are_ours() {
    let cluster = cluster_with_crds().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let settings = Settings {
        namespaces: vec![place.namespace.clone()],
        selector: Expression::Equal("team".to_owned(), "blue".to_owned()).into(),
        ..Settings::default()
    };
    let replica = Replica { namespace: place.namespace.clone(), identity: "one".to_owned(), pod: None };
    let operator = Operator::start_with(settings, |needs| in_cluster(&place.client, replica, needs));
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    let label = async |team: &str| {
        let body = json!({"metadata": {"labels": {"team": team}}});
        let params = kube::api::PatchParams::default();
        place.sources().patch("calls", &params, &kube::api::Patch::Merge(&body)).await.expect("a label");
    };
    label("blue").await;
    operator.until_answers(&place.path("calls"), "calls@1").await;
    label("red").await;
    operator.until_answers(&place.path("calls"), "404").await;
}

fn streams(all: &[(&str, &str)]) -> Option<std::sync::Arc<hookgate::subject::Streams>> {
    let stream = |(name, subject): &(&str, &str)| hookgate::subject::Stream {
        name: (*name).to_owned(),
        subjects: vec![(*subject).to_owned()],
        file_storage: true,
        duplicate_window: std::time::Duration::from_secs(3600),
        ..hookgate::subject::Stream::default()
    };
    Some(std::sync::Arc::new(hookgate::subject::Streams {
        streams: all.iter().map(stream).collect(),
        ..Default::default()
    }))
}

#[tokio::test]
async fn an_operator_that_starts_later_serves_the_last_good_spec_that_status_keeps() {
    let (mut first, place) = place().await;
    let path = place.path("calls");
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    first.until_answers(&path, "calls@1").await;
    place.apply("calls", with(generic("s"), json!({"events": {"filter": "data.("}}))).await;
    let status = place.until_status("calls", "lastGood is kept", |status| status["lastGood"]["generation"] == 1).await;
    assert_eq!(status["lastGood"]["spec"], generic("s"), "{status:#}");
    first.stop.cancel();
    while first.running.tasks.join_next().await.is_some() {}

    let second = Operator::start(&place.client, &place.namespace, "two");
    second.until_answers(&path, "calls@1").await;
    second.streams.send_replace(vec![streams(&[("WEBHOOKS", "webhooks.>")])]);
    // Whatever takes effect whatever else is wrong does so here too.
    place.apply("calls", with(generic("s"), json!({"events": {"filter": "data.("}, "suspend": true}))).await;
    second.until_answers(&path, "suspended").await;
    place.apply("calls", generic("s")).await;
    second.until_answers(&path, "calls@4").await;
    place
        .until_status("calls", "lastGood is gone", |status| {
            status["lastGood"].is_null() && status["servedGeneration"] == 4
        })
        .await;
}

#[tokio::test]
async fn a_generation_that_no_stream_takes_is_held_back_until_one_does() {
    let (operator, place) = place().await;
    let path = place.path("calls");
    operator.streams.send_replace(vec![streams(&[("WEBHOOKS", "webhooks.>")])]);
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    operator.until_answers(&path, "calls@1").await;
    place.apply("calls", with(generic("s"), json!({"routing": {"stream": "LATER"}}))).await;
    let wanted = ["Accepted=True/Accepted", "Programmed=True/PreviousGeneration", "Ready=False/NoStream"];
    let status = place.until_conditions("calls", &wanted).await;
    assert_eq!((&status["servedGeneration"], &status["lastGood"]["generation"]), (&json!(1), &json!(1)), "{status:#}");
    assert!(message(&status, "Ready").contains("LATER"), "{status:#}");
    assert_eq!(operator.answers(&path), "calls@1");

    operator.streams.send_replace(vec![streams(&[("LATER", "webhooks.>")])]);
    operator.until_answers(&path, "calls@2").await;
    place.until_conditions("calls", &["Programmed=True/Programmed", "Ready=True/Ready"]).await;
    // A stream that is lost under the current generation holds nothing back.
    operator.streams.send_replace(vec![streams(&[])]);
    place.until_conditions("calls", &["Programmed=False/NoStream", "Ready=False/NoStream"]).await;
    assert_eq!(operator.answers(&path), "calls@2");
}

#[tokio::test]
async fn a_path_conflict_names_no_source_of_another_namespace() {
    let cluster = cluster_with_crds().await;
    let place = async || Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let (mut keeper, mut loser) = (place().await, place().await);
    // Of two that were made within one second the names decide.
    if keeper.namespace > loser.namespace {
        std::mem::swap(&mut keeper, &mut loser);
    }
    let settings = Settings {
        namespaces: vec![keeper.namespace.clone(), loser.namespace.clone()],
        path_policies: vec!["/shared/**".parse().expect("a policy")],
        ..Settings::default()
    };
    let replica = Replica { namespace: keeper.namespace.clone(), identity: "one".to_owned(), pod: None };
    let operator = Operator::start_with(settings, |needs| in_cluster(&keeper.client, replica, needs));
    let shared = format!("/shared/{}", keeper.namespace);
    let spec = with(generic("s"), json!({"path": shared}));
    for (place, name) in [(&keeper, "a-secret-plan"), (&loser, "b")] {
        place.secret("s", "one").await;
        place.apply(name, spec.clone()).await;
        if name == "a-secret-plan" {
            operator.until_answers(&shared, "a-secret-plan@1").await;
        }
    }
    let status = loser.until_conditions("b", &["Accepted=False/PathConflict"]).await;
    let said = message(&status, "Accepted");
    assert!(said.contains("a source of another namespace"), "{said}");
    assert!(!status.to_string().contains("a-secret-plan"), "{status:#}");
    assert_eq!(operator.answers(&shared), "a-secret-plan@1");
}
