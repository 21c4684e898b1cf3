//! The floods: each runs until it is dropped, at a rate or with a number of connections that `scale` multiplies.

use std::io::Write as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::support::flood::{
    Address, FLOOD, connect, frame, preface, signature, unanswerable_streams, unfinished_head,
};

/// What is flooded.
#[derive(Clone, Copy)]
pub struct Target {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub scale: usize,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One flood, and the receiver that it needs.
pub struct Flood {
    pub name: &'static str,
    /// Flags of `hookgate run`.
    pub flags: &'static [&'static str],
    pub tls: bool,
    /// Whoever behaves well has the source whose filter reads large bodies.
    pub large: bool,
    pub run: fn(Target) -> Running,
}

const fn flood(name: &'static str, run: fn(Target) -> Running) -> Flood {
    Flood { name, flags: &[], tls: false, large: false, run }
}

const fn over_tls(name: &'static str, run: fn(Target) -> Running) -> Flood {
    Flood { tls: true, ..flood(name, run) }
}

const fn over_h2c(name: &'static str, run: fn(Target) -> Running) -> Flood {
    Flood { flags: &["--h2c"], ..flood(name, run) }
}

/// All of them.
pub const FLOODS: &[Flood] = &[
    flood("idle connections", |t| hold(&[FLOOD], t.public, 9000 * t.scale, 3000, NOTHING.into())),
    flood("idle connections of 4,000 addresses", |t| hold(&many(4000), t.public, 9000 * t.scale, 3000, NOTHING.into())),
    flood("idle connections on the admin port", |t| hold(&[FLOOD], t.admin, 1000 * t.scale, 1000, b"GET / HT".into())),
    flood("unfinished heads of 30 KiB", |t| {
        hold(&[FLOOD], t.public, 4000 * t.scale, 2000, unfinished_head(30 << 10).into())
    }),
    flood("unfinished heads behind a request", |t| {
        let behind = format!("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n{}", unfinished_head(30 << 10));
        hold(&many(200), t.public, 4000 * t.scale, 2000, behind.into())
    }),
    flood("bodies that do not begin, of 3 addresses", |t| {
        hold(&many(3), t.public, 9000 * t.scale, 3000, begun(1000, 0).into())
    }),
    flood("bodies of one byte", |t| hold(&many(50), t.public, 2000 * t.scale, 2000, begun(1000, 1).into())),
    flood("bodies of 1 MiB, the last byte withheld", |t| {
        hold(&[FLOOD], t.public, 128 * t.scale, 500, begun(1 << 20, (1 << 20) - 1).into())
    }),
    flood("the same, of 64 addresses", |t| {
        hold(&many(64), t.public, 256 * t.scale, 500, begun(1 << 20, (1 << 20) - 1).into())
    }),
    flood("failed proofs", |t| pour(&[FLOOD], t, 64, 4000, |_| failed("{}"))),
    flood("failed proofs of 2,000 addresses", |t| pour(&many(2000), t, 2000, 4000, |_| failed("{}"))),
    flood("failed proofs of 4 MiB", |t| {
        let large = "x".repeat(4 << 20);
        pour(&many(16), t, 16, 60, move |_| failed(&large))
    }),
    flood("refusals before the proof", |t| {
        let strange = "POST /demo/repo HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\nContent-Length: 0\r\n\r\n";
        pour(&[FLOOD], t, 64, 8000, move |_| strange.into())
    }),
    flood("wrong framing behind requests", |t| {
        let wrong = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        pour(&[FLOOD], t, 64, 4000, move |_| format!("{NOTHING}POST /demo/repo HTTP/1.1\r\nHost: h\r\n{wrong}").into())
    }),
    over_tls("handshakes half open", |t| hold(&[FLOOD], t.public, 3000 * t.scale, 2000, hello()[..60].into())),
    over_tls("handshakes begun", |t| pour(&[FLOOD], t, 256, 3000, |_| hello())),
    over_tls("handshakes begun by 2,000 addresses", |t| pour(&many(2000), t, 2000, 3000, |_| hello())),
    over_h2c("answers over HTTP/2 that nobody takes", |t| {
        hold(&[FLOOD], t.public, 1000 * t.scale, 1000, unanswerable_streams())
    }),
    over_h2c("bodies over HTTP/2 that do not come", |t| hold(&many(16), t.public, 500 * t.scale, 1000, streams())),
    over_h2c("frames that carry no request", |t| {
        let pings = frame(6, 0, 0, &[0; 8]).repeat(1000);
        pour(&[FLOOD], t, 64, 500, move |n| if n < 64 { preface(&[]) } else { pings.clone() })
    }),
    over_h2c("streams that are reset at once", |t| pour(&[FLOOD], t, 64, 500, |_| [preface(&[]), resets()].concat())),
    flood("another tenant's filters", |t| pour(&[FLOOD], t, 32, 400, |n| of_tenant("filter", n, &numbers(), ""))),
    Flood {
        large: true,
        ..flood("another tenant's filters, beside filters", |t| {
            pour(&[FLOOD], t, 64, 400, |n| of_tenant(["filter", "batch"][n as usize % 2], n, &batch(), ""))
        })
    },
    flood("another tenant's nesting", |t| {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1 << 21), "]".repeat(1 << 21));
        pour(&[FLOOD], t, 16, 40, move |n| of_tenant("plain", n, &deep, ""))
    }),
    flood("another tenant's members of gzip", |t| {
        let packed = packed();
        pour(&[FLOOD], t, 16, 100, move |n| of_nylas(n, &packed))
    }),
    flood("another tenant's events", |t| pour(&[FLOOD], t, 64, 3000, |n| of_tenant("plain", n, "{}", ""))),
    flood("another tenant's batches", |t| pour(&[FLOOD], t, 64, 200, |n| of_tenant("items", n, &items(n), ""))),
    Flood {
        flags: &["--fetch-allow-cidr", "127.0.0.0/8"],
        ..flood("keys that are asked for", |t| pour(&many(200), t, 200, 2000, forged))
    },
    Flood {
        flags: &["--fetch=false"],
        ..flood("keys that may not be asked for", |t| pour(&many(200), t, 200, 2000, forged))
    },
];

