//! A vendor's published key is fetched once over verified TLS, from addresses that may be reached, and never otherwise.
#![allow(clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;

/// A key server with a certificate of its own authority; answers `head` and the key, and counts.
pub struct KeyServer {
    pub port: u16,
    pub authority: String,
    pub asked: Arc<AtomicU64>,
}

pub async fn key_server(answer: String) -> KeyServer {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .expect("a pair");
    let (tls, asked) = (TlsAcceptor::from(Arc::new(config)), Arc::new(AtomicU64::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, answer, count) = (tls.clone(), answer.clone(), count.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = tls.accept(stream).await else { return };
                let mut request = [0; 2048];
                if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    KeyServer { port, authority: signed.cert.pem(), asked }
}

/// An Ed25519 key: its SubjectPublicKeyInfo in PEM (RFC 8410), and the pair.
pub fn key() -> (String, Ed25519KeyPair) {
    let pair = Ed25519KeyPair::generate().expect("a key");
    let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let spki = [&prefix[..], pair.public_key().as_ref()].concat();
    (format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki)), pair)
}

pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A vendor whose key stands at `https://localhost:PORT/key`, and the authority of its server.
pub fn manifests(server: &KeyServer) -> Folder {
    let folder = Folder::new("manifests");
    folder.write("authority.pem", &server.authority);
    folder.write(
        "vendor.yaml",
        &format!(
            "
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {{name: publishes-its-key}}
spec:
  displayName: Publishes its key
  methods:
  - name: signature
    anyOf: [{{allOf: [{{publicKey: {{algorithm: Ed25519, signature: {{header: X-Sig, encoding: Base64}}, fetch: {{url: \"https://localhost:{}/key\", format: PEM}}}}}}]}}]
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: in, namespace: test}}
spec: {{provider: publishes-its-key}}
",
            server.port
        ),
    );
    folder
}

async fn start(server: &KeyServer, nats: &Nats, more: &[&str]) -> Operator {
    let folder = manifests(server);
    let authority = folder.join("authority.pem").display().to_string();
    // The folder may go once the operator is ready: it has read what it needs, and what is gone stays served.
    Operator::in_folder_with(&folder, &nats.url(), more, &[("SSL_CERT_FILE", &authority)]).await
}

pub async fn post(operator: &Operator, pair: &Ed25519KeyPair, body: &str) -> u16 {
    let signature = STANDARD.encode(pair.sign(body.as_bytes()));
    let headers = [("x-sig", &*signature), ("content-type", "application/json")];
    operator.post("/test/in", &headers, body.to_owned()).await.expect("an answer").status.as_u16()
}

pub const LOCAL: [&str; 2] = ["--fetch-allow-cidr", "127.0.0.0/8"];

#[tokio::test]
async fn a_published_key_is_fetched_once_for_all_who_wait() {
    let (pem, pair) = key();
    let (server, nats) = (key_server(ok(&pem)).await, Nats::start().await);
    let operator = start(&server, &nats, &LOCAL).await;
    let bodies: Vec<String> = (0..20).map(|number| format!("{{\"number\":{number}}}")).collect();
    let answers = futures::future::join_all(bodies.iter().map(|body| post(&operator, &pair, body))).await;
    assert_eq!(answers, vec![200; 20]);
    assert_eq!(server.asked.load(Ordering::Relaxed), 1, "one request for all, and none later");
    let (_, stranger) = key();
    assert_eq!(post(&operator, &stranger, "{}").await, 401);
    assert_eq!(nats.count("WEBHOOKS").await, 20);
}

#[tokio::test]
async fn private_addresses_are_not_reached_unless_allowed() {
    let (pem, pair) = key();
    let (server, nats) = (key_server(ok(&pem)).await, Nats::start().await);
    let operator = start(&server, &nats, &[]).await;
    assert_eq!(
        post(&operator, &pair, "{}").await,
        503,
        "not authentic as far as anybody can tell, and not refused for ever"
    );
    assert_eq!(server.asked.load(Ordering::Relaxed), 0);
    assert!(operator.process.log().contains("--fetch-allow-cidr"), "the log says what to do");
}

#[tokio::test]
async fn redirects_failures_and_unknown_authorities_give_no_key() {
    let (pem, pair) = key();
    let nats = Nats::start().await;
    let elsewhere = key_server(ok(&pem)).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: https://localhost:{}/key\r\nContent-Length: 0\r\n\r\n",
        elsewhere.port
    );
    let huge = ok(&"x".repeat(100_000));
    for answer in [redirect, huge, ok("no key at all"), "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_owned()] {
        let server = key_server(answer).await;
        let operator = start(&server, &nats, &LOCAL).await;
        assert_eq!(post(&operator, &pair, "{}").await, 503);
        assert_eq!(post(&operator, &pair, "{}").await, 503);
        assert_eq!(server.asked.load(Ordering::Relaxed), 1, "a failure is remembered for a while");
    }
    assert_eq!(elsewhere.asked.load(Ordering::Relaxed), 0, "no redirect is followed");
    // The right key, of a server whose authority nobody trusts.
    let server = key_server(ok(&pem)).await;
    let folder = manifests(&server);
    let operator = Operator::in_folder(&folder, &nats.url(), &LOCAL).await;
    assert_eq!(post(&operator, &pair, "{}").await, 503);
    assert_eq!(nats.count("WEBHOOKS").await, 0);
}

#[tokio::test]
async fn a_method_that_fetches_is_refused_where_nothing_may_be_fetched() {
    let (pem, pair) = key();
    let (server, nats) = (key_server(ok(&pem)).await, Nats::start().await);
    let operator = start(&server, &nats, &[&LOCAL[..], &["--fetch=false"]].concat()).await;
    assert_eq!(post(&operator, &pair, "{}").await, 503);
    assert!(operator.process.log().contains("--fetch=false"), "the log says why: {}", operator.process.log());
    assert_eq!(server.asked.load(Ordering::Relaxed), 0);
}
