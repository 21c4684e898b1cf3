//! The users of examples/nats may do what they must, and nobody else can publish an event.
#![allow(clippy::expect_used, reason = "a test fails loudly")]

use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull};
use async_nats::{Client, ConnectOptions};
use futures::StreamExt;
use serde_json::Value;

use crate::deliver_parts::{options, start};
use crate::docs::text;
use crate::spool::{MANIFEST, post, signature};
use crate::support::cluster::Cluster;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::run::run;
use crate::support::servers::program;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);

/// A server with the users of the example, and a password for each.
async fn server() -> Nats {
    let passwords = "HOOKGATE_PASSWORD: gate\nSALES_PASSWORD: sales\nADMIN_PASSWORD: admin\n";
    Nats::start_with(&format!("{passwords}{}", text("examples/nats/users.conf"))).await
}

async fn login(nats: &Nats, user: &str, password: &str) -> Client {
    let options = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    options.custom_inbox_prefix(format!("_INBOX_{user}")).connect(nats.url()).await.expect("a connection")
}

fn url(nats: &Nats) -> String {
    nats.url().replace("nats://", "nats://hookgate:gate@")
}

#[tokio::test]
async fn the_permissions_of_the_example_are_all_that_hookgate_needs() {
    let (nats, folder) = (server().await, Folder::new("manifests"));
    folder.write("sales.yaml", MANIFEST);
    let operator = Operator::in_folder(&folder, &url(&nats), &[]).await;
    eventually("an event is stored", SOON, async || {
        post(&operator.client, "github", "d-1").await.is_some_and(|answer| answer.status == 200)
    })
    .await;

    // What is too large for a message needs more rights, where it goes beside it.
    let large = format!(r#"{{"action":"opened","text":"{}"}}"#, "x".repeat(3 << 19));
    let signed = signature(&large);
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", "issues"),
        ("x-github-delivery", "d-2"),
        ("x-hub-signature-256", &signed),
    ];
    let answer = operator.post("/sales/github", &headers, large).await.expect("an answer");
    assert_eq!(answer.status, 200, "claimed");

    // What replicas tell each other comes back.
    let delivery = start(&options(url(&nats))).await;
    let mut exchange = delivery.exchange("hookgate", "facts");
    eventually("facts are heard", SOON, async || {
        exchange.tell.send(b"fact".to_vec()).await.expect("the exchange runs");
        tokio::time::timeout(Duration::from_millis(500), exchange.heard.recv()).await.is_ok_and(|heard| heard.is_some())
    })
    .await;
    for log in [nats.log(), operator.process.log()] {
        assert!(!log.to_lowercase().contains("violation"), "{log}");
    }
}

#[tokio::test]
async fn a_consumer_of_the_example_reads_its_namespace_and_can_forge_nothing() {
    let (nats, folder) = (server().await, Folder::new("manifests"));
    folder.write("sales.yaml", MANIFEST);
    let operator = Operator::in_folder(&folder, &url(&nats), &[]).await;
    eventually("an event is stored", SOON, async || {
        post(&operator.client, "github", "d-1").await.is_some_and(|answer| answer.status == 200)
    })
    .await;

    let sales = login(&nats, "sales", "sales").await;
    let context = jetstream::context::ContextBuilder::new().timeout(Duration::from_secs(2)).build(sales.clone());
    let stream = context.get_stream("WEBHOOKS").await.expect("its stream");
    let consumer = |subject: &str| pull::Config {
        durable_name: Some("sales".to_owned()),
        filter_subject: subject.to_owned(),
        ..pull::Config::default()
    };
    let own = stream.create_consumer(consumer("webhooks.sales.>")).await.expect("its consumer");
    let mut messages = own.fetch().max_messages(1).messages().await.expect("messages");
    let event = messages.next().await.expect("an event").expect("an event");
    assert!(event.subject.starts_with("webhooks.sales.github."), "{}", event.subject);
    event.double_ack().await.expect("an acknowledgement");

    // Neither another namespace's events nor one of its own making.
    assert!(stream.create_consumer(consumer("webhooks.hr.>")).await.is_err());
    let forged = context.publish("webhooks.sales.github.issues.opened", "{}".into()).await.expect("sent");
    assert!(tokio::time::timeout(Duration::from_secs(3), forged).await.is_ok_and(|stored| stored.is_err()));
    let admin = jetstream::new(login(&nats, "admin", "admin").await);
    assert_eq!(admin.get_stream("WEBHOOKS").await.expect("the stream").cached_info().state.messages, 1);
    assert!(async_nats::connect(nats.url()).await.is_err(), "nobody comes in without a login");
}

#[test]
fn the_documents_show_the_permissions_of_the_example() {
    let users = text("examples/nats/users.conf");
    let (_, hookgate) = users.split_once("    {\n      user: hookgate\n").expect("the user");
    let (hookgate, _) = hookgate.split_once("\n    }\n").expect("its end");
    let shown: String = format!("    {{\n      user: hookgate\n{hookgate}\n    }}")
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("    ").expect("an indented line")))
        .collect();
    assert!(
        text("docs/operating.md").contains(&format!("```\n{shown}```")),
        "docs/operating.md does not show:\n{shown}"
    );
}

#[tokio::test]
async fn an_api_server_takes_the_manifests_of_the_example() {
    let cluster = Cluster::shared().await;
    let folder = format!("{}/examples/nats", env!("CARGO_MANIFEST_DIR"));
    let mut command = tokio::process::Command::new(program("kubectl"));
    command.args(["kustomize", &folder]);
    let objects = run(command, "").await.ok();
    let documents: Vec<Value> = crate::chart::documents(&objects);
    let pod = documents.iter().find(|one| one["kind"] == "StatefulSet").expect("a StatefulSet");
    let image = pod.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str).expect("an image");
    assert!(
        text("tests/servers/go.mod").contains(&format!("nats-server/v2 v{}", image.trim_start_matches("nats:"))),
        "{image}"
    );

    let standard = "{pod-security.kubernetes.io/warn: restricted}";
    let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: nats, labels: {standard}}}}}");
    cluster.kubectl_with(&["apply", "--server-side", "--filename", "-"], &namespace).await.ok();
    let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", "-"];
    let applied = cluster.kubectl_with(&apply, &objects).await;
    assert!(applied.status.success() && applied.stderr.is_empty(), "{}", applied.stderr);
}
