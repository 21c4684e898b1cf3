//! One replica leads at a time, and another follows when it is gone without a word.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test fails loudly, and prints its figures")]

use std::time::{Duration, Instant};

use hookgate::control::lease::Candidate;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::control_world::{Place, generic};
use crate::crds_live::cluster_with_crds;
use crate::support::cluster::Cluster;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::{eventually, eventually_some};

#[tokio::test]
async fn a_replica_that_dies_with_the_lease_is_followed_by_another() {
    let cluster = Cluster::shared().await;
    let (client, namespace) = (cluster.client().await, cluster.namespace().await);
    let stand = |identity: &str| {
        let (leads, leader) = watch::channel(false);
        let candidate = Candidate::new(client.clone(), &namespace, identity);
        (tokio::spawn(candidate.run(leads, CancellationToken::new(), CancellationToken::new())), leader)
    };
    // All at once: the API server's conflicts let one of them win.
    let mut replicas: Vec<_> = ["one", "two", "three"].into_iter().map(stand).collect();
    let leaders = |replicas: &[(tokio::task::JoinHandle<()>, watch::Receiver<bool>)]| {
        let leads: Vec<usize> = (0..replicas.len()).filter(|position| *replicas[*position].1.borrow()).collect();
        assert!(leads.len() <= 1, "two replicas lead: {leads:?}");
        leads.first().copied()
    };
    eventually("one of three leads", Duration::from_secs(10), async || leaders(&replicas).is_some()).await;
    let first = leaders(&replicas).expect("a leader");

    // A crash gives nothing back.
    replicas.remove(first).0.abort();
    assert_eq!(leaders(&replicas), None);
    eventually("another one leads", Duration::from_secs(40), async || leaders(&replicas).is_some()).await;
}

/// Whether a replica says that it leads.
async fn leads(operator: &Operator) -> bool {
    let metrics = operator.get("/metrics").await.map(|answer| answer.body).unwrap_or_default();
    String::from_utf8_lossy(&metrics).contains("hookgate_is_leader 1\n")
}

#[tokio::test]
async fn another_replica_leads_within_15_seconds_of_a_crash_and_at_once_after_sigterm_before_the_drain() {
    let cluster = cluster_with_crds().await;
    let (nats, place) =
        (Nats::start().await, Place { client: cluster.client().await, namespace: cluster.namespace().await });
    place.secret("s", "one").await;
    let namespace = &*place.namespace;
    let flags = ["--namespace", namespace, "--lease-namespace", namespace, "--drain-delay", "30s"];
    let replica = async || Operator::in_cluster(&cluster.kubeconfig(), &nats.url(), &flags).await;
    let mut replicas = vec![replica().await, replica().await];
    let soon = Duration::from_secs(30);
    let leader = async |replicas: &[Operator]| {
        eventually_some("one leads", soon, async || {
            for (position, replica) in replicas.iter().enumerate() {
                if leads(replica).await {
                    return Some(position);
                }
            }
            None
        })
        .await
    };

    // Killed while it holds the Lease: the status of what is applied meanwhile comes from the other one.
    let mut crashed = replicas.remove(leader(&replicas).await);
    let started = Instant::now();
    crashed.process.kill();
    place.apply("calls", generic("s")).await;
    leader(&replicas).await;
    let taken = started.elapsed();
    place.until_conditions("calls", &["Ready=True/Ready"]).await;
    println!("after kill -9: taken over in {taken:?}, status written after {:?}", started.elapsed());
    assert!(taken < Duration::from_secs(15), "{taken:?}");

    // Told to end: the other one leads while it still drains.
    replicas.push(replica().await);
    let ending = replicas.remove(leader(&replicas).await);
    let started = Instant::now();
    ending.process.signal("TERM");
    leader(&replicas).await;
    let taken = started.elapsed();
    println!("after SIGTERM: taken over in {taken:?}");
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    let headers = [("x-token", "one"), ("content-type", "application/json")];
    let answer = ending.post(&place.path("calls"), &headers, "{}").await.expect("it still drains");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_lease_goes_with_the_pod_that_holds_it() {
    let cluster = Cluster::shared().await;
    let (client, namespace) = (cluster.client().await, cluster.namespace().await);
    let leases = Api::<Lease>::namespaced(client.clone(), &namespace);
    for (pod, uid) in [("hookgate-1", "uid-1"), ("hookgate-2", "uid-2")] {
        let (leads, _leader) = watch::channel(false);
        let resign = CancellationToken::new();
        let candidate = Candidate::new(client.clone(), &namespace, pod).in_pod(Some((pod.to_owned(), uid.to_owned())));
        let stands = tokio::spawn(candidate.run(leads, resign.clone(), resign.clone()));
        eventually("the Lease belongs to the pod", Duration::from_secs(20), async || {
            let owners =
                leases.get_opt("hookgate").await.ok().flatten().and_then(|lease| lease.metadata.owner_references);
            let owners = owners.unwrap_or_default();
            owners.len() == 1 && (&*owners[0].kind, &*owners[0].name, &*owners[0].uid) == ("Pod", pod, uid)
        })
        .await;
        resign.cancel();
        stands.await.expect("it ends");
    }
}
