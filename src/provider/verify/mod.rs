//! Verification: the only place where a [`Proof`] is made.
//!
//! A method is a list of alternatives, an alternative a list of schemes that must all hold. One interpreter runs
//! them for every provider; `hookgate verify` runs the same with an observer, `hookgate send` the same backwards.

mod content;
pub mod diagnose;
pub mod fetched;
mod judge;
pub mod jwt;
pub mod keys;
pub mod observe;
mod public_key;
pub mod refusal;
pub mod scheme;
pub mod sign;
mod signature;
pub mod time;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use self::fetched::{FetchedKeys, NothingFetched, Wanted};
use self::jwt::JwtScheme;
use self::keys::{Key, KeyRef, Mac, Material};
use self::observe::{Observer, Silent};
pub use self::refusal::Refusal;
use self::scheme::{Scheme, SchemeKind};
use super::definition_error::DefinitionError;
use super::request::RequestView;
use super::{Coverage, Covers, Proof};
use crate::api;
use crate::api::condition::{Problem, Reason};
use crate::secret::SecretBytes;

/// Purposes of the two halves of HTTP Basic.
const USERNAME: &str = "username";
const PASSWORD: &str = "password";

/// A method of a definition, compiled. Holds no key.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: Arc<str>,
    alternatives: Vec<Vec<Arc<Scheme>>>,
    /// The form field that holds the JSON document into which pointers lead.
    field: Option<Arc<str>>,
}

impl Method {
    /// Compiles a method; `path` is where it stands in the definition.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(written: &api::provider::Method, path: &str) -> Result<Self, Vec<DefinitionError>> {
        let mut alternatives = Vec::new();
        let mut errors = Vec::new();
        for (a, alternative) in written.any_of.iter().enumerate() {
            let mut schemes = Vec::new();
            for (s, scheme) in alternative.all_of.iter().enumerate() {
                match Scheme::compile(scheme) {
                    Ok(scheme) => schemes.push(Arc::new(scheme)),
                    Err((field, reason)) => errors.push(DefinitionError {
                        path: format!("{path}.anyOf[{a}].allOf[{s}]{}{field}", if field.is_empty() { "" } else { "." }),
                        reason,
                    }),
                }
            }
            alternatives.push(schemes);
        }
        if errors.is_empty() {
            Ok(Self { name: written.name.as_str().into(), alternatives, field: None })
        } else {
            Err(errors)
        }
    }

    /// The same, with pointers that lead into the JSON document of a form or multipart field where the body is a form.
    pub fn inside(self, field: Option<&str>) -> Self {
        Self { field: field.map(Into::into), ..self }
    }

    /// Nothing is proven: such a method is never a default.
    pub fn proves_nothing(&self) -> bool {
        self.schemes().any(|scheme| matches!(scheme.kind, SchemeKind::Unproven))
    }

    /// The weakest that an alternative covers.
    pub fn covers(&self) -> Covers {
        self.alternatives.iter().map(|schemes| coverage(schemes).covers()).min().unwrap_or(Covers::None)
    }

    /// The purposes that its schemes know; `None` is the signing secret.
    pub fn purposes(&self) -> BTreeSet<Option<&str>> {
        self.schemes().flat_map(|scheme| purposes(scheme)).collect()
    }

    /// The parameters that its schemes read.
    pub fn parameters(&self) -> BTreeSet<&str> {
        self.schemes().flat_map(|scheme| scheme.parameters.iter().map(String::as_str)).collect()
    }

    /// Whether it signs the public URL.
    pub fn needs_url(&self) -> bool {
        self.schemes().any(|scheme| scheme.needs_url())
    }

    /// Whether it holds a time that `tolerance` bounds.
    pub fn has_time(&self) -> bool {
        self.schemes().any(|scheme| scheme.has_time())
    }

    fn schemes(&self) -> impl Iterator<Item = &Arc<Scheme>> {
        self.alternatives.iter().flatten()
    }
}

fn purposes(scheme: &Scheme) -> Vec<Option<&str>> {
    match scheme.kind {
        SchemeKind::Basic => vec![Some(USERNAME), Some(PASSWORD)],
        SchemeKind::Unproven => Vec::new(),
        _ => {
            let fetch = scheme.fetch().into_iter().flat_map(|fetch| fetch.purposes.iter().map(|p| Some(p.as_str())));
            [scheme.purpose.as_deref()].into_iter().chain(fetch).collect()
        }
    }
}

