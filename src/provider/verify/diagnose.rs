//! Why a request is refused that its sender believes to be right: one thing is changed at a time until the proof holds.
//!
//! For people at a terminal alone. Nothing here ever makes a request authentic.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::key_text;
use super::keys::KeyRef;
use super::{Given, Method, Refusal, Verifier};
use crate::json;
use crate::provider::request::RequestView;
use crate::secret::{SecretBytes, has_ended};

/// A day has this many seconds; no replay window is longer.
const ANY_TIME: Duration = Duration::from_secs(100 * 366 * 86400);

/// What was wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The sentence for the user.
    pub advice: String,
}

/// Tries what usually goes wrong. Empty where none of it explains the refusal.
pub(crate) fn diagnose(method: &Method, given: &Given<'_>, request: &RequestView<'_>, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |advice: String| findings.push(Finding { advice });
    let holds = |given: &Given<'_>, request: &RequestView<'_>, at: Timestamp| {
        Verifier::new(method, given).is_ok_and(|(verifier, _)| verifier.verify(request, at).is_ok())
    };
    let patient = Given { tolerance: Some(ANY_TIME), ..*given };
    let patient = if Verifier::new(method, &patient).is_ok() { patient } else { *given };
    if refusal(method, given, request, now) == Some(Refusal::Stale) {
        found("the proof is right, but not at this time: compare the clocks of sender and receiver, judge a captured request with --at, or write a longer verification.tolerance".to_owned());
        return findings;
    }
    for (what, bodies) in bodies(request.body) {
        if holds(&patient, &RequestView { body: &bodies, ..*request }, now) {
            found(format!(
                "the proof fits the body {what}: something between sender and receiver wrote the body anew; pass it on byte for byte"
            ));
        }
    }
    for (what, keys) in key_readings(given.keys) {
        if holds(&Given { keys: &keys, ..patient }, request, now) {
            found(format!("the proof fits the secret {what}: store it in the Secret as the vendor's signer reads it"));
        }
    }
    for url in given.external_url.map(urls).unwrap_or_default() {
        if holds(&Given { external_url: Some(&url), ..patient }, request, now) {
            found(format!("the proof fits the URL {url}: write it so in verification.externalURL"));
        }
    }
    if given.keys.iter().any(|key| has_ended(key.not_after, now)) {
        let revived: Vec<KeyRef> = given.keys.iter().map(|key| KeyRef { not_after: None, ..key.clone() }).collect();
        if holds(&Given { keys: &revived, ..patient }, request, now) {
            found(
                "the proof fits a secretRef whose notAfter has passed: the sender still uses the old secret".to_owned(),
            );
        }
    }
    findings
}

fn refusal(method: &Method, given: &Given<'_>, request: &RequestView<'_>, now: Timestamp) -> Option<Refusal> {
    let (verifier, _) = Verifier::new(method, given).ok()?;
    verifier.verify(request, now).err()
}

/// The body as it may have been when it was signed.
fn bodies(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut bodies = Vec::new();
    let mut add = |what, altered: Cow<'_, [u8]>| {
        if *altered != *body {
            bodies.push((what, altered.into_owned()));
        }
    };
    add("without its last line break", Cow::Borrowed(body.trim_ascii_end()));
    add("with a line break at its end", Cow::Owned([body, b"\n"].concat()));
    add("with CRLF at its end", Cow::Owned([body, b"\r\n"].concat()));
    let text = String::from_utf8_lossy(body);
    add("with LF line ends", Cow::Owned(text.replace("\r\n", "\n").into_bytes()));
    add("with CRLF line ends", Cow::Owned(text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()));
    if json::validate(body).is_ok() {
        add("less white space outside strings", Cow::Owned(json::compact_chunks(body).flatten().copied().collect()));
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body)
            && let Ok(pretty) = serde_json::to_vec_pretty(&value)
        {
            add("written with two spaces of indent", Cow::Owned(pretty));
        }
    }
    bodies
}

/// The secrets read another way.
fn key_readings(keys: &[KeyRef]) -> Vec<(&'static str, Vec<KeyRef>)> {
    let reading = |read: &dyn Fn(&[u8]) -> Option<Vec<u8>>| -> Option<Vec<KeyRef>> {
        let mut any = false;
        let altered = keys.iter().map(|key| {
            let value = key.value.as_ref().and_then(|value| read(value.expose())).filter(|bytes| !bytes.is_empty());
            any |= value.is_some();
            KeyRef { value: value.map(SecretBytes::new).or_else(|| key.value.clone()), ..key.clone() }
        });
        let altered: Vec<KeyRef> = altered.collect();
        any.then_some(altered)
    };
    let without_prefix = |secret: &[u8]| {
        let at = secret.iter().take(16).position(|byte| *byte == b'_')?;
        Some(secret[at + 1..].to_vec())
    };
    let trimmed = |secret: &[u8]| {
        let trimmed = secret.trim_ascii();
        (trimmed.len() < secret.len()).then(|| trimmed.to_vec())
    };
    type Reading<'r> = &'r dyn Fn(&[u8]) -> Option<Vec<u8>>;
    let normalized = |secret: &[u8]| {
        let text = std::str::from_utf8(secret).ok()?;
        let normalized = key_text::normalized(text);
        (normalized != text).then(|| normalized.into_bytes())
    };
    let readings: [(&'static str, Reading<'_>); 7] = [
        ("decoded from base64", &|secret| STANDARD.decode(secret).ok()),
        ("decoded from hexadecimal", &|secret| hex::decode(secret).ok()),
        ("taken as text instead of base64", &|secret| Some(STANDARD.encode(secret).into_bytes())),
        ("taken as text instead of hexadecimal", &|secret| Some(hex::encode(secret).into_bytes())),
        ("without its prefix", &without_prefix),
        ("without the white space around it", &trimmed),
        ("in Unicode's compatibility form (NFKD)", &normalized),
    ];
    readings.into_iter().filter_map(|(what, read)| Some((what, reading(read)?))).collect()
}

/// The URL with another scheme, port or final slash.
fn urls(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Vec::new() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.split(':').next().unwrap_or(authority);
    let mut urls = Vec::new();
    for scheme in [scheme, if scheme == "https" { "http" } else { "https" }] {
        for authority in
            [authority.to_owned(), host.to_owned(), format!("{host}:443"), format!("{host}:80"), format!("{host}:8080")]
        {
            for path in [path.to_owned(), format!("{path}/"), path.trim_end_matches('/').to_owned()] {
                let candidate = format!("{scheme}://{authority}{path}");
                if candidate != url && !urls.contains(&candidate) {
                    urls.push(candidate);
                }
            }
        }
    }
    urls
}
