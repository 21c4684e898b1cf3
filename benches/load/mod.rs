//! Load: GitHub deliveries of 1 KB, signed ahead, over connections that stay open, each sending when it has its answer.
//!
//! Every delivery has an id that no other has. What is counted are answers: 200, and all others.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The size of a body in bytes.
pub const BODY: usize = 1024;
/// How many different bodies there are.
const BODIES: usize = 1024;
/// Hex digits of a delivery id.
const ID: usize = 32;

/// Requests ready to be sent, but for their ids.
pub struct Deliveries {
    requests: Vec<Vec<u8>>,
    /// Where the id stands in each.
    id: usize,
    next: AtomicU64,
    /// They need no id.
    repeated: bool,
}

/// When a connection sends again.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// When it has its answer.
    Unbounded,
    /// So long after it sent last; latency counts from when that was due, so that a stall counts for all behind it.
    Every(Duration),
}

/// What came back.
#[derive(Debug, Default)]
pub struct Answers {
    /// 200.
    pub ok: u64,
    /// Anything else.
    pub other: u64,
    /// Of each answer, in microseconds, sorted.
    pub latencies: Vec<u32>,
    /// How long it took.
    pub took: Duration,
}

impl Deliveries {
    /// For the path of both receivers.
    pub fn new(path: &str, secret: &str) -> anyhow::Result<Arc<Self>> {
        let key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).context("a key of HMAC")?;
        let mut requests = Vec::with_capacity(BODIES);
        let mut id = 0;
        for number in 0..BODIES {
            let body = body(number);
            let mut mac = key.clone();
            mac.update(body.as_bytes());
            let signature = hex::encode(mac.finalize().into_bytes());
            let mut request = format!(
                "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: GitHub-Hookshot/1a2b3c4\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\nX-GitHub-Event: issues\r\n\
                 X-GitHub-Hook-ID: 292430182\r\nX-Hub-Signature-256: sha256={signature}\r\nX-GitHub-Delivery: ",
                body.len()
            );
            id = request.len();
            request.push_str(&"0".repeat(ID));
            request.push_str("\r\n\r\n");
            request.push_str(&body);
            requests.push(request.into_bytes());
        }
        // Unlike those of an earlier run against the same stream.
        let first = u64::from(std::process::id()) << 40;
        Ok(Arc::new(Self { requests, id, next: AtomicU64::new(first), repeated: false }))
    }

    /// Requests that are sent as they are, over and over.
    pub fn repeated(requests: Vec<Vec<u8>>) -> Arc<Self> {
        Arc::new(Self { requests, id: 0, next: AtomicU64::new(0), repeated: true })
    }

    /// Puts the next delivery into `request`.
    pub fn next(&self, request: &mut Vec<u8>) -> anyhow::Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        request.clear();
        request.extend_from_slice(&self.requests[number as usize % self.requests.len()]);
        if !self.repeated {
            write!(&mut request[self.id..self.id + ID], "{number:032x}")?;
        }
        Ok(())
    }

    /// Sends over so many connections for some time.
    pub async fn send(
        self: &Arc<Self>,
        to: SocketAddr,
        connections: usize,
        time: Duration,
        pace: Pace,
    ) -> anyhow::Result<Answers> {
        let begun = Instant::now();
        let first = |number: usize| match pace {
            Pace::Unbounded => begun,
            // Not all at one time.
            Pace::Every(pause) => begun + pause.mul_f64(number as f64 / connections as f64),
        };
        let connection = |number| self.clone().connection(to, first(number), begun + time, pace);
        let tasks: Vec<_> = (0..connections).map(|number| tokio::spawn(connection(number))).collect();
        let mut all = Answers::default();
        for task in tasks {
            let answers = task.await??;
            all.ok += answers.ok;
            all.other += answers.other;
            all.latencies.extend(answers.latencies);
        }
        all.took = begun.elapsed();
        all.latencies.sort_unstable();
        Ok(all)
    }

    async fn connection(
        self: Arc<Self>,
        to: SocketAddr,
        mut due: Instant,
        until: Instant,
        pace: Pace,
    ) -> anyhow::Result<Answers> {
        let mut stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let mut answers = Answers::default();
        let (mut request, mut answer) = (Vec::with_capacity(2 * BODY), Vec::with_capacity(1024));
        while due < until {
            if let Pace::Every(_) = pace {
                tokio::time::sleep_until(due.into()).await;
            }
            self.next(&mut request)?;
            stream.write_all(&request).await?;
            answer.clear();
            while !whole(&answer)? {
                if stream.read_buf(&mut answer).await? == 0 {
                    bail!("the connection ended: {}", String::from_utf8_lossy(&answer));
                }
            }
            if answer.starts_with(b"HTTP/1.1 200 ") {
                answers.ok += 1
            } else {
                answers.other += 1
            }
            let answered = Instant::now();
            answers.latencies.push(u32::try_from((answered - due).as_micros())?);
            due = match pace {
                Pace::Unbounded => answered,
                Pace::Every(pause) => due + pause,
            };
        }
        Ok(answers)
    }
}

/// Whether an answer is there to its last byte.
pub fn whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = memchr::memmem::find(answer, b"\r\n\r\n") else { return Ok(false) };
    let text = std::str::from_utf8(&answer[..head])?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("an answer without content-length")?.parse()?;
    Ok(answer.len() >= head + 4 + length)
}

/// An event as GitHub sends it, cut to the size.
fn body(number: usize) -> String {
    let head = format!(
        r#"{{"action":"opened","issue":{{"url":"https://api.github.com/repos/acme/shop/issues/{number}","id":{},"number":{number},"title":"Order {number} is paid twice","user":{{"login":"octocat","id":1,"type":"User","site_admin":false}},"labels":[{{"id":208045946,"name":"bug","color":"f29513","default":true}}],"state":"open","locked":false,"assignee":null,"comments":0,"created_at":"2026-11-25T00:54:21Z","body":""#,
        1_000_000_000 + number
    );
    let tail = r#""},"repository":{"id":1296269,"name":"shop","full_name":"acme/shop","private":false,"owner":{"login":"acme","id":2,"type":"Organization"},"html_url":"https://github.com/acme/shop","default_branch":"main"},"sender":{"login":"octocat","id":1}}"#;
    let filler = "It happens when the customer presses the button a second time. ".repeat(16);
    format!("{head}{}{tail}", &filler[..BODY.saturating_sub(head.len() + tail.len())])
}

/// A call of Retell that ended, from the samples of the catalogue, signed now: it is taken for five minutes.
pub fn retell(path: &str, secret: &str) -> anyhow::Result<Vec<u8>> {
    let body = include_str!("../../src/provider/samples/retell/call_analyzed.json");
    let now = jiff::Timestamp::now().as_millisecond();
    let key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).context("a key of HMAC")?;
    let signature = hex::encode(key.chain_update(body).chain_update(now.to_string()).finalize().into_bytes());
    Ok(format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         X-Retell-Signature: v={now},d={signature}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes())
}

/// A list of transcripts as Focus pushes it.
pub fn items(path: &str, token: &str, items: u64) -> Vec<u8> {
    let item = |n| {
        let text = "I called about the order that came twice. ".repeat(6);
        format!(r#"{{"interactionId":"interaction-{n}","clientId":"acme","tags":["billing"],"summary":"{text}"}}"#)
    };
    let body = format!("[{}]", (0..items).map(item).collect::<Vec<_>>().join(","));
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Authorization: Bearer {token}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
