//! Tenants with a login of their own to NATS: events land in the account of their namespace and in no other, and an account
//! that is away holds up nobody else and loses nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::path::Path;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream;
use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;

use crate::receive_wire::read_answer;
use crate::support::flood::{GOOD, SOURCE, connect, signed};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);
/// Whose login is the default one, and those who have their own.
const NAMESPACES: [&str; 3] = ["demo", "sales", "shop-eu"];

fn folder() -> Folder {
    let folder = Folder::new("accounts");
    for namespace in NAMESPACES {
        folder.write(&format!("{namespace}.yaml"), &SOURCE.replace("demo", namespace));
    }
    folder
}

/// What a signed delivery of this number to a namespace is answered.
async fn deliver(operator: &Operator, namespace: &str, n: u64) -> u16 {
    let mut stream = connect(GOOD, ([127, 0, 0, 1], operator.port).into()).await.unwrap();
    stream.write_all(signed(n).replace("/demo/", &format!("/{namespace}/")).as_bytes()).await.unwrap();
    read_answer(&mut stream).await.ok().flatten().map_or(0, |answer| answer.status)
}

/// What the streams of an account hold: subject and id of each event.
async fn held(nats: &Nats, credentials: &Path) -> Vec<String> {
    let options = ConnectOptions::with_credentials_file(credentials).await.unwrap();
    let context = jetstream::new(options.connect(nats.url()).await.unwrap());
    let Ok(stream) = context.get_stream("WEBHOOKS").await else { return Vec::new() };
    let consumer = stream.create_consumer(jetstream::consumer::pull::Config::default()).await.unwrap();
    let waiting = stream.get_info().await.unwrap().state.messages;
    let messages = consumer.fetch().max_messages(usize::try_from(waiting).unwrap()).messages().await.unwrap();
    let messages: Vec<_> = messages.try_collect().await.unwrap();
    let id = |message: &jetstream::Message| message.headers.as_ref().unwrap().get("ce-id").unwrap().to_string();
    let mut held: Vec<_> = messages.iter().map(|message| format!("{} {}", message.subject, id(message))).collect();
    // What is drained comes in no order.
    held.sort();
    held
}

async fn start(nats: &Nats, folder: &Folder, away: &Path) -> Operator {
    let spool = folder.join("spool").display().to_string();
    let default = nats.credentials().display().to_string();
    let sales = format!("sales={}", nats.credentials_of(1).display());
    let shop = format!("shop-*,sales={}", away.display());
    let flags = [
        &["--nats-creds", &default, "--nats-account", &sales, "--nats-account", &shop][..],
        &["--spool-dir", &spool, "--spool-volatile"],
    ];
    let manifests = folder.join("manifests");
    std::fs::create_dir_all(&manifests).unwrap();
    for namespace in NAMESPACES {
        let file = format!("{namespace}.yaml");
        std::fs::copy(folder.join(&file), manifests.join(&file)).unwrap();
    }
    Operator::in_folder(&manifests, &nats.url(), &flags.concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_land_in_the_account_of_their_namespace_and_one_that_is_away_holds_up_no_other() {
    let (nats, folder) = (Nats::start_with_accounts(3).await, folder());
    let late = folder.join("late.creds");
    let operator = start(&nats, &folder, &late).await;
    for namespace in NAMESPACES {
        eventually("it is served", SOON, async || deliver(&operator, namespace, 1).await == 200).await;
    }
    let event = |namespace: &str, n: u64| format!("webhooks.{namespace}.repo.push d-{n}");
    let default = nats.credentials().to_owned();
    eventually("the default account has its own", SOON, async || held(&nats, &default).await == [event("demo", 1)])
        .await;
    eventually("so has the first of its own", SOON, async || {
        held(&nats, &nats.credentials_of(1)).await == [event("sales", 1)]
    })
    .await;
    assert_eq!(held(&nats, &nats.credentials_of(2)).await, Vec::<String>::new(), "nobody has logged in there");
    assert_eq!(operator.metric("hookgate_nats_accounts_away").await, Some(1));
    assert_eq!(
        operator.metric("hookgate_spool_events").await,
        Some(1),
        "only what belongs to the one that is away waits"
    );
    let own = folder.join("spool").join("accounts");
    assert_eq!(std::fs::read_dir(&own).unwrap().count(), 2, "a spool of each");

    // The others go on; what waits outlives the process, and goes where it belongs when the login is there.
    for namespace in NAMESPACES {
        assert_eq!(deliver(&operator, namespace, 2).await, 200, "{namespace}");
    }
    drop(operator);
    std::fs::copy(nats.credentials_of(2), &late).unwrap();
    let operator = start(&nats, &folder, &late).await;
    eventually("it is drained into its own account", SOON, async || {
        held(&nats, &nats.credentials_of(2)).await == [event("shop-eu", 1), event("shop-eu", 2)]
    })
    .await;
    assert_eq!(deliver(&operator, "shop-eu", 3).await, 200);
    assert_eq!(held(&nats, &default).await, [event("demo", 1), event("demo", 2)]);
    assert_eq!(held(&nats, &nats.credentials_of(1)).await, [event("sales", 1), event("sales", 2)]);
}

/// What a tenant writes who would like to be another.
const EVIL: &str = "
apiVersion: v1
kind: Secret
metadata: {name: own, namespace: evil}
stringData: {secret: It's a Secret to Everybody}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: path, namespace: evil}
spec: {provider: github, path: /sales/repo, verification: {secretRefs: [{name: own, key: secret}]}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: subject, namespace: evil}
spec: {provider: github, routing: {subject: webhooks.sales.repo.push}, verification: {secretRefs: [{name: own, key: secret}]}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: secret, namespace: evil}
spec: {provider: github, verification: {secretRefs: [{name: repo, key: secret}]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_cannot_take_anothers_path_publish_as_another_or_use_anothers_secret() {
    let (nats, folder) = (Nats::start_with_accounts(3).await, folder());
    let operator = start(&nats, &folder, &nats.credentials_of(2)).await;
    eventually("it is served", SOON, async || deliver(&operator, "sales", 1).await == 200).await;
    folder.write("manifests/evil.yaml", EVIL);
    let log = |word: &str| operator.process.log().contains(word);
    for reason in ["PathNotAllowed", "SubjectNotAllowed", "SecretNotFound"] {
        eventually(reason, SOON, async || log(&format!("reason=\"{reason}\""))).await;
    }
    assert_eq!(deliver(&operator, "sales", 2).await, 200, "the path is whose it was");
    for path in ["/evil/path", "/evil/subject", "/evil/secret"] {
        let mut stream = connect(GOOD, ([127, 0, 0, 1], operator.port).into()).await.unwrap();
        stream.write_all(signed(3).replace("/demo/repo", path).as_bytes()).await.unwrap();
        let status = read_answer(&mut stream).await.unwrap().unwrap().status;
        assert!([404, 503].contains(&status), "{path}: {status}");
    }
    let sales = held(&nats, &nats.credentials_of(1)).await;
    assert_eq!(sales, ["webhooks.sales.repo.push d-1", "webhooks.sales.repo.push d-2"]);
    assert_eq!(held(&nats, nats.credentials()).await, Vec::<String>::new());
}
