//! What vendors' own libraries sign is accepted: the libraries of npm and PyPI are the senders.
#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use hookgate::provider::catalogue::built_in;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::provider_generic::{headers, judge, key, of_provider};

#[derive(Deserialize)]
struct Delivery {
    sdk: String,
    provider: String,
    method: Option<String>,
    secret: String,
    headers: BTreeMap<String, String>,
    body: String,
    url: Option<String>,
    query: Option<String>,
}

/// Runs a command and gives what it printed; says what failed otherwise.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// What the libraries sign at this moment.
fn deliveries(seconds: i64) -> Vec<Delivery> {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    let folder = run(&mut Command::new(sdk.join("install.sh")));
    let (folder, seconds) = (folder.trim(), seconds.to_string());
    let javascript = run(Command::new("node").arg(sdk.join("sign.mjs")).args([folder, &seconds]));
    let python = run(Command::new("python3").arg(sdk.join("sign.py")).args([folder, &seconds]));
    let lines = javascript.lines().chain(python.lines());
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

#[test]
fn what_vendors_libraries_sign_is_accepted() {
    let now = Timestamp::now();
    let mut accepted = Vec::new();
    for delivery in deliveries(now.as_second()) {
        let name = format!("{} for {}", delivery.sdk, delivery.provider);
        let provider = built_in(&delivery.provider).unwrap_or_else(|| panic!("{name}: no such provider"));
        let provider = provider.provider().expect("compiles");
        let method = provider.method(delivery.method.as_deref()).unwrap_or_else(|| panic!("{name}: no such method"));
        let url = delivery.url.as_deref();
        let verifier = of_provider(&delivery.provider, &method.name, &[key(None, delivery.secret.as_bytes())], url);
        let json = ("content-type", "application/json");
        let named = delivery.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let typed = delivery.headers.contains_key("content-type");
        let map = headers(named.chain((!typed).then_some(json)));
        let query = delivery.query.as_deref();
        let (verdict, _) = judge(&verifier, &map, query, delivery.body.as_bytes(), now);
        assert_eq!(verdict, Ok(()), "{name}");
        let other =
            of_provider(&delivery.provider, &method.name, &[key(None, &other(delivery.secret.as_bytes()))], url);
        let (verdict, _) = judge(&other, &map, query, delivery.body.as_bytes(), now);
        assert!(verdict.is_err(), "{name}: any secret will do");
        accepted.push(delivery.sdk);
    }
    accepted.dedup();
    assert!(accepted.len() >= 15, "only {accepted:?} signed");
}

/// Another secret of the same form.
fn other(secret: &[u8]) -> Vec<u8> {
    let mut other = secret.to_vec();
    let at = other.len() / 2;
    other[at] = if other[at] == b'5' { b'6' } else { b'5' };
    other
}
