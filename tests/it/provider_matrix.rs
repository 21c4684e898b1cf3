//! Every method of every built-in provider accepts what its vendor sends and refuses everything near it.
//!
//! Nothing is named here: keys, deliveries and alterations are made from the definitions, so a provider that is added
//! is proven by being there, and one that cannot be signed fails until `provider_signers` says how its vendor does.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use hookgate::api::provider::{AllOf, BodyFormat, Method as WrittenMethod, WebhookProviderSpec};
use hookgate::api::scheme::{Encoding, Scheme, Signature, Timestamp as WrittenTime};
use hookgate::provider::catalogue::{BuiltIn, built_in, built_ins};
use hookgate::provider::sample::sample;
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::sign::{Draft, RequestParts};
use hookgate::provider::verify::{Given, Method, Refusal, Verifier};
use hookgate::provider::{Covers, Proof, Provider};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::{Timestamp, ToSpan};

use super::provider_keys::{Keys, families, keys};
use super::provider_signers;

const URL: &str = "https://hooks.example.com/in/proof";
/// The window of methods that hold a time and whose definition bounds it not.
const WINDOW: std::time::Duration = std::time::Duration::from_secs(300);

/// One alternative of a method, with optional schemes or without.
struct Case {
    name: String,
    provider: Arc<Provider>,
    /// The whole method: what a route verifies with.
    method: Arc<Method>,
    /// The definition with this alternative alone: what the vendor signs with.
    spec: WebhookProviderSpec,
    schemes: Vec<Scheme>,
    parameters: BTreeMap<String, String>,
    keys: Keys,
    wrong: Keys,
    tolerance: Option<std::time::Duration>,
    now: Timestamp,
}

fn cases(built_in: &BuiltIn) -> Vec<Case> {
    let (spec, provider) = (built_in.spec().expect("compiles"), built_in.provider().expect("compiles"));
    let mut cases = Vec::new();
    for (position, written) in spec.methods.iter().enumerate() {
        let method = &provider.methods[position];
        for (a, alternative) in written.any_of.iter().enumerate() {
            let optional = alternative.all_of.iter().any(|scheme| scheme.optional);
            for with_optional in if optional { vec![true, false] } else { vec![true] } {
                let schemes: Vec<Scheme> =
                    alternative.all_of.iter().filter(|scheme| with_optional || !scheme.optional).cloned().collect();
                for family in families(&schemes) {
                    let all = AllOf { all_of: schemes.clone() };
                    let mut spec = spec.clone();
                    // A list that must not be there: the item stands alone.
                    let absent = schemes.iter().flat_map(|scheme| &scheme.require).filter(|when| when.absent);
                    let absent: Vec<&String> = absent.filter_map(|when| when.pointer.as_ref()).collect();
                    spec.split.retain(|split| !absent.contains(&&split.pointer));
                    if let Some(decode) = &mut spec.decode {
                        let wanted = if signs_form(&schemes) { BodyFormat::Form } else { BodyFormat::JSON };
                        if signs_form(&schemes) || binds_query(&schemes) {
                            decode.formats.sort_by_key(|format| *format != wanted);
                        }
                    }
                    let alone = WrittenMethod { name: written.name.clone(), any_of: vec![all] };
                    cases.push(Case {
                        name: format!(
                            "{} {}[{a}]{}{}",
                            built_in.id,
                            written.name,
                            if optional && !with_optional { " without optional" } else { "" },
                            if schemes.iter().any(|s| s.jwt.is_some()) {
                                format!(" {family:?}")
                            } else {
                                String::new()
                            }
                        ),
                        provider: provider.clone(),
                        method: method.clone(),
                        spec: WebhookProviderSpec { methods: vec![alone], ..spec },
                        parameters: parameters(method, &schemes),
                        keys: keys(&schemes, family, 0),
                        wrong: keys(&schemes, family, 1),
                        tolerance: tolerance(&schemes).is_none().then_some(WINDOW).filter(|_| method.has_time()),
                        schemes: schemes.clone(),
                        now: Timestamp::from_second(1_780_000_000).expect("a time"),
                    });
                }
            }
        }
    }
    cases
}

