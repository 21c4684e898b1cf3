//! Replicas behind a load balancer take every request while they are restarted one by one, and while the API server is away.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails loudly, and prints its figures"
)]

use std::time::Duration;

use crate::control_outage::install_crds;
use crate::ledger::{Gate, Load, judge};
use crate::spool::MANIFEST;
use crate::support::balancer::Balancer;
use crate::support::cluster::Cluster;
use crate::support::nats::Nats;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_dropped_while_replicas_restart_and_the_api_server_is_away() {
    let (mut cluster, nats) = tokio::join!(Cluster::start(), Nats::start());
    install_crds(&cluster).await;
    cluster.kubectl(&["create", "namespace", "sales"]).await.ok();
    cluster.kubectl_apply(MANIFEST).await.ok();
    let replica = async || {
        let mut gate = Gate::in_cluster(nats.url(), &cluster.kubeconfig()).await;
        let flags = ["--namespace", "sales", "--lease-namespace", "sales", "--drain-delay", "400ms"];
        gate.arguments.extend(flags.map(str::to_owned));
        let process = gate.start().await;
        (gate, process)
    };
    let mut replicas = [replica().await, replica().await];
    let balancer = Balancer::before(&replicas.each_ref().map(|(gate, _)| (gate.port, gate.admin))).await;
    let leaders = async |replicas: &[(Gate, _)]| {
        let mut leaders = 0;
        for (gate, _) in replicas {
            leaders += gate.gauge("hookgate_is_leader ").await;
        }
        leaders
    };
    eventually("one leads", SOON, async || leaders(&replicas).await == 1).await;
    let load = Load::at(balancer.port, Duration::from_millis(20));
    let goes_on = async || {
        let before = load.answered();
        eventually("requests are answered", SOON, async || load.answered() > before + 500).await;
    };
    goes_on().await;

    // Longer than the Lease lasts: nobody leads, and everybody serves.
    cluster.stop_apiserver();
    eventually("nobody leads", SOON, async || leaders(&replicas).await == 0).await;
    goes_on().await;
    cluster.start_apiserver().await;
    eventually("one leads again", SOON, async || leaders(&replicas).await == 1).await;

    for _ in 0..2 {
        for (gate, process) in &mut replicas {
            process.signal("TERM");
            assert!(process.wait_exit(SOON).await.success(), "{}", process.log());
            assert!(process.log().contains("cut=0"), "{}", process.log());
            goes_on().await;
            *process = gate.start().await;
            goes_on().await;
        }
    }
    let ledger = load.end().await;
    judge("replicas", &nats, &ledger).await;
    assert!(ledger.late.is_empty(), "{:?}", ledger.late);
}
