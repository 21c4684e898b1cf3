//! A delivery of a definition, signed with keys of our own, proven and read by the same line as any other.
//!
//! For `hookgate map`, `hookgate providers --samples` and the tests. Never on the request line: it compiles a definition.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jiff::Timestamp;

use super::Provider;
use super::definition_error::{DefinitionError, problems};
use super::event::{Batch, DecodeError};
use super::verify::fetched::NothingFetched;
use super::verify::keys::KeyRef;
use super::verify::sign::{Draft, RequestParts};
use super::verify::{Given, Method, Verifier};
use crate::api::provider::{AllOf, BodyFormat, Method as WrittenMethod, WebhookProviderSpec};
use crate::api::scheme::Scheme;
use crate::secret::SecretBytes;

/// Secrets of our own, in the forms that vendors give them.
const SECRETS: [&str; 5] = [
    "aG9va2dhdGUtcmVoZWFyc2FsLXNlY3JldC1rZXk=",
    "686f6f6b676174652d72656865617273616c",
    "whsec_aG9va2dhdGUtcmVoZWFyc2FsLXNlY3JldC1rZXk=",
    "hookgate-rehearsal-secret",
    "aG9va2dhdGUtcmVoZWFyc2FsLWVuY3J5cHRpb24ta2V",
];
/// The public URL of the route.
const URL: &str = "https://hooks.example.com/rehearsal";
/// The value of every parameter: some are durations, others any text.
const PARAMETER: &str = "1h";

/// What became of a delivery.
#[derive(Debug)]
pub enum Rehearsed {
    /// Its events.
    Events(Batch),
    /// It is answered and never published.
    Handshake,
}

/// Why a delivery could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The definition is wrong.
    #[error("{0}")]
    Definition(String),
    /// The delivery cannot be.
    #[error("the delivery cannot be read")]
    Decode(#[from] DecodeError),
    /// It is proven by nothing at all.
    #[error("the delivery cannot be proven with keys of our own")]
    Unproven,
}

/// Signs a delivery with keys of our own, by the first method that such keys fit, else by none, and reads it.
///
/// # Errors
/// Why it cannot be read.
pub fn rehearse(
    name: &str,
    spec: &WebhookProviderSpec,
    draft: &Draft,
    now: Timestamp,
) -> Result<Rehearsed, RehearsalError> {
    let provider = compile(name, spec)?;
    let draft = unpacked(spec, draft);
    for method in &provider.methods {
        for secret in SECRETS {
            if let Ok(read) = by(&provider, method, secret, draft.clone(), now) {
                return read;
            }
        }
    }
    let scheme = Scheme { none: Some(Default::default()), ..Scheme::default() };
    let none = WrittenMethod { name: "none".to_owned(), any_of: vec![AllOf { all_of: vec![scheme] }] };
    let provider = compile(name, &WebhookProviderSpec { methods: vec![none], ..spec.clone() })?;
    let method = provider.methods.first().ok_or(RehearsalError::Unproven)?;
    by(&provider, method, "", draft, now).unwrap_or(Err(RehearsalError::Unproven))
}

fn compile(name: &str, spec: &WebhookProviderSpec) -> Result<Provider, RehearsalError> {
    Provider::compile(name, spec)
        .map_err(|errors: Vec<DefinitionError>| RehearsalError::Definition(problems(errors).to_string()))
}

/// A body that is a token is signed anew by what stands in it.
fn unpacked(spec: &WebhookProviderSpec, draft: &Draft) -> Draft {
    let mut draft = draft.clone();
    let tokens = spec.decode.as_ref().is_some_and(|decode| decode.formats.contains(&BodyFormat::JWT));
    let payload =
        std::str::from_utf8(&draft.body).ok().and_then(|body| body.trim().split('.').nth(1).map(str::to_owned));
    if let (true, Some(Ok(json))) = (tokens, payload.map(|payload| URL_SAFE_NO_PAD.decode(payload))) {
        draft.body = Bytes::from(json);
    }
    draft
}

/// What is read of a delivery that is signed by a method.
///
/// # Errors
/// Why the key does not fit it, in words.
fn by(
    provider: &Provider,
    method: &Arc<Method>,
    secret: &str,
    mut draft: Draft,
    now: Timestamp,
) -> Result<Result<Rehearsed, RehearsalError>, String> {
    let keys: Vec<KeyRef> = method.purposes().into_iter().map(|purpose| key(purpose, secret)).collect();
    let parameters: BTreeMap<String, String> =
        method.parameters().into_iter().map(|name| (name.to_owned(), PARAMETER.to_owned())).collect();
    let given = Given {
        keys: &keys,
        other_purposes: &[],
        parameters: &parameters,
        tolerance: None,
        external_url: method.takes_url().then_some(URL),
    };
    method.sign(&mut draft, &given, None, now).map_err(|error| error.to_string())?;
    let (verifier, _) = Verifier::new(method, &given).map_err(|error| error.to_string())?;
    let parts = RequestParts::of(&draft, now);
    let request = parts.request();
    if provider.handshake(&request).is_some() {
        return Ok(Ok(Rehearsed::Handshake));
    }
    let proven = verifier.prove(request.head, &draft.body, now, &NothingFetched);
    let verified = proven.map_err(|refusal| refusal.to_string())?;
    let read = provider.extraction.read(&verified, &request.head, None);
    Ok(read.map(Rehearsed::Events).map_err(RehearsalError::from))
}

fn key(purpose: Option<&str>, secret: &str) -> KeyRef {
    KeyRef {
        secret: "rehearsal".to_owned(),
        key: purpose.unwrap_or("secret").to_owned(),
        purpose: purpose.map(str::to_owned),
        not_after: None,
        value: Some(SecretBytes::new(secret.as_bytes().to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::catalogue::built_ins;
    use crate::provider::sample::sample;

    /// What `hookgate send` sends without a body of the user's is signed, accepted and read, by every method that signs with a secret.
    #[test]
    fn a_sample_of_every_method_is_proven_and_read() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let (mut wrong, mut read) = (Vec::new(), 0);
        for built_in in built_ins() {
            let spec = built_in.spec().unwrap();
            let provider = built_in.provider().unwrap();
            for method in &provider.methods {
                let made = sample(spec, Some(&method.name), None, "delivery-0001", now);
                let draft = Draft {
                    method: http::Method::POST,
                    path: "/in".to_owned(),
                    query: made.query,
                    headers: made.headers,
                    body: Bytes::from(made.body),
                };
                let tried: Vec<_> =
                    SECRETS.iter().map(|secret| by(provider, method, secret, draft.clone(), now)).collect();
                let good = |tried: &Result<Result<Rehearsed, RehearsalError>, String>| match tried {
                    Ok(Ok(Rehearsed::Events(batch))) => batch.items.iter().any(Result::is_ok),
                    _ => false,
                };
                let vendors = |tried: &Result<_, String>| tried.as_ref().is_err_and(|why| why.contains("private"));
                if tried.iter().any(good) {
                    read += 1;
                } else if !tried.iter().all(vendors) {
                    wrong.push(format!("{} {}: {tried:?}", built_in.id, method.name));
                }
            }
        }
        assert!(read > 245, "{read}");
        assert!(wrong.is_empty(), "{} wrong, {read} read:\n{}", wrong.len(), wrong.join("\n"));
    }
}
