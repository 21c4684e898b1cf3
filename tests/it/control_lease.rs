//! One replica leads at a time, and another follows when it is gone without a word.

use std::time::Duration;

use hookgate::control::lease::Candidate;
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
