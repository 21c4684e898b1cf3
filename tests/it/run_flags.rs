//! Every flag of `hookgate run` and its twin in the environment, through the binary: what is wrong ends the start with what to write, what is
//! right acts.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::stream::StorageType;
use serde_json::Value;

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, binary, hookgate};
use crate::support::port::free_port;
use crate::support::run::{Output, run};
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);

/// Twins, a value that is none, and what is said of it. Paths and logins are judged where they are used: see the tests below.
const WRONG: &[(&str, &str, &str)] = &[
    ("HOOKGATE_MANIFESTS", "/nowhere/at/all", "--manifests: /nowhere/at/all is not there"),
    ("HOOKGATE_LISTEN", "localhost:8080", "such as 127.0.0.1:8080"),
    ("HOOKGATE_ADMIN_LISTEN", "9090", "such as 0.0.0.0:9090"),
    ("HOOKGATE_BASE_URL", "foo", "such as https://hooks.example.com"),
    ("HOOKGATE_NAMESPACE", "sales,,hr", "between"),
    ("HOOKGATE_SECRET_NAME", "github,,stripe", "between"),
    ("HOOKGATE_SELECTOR", "team in sales", "team in (sales,hr)"),
    ("HOOKGATE_NATS_URL", "ws://127.0.0.1:1", "--nats-url"),
    ("HOOKGATE_NATS_CLIENT_CERT", "/nowhere", "--nats-client-key"),
    ("HOOKGATE_NATS_CLIENT_KEY", "/nowhere", "--nats-client-cert"),
    ("HOOKGATE_NATS_INBOX_PREFIX", "in.*", "is no prefix of subjects"),
    ("HOOKGATE_NATS_JS_DOMAIN", "a.b", "is no name of a domain"),
    ("HOOKGATE_NATS_ACCOUNT", "sales", "such as sales,shop-*="),
    ("HOOKGATE_STREAM", "web.hooks", "is no name of a stream"),
    ("HOOKGATE_STREAM_REPLICAS", "many", "--stream-replicas"),
    ("HOOKGATE_DUPLICATE_WINDOW", "long", "such as 7d"),
    ("HOOKGATE_STREAM_MAX_AGE", "7 days", "such as 7d"),
    ("HOOKGATE_CLAIM_CHECK", "maybe", "--claim-check"),
    ("HOOKGATE_ALLOW_MEMORY_STREAMS", "maybe", "write true or false"),
    ("HOOKGATE_SUBJECT_POLICY", "webhooks..x", "an empty token"),
    ("HOOKGATE_PATH_POLICY", "sales", "must begin with '/'"),
    ("HOOKGATE_TLS_CERT", "/nowhere", "--tls-key"),
    ("HOOKGATE_TLS_KEY", "/nowhere", "--tls-cert"),
    ("HOOKGATE_TRUSTED_PROXIES", "10.0.0.1", "write 10.0.0.1/32"),
    ("HOOKGATE_MAX_CONNECTIONS", "none", "such as 8192"),
    ("HOOKGATE_MEMORY_LIMIT", "little", "such as 8Mi"),
    ("HOOKGATE_H2C", "maybe", "write true or false"),
    ("HOOKGATE_TRUST_TRACE", "maybe", "write true or false"),
    ("HOOKGATE_MAX_BODY_SIZE", "big", "such as 8Mi"),
    ("HOOKGATE_NAMESPACE_QUOTA", "routes=1", "such as sources=100,filters=200,bytes=16Mi"),
    ("HOOKGATE_FETCH", "maybe", "write true or false"),
    ("HOOKGATE_FETCH_ALLOW_CIDR", "10.0.0.1", "write 10.0.0.1/32"),
    ("HOOKGATE_DRAIN_DELAY", "soon", "such as 7d"),
    ("HOOKGATE_LOG_FORMAT", "xml", "text"),
    ("HOOKGATE_SPOOL_DIR", "/dev/null/spool", "--spool-dir /dev/null/spool"),
    ("HOOKGATE_SPOOL_MAX_BYTES", "big", "such as 8Mi"),
    ("HOOKGATE_SPOOL_VOLATILE", "maybe", "write true or false"),
    ("HOOKGATE_GUARD_WINDOW", "long", "such as 7d"),
    ("HOOKGATE_GUARD_MAX_BYTES", "much", "such as 8Mi"),
];

/// Twins that take any text. Each acts in a test: below, in `deliver_login`, in `deliver_ways` and on a cluster.
const ANY: &[&str] = &[
    "HOOKGATE_SOURCE_BASE",
    "HOOKGATE_LEASE_NAMESPACE",
    "HOOKGATE_NATS_CREDS",
    "HOOKGATE_NATS_NKEY",
    "HOOKGATE_NATS_CA",
];

