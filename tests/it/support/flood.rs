//! What floods are made of: connections from other addresses of this machine, and the bytes that hurt. Tests and
//! benchmarks flood with the same; each ends when it is dropped.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

/// An IPv4 address of this machine: all of 127.0.0.0/8 are.
pub type Address = [u8; 4];

/// Whoever floods.
pub const FLOOD: Address = [127, 0, 0, 2];
/// Whoever behaves well beside it.
pub const GOOD: Address = [127, 0, 0, 3];
/// Anonymous memory in bytes that no flood may exceed.
pub const MEMORY: u64 = 200 << 20;

const SECRET: &str = "It's a Secret to Everybody";

/// The source of whoever behaves well, at `/demo/repo`, and one at `/demo/events` whose vendor greets without a signature.
pub const SOURCE: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: repo, namespace: demo}
stringData: {secret: "It's a Secret to Everybody"}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: repo, namespace: demo}
spec: {provider: github, verification: {secretRefs: [{name: repo, key: secret}]}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: events, namespace: demo}
spec: {provider: cloudevents, verification: {secretRefs: [{name: repo, key: secret}]}}
"#;

/// HMAC-SHA256 of what GitHub's documentation calls its secret, in hex.
pub fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A delivery to that source, the last on its connection.
pub fn signed(n: u64) -> String {
    const BODY: &str = "{\"zen\":\"Keep it logically awesome.\"}";
    format!(
        "POST /demo/repo HTTP/1.1\r\nHost: h\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: d-{n}\r\nContent-Type: application/json\r\n\
         X-Hub-Signature-256: sha256={}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        signature(BODY.as_bytes()),
        BODY.len()
    )
}

/// A connection from an address of this machine.
pub async fn connect(from: Address, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// Opens connections that say `bytes`, and keeps them.
pub async fn keep(from: Address, to: SocketAddr, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut kept = Vec::new();
    for _ in 0..count {
        let Ok(mut stream) = connect(from, to).await else { continue };
        let _ = stream.write_all(bytes).await;
        kept.push(stream);
    }
    kept
}

/// The beginning of a head, with so many bytes in one field.
pub fn unfinished_head(bytes: usize) -> String {
    format!("POST /demo/repo HTTP/1.1\r\nHost: h\r\nX-Long: {}", "x".repeat(bytes))
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a client of HTTP/2 says first, with this payload of SETTINGS.
pub fn preface(settings: &[u8]) -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, settings)].concat()
}

/// INITIAL_WINDOW_SIZE 0, and a hundred requests for answers that have a body.
pub fn unanswerable_streams() -> Vec<u8> {
    let mut bytes = preface(&[0, 4, 0, 0, 0, 0]);
    (0..100).for_each(|n| bytes.extend(frame(1, 5, 2 * n + 1, &[0x83, 0x84, 0x86, 0x41, 0x01, b'h'])));
    bytes
}

/// Anonymous memory of a process in bytes: what the page cache holds of its files does not count.
pub fn anonymous_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).expect("RssAnon of a process") << 10
}