/// What the source must say: `a-NAME` of everything, but what the sample says where it names the customer.
fn parameters(method: &Method, schemes: &[Scheme]) -> BTreeMap<String, String> {
    let written = serde_json::to_string(schemes).expect("serializes");
    let optional = |name: &str| hookgate::provider::verify::jwt::PARAMETERS.contains(&name);
    let wanted = |name: &&str| !optional(name) || written.contains(&format!("{{parameter:{name}}}"));
    let mut parameters: BTreeMap<String, String> =
        method.parameters().into_iter().filter(wanted).map(|name| (name.to_owned(), format!("a-{name}"))).collect();
    for addressee in schemes.iter().filter_map(|scheme| scheme.addressee.as_ref()) {
        let named = ADDRESSEES.iter().find(|(name, _)| *name == addressee.parameter);
        let (_, value) =
            named.unwrap_or_else(|| panic!("ADDRESSEES must say what a sample's {} is", addressee.parameter));
        parameters.insert(addressee.parameter.clone(), (*value).to_owned());
    }
    parameters
}

/// What samples say where they name the customer.
const ADDRESSEES: &[(&str, &str)] =
    &[("topicArn", "subject-1"), ("repository", "sample/sample"), ("path", "/in/proof")];

/// Whether the alternative is for forms.
fn signs_form(schemes: &[Scheme]) -> bool {
    let variables = ["{form", "{pairs-sorted", "{url-with-form}"];
    schemes.iter().filter_map(signed).any(|(_, content, _)| variables.iter().any(|name| content.contains(name)))
}

/// Whether it is for other bodies, whose hash stands in the URL.
fn binds_query(schemes: &[Scheme]) -> bool {
    schemes.iter().any(|scheme| scheme.hmac.as_ref().is_some_and(|hmac| hmac.bind_query.is_some()))
}

/// What hmac, digest and publicKey share.
fn signed(scheme: &Scheme) -> Option<(&Signature, &str, Option<&WrittenTime>)> {
    match (&scheme.hmac, &scheme.digest, &scheme.public_key) {
        (Some(s), ..) => Some((&s.signature, &s.content, s.timestamp.as_ref())),
        (_, Some(s), _) => Some((&s.signature, &s.content, s.timestamp.as_ref())),
        (_, _, Some(s)) => Some((&s.signature, &s.content, s.timestamp.as_ref())),
        _ => None,
    }
}

/// The window that the definition sets.
fn tolerance(schemes: &[Scheme]) -> Option<std::time::Duration> {
    schemes.iter().filter_map(|scheme| signed(scheme)?.2?.tolerance.as_ref()?.get()).next()
}

/// Where a scheme's proof stands.
#[derive(Clone, Debug)]
enum Place {
    Header(HeaderName),
    Query(String),
    Body,
}

fn proof_place(scheme: &Scheme) -> Option<Place> {
    let of = |header: Option<&String>, query: Option<&String>| match (header, query) {
        (Some(name), _) => Place::Header(HeaderName::try_from(name).expect("a header name")),
        (_, Some(name)) => Place::Query(name.clone()),
        _ => Place::Body,
    };
    if let Some((signature, ..)) = signed(scheme) {
        Some(of(signature.header.as_ref(), signature.query.as_ref()))
    } else if let Some(token) = &scheme.token {
        Some(of(token.header.as_ref(), token.query.as_ref()))
    } else if let Some(jwt) = &scheme.jwt {
        let authorization = Some("authorization".to_owned());
        Some(if jwt.whole_body { Place::Body } else { of(jwt.header.as_ref().or(authorization.as_ref()), None) })
    } else {
        scheme.basic.is_some().then_some(Place::Header(AUTHORIZATION))
    }
}

