//! Every way to log in works, credentials that were rotated take effect without a restart, and a refusal says what to do.

use std::process::Command;
use std::time::Duration;

use hookgate::deliver::{Delivery, NatsOptions, Options, OptionsError};

use crate::deliver_parts::{SOON, Sent, late, message, options, send, start};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::process::Process;
use crate::support::wait::eventually;

#[tokio::test]
async fn a_user_and_password_in_the_url_log_in() {
    let nats = Nats::start_with_login("hook@", "g:ate/").await;
    let delivery = start(&options(nats.url().replace("nats://", "nats://hook%40:g%3Aate%2F@"))).await;
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Ok(Sent::Stored));
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
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Ok(Sent::Stored));

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
    assert!(matches!(Delivery::start(&both).await, Err(OptionsError::TwoKindsOfLogin)));
    let mut half = options("nats://127.0.0.1");
    half.nats.client_key = Some("key.pem".into());
    assert!(matches!(Delivery::start(&half).await, Err(OptionsError::HalfCertificate)));
    assert!(matches!(Delivery::start(&options("")).await, Err(OptionsError::NoUrl)));
}

#[tokio::test]
async fn a_client_certificate_logs_in_over_tls_and_nothing_else_does() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let folder = Folder::new("tls");
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_file = folder.write("ca.pem", &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);
    let files = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let cert = folder.write(&format!("{name}.pem"), &certificate.pem());
        (cert, folder.write(&format!("{name}.key"), &key.serialize_pem()))
    };
    let ((server_cert, server_key), (client_cert, client_key)) = (files("server"), files("client"));
    let tls =
        format!("tls {{ cert_file: {server_cert:?}, key_file: {server_key:?}, ca_file: {ca_file:?}, verify: true }}");
    let nats = Nats::start_with(&tls).await;
    let mut options = options(nats.url());
    options.nats.ca = Some(ca_file);
    let without = Delivery::start(&options).await.unwrap();

    options.nats.client_cert = Some(client_cert);
    options.nats.client_key = Some(client_key);
    let delivery = start(&options).await;
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Ok(Sent::Stored));
    assert!(!without.link().borrow().connected_once, "without a certificate nobody gets in");
}

#[tokio::test]
async fn a_refused_login_is_logged_once_with_what_to_do_and_without_the_password() {
    let nats = Nats::start_with_login("hook", "gate").await;
    let folder = Folder::new("refused");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookgate"));
    command.env_clear().arg("run").arg("--manifests").arg(folder.path());
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--nats-url", &nats.url().replace("nats://", "nats://hook:hunter2@")]);
    let mut hookgate = Process::start("hookgate", &folder, &mut command);
    let advice = "check the user and password in --nats-url";
    hookgate.ready(SOON, async |log| log.contains(advice)).await.unwrap();
    eventually("it tries on", SOON, async || nats.log().matches("authentication error").count() >= 4).await;
    let log = hookgate.log();
    assert_eq!(log.matches(advice).count(), 1, "{log}");
    assert!(log.contains(&format!("NATS at 127.0.0.1:{} refuses the login", nats.port())), "{log}");
    assert_eq!(log.matches("authorization violation").count(), 1, "the client's own lines are off: {log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn where_nobody_answers_the_log_names_the_hosts_and_never_a_login() {
    let folder = Folder::new("nobody");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookgate"));
    command.env_clear().arg("run").arg("--manifests").arg(folder.path());
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--nats-url", "nats://hook:hunter2@127.0.0.1:1, tls://127.0.0.1:2"]);
    let mut hookgate = Process::start("hookgate", &folder, &mut command);
    hookgate
        .ready(SOON, async |log| log.contains("cannot connect to NATS at 127.0.0.1:1, 127.0.0.1:2 ("))
        .await
        .unwrap();
    assert!(!hookgate.log().contains("hunter2"), "{}", hookgate.log());
}