async fn started(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = tokio::process::Command::new(binary());
    command.arg("run").args(arguments).envs(env.iter().copied());
    tokio::time::timeout(SOON, run(command, "")).await.expect("it ends")
}

#[tokio::test]
async fn every_twin_is_read_and_what_is_wrong_ends_the_start_with_what_to_write() {
    let help = hookgate(&["run", "--help"]).await.ok();
    let twins: BTreeSet<&str> = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next()).collect();
    let known: BTreeSet<&str> = WRONG.iter().map(|(twin, ..)| *twin).chain(ANY.iter().copied()).collect();
    assert_eq!(known, twins, "a flag without a row here");
    for (twin, wrong, said) in WRONG {
        let manifests = ["--manifests", "/nowhere/at/all"];
        let arguments = if *twin == "HOOKGATE_MANIFESTS" { &manifests[..0] } else { &manifests };
        let told = started(arguments, &[(twin, wrong)]).await.err();
        assert!(told.contains(said), "{twin}={wrong}: {told}");
        assert!(!told.contains("panicked"), "{twin}={wrong}: {told}");
    }
}

#[tokio::test]
async fn an_empty_twin_is_as_if_absent() {
    let folder = Folder::new("manifests");
    let nats = Nats::start().await;
    let empty: Vec<(&str, &str)> = WRONG
        .iter()
        .map(|(twin, ..)| *twin)
        .chain(ANY.iter().copied())
        .chain(["RUST_LOG"])
        .map(|twin| (twin, if twin == "HOOKGATE_BASE_URL" { " " } else { "" }))
        .collect();
    let operator = Operator::in_folder_with(folder.path(), &nats.url(), &[], &empty).await;
    assert!(operator.process.log().contains(" serves"), "{}", operator.process.log());
}

fn manifests() -> Folder {
    let folder = Folder::new("manifests");
    folder.write(
        "calls.yaml",
        "
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: sales}, stringData: {k: word}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: calls, namespace: sales, labels: {team: blue}}
spec:
  provider: generic
  path: /anywhere
  verification: {method: token, token: {header: X-Token}, secretRefs: [{name: s, key: k}]}
  limits: {maxBodySize: 1Mi, allowedCIDRs: [203.0.113.0/24]}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: fetching, namespace: sales, labels: {team: blue}}
spec: {provider: paypal, path: /sales/fetching, verification: {parameters: {webhookId: W1}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: one-too-many, namespace: sales, labels: {team: blue}}
spec: {provider: github, path: /sales/many, verification: {secretRefs: [{name: s, key: k}]}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: another-teams, namespace: sales, labels: {team: red}}
spec: {provider: github, path: /sales/another, suspend: true, verification: {secretRefs: [{name: s, key: k}]}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: elsewhere, namespace: hr, labels: {team: blue}}
spec: {provider: github, path: /sales/elsewhere, suspend: true, verification: {secretRefs: [{name: s, key: k}]}}
",
    );
    folder
}

/// The twins of all that acts in one process; flags of the same names say the same.
const RIGHT: &[(&str, &str)] = &[
    ("HOOKGATE_SOURCE_BASE", "https://hooks.example.com/"),
    ("HOOKGATE_NAMESPACE", "sales, support"),
    ("HOOKGATE_SELECTOR", "team in (blue, green)"),
    ("HOOKGATE_MAX_BODY_SIZE", "1Ki"),
    ("HOOKGATE_TRUSTED_PROXIES", "127.0.0.0/8, ::1/128"),
    ("HOOKGATE_SUBJECT_POLICY", "acme.{namespace}.in.>, other.>"),
    ("HOOKGATE_PATH_POLICY", "/sales/**, /anywhere"),
    ("HOOKGATE_STREAM", "EVENTS"),
    ("HOOKGATE_STREAM_REPLICAS", "1"),
    ("HOOKGATE_DUPLICATE_WINDOW", "90s"),
    ("HOOKGATE_STREAM_MAX_AGE", "2d"),
    ("HOOKGATE_TRUST_TRACE", "1"),
    ("HOOKGATE_FETCH", "0"),
    ("HOOKGATE_FETCH_ALLOW_CIDR", "10.0.0.0/8, 192.168.0.0/16"),
    ("HOOKGATE_BASE_URL", "https://hooks.example.com/in/"),
    ("HOOKGATE_ALLOW_MEMORY_STREAMS", "true"),
    ("HOOKGATE_LOG_FORMAT", "json"),
    ("HOOKGATE_DRAIN_DELAY", "3s"),
    ("HOOKGATE_NAMESPACE_QUOTA", "sources=2"),
    ("HOOKGATE_GUARD_WINDOW", "1s"),
];

