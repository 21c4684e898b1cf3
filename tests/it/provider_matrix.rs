//! Every method of every built-in provider accepts what its vendor sends and refuses everything near it.
//!
//! Nothing is named here: keys, deliveries and alterations are made from the definitions, so a provider that is added
//! is proven by being there, and one that cannot be signed fails until `provider_signers` says how its vendor does.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use bytes::Bytes;
use hookgate::provider::Covers;
use hookgate::provider::catalogue::built_ins;
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::sign::{Draft, RequestParts};
use hookgate::provider::verify::{Given, Verifier};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::ToSpan;

use super::provider_cases::{Place, Report, cases, checksummed, every_case, judge_at, proof_place, signed, tolerance};
use super::provider_signers;

#[test]
fn what_a_vendor_sends_is_accepted_and_read() {
    every_case(20, |case, verifier, draft, _, report| {
        report.judged += 1;
        let parts = RequestParts::of(draft, case.now);
        let proven = verifier.prove(parts.request().head, &draft.body, case.now, &NothingFetched);
        let verified = proven.expect("judged before");
        match case.provider.extraction.read(&verified, &parts.request().head, None) {
            Err(error) => report.wrong.push(format!("{}: {error}: {:?}", case.name, draft.body)),
            Ok(batch) => {
                if batch.received == 0 {
                    report.wrong.push(format!("{}: nothing was read of {:?}", case.name, draft.body));
                }
                for item in batch.items {
                    match item {
                        Ok(event) if !event.id.is_empty() && !event.event_type.is_empty() => {}
                        Ok(event) => report.wrong.push(format!("{}: {event:?} has no id or type", case.name)),
                        Err(bad) => report.wrong.push(format!("{}: {bad:?}", case.name)),
                    }
                }
            }
        }
    });
}

#[test]
fn a_method_that_proves_nothing_says_so() {
    for case in built_ins().flat_map(cases).filter(|case| case.method.proves_nothing()) {
        assert_eq!(case.method.covers(), Covers::None, "{}", case.name);
        let named = case.provider.method(None).map(|method| method.name.clone());
        assert_ne!(named.as_deref(), Some(&*case.method.name), "{}: it must never be the default", case.name);
    }
}

#[test]
fn only_the_right_live_secret_counts() {
    every_case(100, |case, _, draft, _, report| {
        let (right, wrong) = (&case.keys, &case.wrong);
        report.expect(case, "a wrong secret", false, &case.judge(&case.verifier(&wrong.refs), draft));
        for purpose in right.purposes() {
            let name = format!("a wrong secret of purpose {purpose:?}");
            let mixed = right.with(purpose.as_deref(), wrong);
            report.expect(case, &name, false, &case.judge(&case.verifier(&mixed), draft));
        }
        let both = [right.refs.clone(), wrong.refs.clone()].concat();
        report.expect(case, "the first of two secrets", true, &case.judge(&case.verifier(&both), draft));
        let both = [wrong.refs.clone(), right.refs.clone()].concat();
        report.expect(case, "the second of two secrets", true, &case.judge(&case.verifier(&both), draft));
        let ended = [right.ending(case.now), wrong.refs.clone()].concat();
        report.expect(case, "a secret that ends now", false, &case.judge(&case.verifier(&ended), draft));
        let ending = right.ending(case.now + 1.second());
        report.expect(case, "a secret that ends in a second", true, &case.judge(&case.verifier(&ending), draft));
    });
}

/// The draft with the first letter or digit at or after a position replaced by another.
fn altered_at(body: &[u8], position: usize) -> Option<Bytes> {
    let at = position + body[position..].iter().position(u8::is_ascii_alphanumeric)?;
    let mut altered = body.to_vec();
    altered[at] = if altered[at] == b'7' { b'8' } else { b'7' };
    Some(altered.into())
}

const MEDIA: [Option<&str>; 4] =
    [Some("application/json"), Some("application/x-www-form-urlencoded"), Some("text/plain"), None];

fn with_media(draft: &Draft, media: Option<&str>, body: Bytes) -> Draft {
    let mut altered = Draft { body, ..draft.clone() };
    match media {
        Some(media) => altered.headers.insert(CONTENT_TYPE, HeaderValue::from_str(media).expect("a media type")),
        None => altered.headers.remove(CONTENT_TYPE),
    };
    altered
}

