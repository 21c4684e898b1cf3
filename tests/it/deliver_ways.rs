//! An nkey user, answers under a prefix of its own and JetStream in another domain: each with every connection that there is.

use std::path::Path;

use hookgate::deliver::{NatsOptions, Options};
use nkeys::KeyPair;

use crate::deliver_parts::{SOON, Sent, late, message, options, send, start};
use crate::support::nats::Nats;
use crate::support::operator::hookgate;
use crate::support::wait::eventually;

fn with_nkey(nats: &Nats, file: &Path) -> Options {
    Options::new(NatsOptions { urls: vec![nats.url().into()], nkey: Some(file.to_owned()), ..NatsOptions::default() })
}

#[tokio::test]
async fn an_nkey_logs_in_and_one_that_was_rotated_does_without_a_restart() {
    let (user, next) = (KeyPair::new_user(), KeyPair::new_user());
    let users =
        format!("authorization {{ users: [ {{ nkey: {} }}, {{ nkey: {} }} ] }}", user.public_key(), next.public_key());
    let mut nats = Nats::start_with(&users).await;
    let file = nats.folder().write("user.nk", &format!("{}\n", user.seed().unwrap()));
    let delivery = start(&with_nkey(&nats, &file)).await;
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Ok(Sent::Stored));

    std::fs::write(&file, "SUNOSEED").unwrap();
    nats.restart().await;
    let mut link = delivery.link();
    tokio::time::timeout(SOON, link.wait_for(|link| !link.connected)).await.unwrap().unwrap();
    std::fs::write(&file, next.seed().unwrap()).unwrap();
    eventually("the new seed holds", SOON, async || delivery.is_available()).await;

    let seed = file.display().to_string();
    let arguments = ["tail", "--nats-url", &nats.url(), "--nats-nkey", &seed, "--all", "-n", "1"];
    let shown = hookgate(&arguments).await.ok();
    assert!(shown.contains("webhooks.a.x"), "{shown}");
}

#[tokio::test]
async fn a_user_who_may_listen_to_a_prefix_of_its_own_alone_publishes_and_reads() {
    let users = r#"authorization { users: [ { user: h, password: p, permissions: {
        publish: [">"], subscribe: ["_INBOX_hook.>", "webhooks.>", "_hookgate.>"] } } ] }"#;
    let nats = Nats::start_with_users(users, "h", "p").await;
    let url = nats.url().replace("nats://", "nats://h:p@");
    let mut options = options(url.as_str());
    options.nats.inbox_prefix = Some("_INBOX_hook".to_owned());
    let delivery = start(&options).await;
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Ok(Sent::Stored));
    let tail = ["tail", "--nats-url", &url, "--all", "-n", "1"];
    let shown = hookgate(&[&tail[..], &["--nats-inbox-prefix", "_INBOX_hook"]].concat()).await.ok();
    assert!(shown.contains("webhooks.a.x"), "{shown}");
}

#[tokio::test]
async fn streams_of_another_domain_are_made_and_published_to() {
    let hub = Nats::start_with("jetstream { domain: hub }\nleafnodes { listen: \"127.0.0.1:-1\" }").await;
    let port = hub.log();
    let port = port.split("Listening for leafnode connections on 127.0.0.1:").nth(1).expect("a port");
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    // The leaf has JetStream of its own, which must stay empty.
    let remote = format!(
        "jetstream {{ domain: edge }}\nleafnodes {{ remotes: [ {{ url: \"nats-leaf://127.0.0.1:{port}\" }} ] }}"
    );
    let leaf = Nats::start_with(&remote).await;
    let mut options = options(leaf.url());
    options.nats.domain = Some("hub".to_owned());
    let delivery = start(&options).await;
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Ok(Sent::Stored));
    assert_eq!(hub.count("WEBHOOKS").await, 1);
    assert!(leaf.jetstream().await.get_stream("WEBHOOKS").await.is_err(), "the leaf holds none");
    let shown =
        hookgate(&["tail", "--nats-url", &leaf.url(), "--nats-js-domain", "hub", "--all", "-n", "1"]).await.ok();
    assert!(shown.contains("webhooks.a.x"), "{shown}");
}