impl Case {
    fn given<'g>(&'g self, refs: &'g [KeyRef], url: &'g str) -> Given<'g> {
        Given {
            keys: refs,
            other_purposes: &[],
            parameters: &self.parameters,
            tolerance: self.tolerance,
            external_url: Some(url).filter(|_| self.method.takes_url()),
        }
    }

    fn verifier_at(&self, refs: &[KeyRef], url: &str) -> Verifier {
        match Verifier::new(&self.method, &self.given(refs, url)) {
            Ok((verifier, unfit)) if unfit.is_empty() => verifier,
            Ok((_, unfit)) => panic!("{}: keys do not fit: {unfit:?}", self.name),
            Err(problem) => panic!("{}: {problem}", self.name),
        }
    }

    /// A verifier that knows this alternative alone: how a signature is written is its own affair.
    fn alone(&self) -> Verifier {
        let method = Method::compile(&self.spec.methods[0], "").expect("compiles");
        let field = self.spec.decode.as_ref().and_then(|decode| decode.field.as_deref());
        let (verifier, _) = Verifier::new(&method.inside(field), &self.given(&self.keys.refs, URL)).expect("keys fit");
        verifier
    }

    fn verifier(&self, refs: &[KeyRef]) -> Verifier {
        self.verifier_at(refs, URL)
    }

    /// A delivery as the vendor sends it; `body` replaces what the definition suggests.
    fn delivery(&self, body: Option<(&str, &[u8])>) -> Result<Draft, String> {
        let made = sample(&self.spec, None, None, "delivery-0001", self.now);
        let mut draft = Draft {
            method: http::Method::POST,
            path: "/in/proof".to_owned(),
            query: made.query,
            headers: made.headers,
            body: made.body.into(),
        };
        if let Some((media, body)) = body {
            draft.headers.insert(CONTENT_TYPE, HeaderValue::from_str(media).expect("a media type"));
            draft.body = Bytes::copy_from_slice(body);
        }
        let (id, method) = (&*self.provider.name, self.spec.methods[0].name.as_str());
        let private = self.keys.private_pem();
        let given = self.given(&self.keys.refs, URL);
        let by_send = |schemes: Vec<Scheme>, draft: &mut Draft| {
            let any_of = vec![AllOf { all_of: schemes }];
            let alone = Method::compile(&WrittenMethod { name: method.to_owned(), any_of }, "").expect("compiles");
            alone.sign(draft, &given, private.as_deref().map(str::as_bytes), self.now).map_err(|e| e.to_string())
        };
        if !provider_signers::BY_HAND.contains(&(id, method)) {
            return by_send(self.schemes.clone(), &mut draft).map(|()| draft);
        }
        // One after the other: what stands in the body first.
        for scheme in &self.schemes {
            if by_send(vec![scheme.clone()], &mut draft).is_err()
                && provider_signers::sign_header(id, &mut draft, &self.keys, self.now).is_none()
            {
                provider_signers::sign(scheme, &self.spec, &mut draft, &self.keys)
                    .ok_or("the signer by hand cannot")?;
            }
        }
        Ok(draft)
    }

    fn judge(&self, verifier: &Verifier, draft: &Draft) -> Result<Proof, Refusal> {
        judge_at(verifier, draft, self.now)
    }
}

/// Whether the content holds a checksum of the body.
fn checksummed(case: &Case) -> bool {
    let id = case.name.split(' ').next().unwrap_or_default();
    built_in(id).is_some_and(|built_in| built_in.manifest.contains("{body-crc32}"))
}

fn judge_at(verifier: &Verifier, draft: &Draft, now: Timestamp) -> Result<Proof, Refusal> {
    verifier.verify(&RequestParts::of(draft, now).request(), now)
}

/// Collects what is wrong, so that one run tells of every provider.
#[derive(Default)]
struct Report {
    wrong: Vec<String>,
    judged: usize,
}

impl Report {
    fn expect(&mut self, case: &Case, what: &str, accepted: bool, verdict: &Result<Proof, Refusal>) {
        self.judged += 1;
        if verdict.is_ok() != accepted {
            let wanted = if accepted { "accepted" } else { "refused" };
            self.wrong.push(format!("{}: {what} must be {wanted}, and is {:?}", case.name, verdict.as_ref().err()));
        }
    }

    fn finish(self, least: usize) {
        assert!(self.wrong.is_empty(), "{} of {} wrong:\n{}", self.wrong.len(), self.judged, self.wrong.join("\n"));
        assert!(self.judged >= least, "only {} judgements: what made the cases has gone", self.judged);
    }
}

