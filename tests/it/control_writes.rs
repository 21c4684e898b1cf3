//! What replicas write to the API server, and when: nothing while nothing happens, few statuses a second while much does.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test fails loudly, and prints its figures")]

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::control_world::{Place, generic};
use crate::crds_live::cluster_with_crds;
use crate::support::cluster::Cluster;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);

/// A ServiceAccount that may all, so that the API server tells its writes from those of others.
struct World {
    cluster: &'static Cluster,
    place: Place,
    nats: Nats,
    account: std::path::PathBuf,
}

impl World {
    async fn new() -> World {
        let cluster = cluster_with_crds().await;
        let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
        let namespace = &*place.namespace;
        cluster.kubectl(&["create", "serviceaccount", "hookgate", "-n", namespace]).await.ok();
        let subject = format!("--serviceaccount={namespace}:hookgate");
        let bind = ["create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", &subject];
        cluster.kubectl(&bind).await.ok();
        let account = cluster.kubeconfig_for_service_account(namespace, "hookgate").await;
        place.secret("s", "one").await;
        World { cluster, place, nats: Nats::start().await, account }
    }

    async fn replica(&self) -> Operator {
        let flags = ["--namespace", &*self.place.namespace, "--lease-namespace", &self.place.namespace];
        Operator::in_cluster(&self.account, &self.nats.url(), &flags).await
    }

    /// What was written between two instants: what, and when.
    fn writes(&self, from: Timestamp, to: Timestamp) -> Vec<(String, Timestamp)> {
        let user = format!("system:serviceaccount:{}:hookgate", self.place.namespace);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reads = ["get", "list", "watch"];
        let all = self.cluster.audit(&user).into_iter();
        let ours = all.filter(|entry| !reads.contains(&entry["verb"].as_str().unwrap_or_default()));
        let named = ours.filter_map(|entry| {
            let at: Timestamp = entry["requestReceivedTimestamp"].as_str()?.parse().ok()?;
            let object = &entry["objectRef"];
            let what =
                format!("{} {}/{}", text(&entry["verb"]), text(&object["resource"]), text(&object["subresource"]));
            (from <= at && at <= to).then_some((what.trim_end_matches('/').to_owned(), at))
        });
        named.collect()
    }

    async fn post(&self, operator: &Operator, name: &str, token: &str) -> u16 {
        let headers = [("x-token", token), ("content-type", "application/json")];
        let answer = operator.post(&self.place.path(name), &headers, r#"{"n":1}"#).await;
        answer.map_or(0, |answer| answer.status.as_u16())
    }
}

#[tokio::test]
async fn in_an_idle_minute_nothing_is_written_but_the_lease() {
    let world = World::new().await;
    let replicas = [world.replica().await, world.replica().await];
    let names: Vec<String> = (0..20).map(|n| format!("calls-{n}")).collect();
    for name in &names {
        world.place.apply(name, generic("s")).await;
    }
    world.place.apply("broken", generic("gone")).await;
    for name in &names {
        world.place.until_conditions(name, &["Ready=True/Ready"]).await;
    }
    // Not only sources that never saw anything.
    for (replica, token) in replicas.iter().zip(["one", "wrong"]) {
        let wanted = if token == "one" { 200 } else { 401 };
        eventually("it serves", SOON, async || world.post(replica, "calls-0", token).await == wanted).await;
    }
    eventually("both are told", SOON, async || {
        let status = world.place.get("calls-0").await.data["status"].clone();
        status["lastAcceptedTime"].is_string() && status["lastRejected"]["time"].is_string()
    })
    .await;
    eventually("all that was to be told is told", SOON, async || {
        let now = Timestamp::now();
        world.writes(now - Duration::from_secs(12), now).iter().all(|(what, _)| what.ends_with("leases"))
    })
    .await;

    let start = Timestamp::now();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut counts = BTreeMap::<String, usize>::new();
    for (what, _) in world.writes(start, start + Duration::from_secs(60)) {
        *counts.entry(what).or_default() += 1;
    }
    println!("writes of an idle minute, two replicas, 21 sources: {counts:?}");
    let leases = counts.remove("update leases").unwrap_or_default();
    assert!(counts.is_empty(), "{counts:?}");
    assert!((10..=31).contains(&leases), "the holder renews every 2 s: {leases}");
}

#[tokio::test]
async fn what_requests_tell_is_written_to_ten_sources_a_second() {
    let world = World::new().await;
    let replica = world.replica().await;
    let names: Vec<String> = (0..60).map(|n| format!("calls-{n}")).collect();
    for name in &names {
        world.place.apply(name, generic("s")).await;
    }
    for name in &names {
        world.place.until_conditions(name, &["Ready=True/Ready"]).await;
    }
    let start = Timestamp::now();
    for name in &names {
        assert_eq!(world.post(&replica, name, "one").await, 200);
    }
    for name in &names {
        let told = |status: &Value| status["lastAcceptedTime"].is_string();
        crate::support::wait::eventually("its delivery is told", SOON, async || {
            told(&world.place.get(name).await.data["status"])
        })
        .await;
    }
    let all = world.writes(start, Timestamp::now());
    let statuses: Vec<Timestamp> =
        all.into_iter().filter(|(what, _)| what == "patch webhooksources/status").map(|(_, at)| at).collect();
    assert!(statuses.len() >= names.len());
    // Of any eleven in a row the last comes a good second after the first; the API server may receive what was paced a little closer.
    let closest = statuses.windows(21).map(|some| some[20].duration_since(some[0])).min().expect("some");
    println!("60 sources were told of in {:?}", statuses[statuses.len() - 1].duration_since(statuses[0]));
    assert!(closest.as_millis() > 1000, "21 statuses within {closest:?}");
}
