//! Whom TLS trusts: what the environment names and no others, else the system's, else those that were built in; and who
//! needs nobody needs none.
#![allow(clippy::print_stdout, reason = "it names what it skips")]
#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::fetched_keys::{LOCAL, key, key_server, manifests, ok, post};
use crate::support::folder::Folder;
use crate::support::image::{Image, within};
use crate::support::nats::Nats;
use crate::support::operator::{Operator, binary};
use crate::support::run::run;

/// Starts in the image's root, over the manifests that were copied there, and waits until it is ready.
async fn start_within(root: &Path, nats: &Nats, env: &[(&str, &str)]) -> Operator {
    let nats = nats.url().replace("127.0.0.1", "localhost");
    let mut arguments = vec!["--manifests", "/manifests"];
    arguments.extend(LOCAL);
    let operator = Operator::start_by(|| within(root).expect("asked before"), &nats, &arguments, env).await;
    operator.ready().await;
    operator
}

#[tokio::test]
async fn an_image_without_authorities_uses_those_that_were_built_in_and_those_of_the_system_once_it_has_some() {
    let (pem, pair) = key();
    let (server, nats) = (key_server(ok(&pem)).await, Nats::start().await);
    let image = Image::of_the_program().await;
    let root = image.root().await;
    if within(&root).is_none() {
        println!("SKIPPED an_image_without_authorities: it needs root or user namespaces, to run in the image's root");
        return;
    }
    std::fs::create_dir(root.join("manifests")).expect("a folder");
    std::fs::copy(manifests(&server).join("vendor.yaml"), root.join("manifests/vendor.yaml")).expect("a copy");
    // As the kubelet writes it into every pod.
    std::fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").expect("a file");

    let without = start_within(&root, &nats, &[]).await;
    let log = without.process.log();
    assert!(log.contains("of this version of Hookgate, since the system has none"), "{log}");
    assert_eq!(post(&without, &pair, "{}").await, 503, "no public authority vouches for a server of this test");
    assert_eq!(server.asked.load(Ordering::Relaxed), 0);
    drop(without);

    std::fs::create_dir_all(root.join("etc/ssl/certs")).expect("a folder");
    std::fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), &server.authority).expect("a file");
    let system = start_within(&root, &nats, &[]).await;
    let log = system.process.log();
    assert!(log.contains("TLS trusts the certificate authorities of the system"), "{log}");
    assert_eq!(post(&system, &pair, "{}").await, 200);
    drop(system);

    let (_, other) = (key(), key_server(ok("")).await);
    std::fs::write(root.join("other.pem"), &other.authority).expect("a file");
    let named = start_within(&root, &nats, &[("SSL_CERT_FILE", "/other.pem")]).await;
    let log = named.process.log();
    assert!(log.contains("TLS trusts the certificate authorities of SSL_CERT_FILE"), "{log}");
    assert_eq!(post(&named, &pair, "{}").await, 503, "the system's are not trusted beside it");
}

#[tokio::test]
async fn without_any_authority_everything_is_served_that_needs_none() {
    let (pem, pair) = key();
    let (server, nats) = (key_server(ok(&pem)).await, Nats::start().await);
    let folder = manifests(&server);
    let empty = folder.write("empty.pem", "").display().to_string();
    for named in ["/nowhere/ca.pem", &empty] {
        let environment = [("SSL_CERT_FILE", named), ("SSL_CERT_DIR", "")];
        let operator = Operator::in_folder_with(&folder, &nats.url(), &LOCAL, &environment).await;
        let log = operator.process.log();
        let told = log.lines().filter(|line| line.contains("holds no CA certificate")).count();
        assert_eq!(told, 1, "it is said in one sentence: {log}");
        assert!(log.contains(&format!("SSL_CERT_FILE={named}")), "{log}");
        assert_eq!(post(&operator, &pair, "{}").await, 503);
        assert_eq!(server.asked.load(Ordering::Relaxed), 0, "nobody is asked who cannot be verified");
    }
}

#[tokio::test]
async fn a_delivery_over_http_is_sent_without_any_authority() {
    let folder = Folder::new("send");
    folder.write(
        "source.yaml",
        "
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: in, namespace: test}
spec: {provider: generic, verification: {method: none}}
",
    );
    let nats = Nats::start().await;
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let mut command = tokio::process::Command::new(binary());
    command.args(["send", "-f"]).arg(folder.join("source.yaml")).arg("--data").arg(folder.write("body.json", "{}"));
    command.args(["--source", "test/in", "--to", &operator.url()]);
    command.env("SSL_CERT_FILE", "/nowhere/ca.pem").env("SSL_CERT_DIR", "");
    let sent = run(command, "").await.ok();
    assert!(sent.contains("< 200"), "{sent}");
}
