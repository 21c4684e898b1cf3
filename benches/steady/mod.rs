//! A source that behaves well: signed deliveries at a steady rate, each on a connection of its own, sent when it is due
//! and not when the last was answered. Latency counts from when it was due, so that a stall counts for all behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::support::flood::{GOOD, connect, signature, signed};

/// Whoever has no answer by then has none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to, and how.
#[derive(Clone)]
pub struct Steady {
    pub to: SocketAddr,
    /// Over TLS.
    pub tls: Option<TlsConnector>,
    /// To the source whose filter reads a body of 100 KiB.
    pub large: bool,
    /// Of the next delivery.
    pub next: u64,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Answers {
    /// Milliseconds of each that was answered.
    pub latencies: Vec<f64>,
    /// What else than 200 came, or why nothing did.
    pub other: Vec<String>,
}

/// A body that only a filter finds long.
fn large(n: u64) -> String {
    format!(r#"{{"n":{n},"list":[{}],"ref":"refs/heads/main"}}"#, vec!["[0,1]"; 17_000].join(","))
}

impl Steady {
    /// Sends so many a second for some time, and waits for all answers.
    pub async fn send(&mut self, a_second: u32, time: Duration) -> Answers {
        let begun = Instant::now();
        let mut sent = JoinSet::new();
        for n in 0..(time.as_secs_f64() * f64::from(a_second)) as u32 {
            let due = begun + Duration::from_secs(1) * n / a_second;
            let request = self.request();
            tokio::time::sleep_until(due.into()).await;
            let (to, tls) = (self.to, self.tls.clone());
            sent.spawn(async move { (tokio::time::timeout(PATIENCE, ask(to, tls, request)).await, due.elapsed()) });
        }
        let mut answers = Answers::default();
        for (answer, took) in sent.join_all().await {
            answers.latencies.push(took.as_secs_f64() * 1000.0);
            match answer {
                Ok(Ok(head)) if head.starts_with("HTTP/1.1 200 ") => {}
                Ok(Ok(head)) => answers.other.push(head),
                Ok(Err(error)) => answers.other.push(error.to_string()),
                Err(_) => answers.other.push(format!("no answer within {PATIENCE:?}")),
            }
        }
        answers
    }

    fn request(&mut self) -> String {
        self.next += 1;
        if !self.large {
            return signed(self.next);
        }
        let body = large(self.next);
        format!(
            "POST /demo/large HTTP/1.1\r\nHost: h\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: l-{}\r\nContent-Type: application/json\r\n\
             X-Hub-Signature-256: sha256={}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.next,
            signature(body.as_bytes()),
            body.len()
        )
    }
}

/// The first line of the answer.
async fn ask(to: SocketAddr, tls: Option<TlsConnector>, request: String) -> std::io::Result<String> {
    let stream = connect(GOOD, to).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return exchange(stream, &request).await };
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    exchange(tls.connect(name, stream).await?, &request).await
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    match (text.lines().next(), ended) {
        (Some(line), _) => Ok(line.to_owned()),
        (None, Err(error)) => Err(error),
        (None, Ok(_)) => Err(std::io::Error::other("the connection ended without an answer")),
    }
}

/// One that trusts any certificate: it only measures.
pub fn trusting(certificate: rustls::pki_types::CertificateDer<'static>) -> anyhow::Result<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
