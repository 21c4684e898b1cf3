//! Several replicas are one operator: status tells of the requests of all, and whoever ends hands over at once.
#![allow(clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::{Value, json};

use crate::control_world::{Place, generic, message, with};
use crate::crds_live::cluster_with_crds;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::{eventually, eventually_some};

/// Longer than one replica takes to tell, the other to write, and the machine to do both.
const TOLD: Duration = Duration::from_secs(60);

struct World {
    place: Place,
    nats: Nats,
    kubeconfig: std::path::PathBuf,
}

impl World {
    async fn new(nats: Nats) -> Self {
        let cluster = cluster_with_crds().await;
        let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
        place.secret("s", "one").await;
        place.apply("calls", generic("s")).await;
        World { place, nats, kubeconfig: cluster.kubeconfig() }
    }

    async fn replica(&self, url: &str) -> Operator {
        let namespace = &*self.place.namespace;
        let flags = ["--namespace", namespace, "--lease-namespace", namespace];
        let operator = Operator::in_cluster(&self.kubeconfig, url, &flags).await;
        eventually("the route is live", TOLD, async || self.post(&operator, "no").await == 401).await;
        operator
    }

    async fn post(&self, operator: &Operator, token: &str) -> u16 {
        let headers = [("x-token", token), ("content-type", "application/json")];
        let answer = operator.post(&self.place.path("calls"), &headers, r#"{"n":1}"#).await;
        answer.map_or(0, |answer| answer.status.as_u16())
    }

    /// Waits for a status, and sees to it that no instant in it goes backwards.
    async fn until(&self, what: &str, last: &mut Told, wanted: impl Fn(&Told) -> bool) {
        let seen = RefCell::new(last.clone());
        eventually(what, TOLD, async || {
            let told = Told::of(&self.place.get("calls").await.data["status"]);
            let before = seen.replace(told.clone());
            assert!(
                told.accepted >= before.accepted && told.rejected.0 >= before.rejected.0,
                "{before:?}, then {told:?}"
            );
            wanted(&told)
        })
        .await;
        *last = seen.into_inner();
    }
}

/// What a status tells of requests. Times of one form compare as text.
#[derive(Clone, Debug, Default)]
struct Told {
    accepted: String,
    rejected: (String, String),
}

impl Told {
    fn of(status: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rejected = &status["lastRejected"];
        Self {
            accepted: text(&status["lastAcceptedTime"]),
            rejected: (text(&rejected["time"]), text(&rejected["reason"])),
        }
    }
}

async fn leads(operator: &Operator) -> bool {
    let metrics = operator.get("/metrics").await.expect("metrics");
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    let line = text.lines().find(|line| line.starts_with("hookgate_is_leader ")).expect("the gauge");
    line.ends_with(" 1")
}

fn swaps(metrics: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(metrics);
    let line = text.lines().find_map(|line| line.strip_prefix("hookgate_route_swaps_total ")).expect("the counter");
    line.parse().expect("a number")
}

#[tokio::test]
async fn status_tells_of_requests_that_another_replica_took_and_the_lease_is_given_back_at_sigterm() {
    let world = World::new(Nats::start().await).await;
    let mut leader = world.replica(&world.nats.url()).await;
    eventually("the first one leads", TOLD, async || leads(&leader).await).await;
    let follower = world.replica(&world.nats.url()).await;
    let mut told = Told::default();
    world.until("the leader tells of its own", &mut told, |told| told.rejected.1 == "BadSignature").await;
    assert_eq!(told.accepted, "");

    // Requests on the follower alone.
    assert_eq!(world.post(&follower, "one").await, 200);
    world.until("an accepted delivery of the follower is told", &mut told, |told| !told.accepted.is_empty()).await;
    let before = told.rejected.0.clone();
    eventually("a second passes", TOLD, async || jiff::Timestamp::now().to_string() > format!("{before}~")).await;
    let wrong = [("x-token", "one"), ("content-type", "image/png")];
    assert_eq!(follower.post(&world.place.path("calls"), &wrong, "x").await.expect("an answer").status, 415);
    world.until("a refusal of the follower is told", &mut told, |told| told.rejected.1 != "BadSignature").await;
    assert!(!leads(&follower).await && leads(&leader).await);

    // A table for what changed, and none for what did not.
    let metrics = async || swaps(&follower.get("/metrics").await.expect("metrics").body);
    let first = metrics().await;
    assert!(first >= 1);
    world.place.apply("more", with(generic("s"), json!({"events": {"filter": "data.absent == 1"}}))).await;
    eventually("a change is one more table", TOLD, async || metrics().await == first + 1).await;

    // A filter that fails on every event of the follower is noted by the leader.
    let headers = [("x-token", "one"), ("content-type", "application/json")];
    let kept = follower.post(&world.place.path("more"), &headers, r#"{"n":1}"#).await.expect("an answer");
    assert_eq!(kept.status, 200, "kept as rejected");
    eventually("it is noted", TOLD, async || {
        let status = world.place.get("more").await.data["status"].clone();
        message(&status, "Accepted").contains("a filter of this source fails on every event")
    })
    .await;

    // It gives the Lease back as soon as it is told to end: nobody waits for its time to run out.
    leader.process.signal("TERM");
    leader.process.wait_exit(Duration::from_secs(30)).await;
    let leases = Api::<Lease>::namespaced(world.place.client.clone(), &world.place.namespace);
    let given = eventually_some("the Lease changes hands", TOLD, async || {
        let spec = leases.get("hookgate").await.ok()?.spec?;
        spec.lease_duration_seconds.filter(|seconds| *seconds == 1 || spec.lease_transitions > Some(0))
    })
    .await;
    assert!(given == 1 || leads(&follower).await, "given back, or taken after it was");
    eventually("the other one leads", TOLD, async || leads(&follower).await).await;
    assert!(leader.process.log().contains("leads=false") || leader.process.log().contains("\"leads\":false"));
    assert_eq!(world.post(&follower, "no").await, 401);
    let refused = told.rejected.clone();
    world.until("the new leader goes on from there", &mut told, |told| told.rejected > refused).await;
}

#[tokio::test]
async fn where_nats_lets_replicas_not_speak_the_log_says_so_once_and_everything_else_works() {
    let users = "authorization { users: [{ user: hook, password: gate, permissions: {\
                 publish: {allow: [\">\"], deny: [\"_hookgate.>\"]}, subscribe: {allow: [\">\"], deny: [\"_hookgate.>\"]}}}] }";
    let world = World::new(Nats::start_with(users).await).await;
    let url = world.nats.url().replace("nats://", "nats://hook:gate@");
    let operator = world.replica(&url).await;
    assert_eq!(world.post(&operator, "one").await, 200);
    let mut told = Told::default();
    world.until("its own requests are told", &mut told, |told| !told.accepted.is_empty()).await;
    let log = operator.process.log();
    assert_eq!(log.matches("subscribe to _hookgate.>").count(), 1, "{log}");
    assert!(!log.contains("let this user publish on the sources' subjects"), "{log}");
}

#[tokio::test]
async fn describe_says_of_a_source_that_needs_a_spool_that_there_is_none() {
    let world = World::new(Nats::start().await).await;
    let spec = with(generic("s"), json!({"delivery": {"onOutage": "Spool"}}));
    world.place.apply("spools", spec).await;
    let _operator = world.replica(&world.nats.url()).await;
    world.place.until_conditions("spools", &["Programmed=True/SpoolMissing", "Ready=True/Ready"]).await;
    let cluster = cluster_with_crds().await;
    let namespace = ["--namespace", &*world.place.namespace];
    let described = cluster.kubectl(&[&["describe", "whs", "spools"], &namespace[..]].concat()).await.ok();
    assert!(described.contains("SpoolMissing") && described.contains("--spool-dir"), "{described}");
    world.place.until_conditions("calls", &["Programmed=True/Programmed"]).await;
}
