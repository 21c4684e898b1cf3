//! What RFC 9110 and 9112 forbid is answered 400 once, and the connection ends: nothing that follows is read as a request.
//!
//! The cases are those of the public collections of request smuggling (Http11Probe, HTTP Garden, http_desync_guardian).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use crate::receive_port::{Port, quick, source};
use crate::receive_wire::exchange;

/// Longer than a loaded machine takes for an answer; a connection that stays open costs it once.
const SILENCE: Duration = Duration::from_millis(1500);

/// A request for the path that exists, without a proof: 401 says that its framing was taken.
const H: &str = "Host: hooks.example.com\r\n";

/// Sends each case and gathers those that are answered otherwise.
async fn judge(cases: &[(&str, String)], statuses: &[u16], ends: bool) {
    let path = source("in", "  path: /sales/in\n");
    let port = Port::without_nats(&[&path], quick()).await;
    let address = port.address;
    let wrong: Vec<String> = stream::iter(cases)
        .map(|(name, bytes)| async move {
            let (answers, ended) = exchange(address, bytes.as_bytes(), SILENCE).await;
            let got: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            (got != statuses || ended != ends).then(|| format!("{name}: {got:?}, ended: {ended}"))
        })
        .buffer_unordered(16)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(wrong.is_empty(), "expected {statuses:?}, ended: {ends}, but\n{}", wrong.join("\n"));
}

fn cases<'a>(cases: impl IntoIterator<Item = (&'a str, String)>) -> Vec<(&'a str, String)> {
    cases.into_iter().collect()
}

/// A request line and header lines, then a body.
fn head(line: &str, headers: &str, body: &str) -> String {
    format!("{line}\r\n{headers}\r\n{body}")
}

