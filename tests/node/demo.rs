//! `make demo-cluster`: a node, the chart with a NATS server of its own, one signed delivery, and the event that it became.

use std::time::Duration;

use crate::node::{ADDRESS, Node};
use crate::sender::{PORT, deliver};
use crate::support::flood::SOURCE;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);

/// Shows it, and waits for the end of the input where `KEEP` is set.
pub async fn show(node: &Node) {
    let values = "--set nats.install=true --set spool.persistence.enabled=false --set clusterWide=true --set service.type=NodePort --set service.nodePort=30080";
    say(&format!("helm install hookgate charts/hookgate --namespace hookgate --create-namespace --wait {values}"));
    node.helm(&format!(
        "install hookgate charts/hookgate --namespace hookgate --create-namespace --wait --timeout 120s {values}"
    ))
    .await;
    println!("{}", node.kubectl("get pods --namespace hookgate --output wide").await.ok());
    say("kubectl apply: a Secret and a WebhookSource in the namespace demo");
    node.apply(&["{apiVersion: v1, kind: Namespace, metadata: {name: demo}}\n---\n", SOURCE].concat()).await;
    let _ = node.kubectl("--namespace demo wait --for=condition=Ready whs/repo --timeout=60s").await.ok();
    println!("{}", node.kubectl("get whs --all-namespaces").await.ok());
    let address = std::net::Ipv4Addr::from(ADDRESS);
    say(&format!("a signed delivery to http://{address}:{PORT}/demo/repo"));
    eventually("it is answered 200", SOON, async || deliver(1).await.is_ok()).await;
    println!("200\n");
    say("the event on NATS");
    let nats = node
        .get("pods --namespace hookgate --selector app.kubernetes.io/name=hookgate-nats", "{.items[0].status.podIP}")
        .await;
    let client = async_nats::connect(format!("nats://{nats}:4222")).await.expect("NATS");
    let stream = async_nats::jetstream::new(client).get_stream("WEBHOOKS").await.expect("the stream");
    let event = stream.get_last_raw_message_by_subject("webhooks.demo.>").await.expect("an event");
    println!("{}", event.subject);
    for (name, values) in event.headers.iter() {
        values.iter().for_each(|value| println!("{name}: {value}"));
    }
    println!("\n{}", String::from_utf8_lossy(&event.payload));
    if std::env::var_os("KEEP").is_some() {
        say("Return ends it");
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}

fn say(what: &str) {
    println!("--- {what}");
}