/// A request for what nobody serves; its connection stays.
const NOTHING: &str = "POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";

/// Sources of another tenant, whose secret whoever floods knows, and one more of whoever behaves well. `keys` is the port
/// of a key server that never answers.
pub fn manifests(keys: u16) -> String {
    let secret = "stringData: {secret: \"It's a Secret to Everybody\"}";
    let filter =
        vec!["data.l.exists(x, x == 2 || x == 3 || x == 4 || x == 5 || x == 6 || x == 7 || x == 8 || x == 9)"; 24];
    let filter = filter.join(" || ");
    let verification = "verification: {secretRefs: [{name: s, key: secret}]}";
    let generic = "verification: {method: hmac, secretRefs: [{name: s, key: secret}], hmac: {algorithm: SHA256, signature: {header: \
        X-Hub-Signature-256, encoding: Hex, prefix: \"sha256=\"}}}";
    format!(
        r#"
apiVersion: v1
kind: Secret
metadata: {{name: s, namespace: hostile}}
{secret}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: filter, namespace: hostile}}
spec: {{provider: github, {verification}, delivery: {{deadline: 60s}}, events: {{filter: "{filter}"}}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: batch, namespace: hostile}}
spec: {{provider: generic, {generic}, extract: {{split: {{pointer: /items}}}}, delivery: {{deadline: 60s}}, events: {{filter: "{filter}"}}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: plain, namespace: hostile}}
spec: {{provider: github, {verification}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: items, namespace: hostile}}
spec: {{provider: generic, {generic}, extract: {{split: {{pointer: /items}}}}, limits: {{maxInFlight: 10000}}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: gzip, namespace: hostile}}
spec: {{provider: nylas, {verification}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {{name: publishes-its-key}}
spec:
  displayName: Publishes its key
  methods:
    - name: jwt
      anyOf: [{{allOf: [{{jwt: {{header: X-Sig, algorithms: [ES256], issuer: acme, audiences: [us], fetch: {{url: "https://localhost:{keys}/key",
        post: "{{\"id\":\"{{kid}}\"}}", format: JWK}}}}}}]}}]
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: keys, namespace: hostile}}
spec: {{provider: publishes-its-key}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: large, namespace: demo}}
spec: {{provider: github, verification: {{secretRefs: [{{name: repo, key: secret}}]}}, events: {{filter: "data.ref == 'refs/heads/main'"}}}}
"#
    )
}