fn post(headers: &str, body: &str) -> String {
    head("POST /sales/in HTTP/1.1", headers, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rfcs_forbid_is_answered_400_and_ends_the_connection() {
    // A request that is smuggled behind the forbidden one would get an answer of its own.
    let smuggled = post(H, "");
    let length = |value: &str| post(&format!("{H}Content-Length: {value}\r\n"), "hello");
    let coding = |value: &str| post(&format!("{H}Transfer-Encoding: {value}\r\n"), "5\r\nhello\r\n0\r\n\r\n");
    let chunks = |body: &str| post(&format!("{H}Transfer-Encoding: chunked\r\n"), body);
    let host = |value: &str| post(&format!("Host: {value}\r\n"), "");
    let line = |line: &str| head(line, H, "");
    let all = cases([
        ("no Host", post("", "")),
        ("no Host in HTTP/1.0", head("POST /sales/in HTTP/1.0", "", "")),
        ("two equal Hosts", post(&format!("{H}{H}"), "")),
        ("two Hosts", post(&format!("{H}Host: other\r\n"), "")),
        ("empty Host", host("")),
        ("Host with user information", host("user@hooks.example.com")),
        ("Host with a path", host("hooks.example.com/sales")),
        ("Host with white space", host("hooks.example.com evil")),
        ("Host with a list", host("hooks.example.com, evil")),
        ("Host with a bad port", host("hooks.example.com:80x")),
        ("Host with two ports", host("hooks.example.com:80:80")),
        ("Host with a bad address", host("[::g]")),
        ("absolute target of another host", line("POST http://evil.example.com/sales/in HTTP/1.1")),
        ("absolute target of another port", line("POST http://hooks.example.com:81/sales/in HTTP/1.1")),
        ("absolute target with user information", line("POST http://a@hooks.example.com/sales/in HTTP/1.1")),
        ("absolute target of another scheme", line("POST ftp://hooks.example.com/sales/in HTTP/1.1")),
        ("authority as target", line("POST hooks.example.com:80 HTTP/1.1")),
        ("CONNECT", line("CONNECT hooks.example.com:80 HTTP/1.1")),
        ("asterisk as target", line("POST * HTTP/1.1")),
        ("target without a slash", line("POST sales/in HTTP/1.1")),
        ("fragment in the target", line("POST /sales/in#x HTTP/1.1")),
        ("fragment behind a query", line("POST /sales/in?a=b#x HTTP/1.1")),
        ("length, then coding", post(&format!("{H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "0\r\n\r\n")),
        ("coding, then length", post(&format!("{H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "0\r\n\r\n")),
        ("two equal lengths", post(&format!("{H}Content-Length: 5\r\nContent-Length: 5\r\n"), "hello")),
        ("two lengths", post(&format!("{H}Content-Length: 5\r\nContent-Length: 6\r\n"), "hello")),
        ("list of lengths", length("5, 5")),
        ("length with a sign", length("+5")),
        ("negative length", length("-5")),
        ("length with white space", length("5 5")),
        ("length in hexadecimal", length("0x5")),
        ("length with a fraction", length("5.0")),
        ("empty length", length("")),
        ("length of 2^64", length("18446744073709551616")),
        ("coding before chunked", coding("gzip, chunked")),
        ("chunked not last", coding("chunked, identity")),
        ("identity", coding("identity")),
        ("chunked twice", coding("chunked, chunked")),
        (
            "two lines of chunked",
            post(&format!("{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "0\r\n\r\n"),
        ),
        ("unknown coding", coding("xchunked")),
        ("quoted coding", coding("\"chunked\"")),
        ("coding with a parameter", coding("chunked;a=b")),
        ("coding behind a vertical tab", coding("\u{b}chunked")),
        ("empty coding", coding("")),
        (
            "coding in HTTP/1.0",
            head("POST /sales/in HTTP/1.0", &format!("{H}Transfer-Encoding: chunked\r\n"), "0\r\n\r\n"),
        ),
        ("white space before a colon", post(&format!("{H}Content-Length : 5\r\n"), "hello")),
        ("white space before the first header", head("POST /sales/in HTTP/1.1", &format!(" {H}"), "")),
        ("folded line", post(&format!("{H}X-A: b\r\n c\r\n"), "")),
        ("folded coding", post(&format!("{H}Transfer-Encoding:\r\n chunked\r\n"), "0\r\n\r\n")),
        ("bare CR in a value", post(&format!("{H}X-A: b\rX-B: c\r\n"), "")),
        ("NUL in a value", post(&format!("{H}X-A: b\0c\r\n"), "")),
        ("control character in a value", post(&format!("{H}X-A: b\u{1}c\r\n"), "")),
        ("control character in a name", post(&format!("{H}X\u{1}A: b\r\n"), "")),
        ("empty name", post(&format!("{H}: b\r\n"), "")),
        ("line without a colon", post(&format!("{H}X-A\r\n"), "")),
        ("two spaces in the request line", line("POST  /sales/in HTTP/1.1")),
        ("tab in the request line", line("POST\t/sales/in HTTP/1.1")),
        ("space behind the version", line("POST /sales/in HTTP/1.1 x")),
        ("space in the target", line("POST /sales/in x HTTP/1.1")),
        ("no token as method", line("PO(ST /sales/in HTTP/1.1")),
        ("HTTP/1.2", line("POST /sales/in HTTP/1.2")),
        ("HTTP/2.0 as text", line("POST /sales/in HTTP/2.0")),
        ("version in lower case", line("POST /sales/in http/1.1")),
        ("HTTP/0.9", "GET /sales/in\r\n\r\n".to_owned()),
        ("chunk size that is none", chunks("x\r\nhello\r\n0\r\n\r\n")),
        ("negative chunk size", chunks("-5\r\nhello\r\n0\r\n\r\n")),
        ("chunk size with 0x", chunks("0x5\r\nhello\r\n0\r\n\r\n")),
        ("chunk size of 2^64", chunks("10000000000000000\r\nhello\r\n0\r\n\r\n")),
        ("chunk that is longer than its size", chunks("3\r\nhello\r\n0\r\n\r\n")),
        ("chunk size behind white space", chunks(" 5\r\nhello\r\n0\r\n\r\n")),
        ("chunk extension without end", chunks(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000)))),
        ("unknown expectation", post(&format!("{H}Expect: 200-ok\r\n"), "")),
    ]);
    assert!(all.len() >= 60);
    let all: Vec<_> = all.into_iter().map(|(name, bytes)| (name, format!("{bytes}{smuggled}"))).collect();
    judge(&all, &[400], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rfcs_forbid_is_refused_behind_another_request_too() {
    let chunked = post(&format!("{H}Transfer-Encoding: chunked\r\n"), "5;x=\"\r\nhello\r\n0\r\nX: y\r\n\r\n");
    let before = [
        ("nothing in it", post(H, "")),
        ("a length", post(&format!("{H}Content-Length: 3\r\n"), "abc")),
        ("chunks", chunked),
    ];
    let forbidden = [
        ("fragment", head("POST /sales/in#x HTTP/1.1", H, "")),
        ("length, then coding", post(&format!("{H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "0\r\n\r\n")),
        ("coding, then length", post(&format!("{H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "0\r\n\r\n")),
        ("two equal lengths", post(&format!("{H}Content-Length: 5\r\nContent-Length: 5\r\n"), "hello")),
    ];
    let names: Vec<_> = before
        .iter()
        .flat_map(|(first, one)| {
            forbidden.iter().map(move |(name, two)| (format!("{first}, {name}"), format!("{one}{two}{}", post(H, ""))))
        })
        .collect();
    let all: Vec<_> = names.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    judge(&all, &[401, 400], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rfcs_allow_is_taken() {
    let all = cases([
        ("absolute target", head("POST http://hooks.example.com/sales/in HTTP/1.1", H, "")),
        ("absolute target with the usual port", head("POST http://Hooks.example.com:80/sales/in HTTP/1.1", H, "")),
        ("Host in capitals with a port", post("HOST: HOOKS.EXAMPLE.COM:8443\r\n", "")),
        ("address as Host", post("Host: [2001:db8::1]:80\r\n", "")),
        ("query", head("POST /sales/in?a=b&c HTTP/1.1", H, "")),
        ("chunked in capitals", post(&format!("{H}Transfer-Encoding: CHUNKED\r\n"), "5\r\nhello\r\n0\r\n\r\n")),
        ("chunked with white space", post(&format!("{H}Transfer-Encoding: \tchunked \r\n"), "0\r\n\r\n")),
        ("chunk extension", post(&format!("{H}Transfer-Encoding: chunked\r\n"), "5;a=b\r\nhello\r\n0\r\n\r\n")),
        (
            "trailers, which count for nothing",
            post(
                &format!("{H}Transfer-Encoding: chunked\r\n"),
                "5\r\nhello\r\n0\r\nX-Token: s3cr3t\r\nContent-Length: 99\r\nAuthorization: x\r\n\r\n",
            ),
        ),
        ("line feeds alone", "POST /sales/in HTTP/1.1\nHost: h\nContent-Length: 2\n\n{}".to_owned()),
        ("empty line before the request", format!("\r\n{}", post(H, ""))),
        ("hash in a header and in the body", post(&format!("{H}X-A: #\r\nContent-Length: 9\r\n"), "# HTTP/1.")),
        ("length with leading zeros", post(&format!("{H}Content-Length: 0005\r\n"), "hello")),
        ("headers in lower case", post("host: h\r\ncontent-length: 0\r\n", "")),
    ]);
    judge(&all, &[401], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_body_is_never_read_as_a_request() {
    let inner = post(H, "");
    let length = inner.len() + 1000;
    let unread = |line: &str, more: &str| {
        head(line, &format!("{H}Content-Length: {length}\r\n{more}"), &format!("{inner}{}", " ".repeat(1000)))
    };
    judge(&cases([("unknown path", unread("POST /nothing HTTP/1.1", ""))]), &[404], true).await;
    judge(&cases([("method", unread("PUT /sales/in HTTP/1.1", ""))]), &[405], true).await;
    judge(&cases([("coding", unread("POST /sales/in HTTP/1.1", "Content-Encoding: gzip\r\n"))]), &[415], true).await;
    let huge = post(&format!("{H}Content-Length: 9000000\r\nExpect: 100-continue\r\n"), &inner);
    judge(&cases([("larger than allowed, never asked to continue", huge)]), &[413], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded() {
    let many = "X-A: b\r\n".repeat(200);
    let long = format!("X-A: {}\r\n", "b".repeat(40_000));
    let target = format!("POST /{} HTTP/1.1", "a".repeat(70_000));
    let all = cases([
        ("many fields", post(&format!("{H}{many}"), "")),
        ("long field", post(&format!("{H}{long}"), "")),
        ("long target", head(&target, H, "")),
    ]);
    judge(&all, &[431], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let (missing, found) = (head("POST /nothing HTTP/1.1", H, ""), post(&format!("{H}Content-Length: 2\r\n"), "{}"));
    judge(&cases([("three", format!("{found}{missing}{found}"))]), &[401, 404, 401], false).await;
}