#[test]
fn a_body_is_covered_exactly_where_the_proof_says_so() {
    every_case(200, |case, verifier, draft, proof, report| {
        let coverage = proof.coverage();
        let body = &draft.body;
        if coverage.body {
            for eighth in 0..8 {
                let Some(altered) = altered_at(body, body.len() * eighth / 8) else { continue };
                let altered = Draft { body: altered, ..draft.clone() };
                report.expect(
                    case,
                    &format!("a body altered after {eighth}/8"),
                    false,
                    &case.judge(verifier, &altered),
                );
            }
            for media in MEDIA {
                let what = |what: &str| format!("{what} as {media:?}");
                if !body.is_empty() {
                    let altered = with_media(draft, media, body.slice(..body.len() / 2));
                    report.expect(case, &what("half a body"), false, &case.judge(verifier, &altered));
                    let altered = with_media(draft, media, Bytes::new());
                    report.expect(case, &what("no body"), false, &case.judge(verifier, &altered));
                }
                let altered = with_media(draft, media, Bytes::from_static(b"{\"other\":true}"));
                report.expect(case, &what("another body"), false, &case.judge(verifier, &altered));
                let altered = with_media(draft, media, [&body[..], b"&also=1"].concat().into());
                report.expect(case, &what("a longer body"), false, &case.judge(verifier, &altered));
            }
        } else if checksummed(case) {
            // A changed body fails, though the checksum that finds it covers nothing against who means it.
        } else if let Ok(serde_json::Value::Object(mut document)) = serde_json::from_slice(body) {
            document.insert("zz-not-covered".to_owned(), true.into());
            let altered = Draft { body: serde_json::Value::Object(document).to_string().into(), ..draft.clone() };
            report.expect(case, "an uncovered member", true, &case.judge(verifier, &altered));
        }
        for pointer in &coverage.pointers {
            let Some(last) = pointer.rsplit('/').next() else { continue };
            let (text, name) = (String::from_utf8_lossy(body).into_owned(), format!("\"{last}\":"));
            let covered =
                |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).ok()?.pointer(pointer).cloned();
            // Somewhere inside the body, whatever stands around the covered object.
            for (at, _) in text.match_indices(&name) {
                // Another member of that name is not covered.
                let other = altered_at(body, at + name.len()).and_then(|altered| covered(&altered));
                if other.is_some() && other == covered(body) {
                    continue;
                }
                let doubled = format!("{}{name}\"other\",{}", &text[..at], &text[at..]);
                let altered = Draft { body: doubled.into(), ..draft.clone() };
                report.expect(case, &format!("{pointer} doubled"), false, &case.judge(verifier, &altered));
                let value = at + name.len();
                let Some(altered) = altered_at(body, value) else { continue };
                let altered = Draft { body: altered, ..draft.clone() };
                report.expect(case, &format!("{pointer} altered"), false, &case.judge(verifier, &altered));
            }
        }
    });
}

#[test]
fn a_body_cannot_be_added_to_a_signed_request_without_one() {
    let mut report = Report::default();
    for case in built_ins().flat_map(cases).filter(|case| !case.method.proves_nothing()) {
        let verifier = case.verifier(&case.keys.refs);
        for media in MEDIA.into_iter().flatten() {
            // Where a proof stands in the body, or fields of it are signed, there is no request without one.
            let Ok(draft) = case.delivery(Some((media, b""))) else { continue };
            if !draft.body.is_empty() {
                continue;
            }
            let verdict = case.judge(&verifier, &draft);
            report.judged += 1;
            let Ok(proof) = verdict else { continue };
            for other in MEDIA {
                for body in ["{\"id\":1}", "a=b", "x"] {
                    let altered = with_media(&draft, other, Bytes::from_static(body.as_bytes()));
                    let verdict = case.judge(&verifier, &altered);
                    if proof.coverage().body || verdict.as_ref().is_ok_and(|proof| proof.coverage().body) {
                        report.expect(&case, &format!("{body:?} added as {other:?}"), false, &verdict);
                    }
                }
            }
        }
    }
    report.finish(100);
}

