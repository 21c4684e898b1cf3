//! HTTP as bytes: what the receiver's tests send, and what they read back. Knows no HTTP library, so that it can be wrong
//! in every way that a client can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No test waits longer for something that must come.
pub const SOON: Duration = Duration::from_secs(10);

/// An answer, read byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// Reads one answer; `None` where the connection ends before its first byte.
pub async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Answer>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            if head.is_empty() {
                return Ok(None);
            }
            return Err(std::io::Error::other(format!("cut within a head: {:?}", String::from_utf8_lossy(&head))));
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).map_err(std::io::Error::other)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no status line: {text:?}")))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, n)| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// Sends bytes as they are, and reads every answer until the connection ends or is silent for `silence`. The flag says
/// that it ended.
pub async fn exchange(address: SocketAddr, bytes: &[u8], silence: Duration) -> (Vec<Answer>, bool) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The receiver may close before it has read everything: that is part of its answer.
    let _ = stream.write_all(bytes).await;
    let mut answers = Vec::new();
    loop {
        match timeout(silence, read_answer(&mut stream)).await {
            Ok(Ok(Some(answer))) => answers.push(answer),
            Ok(Ok(None)) => return (answers, true),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => return (answers, true),
            Ok(Err(error)) => panic!("a broken answer to {:?}: {error}", String::from_utf8_lossy(bytes)),
            Err(_) => return (answers, false),
        }
    }
}

/// A POST with a body, on a connection that stays open.
pub fn post(path: &str, extra: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Length: {}\r\n{extra}\r\n{body}", body.len())
}

/// Waits until the other side ends the connection, and panics when it does not.
pub async fn ends(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    match timeout(SOON, stream.read_to_end(&mut rest)).await {
        Ok(Ok(_)) => rest,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => rest,
        other => panic!("the connection did not end: {other:?}"),
    }
}