/// So many other addresses.
fn many(count: u16) -> Vec<Address> {
    (0..count).map(|n| [127, 1, (n >> 8) as u8, n as u8]).collect()
}

/// So many things a second, of whoever asks.
fn pace(a_second: usize) -> Arc<Mutex<Interval>> {
    let mut pace = interval(Duration::from_secs(1) / u32::try_from(a_second).unwrap_or(u32::MAX));
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    Arc::new(Mutex::new(pace))
}

/// Keeps so many connections that say `bytes`; what is closed is opened anew, so many a second altogether.
fn hold(from: &[Address], to: SocketAddr, count: usize, a_second: usize, bytes: Vec<u8>) -> Running {
    let (from, bytes) = (from.to_vec(), Arc::new(bytes));
    Box::pin(async move {
        let (pace, mut held) = (pace(a_second), JoinSet::new());
        for n in 0..count {
            let (from, bytes, pace) = (from[n % from.len()], bytes.clone(), pace.clone());
            held.spawn(async move {
                loop {
                    pace.lock().await.tick().await;
                    let Ok(stream) = connect(from, to).await else { continue };
                    let (mut answers, mut requests) = stream.into_split();
                    let _ = requests.write_all(&bytes).await;
                    let _ = tokio::io::copy(&mut answers, &mut tokio::io::sink()).await;
                }
            });
        }
        held.join_all().await;
    })
}

