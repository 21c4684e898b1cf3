//! Cases made from the definitions: each alternative of each method of each built-in, its keys, and a delivery that its vendor signs.
//!
//! Nothing is named here, so that a provider that is added is proven by being there.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hookgate::api::provider::{AllOf, BodyFormat, Method as WrittenMethod, WebhookProviderSpec};
use hookgate::api::scheme::{Scheme, Signature, Timestamp as WrittenTime};
use hookgate::provider::catalogue::{BuiltIn, built_in, built_ins};
use hookgate::provider::sample::sample;
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::sign::{Draft, RequestParts};
use hookgate::provider::verify::{Given, Method, Refusal, Verifier};
use hookgate::provider::{Proof, Provider};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::provider_keys::{Keys, families, keys};
use super::provider_signers;

pub(super) const URL: &str = "https://hooks.example.com/in/proof";
/// The window of methods that hold a time and whose definition bounds it not.
pub(super) const WINDOW: std::time::Duration = std::time::Duration::from_secs(300);

/// One alternative of a method, with optional schemes or without.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) provider: Arc<Provider>,
    /// The whole method: what a route verifies with.
    pub(super) method: Arc<Method>,
    /// The definition with this alternative alone: what the vendor signs with.
    pub(super) spec: WebhookProviderSpec,
    pub(super) schemes: Vec<Scheme>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) keys: Keys,
    pub(super) wrong: Keys,
    pub(super) tolerance: Option<std::time::Duration>,
    pub(super) now: Timestamp,
}

pub(super) fn cases(built_in: &BuiltIn) -> Vec<Case> {
    let (spec, provider) = (built_in.spec().expect("compiles"), built_in.provider().expect("compiles"));
    let mut cases = Vec::new();
    for (position, written) in spec.methods.iter().enumerate() {
        let method = &provider.methods[position];
        let decrypt = spec.decode.as_ref().and_then(|decode| decode.decrypt.as_ref());
        let decrypt = decrypt.filter(|all| all.methods.is_empty() || all.methods.contains(&written.name));
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
                        parameters: parameters(method, written, &schemes),
                        keys: keys(&schemes, family, 0).and_cipher(decrypt, 0),
                        wrong: keys(&schemes, family, 1).and_cipher(decrypt, 1),
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
fn parameters(method: &Method, written: &WrittenMethod, schemes: &[Scheme]) -> BTreeMap<String, String> {
    let whole = serde_json::to_string(written).expect("serializes");
    let mut held = written.clone();
    // Keys that secretRefs hold are not fetched.
    for scheme in held.any_of.iter_mut().flat_map(|all| &mut all.all_of) {
        scheme.jwt.iter_mut().for_each(|jwt| jwt.fetch = None);
        scheme.public_key.iter_mut().for_each(|key| key.fetch = None);
    }
    let held = serde_json::to_string(&held).expect("serializes");
    let optional = |name: &str| hookgate::provider::verify::jwt::PARAMETERS.contains(&name);
    let wanted = |name: &&str| {
        let variable = format!("{{parameter:{name}}}");
        held.contains(&variable) || !optional(name) && !whole.contains(&variable)
    };
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
const ADDRESSEES: &[(&str, &str)] = &[
    ("topicArn", "subject-1"),
    ("repository", "sample/sample"),
    ("path", "/in/proof"),
    ("location", "subject-1"),
    ("company", "sample"),
];

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
pub(super) fn signed(scheme: &Scheme) -> Option<(&Signature, &str, Option<&WrittenTime>)> {
    match (&scheme.hmac, &scheme.digest, &scheme.public_key) {
        (Some(s), ..) => Some((&s.signature, &s.content, s.timestamp.as_ref())),
        (_, Some(s), _) => Some((&s.signature, &s.content, s.timestamp.as_ref())),
        (_, _, Some(s)) => Some((&s.signature, &s.content, s.timestamp.as_ref())),
        _ => None,
    }
}

/// The window that the definition sets.
pub(super) fn tolerance(schemes: &[Scheme]) -> Option<std::time::Duration> {
    schemes.iter().filter_map(|scheme| signed(scheme)?.2?.tolerance.as_ref()?.get()).next()
}

/// Where a scheme's proof stands.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Header(HeaderName),
    Query(String),
    Body,
}

pub(super) fn proof_place(scheme: &Scheme) -> Option<Place> {
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
    pub(super) fn given<'g>(&'g self, refs: &'g [KeyRef], url: &'g str) -> Given<'g> {
        Given {
            keys: refs,
            other_purposes: &[],
            parameters: &self.parameters,
            tolerance: self.tolerance,
            external_url: Some(url).filter(|_| self.method.takes_url()),
        }
    }

    pub(super) fn verifier_at(&self, refs: &[KeyRef], url: &str) -> Verifier {
        match Verifier::new(&self.method, &self.given(refs, url)) {
            Ok((verifier, unfit)) if unfit.is_empty() => verifier,
            Ok((_, unfit)) => panic!("{}: keys do not fit: {unfit:?}", self.name),
            Err(problem) => panic!("{}: {problem}", self.name),
        }
    }

    /// A verifier that knows this alternative alone: how a signature is written is its own affair.
    pub(super) fn alone(&self) -> Verifier {
        let method = Method::compile(&self.spec.methods[0], "").expect("compiles").beside(&self.method);
        let (verifier, _) = Verifier::new(&method, &self.given(&self.keys.refs, URL)).expect("keys fit");
        verifier
    }

    pub(super) fn verifier(&self, refs: &[KeyRef]) -> Verifier {
        self.verifier_at(refs, URL)
    }

    /// A delivery as the vendor sends it; `body` replaces what the definition suggests.
    pub(super) fn delivery(&self, body: Option<(&str, &[u8])>) -> Result<Draft, String> {
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
            let alone = alone.beside(&self.method);
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

    pub(super) fn judge(&self, verifier: &Verifier, draft: &Draft) -> Result<Proof, Refusal> {
        judge_at(verifier, draft, self.now)
    }
}

/// Whether the content holds a checksum of the body.
pub(super) fn checksummed(case: &Case) -> bool {
    let id = case.name.split(' ').next().unwrap_or_default();
    built_in(id).is_some_and(|built_in| built_in.manifest.contains("{body-crc32}"))
}

pub(super) fn judge_at(verifier: &Verifier, draft: &Draft, now: Timestamp) -> Result<Proof, Refusal> {
    verifier.verify(&RequestParts::of(draft, now).request(), now)
}

/// Collects what is wrong, so that one run tells of every provider.
#[derive(Default)]
pub(super) struct Report {
    pub(super) wrong: Vec<String>,
    pub(super) judged: usize,
}

impl Report {
    pub(super) fn expect(&mut self, case: &Case, what: &str, accepted: bool, verdict: &Result<Proof, Refusal>) {
        self.judged += 1;
        if verdict.is_ok() != accepted {
            let wanted = if accepted { "accepted" } else { "refused" };
            self.wrong.push(format!("{}: {what} must be {wanted}, and is {:?}", case.name, verdict.as_ref().err()));
        }
    }

    pub(super) fn finish(self, least: usize) {
        assert!(self.wrong.is_empty(), "{} of {} wrong:\n{}", self.wrong.len(), self.judged, self.wrong.join("\n"));
        assert!(self.judged >= least, "only {} judgements: what made the cases has gone", self.judged);
    }
}

/// Runs a judge over every method that proves something.
pub(super) fn every_case(least: usize, judge: impl Fn(&Case, &Verifier, &Draft, &Proof, &mut Report)) {
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