async fn acts(more: &[&str], env: &[(&str, &str)]) {
    let (folder, nats) = (manifests(), Nats::start().await);
    let mut operator = Operator::in_folder_with(folder.path(), &nats.url(), more, env).await;
    let from = |address: &'static str| [("x-token", "word"), ("x-forwarded-for", address)];
    let trace = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    eventually("the source is served", SOON, async || {
        let headers = [&from("203.0.113.9")[..], &[trace]].concat();
        operator.post("/anywhere", &headers, "{}").await.is_some_and(|answer| answer.status == 200)
    })
    .await;
    let status = async |address, body: &str| {
        operator.post("/anywhere", &from(address), body.to_owned()).await.expect("an answer").status.as_u16()
    };
    assert_eq!(status("198.51.100.1", "{}").await, 403, "--trusted-proxies: the sender is who the proxy names");
    assert_eq!(status("203.0.113.9", &" ".repeat(2000)).await, 413, "--max-body-size bounds limits.maxBodySize");
    for (path, why) in [("/sales/another", "--selector"), ("/sales/elsewhere", "--namespace")] {
        let answer = operator.post(path, &from("203.0.113.9"), "{}".to_owned()).await.expect("an answer");
        assert_eq!(answer.status, 404, "{why}");
    }

    let config = nats.jetstream().await.get_stream("EVENTS").await.expect("--stream").cached_info().config.clone();
    assert_eq!(config.subjects, ["acme.*.in.>"], "--subject-policy: the root");
    assert_eq!((config.num_replicas, config.storage), (1, StorageType::File));
    assert_eq!(config.duplicate_window, Duration::from_secs(90));
    assert_eq!(config.max_age, Duration::from_secs(2 * 86_400));
    let event = nats.collect("acme.sales.in.calls.>", 1, SOON).await.remove(0);
    let header = |name: &str| event.headers.get(name).map(|value| value.as_str()).unwrap_or_default();
    assert_eq!(header("ce-source"), "https://hooks.example.com/namespaces/sales/webhooksources/calls");
    let trace = header("traceparent");
    assert!(trace.ends_with("-01"), "--trust-trace keeps the sender's flag: {trace}");

    // A provider that fetches keys is refused; the log is JSON, a line each.
    let log = operator.process.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.len() > 3 && lines.len() == log.lines().count(), "--log-format json: {log}");
    assert!(log.contains("--fetch=false"), "{log}");
    assert!(log.contains("QuotaExceeded") && log.contains("one-too-many"), "--namespace-quota: {log}");
    eventually("--guard-window is reached and not passed", SOON, async || {
        let metrics = operator.get("/metrics").await.expect("metrics");
        String::from_utf8_lossy(&metrics.body).contains("hookgate_guard_seconds 1.0\n")
    })
    .await;

    // After SIGTERM it accepts for as long as --drain-delay says.
    operator.process.signal("TERM");
    eventually("it stops", SOON, async || operator.process.log().contains("stopping")).await;
    assert_eq!(status("203.0.113.9", "{}").await, 200, "--drain-delay");
    assert!(operator.process.wait_exit(SOON).await.success());
}

#[tokio::test]
async fn what_twins_say_acts() {
    acts(&[], RIGHT).await;
}

#[tokio::test]
async fn what_flags_say_acts() {
    let flag = |twin: &str| format!("--{}", twin.trim_start_matches("HOOKGATE_").to_lowercase().replace('_', "-"));
    let flags: Vec<String> = RIGHT.iter().map(|(twin, value)| format!("{}={value}", flag(twin))).collect();
    acts(&flags.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
}

#[tokio::test]
async fn listeners_and_nats_may_be_said_by_twins_and_tls_by_both() {
    let (folder, nats) = (manifests(), Nats::start().await);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let chain = folder.write("tls.pem", &made.cert.pem()).display().to_string();
    let key = folder.write("tls.key", &made.signing_key.serialize_pem()).display().to_string();
    for tls in [true, false] {
        let (port, admin) = (free_port(), free_port());
        let mut command = std::process::Command::new(binary());
        command
            .arg("run")
            .env("HOOKGATE_MANIFESTS", folder.path())
            .env("HOOKGATE_NATS_URL", format!("nats://127.0.0.1:1, {}", nats.url()))
            .env("HOOKGATE_LISTEN", format!("127.0.0.1:{port}"))
            .env("HOOKGATE_ADMIN_LISTEN", format!("127.0.0.1:{admin}"));
        if tls {
            command.env("HOOKGATE_TLS_CERT", &chain).env("HOOKGATE_TLS_KEY", &key);
        } else {
            command.args(["--tls-cert", &chain, "--tls-key", &key]);
        }
        let logs = Folder::new("hookgate");
        let process = crate::support::process::Process::start("hookgate", &logs, &mut command);
        eventually("it serves TLS", SOON, async || process.log().contains("tls=true")).await;
        assert!(
            process.log().contains(&format!("listen=127.0.0.1:{port} admin=127.0.0.1:{admin}")),
            "{}",
            process.log()
        );
    }
}