/// Sends one request after another over so many connections, so many a second altogether, whatever is answered; what is
/// closed is opened anew.
fn pour(
    from: &[Address],
    target: Target,
    connections: usize,
    a_second: usize,
    request: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static,
) -> Running {
    let (from, to, request) = (from.to_vec(), target.public, Arc::new(request));
    Box::pin(async move {
        let (pace, next) = (pace(a_second * target.scale), Arc::new(std::sync::atomic::AtomicU64::new(0)));
        let mut poured = JoinSet::new();
        for n in 0..connections {
            let (from, pace, next, request) = (from[n % from.len()], pace.clone(), next.clone(), request.clone());
            poured.spawn(async move {
                loop {
                    pace.lock().await.tick().await;
                    let Ok(stream) = connect(from, to).await else { continue };
                    let (mut answers, mut requests) = stream.into_split();
                    let mut sent = JoinSet::new();
                    let (pace, next, request) = (pace.clone(), next.clone(), request.clone());
                    sent.spawn(async move {
                        let mut bytes = request(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
                        while requests.write_all(&bytes).await.is_ok() {
                            pace.lock().await.tick().await;
                            bytes = request(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
                        }
                    });
                    // Whoever is not read any more is closed.
                    let _ = tokio::io::copy(&mut answers, &mut tokio::io::sink()).await;
                }
            });
        }
        poured.join_all().await;
    })
}

/// A body of so many bytes, of which so many come.
fn begun(length: usize, come: usize) -> String {
    format!("POST /demo/repo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(come))
}

/// A delivery that nobody signed.
fn failed(body: &str) -> Vec<u8> {
    format!(
        "POST /demo/repo HTTP/1.1\r\nHost: h\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: f\r\nContent-Type: application/json\r\n\
         X-Hub-Signature-256: sha256={}\r\nContent-Length: {}\r\n\r\n{body}",
        "0".repeat(64),
        body.len()
    )
    .into()
}

/// A delivery of the other tenant, signed.
fn of_tenant(source: &str, n: u64, body: &str, more: &str) -> Vec<u8> {
    let signature = signature(body.as_bytes());
    format!(
        "POST /hostile/{source} HTTP/1.1\r\nHost: h\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: h-{n}\r\nContent-Type: application/json\r\n\
         {more}X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

/// What the filter of the other tenant takes longest for.
fn numbers() -> String {
    format!(r#"{{"l":[{}]}}"#, vec!["1"; 1000].join(","))
}

/// A hundred items of it.
fn batch() -> String {
    format!(r#"{{"l":[1],"items":[{}]}}"#, vec![numbers(); 100].join(","))
}

/// A thousand small ones.
fn items(n: u64) -> String {
    format!(r#"{{"items":[{}]}}"#, (0..1000).map(|item| format!("{n}{item:04}")).collect::<Vec<_>>().join(","))
}

/// 64 members that unpack to 8 MiB of nesting.
fn packed() -> Vec<u8> {
    let text = format!("{{\"id\":\"1\",\"type\":\"a\",\"a\":{}{}}}", "[".repeat(4_190_000), "]".repeat(4_190_000));
    // What it unpacks to is bounded by twenty times its size: stored members make it long enough.
    let parts = text.as_bytes().chunks(text.len() / 63);
    let member = |(n, part): (usize, &[u8])| {
        let level = if n < 4 { flate2::Compression::none() } else { flate2::Compression::best() };
        let mut member = flate2::write::GzEncoder::new(Vec::new(), level);
        member.write_all(part).and_then(|()| member.finish()).unwrap_or_default()
    };
    parts.enumerate().flat_map(member).collect()
}

fn of_nylas(n: u64, packed: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /hostile/gzip HTTP/1.1\r\nHost: h\r\nX-N: {n}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
         X-Nylas-Signature: {}\r\nContent-Length: {}\r\n\r\n",
        signature(packed),
        packed.len()
    );
    [head.as_bytes(), packed].concat()
}

/// A token of a key that nobody asked for before.
fn forged(n: u64) -> Vec<u8> {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let claims = part(r#"{"iss":"acme","aud":"us","exp":4000000000,"iat":1}"#.to_owned());
    let token = format!("{}.{claims}.{}", part(format!(r#"{{"alg":"ES256","kid":"k{n}"}}"#)), part("x".repeat(64)));
    format!("POST /hostile/keys HTTP/1.1\r\nHost: h\r\nX-Sig: {token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}")
        .into()
}

/// Requests whose bodies begin with a byte and do not go on.
fn streams() -> Vec<u8> {
    let mut bytes = preface(&[]);
    for n in 0..16 {
        // :method POST, :scheme http, :path /demo/repo, :authority h.
        let head = [&[0x83, 0x86, 0x44, 10][..], b"/demo/repo", &[0x41, 0x01, b'h']].concat();
        bytes.extend(frame(1, 4, 2 * n + 1, &head));
        bytes.extend(frame(0, 0, 2 * n + 1, b"{"));
    }
    bytes
}

/// Requests that are taken back before they are answered.
fn resets() -> Vec<u8> {
    (0..200)
        .flat_map(|n| {
            let head = frame(1, 5, 2 * n + 1, &[0x83, 0x84, 0x86, 0x41, 0x01, b'h']);
            [head, frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat()
        })
        .collect()
}

/// A ClientHello that is answered with everything that costs the server something.
fn hello() -> Vec<u8> {
    static HELLO: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let make = || {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from("localhost").ok()?;
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).ok()?;
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).ok()?;
        Some(bytes)
    };
    HELLO.get_or_init(|| make().unwrap_or_default()).clone()
}