fn coverage(schemes: &[Arc<Scheme>]) -> Coverage {
    let mut coverage = Coverage::default();
    schemes.iter().for_each(|scheme| scheme.cover(&mut coverage));
    coverage
}

/// What a source says of its verification, beside the method.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The secretRefs, and what stands behind them.
    pub keys: &'a [KeyRef],
    /// Purposes that handshakes know beside the method.
    pub other_purposes: &'a [&'a str],
    /// The parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// The replay window.
    pub tolerance: Option<Duration>,
    /// The public URL.
    pub external_url: Option<&'a str>,
}

/// A method with one source's keys: what a route verifies with.
#[derive(Debug)]
pub struct Verifier {
    method: Arc<str>,
    alternatives: Vec<Alternative>,
    /// Keys of purposes that handshakes check.
    others: Vec<(String, Key)>,
    external_url: Option<Box<str>>,
    tolerance: Option<Duration>,
    field: Option<Arc<str>>,
}

#[derive(Debug)]
struct Alternative {
    schemes: Vec<Ready>,
    coverage: Arc<Coverage>,
}

/// A scheme with its keys.
#[derive(Debug)]
struct Ready {
    scheme: Arc<Scheme>,
    keys: Vec<Key>,
    /// The content with the source's parameters filled in.
    signed: Option<scheme::Signed>,
    jwt: Option<JwtScheme>,
    fetching: Option<Fetching>,
}

/// What a scheme fetches its keys with.
#[derive(Debug)]
struct Fetching {
    parameters: BTreeMap<String, String>,
    secrets: BTreeMap<String, SecretBytes>,
    /// The last key and the answer it was read from: reading a certificate costs more than using it.
    last: ArcSwapOption<(Arc<[u8]>, Material)>,
}

/// The text of a signature in an answer.
pub fn signature_encoding(bytes: &[u8], encoding: api::scheme::Encoding) -> String {
    signature::encode(bytes, encoding)
}

/// A secretRef whose value cannot be a key of its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitKey {
    /// `secret/key`.
    pub label: Arc<str>,
    /// What it is not.
    pub reason: String,
}

impl Verifier {
    /// Joins a method with a source's keys. Keys that do not fit are left out and told.
    ///
    /// # Errors
    /// What the source must write: a missing purpose, URL or parameter, or one that means nothing here.
    pub fn new(method: &Method, given: &Given<'_>) -> Result<(Self, Vec<UnfitKey>), Problem> {
        fits(method, given)?;
        let mut unfit = Vec::new();
        let mut alternatives = Vec::new();
        for schemes in &method.alternatives {
            let wanted: Vec<_> =
                schemes.iter().filter(|scheme| !scheme.optional || written(scheme, given.keys)).cloned().collect();
            if wanted.iter().any(|scheme| scheme.needs_key() && !written(scheme, given.keys) && !fetches(scheme)) {
                continue;
            }
            let coverage = Arc::new(coverage(&wanted));
            let ready = wanted.into_iter().map(|scheme| ready(scheme, given, &mut unfit)).collect::<Result<_, _>>()?;
            alternatives.push(Alternative { schemes: ready, coverage });
        }
        if alternatives.is_empty() {
            return Err(missing(method));
        }
        unfit.dedup();
        let verifier = Self {
            method: method.name.clone(),
            alternatives,
            others: others(given),
            external_url: given.external_url.map(Into::into),
            tolerance: given.tolerance,
            field: method.field.clone(),
        };
        Ok((verifier, unfit))
    }

    /// The method's name.
    pub fn method(&self) -> &Arc<str> {
        &self.method
    }

    /// The weakest that an alternative in force covers.
    pub fn covers(&self) -> Covers {
        self.alternatives.iter().map(|alternative| alternative.coverage.covers()).min().unwrap_or(Covers::None)
    }

    /// Whether some alternative has a live key for each of its schemes: else the route is closed.
    pub fn open(&self, now: Timestamp) -> bool {
        self.alternatives.iter().any(|alternative| {
            alternative.schemes.iter().all(|ready| {
                !ready.scheme.needs_key() || fetches(&ready.scheme) || ready.keys.iter().any(|key| key.live(now))
            })
        })
    }

