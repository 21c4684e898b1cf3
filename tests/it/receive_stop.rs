//! The public port stops and changes its certificate without losing a request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hookgate::receive::connection::Arrival;
use hookgate::receive::listen::serve;
use hookgate::receive::settings::Settings;
use hookgate::receive::tls::Certificate;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus_client::metrics::gauge::Gauge;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::receive_listen::{Port, quick};
use crate::receive_wire::{Answer, SOON, ends, exchange, post, read_answer};
use crate::support::wait::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_answers_every_request_that_was_sent() {
    let port = Port::open(quick(), Duration::from_millis(3), None).await;
    let mut clients = JoinSet::new();
    for _ in 0..24 {
        let address = port.address;
        clients.spawn(async move {
            let (mut sent, mut answered, mut lasts) = (0_usize, 0_usize, 0_usize);
            let mut stream = TcpStream::connect(address).await.unwrap();
            while lasts == 0 {
                sent += 1;
                stream.write_all(post("/", "", "{}").as_bytes()).await.expect("a request is taken");
                let answer: Answer = read_answer(&mut stream).await.expect("a whole answer").expect("an answer");
                assert_eq!((answer.status, &*answer.body), (200, "2"));
                answered += 1;
                lasts += usize::from(answer.closes());
            }
            (sent, answered, lasts)
        });
    }
    eventually("load", SOON, async || port.answered.load(Ordering::Relaxed) > 500).await;
    let counted = port.answered.clone();
    assert_eq!(port.stopped().await, 0, "connections were cut");
    let (mut all, mut lasts) = (0, 0);
    while let Some(client) = clients.join_next().await {
        let (sent, answered, last) = client.unwrap();
        assert_eq!(sent, answered);
        all += answered;
        lasts += last;
    }
    assert_eq!(all, counted.load(Ordering::Relaxed));
    assert_eq!(lasts, 24, "each client was told once that its answer is the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_reads_what_was_sent_already_and_gives_idle_clients_a_moment() {
    for round in 0..50 {
        let port = Port::open(quick(), Duration::ZERO, None).await;
        let mut idle = port.connect().await;
        idle.write_all(post("/", "", "1").as_bytes()).await.unwrap();
        assert!(!read_answer(&mut idle).await.unwrap().unwrap().closes());
        let mut fresh = port.connect().await;
        fresh.write_all(post("/", "", "22").as_bytes()).await.unwrap();
        port.stop.cancel();
        idle.write_all(post("/", "", "333").as_bytes()).await.unwrap();
        for (stream, body) in [(&mut fresh, "2"), (&mut idle, "3")] {
            let answer = timeout(SOON, read_answer(stream)).await.unwrap().unwrap();
            let answer = answer.unwrap_or_else(|| panic!("round {round}: a sent request was not answered"));
            assert_eq!(answer.body, body);
            // The fresh one may have been answered before the stop.
            assert!(answer.closes() || body == "2", "round {round}: nothing says that this is the last answer");
            assert_eq!(ends(stream).await, b"");
        }
        drop((idle, fresh));
        assert_eq!(port.stopped().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_no_longer_than_its_time_for_a_request() {
    let settings = Settings { drain: Duration::from_millis(400), ..quick() };
    let port = Port::open(settings, Duration::from_secs(60), None).await;
    let mut stream = port.connect().await;
    stream.write_all(post("/", "", "").as_bytes()).await.unwrap();
    eventually("the connection is open", SOON, async || port.open.get() == 1).await;
    let open = port.open.clone();
    assert_eq!(port.stopped().await, 1);
    assert_eq!(ends(&mut stream).await, b"");
    assert_eq!(open.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_still_sends_a_body_sees_its_answer() {
    // The answer comes before the body is read: a socket closed over unread bytes would be reset and lose it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refuse = |_: Request<Incoming>, _: Arrival| async {
        let mut response = Response::new(Full::new(Bytes::from_static(b"no")));
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        response.headers_mut().insert("connection", "close".parse().unwrap());
        response
    };
    tokio::spawn(serve(listener, None, refuse, quick(), Gauge::default().into(), CancellationToken::new()));
    for _ in 0..20 {
        let (answers, ended) = exchange(address, post("/", "", &"x".repeat(1 << 20)).as_bytes(), SOON).await;
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [413]);
        assert!(ended);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_with_prior_knowledge_is_served_and_stops_after_its_requests() {
    let port = Port::open(Settings { h2c: true, ..quick() }, Duration::from_millis(200), None).await;
    let stream = TokioIo::new(port.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
    let driven = tokio::spawn(connection);
    let request = || {
        let body = Full::new(Bytes::from_static(b"four"));
        Request::post("http://hooks.example.com/").body(body).unwrap()
    };
    let answers: Vec<_> = (0..16).map(|_| client.send_request(request())).collect();
    let answers = tokio::spawn(futures::future::join_all(answers));
    eventually("requests are in work", SOON, async || port.begun.load(Ordering::Relaxed) == 16).await;
    port.stop.cancel();
    for answer in answers.await.unwrap() {
        let body = answer.expect("an answer").into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "4");
    }
    timeout(SOON, driven).await.expect("the connection ends").unwrap().unwrap();
    assert_eq!(port.answered.load(Ordering::Relaxed), 16);
    assert_eq!(port.stopped().await, 0);
}

/// A certificate of `localhost`, written where the port reads it.
pub fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// One request over TLS; an error where the certificate is another one.
pub async fn over_tls(address: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<Answer> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(post("/", "Connection: close\r\n", "{}").as_bytes()).await?;
    read_answer(&mut stream).await?.ok_or_else(|| std::io::Error::other("no answer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_served_without_a_restart_and_a_bad_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let first = certify(folder.path());
    let certificate = Certificate::load(chain.clone(), key.clone()).unwrap();
    let port = Port::open(quick(), Duration::ZERO, Some(certificate.acceptor().unwrap())).await;
    tokio::spawn(certificate.watch(Duration::from_millis(20), port.stop.clone()));
    assert_eq!(over_tls(port.address, &first).await.unwrap().body, "2");

    std::fs::write(&chain, "-----BEGIN CERTIFICATE-----\nbroken\n").unwrap();
    sleep(Duration::from_millis(150)).await;
    assert_eq!(over_tls(port.address, &first).await.unwrap().status, 200, "the old pair stays in use");

    let second = certify(folder.path());
    eventually("the new certificate", SOON, async || over_tls(port.address, &second).await.is_ok()).await;
    over_tls(port.address, &first).await.unwrap_err();

    // Nobody speaks without TLS.
    let mut plain = port.connect().await;
    plain.write_all(post("/", "", "").as_bytes()).await.unwrap();
    assert!(!ends(&mut plain).await.starts_with(b"HTTP"));
    assert_eq!(port.stopped().await, 0);
}

#[test]
fn a_certificate_that_does_not_work_says_which_file_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let load = || Certificate::load(chain.clone(), key.clone()).unwrap_err().to_string();
    assert!(load().contains("tls.crt"), "{}", load());
    certify(folder.path());
    std::fs::copy(&chain, &key).unwrap();
    assert!(load().contains("tls.key holds no private key"), "{}", load());
    let other = tempfile::tempdir().unwrap();
    certify(other.path());
    std::fs::copy(other.path().join("tls.key"), &key).unwrap();
    assert!(load().contains("do not work together"), "{}", load());
}