/// Runs a judge over every method that proves something.
fn every_case(least: usize, judge: impl Fn(&Case, &Verifier, &Draft, &Proof, &mut Report)) {
    let mut report = Report::default();
    for case in built_ins().flat_map(cases).filter(|case| !case.method.proves_nothing()) {
        let verifier = case.verifier(&case.keys.refs);
        match case.delivery(None) {
            Err(error) => report.wrong.push(format!("{}: nothing signs it: {error}", case.name)),
            Ok(draft) => match case.judge(&verifier, &draft) {
                Ok(proof) => judge(&case, &verifier, &draft, &proof, &mut report),
                Err(refusal) => report.wrong.push(format!(
                    "{}: what its vendor signs is refused: {refusal:?}; {:?} {:?}",
                    case.name,
                    draft.headers,
                    String::from_utf8_lossy(&draft.body)
                )),
            },
        }
    }
    report.finish(least);
}

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
            // Somewhere inside the body, whatever stands around the covered object.
            for (at, _) in text.match_indices(&name) {
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

/// A header or query parameter rewritten; `None`: taken away.
fn rewritten(draft: &Draft, place: &Place, to: Option<&str>) -> Option<Draft> {
    let mut altered = draft.clone();
    match (place, to) {
        (Place::Header(name), None) => {
            altered.headers.remove(name);
        }
        (Place::Header(name), Some(text)) => {
            altered.headers.insert(name, HeaderValue::from_str(text).ok()?);
        }
        (Place::Query(name), to) => {
            let query = draft.query.as_deref()?;
            let others = form_urlencoded::parse(query.as_bytes()).filter(|(n, _)| n != name);
            let mut text = form_urlencoded::Serializer::new(String::new());
            text.extend_pairs(others);
            if let Some(value) = to {
                text.append_pair(name, value);
            }
            altered.query = Some(text.finish());
        }
        (Place::Body, _) => return None,
    }
    Some(altered)
}

fn value(draft: &Draft, place: &Place) -> Option<String> {
    match place {
        Place::Header(name) => draft.headers.get(name)?.to_str().ok().map(str::to_owned),
        Place::Query(name) => form_urlencoded::parse(draft.query.as_deref()?.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned()),
        Place::Body => None,
    }
}

#[test]
fn a_proof_that_is_not_written_as_its_vendor_writes_it_is_refused() {
    every_case(300, |case, _, draft, _, report| {
        let verifier = &case.alone();
        for scheme in &case.schemes {
            let Some(place) = proof_place(scheme) else { continue };
            let Some(text) = value(draft, &place) else { continue };
            let mut refused = |what: &str, to: Option<&str>| {
                if let Some(altered) = rewritten(draft, &place, to) {
                    report.expect(case, what, false, &case.judge(verifier, &altered));
                }
            };
            refused("no proof", None);
            refused("an empty proof", Some(""));
            refused("a proof of one letter", Some("x"));
            refused("a proof with more at its end", Some(&format!("{text}0")));
            // Where a position counts, what stands at the others says nothing.
            if signed(scheme).is_none_or(|(signature, ..)| signature.index.is_none_or(|index| index == 0)) {
                refused("a proof with something before it", Some(&format!("0{text}")));
            }
            refused("half a proof", Some(&text[..text.len() / 2]));
            refused("a proof written backwards", Some(&text.chars().rev().collect::<String>()));
            if scheme.jwt.is_none() && scheme.basic.is_none() {
                refused("a proof less its last letter", Some(&text[..text.len() - 1]));
            }
            written_otherwise(case, verifier, draft, scheme, &place, &text, report);
            let Place::Header(name) = &place else { continue };
            let mut doubled = draft.clone();
            doubled.headers.append(name, HeaderValue::from_str(&text).expect("a value"));
            let several = signed(scheme).is_some_and(|(signature, _, time)| {
                let own = |time: &WrittenTime| time.key.is_some() || time.index.is_some();
                (signature.separator.is_some() || signature.key.is_some()) && !time.is_some_and(own)
            });
            if !several {
                report.expect(case, "the proof's header twice", false, &case.judge(verifier, &doubled));
            }
        }
    });
}

/// Prefixes, letter case, alphabets and lists.
fn written_otherwise(
    case: &Case,
    verifier: &Verifier,
    draft: &Draft,
    scheme: &Scheme,
    place: &Place,
    text: &str,
    report: &mut Report,
) {
    let mut expect = |what: &str, accepted: bool, to: &str| {
        if let Some(altered) = rewritten(draft, place, Some(to)) {
            report.expect(case, what, accepted, &case.judge(verifier, &altered));
        }
    };
    let swapped = |text: &str| -> String {
        let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        text.chars().map(swap).collect()
    };
    if let Some(token) = &scheme.token {
        let prefix = token.prefix.as_deref().unwrap_or_default();
        let bare = &text[prefix.len()..];
        expect("a token of the wrong case", false, &format!("{prefix}{}", swapped(bare)));
        if !prefix.is_empty() {
            expect("a token without its prefix", false, bare);
            expect("a prefix of another case", prefix.ends_with(' '), &format!("{}{bare}", swapped(prefix)));
        }
    }
    let Some((signature, ..)) = signed(scheme) else { return };
    let prefix = signature.prefix.as_deref().unwrap_or_default();
    if !prefix.is_empty() {
        expect("a signature without its prefix", false, &text.replacen(prefix, "", 1));
        if swapped(prefix) != prefix {
            expect("a prefix of the wrong case", false, &text.replacen(prefix, &swapped(prefix), 1));
        }
    }
    // The encoded signature alone is the longest run of its letters that is left.
    let encoded = text
        .split(|c: char| signature.separator.as_deref().unwrap_or(",").contains(c))
        .map(|part| {
            let part = part.trim();
            let part = signature.key.as_ref().map_or(part, |key| part.strip_prefix(&format!("{key}=")).unwrap_or(""));
            part.strip_prefix(prefix).unwrap_or(part)
        })
        .max_by_key(|part| part.len())
        .unwrap_or_default();
    let with = |other: &str| text.replacen(encoded, other, 1);
    match signature.encoding {
        Encoding::Hex => {
            expect("hexadecimal of the other case", true, &with(&encoded.to_ascii_uppercase()));
            expect("hexadecimal with a letter that is none", false, &with(&format!("g{}", &encoded[1..])));
            let base64 = base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                hex::decode(encoded).unwrap_or_default(),
            );
            expect("base64 instead of hexadecimal", false, &with(&base64));
        }
        Encoding::Base64 | Encoding::Base64URL => {
            if encoded.ends_with('=') {
                let bare = encoded.trim_end_matches('=');
                expect("base64 without its padding", signature.encoding == Encoding::Base64URL, &with(bare));
                // The last letter holds bits that nothing decodes to: another one must not do.
                let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                let last = bare.chars().last().and_then(|c| alphabet.find(c));
                if let Some(next) = last.and_then(|at| alphabet.chars().nth(at + 1)) {
                    let padding = &encoded[bare.len()..];
                    expect(
                        "base64 with other unused bits",
                        false,
                        &with(&format!("{}{next}{padding}", &bare[..bare.len() - 1])),
                    );
                }
            }
            expect("white space inside base64", false, &with(&format!("{} {}", &encoded[..4], &encoded[4..])));
            let hexadecimal =
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).map(hex::encode);
            if let Ok(hexadecimal) = hexadecimal {
                expect("hexadecimal instead of base64", false, &with(&hexadecimal));
            }
        }
    }
    if let (Some(separator), None) =
        (signature.separator.as_deref().or(signature.key.as_ref().map(|_| ",")), signature.index)
    {
        let bad = signature.key.as_ref().map_or_else(|| format!("{prefix}zz"), |key| format!("{key}={prefix}zz"));
        expect("an undecodable signature before the right one", true, &format!("{bad}{separator}{text}"));
        let many = [bad.as_str(); 200].join(separator);
        expect("two hundred undecodable ones before it", true, &format!("{many}{separator}{text}"));
    }
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