    /// How many different secretRefs count at that instant.
    pub fn active_keys(&self, now: Timestamp) -> usize {
        let keys = self.alternatives.iter().flat_map(|alternative| &alternative.schemes).flat_map(|ready| &ready.keys);
        keys.filter(|key| key.live(now)).map(|key| &key.label).collect::<BTreeSet<_>>().len()
    }

    /// The next instant at which a key ends.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let keys = self.alternatives.iter().flat_map(|alternative| &alternative.schemes).flat_map(|ready| &ready.keys);
        keys.filter_map(|key| key.not_after).filter(|end| *end > now).min()
    }

    /// Compares a value with the secretRefs of a purpose that a handshake checks.
    ///
    /// # Errors
    /// Why it is not authentic.
    pub fn check(&self, purpose: &str, value: Option<&[u8]>, now: Timestamp) -> Result<(), Refusal> {
        let hash = keys::sent(value.ok_or(Refusal::Missing)?);
        let keys = self.others.iter().filter(|(known, key)| known == purpose && key.live(now));
        let (mut tried, mut matched) = (false, false);
        for (_, key) in keys {
            if let Material::Sent(expected) = &key.material {
                matched |= bool::from(expected.ct_eq(&hash));
                tried = true;
            }
        }
        match (matched, tried) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::BadSignature),
            (false, false) => Err(Refusal::NoKey),
        }
    }

    /// The MAC of a challenge under the first live key.
    pub fn tag(&self, challenge: &[u8], now: Timestamp) -> Option<Vec<u8>> {
        let keys = self.alternatives.iter().flat_map(|alternative| &alternative.schemes).flat_map(|ready| &ready.keys);
        let mut mac = keys.filter(|key| key.live(now)).find_map(|key| match &key.material {
            Material::Mac(state, _) => Some(state.clone()),
            _ => None,
        })?;
        mac.update(challenge);
        Some(mac.finish().as_slice().to_vec())
    }

    /// Judges a request.
    ///
    /// # Errors
    /// Why it is not authentic, of the alternative that came farthest.
    pub fn verify(&self, request: &RequestView<'_>, now: Timestamp) -> Result<Proof, Refusal> {
        self.explain(request, now, &NothingFetched, &mut Silent)
    }

    /// Judges a request with the keys that were fetched so far.
    ///
    /// # Errors
    /// As [`Verifier::verify`]; `NotFetched` where [`Verifier::wanted`] names a key to fetch first.
    pub fn verify_with(
        &self,
        request: &RequestView<'_>,
        now: Timestamp,
        fetched: &dyn FetchedKeys,
    ) -> Result<Proof, Refusal> {
        self.explain(request, now, fetched, &mut Silent)
    }

    /// The key that a request needs and that is not at hand.
    pub fn wanted(&self, request: &RequestView<'_>, now: Timestamp, fetched: &dyn FetchedKeys) -> Option<Wanted> {
        let all = self.alternatives.iter().flat_map(|alternative| &alternative.schemes);
        all.filter_map(|ready| judge::wanted(self, ready, request, now)).find(|wanted| fetched.get(wanted).is_none())
    }

    /// Judges a request, and tells each step.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn explain<O: Observer>(
        &self,
        request: &RequestView<'_>,
        now: Timestamp,
        fetched: &dyn FetchedKeys,
        observer: &mut O,
    ) -> Result<Proof, Refusal> {
        let mut farthest = Refusal::NotApplicable;
        for alternative in &self.alternatives {
            match judge::all(self, alternative, request, now, fetched, observer) {
                Ok(()) => {
                    return Ok(Proof { method: self.method.clone(), coverage: alternative.coverage.clone() });
                }
                Err(refusal) => farthest = farthest.max(refusal),
            }
        }
        Err(farthest)
    }
}

fn others(given: &Given<'_>) -> Vec<(String, Key)> {
    let ours = |key: &&KeyRef| key.purpose.as_deref().is_some_and(|purpose| given.other_purposes.contains(&purpose));
    let keys = given.keys.iter().filter(ours).filter_map(|key| {
        let material = Material::Sent(keys::sent(key.value.as_ref().filter(|value| !value.is_empty())?.expose()));
        Some((key.purpose.clone()?, Key { label: key.label(), not_after: key.not_after, material }))
    });
    keys.collect()
}

fn fetches(scheme: &Scheme) -> bool {
    scheme.fetch().is_some()
}

