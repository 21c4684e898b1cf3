//! Every way to log in works, and credentials that were rotated take effect without a restart.

use std::time::Duration;

use hookgate::deliver::{Delivery, NatsOptions, Options, OptionsError, Outcome};

use crate::deliver_parts::{SOON, message, options, second, start};
use crate::support::nats::Nats;
use crate::support::wait::eventually;

#[tokio::test]
async fn a_user_and_password_in_the_url_log_in() {
    let nats = Nats::start_with_login("hook@", "g:ate/").await;
    let delivery = start(&options(nats.url().replace("nats://", "nats://hook%40:g%3Aate%2F@"))).await;
    assert_eq!(delivery.send(&message("webhooks.a", "uid:1", "x"), second()).await, Ok(Outcome::Stored));
}

#[tokio::test]
async fn a_token_in_the_url_logs_in() {
    let nats = Nats::start_with("authorization { token: \"s3cret\" }").await;
    start(&options(nats.url().replace("nats://", "nats://s3cret@"))).await;
}

fn with_credentials(nats: &Nats, file: &std::path::Path) -> Options {
    Options::new(NatsOptions { urls: vec![nats.url().into()], creds: Some(file.to_owned()), ..NatsOptions::default() })
}

#[tokio::test]
async fn a_credentials_file_is_read_again_for_each_connection() {
    let mut nats = Nats::start_with_credentials().await;
    let file = nats.folder().join("rotated.creds");
    let delivery = Delivery::start(&with_credentials(&nats, &file)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!delivery.is_available(), "there is no file yet");

    std::fs::copy(nats.credentials(), &file).unwrap();
    eventually("the file is found", SOON, async || delivery.is_available()).await;
    assert_eq!(delivery.send(&message("webhooks.a", "uid:1", "x"), second()).await, Ok(Outcome::Stored));

    std::fs::write(&file, "nothing").unwrap();
    nats.restart().await;
    let mut link = delivery.link();
    tokio::time::timeout(SOON, link.wait_for(|link| !link.connected)).await.unwrap().unwrap();
    std::fs::copy(nats.credentials(), &file).unwrap();
    eventually("the new file holds", SOON, async || delivery.is_available()).await;
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_before_anything_starts() {
    let mut both = options("nats://a:b@127.0.0.1");
    both.nats.creds = Some("x.creds".into());
    assert!(matches!(Delivery::start(&both).await, Err(OptionsError::LoginAndCredentials)));
    let mut half = options("nats://127.0.0.1");
    half.nats.client_key = Some("key.pem".into());
    assert!(matches!(Delivery::start(&half).await, Err(OptionsError::HalfCertificate)));
    assert!(matches!(Delivery::start(&options("")).await, Err(OptionsError::NoUrl)));
}
