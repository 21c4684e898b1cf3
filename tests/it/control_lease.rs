//! One replica leads at a time, and another follows when it is gone without a word.

use std::time::Duration;

use hookgate::control::lease::Candidate;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::cluster::Cluster;
use crate::support::wait::eventually;

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