/// Whether the source names a secretRef for every purpose of the scheme, live or not.
fn written(scheme: &Scheme, keys: &[KeyRef]) -> bool {
    // Secrets that a fetch needs are wanted only where it fetches.
    let own = if fetches(scheme) { vec![scheme.purpose.as_deref()] } else { purposes(scheme) };
    own.iter().all(|purpose| keys.iter().any(|key| key.purpose.as_deref() == *purpose))
}

/// Everything the source writes must mean something to the method.
fn fits(method: &Method, given: &Given<'_>) -> Result<(), Problem> {
    let name = &method.name;
    let unsupported = |text: String| Err(Problem::new(Reason::Unsupported, text));
    let purposes = method.purposes();
    for key in given.keys {
        let purpose = key.purpose.as_deref();
        if !purposes.contains(&purpose) && !purpose.is_some_and(|p| given.other_purposes.contains(&p)) {
            let known: Vec<_> =
                purposes.iter().flatten().copied().chain(given.other_purposes.iter().copied()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return unsupported(match purpose {
                Some(purpose) => format!(
                    "spec.verification.secretRefs: purpose {purpose:?} means nothing to method {name:?}; its purposes are: {known}"
                ),
                None => format!(
                    "spec.verification.secretRefs: {} has no purpose, and method {name:?} uses secretRefs of these purposes only: {known}",
                    key.secret
                ),
            });
        }
    }
    // Half of Basic would leave an optional scheme out without a word.
    for (half, other) in [(USERNAME, PASSWORD), (PASSWORD, USERNAME)] {
        let named = |purpose: &str| given.keys.iter().any(|key| key.purpose.as_deref() == Some(purpose));
        if purposes.contains(&Some(half)) && named(half) && !named(other) {
            return Err(Problem::new(
                Reason::Invalid,
                format!(
                    "spec.verification.secretRefs: purpose {half:?} needs a secretRef of purpose {other:?} beside it"
                ),
            ));
        }
    }
    let parameters = method.parameters();
    if let Some(unknown) = given.parameters.keys().find(|name| !parameters.contains(name.as_str())) {
        let known = if parameters.is_empty() {
            "none".to_owned()
        } else {
            parameters.into_iter().collect::<Vec<_>>().join(", ")
        };
        return unsupported(format!(
            "spec.verification.parameters: {unknown:?} means nothing to method {name:?}; its parameters are: {known}"
        ));
    }
    if given.tolerance.is_some() && !method.has_time() {
        return unsupported(format!("spec.verification.tolerance: method {name:?} carries no time; leave it out"));
    }
    match (method.needs_url(), given.external_url) {
        (true, None) => Err(Problem::new(
            Reason::Invalid,
            format!(
                "spec.verification.externalURL is missing: method {name:?} signs the URL, so write it as the vendor knows it, such as https://hooks.example.com/in"
            ),
        )),
        (false, Some(_)) => {
            unsupported(format!("spec.verification.externalURL: method {name:?} does not sign the URL; leave it out"))
        }
        _ => Ok(()),
    }
}

fn missing(method: &Method) -> Problem {
    let first = method.alternatives.first().map(Vec::as_slice).unwrap_or_default();
    let wanted: Vec<_> = first
        .iter()
        .filter(|scheme| !scheme.optional)
        .flat_map(|scheme| purposes(scheme))
        .map(|purpose| purpose.map_or_else(|| "one without a purpose".to_owned(), |p| format!("one of purpose {p:?}")))
        .collect();
    Problem::new(
        Reason::Invalid,
        format!("spec.verification.secretRefs: method {:?} needs a secretRef: {}", method.name, wanted.join(" and ")),
    )
}

fn ready(scheme: Arc<Scheme>, given: &Given<'_>, unfit: &mut Vec<UnfitKey>) -> Result<Ready, Problem> {
    let invalid = |text: String| Problem::new(Reason::Invalid, format!("spec.verification.{text}"));
    let signed = match &scheme.kind {
        SchemeKind::Hash(hash) => Some(&hash.signed),
        SchemeKind::PublicKey(public) => Some(&public.signed),
        _ => None,
    };
    let signed =
        signed.map(|signed| scheme::Signed { content: signed.content.with(given.parameters), ..signed.clone() });
    let jwt = match &scheme.kind {
        SchemeKind::Jwt(jwt, _) => {
            let mut jwt = (**jwt).clone();
            jwt::apply(&mut jwt, given.parameters).map_err(invalid)?;
            for (_, value) in &mut jwt.claims {
                if let Some(name) = value.strip_prefix("{parameter:").and_then(|rest| rest.strip_suffix('}')) {
                    let given = given.parameters.get(name);
                    *value = given.cloned().ok_or_else(|| invalid(format!("parameters.{name} is missing")))?;
                }
            }
            jwt.leeway = given.tolerance.unwrap_or(jwt.leeway);
            Some(jwt)
        }
        _ => None,
    };
    let needed = scheme.parameters.iter().filter(|name| !jwt::PARAMETERS.contains(&name.as_str()));
    if let Some(absent) = needed.filter(|name| !given.parameters.contains_key(*name)).min() {
        return Err(invalid(format!("parameters.{absent} is missing: the scheme signs it")));
    }
    let keys = match &scheme.kind {
        SchemeKind::Basic => pairs(given.keys),
        SchemeKind::Unproven => Vec::new(),
        _ => given
            .keys
            .iter()
            .filter(|key| key.purpose == scheme.purpose)
            .filter_map(|key| one(&scheme, key, unfit))
            .collect(),
    };
    let fetching =
        (keys.is_empty() && !written(&scheme, given.keys)).then(|| scheme.fetch()).flatten().map(|fetch| Fetching {
            parameters: given.parameters.clone(),
            secrets: fetch
                .purposes
                .iter()
                .filter_map(|purpose| {
                    let key = given.keys.iter().find(|key| key.purpose.as_ref() == Some(purpose))?;
                    Some((purpose.clone(), key.value.clone()?))
                })
                .collect(),
            last: ArcSwapOption::empty(),
        });
    Ok(Ready { scheme, keys, signed, jwt, fetching })
}

/// One secretRef as a key of its scheme.
fn one(scheme: &Scheme, key: &KeyRef, unfit: &mut Vec<UnfitKey>) -> Option<Key> {
    let value = key.value.as_ref()?;
    let material = material(scheme, value);
    match material {
        Ok(material) => Some(Key { label: key.label(), not_after: key.not_after, material }),
        Err(reason) => {
            unfit.push(UnfitKey { label: key.label(), reason });
            None
        }
    }
}

fn material(scheme: &Scheme, value: &SecretBytes) -> Result<Material, String> {
    if value.is_empty() {
        return Err("is empty".to_owned());
    }
    match &scheme.kind {
        SchemeKind::Hash(hash) if hash.keyed => {
            let key = keys::decode(value.expose(), hash.key_encoding, hash.key_prefix.as_deref())?;
            let key = zeroize::Zeroizing::new(key);
            let held = hash.signed.content.holds_secret().then(|| value.clone());
            let mac = Mac::new(hash.algorithm, &key).ok_or_else(|| "is no key".to_owned())?;
            Ok(Material::Mac(Box::new(mac), held))
        }
        SchemeKind::Hash(_) => Ok(Material::Secret(value.clone())),
        SchemeKind::PublicKey(public) => public_key::read(
            value.expose(),
            public.algorithm,
            public.format,
            public.key_encoding,
            public.key_prefix.as_deref(),
        )
        .map(Material::Public),
        SchemeKind::Jwt(jwt, _) => jwt::JwtKey::read(value.expose(), &jwt.algorithms).map(Material::Jwt),
        SchemeKind::Token { .. } | SchemeKind::Basic | SchemeKind::Unproven => {
            Ok(Material::Sent(keys::sent(value.expose())))
        }
    }
}

/// User names and passwords of one Secret, never of two.
fn pairs(keys: &[KeyRef]) -> Vec<Key> {
    let of = |purpose: &'static str| keys.iter().filter(move |key| key.purpose.as_deref() == Some(purpose));
    let mut pairs = Vec::new();
    for user in of(USERNAME) {
        for password in of(PASSWORD).filter(|password| password.secret == user.secret) {
            let (Some(name), Some(word)) = (&user.value, &password.value) else { continue };
            let mut sent = zeroize::Zeroizing::new(name.expose().to_vec());
            sent.push(b':');
            sent.extend_from_slice(word.expose());
            pairs.push(Key {
                label: password.label(),
                not_after: [user.not_after, password.not_after].into_iter().flatten().min(),
                material: Material::Sent(keys::sent(&sent)),
            });
        }
    }
    pairs
}
