//! A delivery that is sent again is stored once, whatever became of it before: half stored, unacknowledged, spooled, drained.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::time::Duration;

use crate::receive_line::status;
use crate::receive_port::{Port, proven, quick, source};
use crate::receive_wire::post;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);
const ITEMS: &str = r#"{"items":[{"kind":"a","n":1},{"kind":"b","n":2},{"kind":"a","n":3},{"kind":"b","n":4}]}"#;

/// A source whose deliveries are lists, each item's type on a subject of its own.
fn lists(more: &str) -> String {
    let usual = "extract: {id: [{header: X-Delivery}], type: {header: X-Event}}";
    let split = "extract: {split: {pointer: /items}, id: [{header: X-Delivery}], type: {pointer: /kind}}";
    let written = source("lists", more).replace(usual, split);
    assert!(written.contains(split));
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_again_after_half_of_it_was_stored_ends_complete_with_no_doubles() {
    let mut nats = Nats::start().await;
    nats.create_stream("A", &["webhooks.sales.lists.a"]).await;
    let port = Port::with_nats(&nats, &[&lists("")], quick()).await;
    let batch = post("/sales/lists", &proven("d-1"), ITEMS);
    assert_eq!(status(&port, &batch).await, 503, "half of it has no stream");
    assert_eq!(nats.count("A").await, 2);
    nats.create_stream("B", &["webhooks.sales.lists.b"]).await;
    eventually("it is taken", SOON, async || status(&port, &batch).await == 200).await;
    let counts = async |nats: &Nats| (nats.count("A").await, nats.count("B").await);
    assert_eq!(counts(&nats).await, (2, 2));
    nats.restart().await;
    eventually("it is taken again", SOON, async || status(&port, &batch).await == 200).await;
    assert_eq!(counts(&nats).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_acknowledgements_were_lost_is_stored_once_over_spool_kill_drain_and_repetition() {
    let (folder, spool, mut nats) = (Folder::new("manifests"), Folder::new("spool"), Nats::start().await);
    let proxy = Proxy::before(nats.port()).await;
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {namespace: sales, name: lists}\nstringData: {token: s3cr3t}\n---\n";
    let source = lists("  delivery: {onOutage: Spool}\n");
    folder.write("source.yaml", &format!("{secret}{source}"));
    let start = async || {
        let spool = spool.path().display().to_string();
        Operator::in_folder(folder.path(), &proxy.url(), &["--spool-dir", &spool, "--spool-volatile"]).await
    };
    let send = async |operator: &Operator| {
        let headers = [("x-token", "s3cr3t"), ("x-delivery", "d-1"), ("content-type", "application/json")];
        operator.post("/sales/lists", &headers, ITEMS).await.map_or(0, |answer| answer.status.as_u16())
    };
    let operator = start().await;
    proxy.set(Weather::Deaf);
    assert_eq!(send(&operator).await, 200, "{}", operator.process.log());
    // One for all of them: they went out as a batch.
    assert!(proxy.swallowed() >= 1, "stored, and not said to be");
    assert_eq!(nats.count("WEBHOOKS").await, 4);
    // Again while it lies in the spool: it lies there twice.
    assert_eq!(send(&operator).await, 200);
    drop(operator);
    proxy.set(Weather::Fair);
    let operator = start().await;
    let drained = async || {
        let metrics = operator.get("/metrics").await.unwrap();
        String::from_utf8_lossy(&metrics.body).contains("hookgate_spool_events 0\n")
    };
    eventually("it is drained", SOON, drained).await;
    eventually("a gauge is told each second", SOON, async || operator.process.log().contains("the spool is empty"))
        .await;
    assert_eq!(send(&operator).await, 200);
    nats.restart().await;
    assert_eq!(send(&operator).await, 200);
    eventually("it is drained again", SOON, drained).await;
    assert_eq!(nats.count("WEBHOOKS").await, 4);
}