#[test]
fn every_covered_header_url_and_method_is_held_to_what_was_signed() {
    every_case(50, |case, verifier, draft, proof, report| {
        let coverage = proof.coverage();
        for name in &coverage.headers {
            let name = HeaderName::try_from(name).expect("a header name");
            let Some(value) = draft.headers.get(&name).cloned() else { continue };
            let mut altered = draft.clone();
            altered
                .headers
                .insert(&name, HeaderValue::from_bytes(&[value.as_bytes(), b"0"].concat()).expect("a value"));
            report.expect(case, &format!("{name} altered"), false, &case.judge(verifier, &altered));
            altered.headers.remove(&name);
            report.expect(case, &format!("{name} taken away"), false, &case.judge(verifier, &altered));
            altered = draft.clone();
            altered.headers.append(&name, value);
            report.expect(case, &format!("{name} doubled"), false, &case.judge(verifier, &altered));
        }
        let signs = |variable: &str| {
            case.schemes.iter().any(|scheme| signed(scheme).is_some_and(|(_, content, _)| content.contains(variable)))
        };
        if coverage.url {
            let query = draft.query.clone().map_or("also=1".to_owned(), |query| format!("{query}&also=1"));
            let altered = Draft { query: Some(query), ..draft.clone() };
            report.expect(case, "a longer query", false, &case.judge(verifier, &altered));
        }
        if case.method.needs_url() || signs("{path}") && coverage.path {
            for url in ["https://hooks.example.com/in/other", "https://hooks.example.com/in/proof/"] {
                let other = case.verifier_at(&case.keys.refs, url);
                report.expect(case, "another URL", false, &case.judge(&other, draft));
                let altered = Draft { path: url.replace("https://hooks.example.com", ""), ..draft.clone() };
                report.expect(case, "a path that a proxy wrote anew", true, &case.judge(verifier, &altered));
                if case.method.needs_url() {
                    continue;
                }
                let given = Given { external_url: None, ..case.given(&case.keys.refs, url) };
                let (received, _) = Verifier::new(&case.method, &given).expect("the URL need not be written");
                report.expect(case, "the path as received", true, &case.judge(&received, draft));
                report.expect(case, "another path as received", false, &case.judge(&received, &altered));
            }
        }
        if signs("{method}") {
            let altered = Draft { method: http::Method::PUT, ..draft.clone() };
            report.expect(case, "another HTTP method", false, &case.judge(verifier, &altered));
        }
        if proof.coverage().covers() == Covers::None && !checksummed(case) {
            report.expect(case, "a body that nothing covers", true, &{
                let body_holds_proof =
                    case.schemes.iter().any(|scheme| matches!(proof_place(scheme), Some(Place::Body)));
                let body = if body_holds_proof { draft.body.clone() } else { Bytes::from_static(b"{}") };
                case.judge(verifier, &Draft { body, ..draft.clone() })
            });
        }
    });
}

#[test]
fn a_time_of_signing_counts_within_its_window_and_only_there() {
    every_case(30, |case, verifier, draft, _, report| {
        for (offset, accepted) in [(-1, false), (0, true), (1, true)] {
            // Every one of these can be bounded by the source, or its definition bounds it.
            let Some(window) = tolerance(&case.schemes).or(case.tolerance) else { return };
            if !case.schemes.iter().any(|scheme| signed(scheme).is_some_and(|(_, _, time)| time.is_some())) {
                return;
            }
            let window = i64::try_from(window.as_secs()).expect("a window");
            let past = case.now + (window - offset).seconds();
            report.expect(case, &format!("at the window's end {offset}"), accepted, &judge_at(verifier, draft, past));
            let future = case.now - (window - offset).seconds();
            let verdict = judge_at(verifier, draft, future);
            report.expect(case, &format!("at the window's start {offset}"), accepted, &verdict);
        }
        for time in case.schemes.iter().filter_map(|scheme| signed(scheme)?.2) {
            let Some(name) = &time.header else { continue };
            let name = HeaderName::try_from(name).expect("a header name");
            for text in ["", "0", "now", "-1", "99999999999999999999", "1780000000000000000", "1780000001", "١٧٨"] {
                let mut altered = draft.clone();
                altered.headers.insert(&name, HeaderValue::from_bytes(text.as_bytes()).expect("a value"));
                report.expect(case, &format!("the time {text:?}"), false, &case.judge(verifier, &altered));
            }
        }
    });
}

#[test]
fn a_token_of_another_time_is_refused() {
    every_case(3, |case, verifier, draft, _, report| {
        let Some(jwt) = case.schemes.iter().find_map(|scheme| scheme.jwt.as_ref()) else {
            report.judged += 1;
            return;
        };
        // The case's tolerance where the method has a time; send gives a life of 300 s.
        let leeway = if case.tolerance.is_some() { 300 } else { 60 };
        report.expect(case, "at its end", true, &judge_at(verifier, draft, case.now + (300 + leeway).seconds()));
        let after = case.now + (302 + leeway).seconds();
        report.expect(case, "after its end", false, &judge_at(verifier, draft, after));
        report.expect(case, "before it", false, &judge_at(verifier, draft, case.now - (leeway + 2).seconds()));
        assert!(jwt.max_age.is_none() || jwt.max_age.as_ref().and_then(|age| age.get()).is_some());
    });
}

#[test]
fn every_signer_by_hand_is_needed() {
    let known: BTreeSet<(String, String)> = built_ins()
        .flat_map(|built_in| {
            let spec = built_in.spec().expect("compiles");
            spec.methods.iter().map(|method| (built_in.id.to_owned(), method.name.clone())).collect::<Vec<_>>()
        })
        .collect();
    for (provider, method) in provider_signers::BY_HAND {
        let known_provider = known.iter().any(|(id, _)| id == provider);
        let there = known.contains(&((*provider).to_owned(), (*method).to_owned()));
        assert!(there || !known_provider, "{provider} has no method {method}: take it off the list");
    }
}
