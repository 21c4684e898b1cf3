//! Requests that were once answered wrongly, each a folder of `tests/cases/`: a manifest, what was sent, what must come
//! of it. A folder that is added is a test.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;

/// What must come of a case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expect {
    /// The time in the files, in seconds, for which now is written.
    now: Option<String>,
    /// The signature in the files, which is made anew.
    signed: Option<Signed>,
    /// Bytes of the body, in which `{fill}` is a filling.
    bytes: Option<usize>,
    /// Whether its NATS has the `max_payload` that a nats-server has by itself, and not the 8 MiB of the other cases, and the
    /// operator no claim check.
    #[serde(default)]
    default_payload: bool,
    /// One for each request, in order.
    answers: Vec<Answer>,
    /// All events of the source, in order; what is rejected is none of them.
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signed {
    was: String,
    secret: String,
    /// With `{now}` and `{body}`; HMAC-SHA256 in hexadecimal.
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    status: u16,
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    /// Below the source's own subject.
    subject: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    holds: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
}

struct Case {
    /// The first part of the folder's name, in place of the namespace `t` of its files.
    namespace: String,
    folder: PathBuf,
    expect: Expect,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).expect("tests/cases").map(|entry| entry.expect("a folder").path()).collect();
    folders.sort();
    let read = |folder: PathBuf| {
        let text = fs::read_to_string(folder.join("expect.yaml")).expect("expect.yaml");
        let expect = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
        let namespace = name.split('-').next().unwrap_or_default().to_owned();
        Case { namespace, folder, expect }
    };
    folders.into_iter().map(read).collect()
}

impl Case {
    /// The requests as they are sent.
    fn requests(&self) -> Vec<Vec<u8>> {
        let name = |n: usize| if n == 1 { "request.http".to_owned() } else { format!("request-{n}.http") };
        let files = (1..).map(|n| self.folder.join(name(n))).take_while(|file| file.exists());
        files.map(|file| self.request(&fs::read_to_string(file).expect("a request"))).collect()
    }

    fn request(&self, written: &str) -> Vec<u8> {
        let (head, body) = written.split_once("\r\n\r\n").expect("a head and a body");
        let mut head = head.replacen(" /t/", &format!(" /{}/", self.namespace), 1);
        let mut body = body.to_owned();
        if let Some(bytes) = self.expect.bytes {
            body = body.replace("{fill}", &"x".repeat(bytes + "{fill}".len() - body.len()));
        }
        let now = jiff::Timestamp::now().as_second().to_string();
        if let Some(was) = &self.expect.now {
            head = head.replace(was, &now);
            body = body.replace(was, &now);
        }
        if let Some(signed) = &self.expect.signed {
            let content = signed.content.replace("{now}", &now).replace("{body}", &body);
            let mut mac = Hmac::<Sha256>::new_from_slice(signed.secret.as_bytes()).expect("any length");
            mac.update(content.as_bytes());
            head = head.replace(&signed.was, &hex::encode(mac.finalize().into_bytes()));
        }
        format!("{head}\r\n\r\n{body}").into_bytes()
    }
}

/// Sends a request byte for byte; its status and body.
async fn send(port: u16, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, body.to_owned())
}

#[tokio::test]
async fn what_was_once_answered_wrongly_is_answered_right() {
    let all = cases();
    assert!(all.len() >= 17, "only {} cases", all.len());
    let (default, large) = all.into_iter().partition(|case| case.expect.default_payload);
    tokio::join!(run(large, "max_payload: 8388608", &[]), run(default, "", &["--claim-check", "off"]));
}

/// Sends the requests of those cases to one operator beside a NATS of that configuration.
async fn run(cases: Vec<Case>, configuration: &str, flags: &[&str]) {
    let manifests = Folder::new("cases");
    for case in &cases {
        let manifest = fs::read_to_string(case.folder.join("manifest.yaml")).expect("manifest.yaml");
        let manifest = manifest.replace("namespace: t\n", &format!("namespace: {}\n", case.namespace));
        manifests.write(&format!("{}.yaml", case.namespace), &manifest);
    }
    let nats = Nats::start_with(configuration).await;
    let operator = Operator::in_folder(manifests.path(), &nats.url(), flags).await;
    let mut wrong = Vec::new();
    for case in &cases {
        let requests = case.requests();
        assert_eq!(requests.len(), case.expect.answers.len(), "{}", case.folder.display());
        for (n, (request, wanted)) in requests.iter().zip(&case.expect.answers).enumerate() {
            let (status, body) = send(operator.port, request).await;
            if status != wanted.status || wanted.body.as_ref().is_some_and(|wanted| *wanted != body) {
                wrong.push(format!("{} request {}: {status} {body:?}", case.namespace, n + 1));
            }
        }
    }
    // Each 2xx is an acknowledgement: the stream holds all there is.
    let count = usize::try_from(nats.count("WEBHOOKS").await).expect("a count");
    let stored = nats.collect("webhooks.>", count, Duration::from_secs(5)).await;
    for case in &cases {
        let prefix = format!("webhooks.{}.", case.namespace);
        let rejected = format!("webhooks._rejected.{}.", case.namespace);
        let of = |prefix: &str| stored.iter().filter(|m| m.subject.as_str().starts_with(prefix)).collect::<Vec<_>>();
        let (events, rejected) = (of(&prefix), of(&rejected));
        if events.len() != case.expect.events.len() || !rejected.is_empty() {
            let subjects: Vec<&str> = events.iter().chain(&rejected).map(|message| message.subject.as_str()).collect();
            wrong.push(format!("{}: {} events wanted: {subjects:?}", case.namespace, case.expect.events.len()));
            continue;
        }
        for (event, wanted) in events.iter().zip(&case.expect.events) {
            let payload = String::from_utf8_lossy(&event.payload);
            let header = |name: &str| event.headers.get(name).map_or("", |value| value.as_str()).to_owned();
            let headers = wanted.headers.iter().filter(|(name, value)| header(name) != **value);
            wrong.extend(headers.map(|(name, _)| format!("{}: {name}: {}", case.namespace, header(name))));
            let missed = wanted.holds.iter().filter(|text| !payload.contains(*text));
            let shown = wanted.lacks.iter().filter(|text| payload.contains(*text));
            wrong.extend(missed.chain(shown).map(|text| format!("{}: {text:?}: {payload}", case.namespace)));
            let of_source = event.subject.as_str()[prefix.len()..].split_once('.').map_or("", |(_, rest)| rest);
            if of_source != wanted.subject {
                wrong.push(format!("{}: {}", case.namespace, event.subject));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}\n{}", wrong.len(), wrong.join("\n"), operator.process.log());
}
