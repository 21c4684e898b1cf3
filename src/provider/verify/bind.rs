//! A method joined with a source's keys: what the source writes must mean something, and nothing may be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::fetched::Fetch;
use super::jwt;
use super::key_text;
use super::keys::{self, Key, KeyRef, Mac, Material};
use super::method::{Method, needed, purposes, written};
use super::scheme::{Scheme, SchemeKind};
use super::{Fetching, PASSWORD, Ready, USERNAME, public_key};
use crate::api::condition::{Gathered, Problem, Problems, Reason};
use crate::secret::SecretBytes;
use crate::template;

/// Why a parameter must be written that names the customer.
const SHARED_KEY: &str = "the vendor's key signs for all its customers, and this says which of them you are";

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

/// A secretRef whose value cannot be a key of its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitKey {
    /// `secret/key`.
    pub label: Arc<str>,
    /// What it is not.
    pub reason: String,
}

/// Keys of purposes that handshakes check.
pub(super) fn others(given: &Given<'_>) -> Vec<(String, Key)> {
    let ours = |key: &&KeyRef| key.purpose.as_deref().is_some_and(|purpose| given.other_purposes.contains(&purpose));
    let keys = given.keys.iter().filter(ours).filter_map(|key| {
        let material = Material::Sent(keys::sent(key.value.as_ref().filter(|value| !value.is_empty())?.expose()));
        Some((key.purpose.clone()?, Key { label: key.label(), not_after: key.not_after, material }))
    });
    keys.collect()
}

/// Everything the source writes must mean something to the method.
pub(super) fn fits(method: &Method, given: &Given<'_>) -> Result<(), Problems> {
    let name = &method.name;
    let mut wrong = Gathered::default();
    let unsupported =
        |field: String, text: String| Problem::new(Reason::Unsupported, format!("spec.verification.{field}"), text);
    let purposes = method.purposes();
    for (position, key) in given.keys.iter().enumerate() {
        let field = format!("secretRefs[{position}]");
        let purpose = key.purpose.as_deref();
        if purposes.contains(&purpose) || purpose.is_some_and(|purpose| given.other_purposes.contains(&purpose)) {
            continue;
        }
        let known = one_line(purposes.iter().flatten().chain(given.other_purposes).copied());
        wrong.add(match purpose {
            Some(purpose) => unsupported(
                format!("{field}.purpose"),
                format!("{purpose:?} means nothing to method {name:?}; its purposes are: {known}"),
            ),
            None => unsupported(
                field,
                format!(
                    "{} has no purpose, and method {name:?} uses secretRefs of these purposes only: {known}",
                    key.secret
                ),
            ),
        });
    }
    // Half of Basic would leave an optional scheme out without a word.
    for (half, other) in [(USERNAME, PASSWORD), (PASSWORD, USERNAME)] {
        let named = |purpose: &str| given.keys.iter().any(|key| key.purpose.as_deref() == Some(purpose));
        if purposes.contains(&Some(half)) && named(half) && !named(other) {
            wrong.add(Problem::invalid(
                "spec.verification.secretRefs",
                format!("purpose {half:?} needs a secretRef of purpose {other:?} beside it"),
            ));
        }
    }
    let parameters = method.parameters();
    for unknown in given.parameters.keys().filter(|name| !parameters.contains(name.as_str())) {
        let known = one_line(parameters.iter().copied());
        wrong.add(unsupported(
            format!("parameters.{unknown}"),
            format!("means nothing to method {name:?}; its parameters are: {known}"),
        ));
    }
    if given.tolerance.is_some() && !method.has_time() {
        wrong.add(unsupported("tolerance".to_owned(), format!("method {name:?} carries no time; leave it out")));
    }
    match (method.needs_url(), given.external_url) {
        (true, None) => wrong.add(Problem::invalid(
            "spec.verification.externalURL",
            format!(
                "is missing: method {name:?} signs the URL, so write it as the vendor knows it, such as https://hooks.example.com/in"
            ),
        )),
        (false, Some(_)) if !method.takes_url() => wrong.add(unsupported(
            "externalURL".to_owned(),
            format!("method {name:?} does not sign the URL; leave it out"),
        )),
        _ => {}
    }
    wrong.none()
}

fn one_line<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

pub(super) fn missing(method: &Method) -> Problem {
    let first = method.alternatives.first().map(Vec::as_slice).unwrap_or_default();
    let wanted: Vec<_> = first
        .iter()
        .filter(|scheme| !scheme.optional)
        .flat_map(|scheme| purposes(scheme))
        .map(|purpose| purpose.map_or_else(|| "one without a purpose".to_owned(), |p| format!("one of purpose {p:?}")))
        .collect();
    Problem::new(
        Reason::Invalid,
        "spec.verification.secretRefs",
        format!("method {:?} needs a secretRef: {}", method.name, wanted.join(" and ")),
    )
}

/// The problem of a source that names no key of a purpose.
pub(super) fn missing_key(method: &Method, purpose: Option<&str>) -> Problem {
    let wanted = purpose.map_or_else(|| "one without a purpose".to_owned(), |p| format!("one of purpose {p:?}"));
    let text = format!("method {:?} needs a secretRef: {wanted}, which decrypts its deliveries", method.name);
    Problem::new(Reason::Invalid, "spec.verification.secretRefs", text)
}

pub(super) fn ready(scheme: Arc<Scheme>, given: &Given<'_>, unfit: &mut Vec<UnfitKey>) -> Result<Ready, Problems> {
    let mut wrong = Gathered::default();
    let invalid = |name: &str, text: String| Problem::invalid(format!("spec.verification.parameters.{name}"), text);
    let signed = match &scheme.kind {
        SchemeKind::Hash(hash) => Some(&hash.signed),
        SchemeKind::PublicKey(public) => Some(&public.signed),
        _ => None,
    };
    let signed = signed.map(|signed| signed.with(given.parameters));
    let jwt = match &scheme.kind {
        SchemeKind::Jwt(jwt, _) => {
            let mut jwt = (**jwt).clone();
            wrong.keep(jwt::apply(&mut jwt, given.parameters).map_err(|(name, text)| invalid(name, text)));
            let values = jwt.claims.iter_mut().map(|(_, value)| value).chain(&mut jwt.issuer).chain(&mut jwt.audiences);
            for value in values {
                if let Some(name) = template::parameter(value) {
                    match given.parameters.get(name) {
                        Some(given) => value.clone_from(given),
                        None => wrong.add(invalid(name, format!("is missing: {SHARED_KEY}"))),
                    }
                }
            }
            jwt.leeway = given.tolerance.unwrap_or(jwt.leeway).min(jwt::MAX_LEEWAY);
            Some(jwt)
        }
        _ => None,
    };
    let optional = |name: &&str| jwt::PARAMETERS.contains(name);
    let absent = |name: &&str| !given.parameters.contains_key(*name);
    for absent in read(&scheme, given).filter(|name| !optional(name)).filter(absent) {
        let names_you = scheme.addressee.as_ref().is_some_and(|addressee| addressee.parameter == absent);
        let why = if names_you { SHARED_KEY } else { "the scheme signs it" };
        wrong.add(invalid(absent, format!("is missing: {why}")));
    }
    wrong.none()?;
    let addressee = scheme.addressee.as_ref().and_then(|addressee| given.parameters.get(&addressee.parameter)).cloned();
    let keys = match &scheme.kind {
        SchemeKind::Basic => pairs(given.keys, unfit),
        SchemeKind::Unproven => Vec::new(),
        _ => given
            .keys
            .iter()
            .filter(|key| key.purpose == scheme.purpose)
            .filter_map(|key| one(&scheme, key, unfit))
            .collect(),
    };
    let fetching = fetched(&scheme, given).map(|fetch| Fetching {
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
    Ok(Ready { scheme, keys, signed, jwt, addressee, fetching })
}

/// How a scheme gets its keys that no secretRef of the source holds.
fn fetched<'s>(scheme: &'s Scheme, given: &Given<'_>) -> Option<&'s Fetch> {
    scheme.fetch().filter(|_| !written(scheme, given.keys))
}

/// The parameters that a scheme reads of this source.
fn read<'s>(scheme: &'s Scheme, given: &Given<'_>) -> impl Iterator<Item = &'s str> {
    let fetched = fetched(scheme, given).into_iter().flat_map(|fetch| &fetch.parameters);
    scheme.parameters.iter().chain(fetched).map(String::as_str)
}

/// Everything that the source writes must be read by what its secretRefs put in force: `fits` knows the whole method.
pub(super) fn all_read(method: &Method, given: &Given<'_>, in_force: &[&Scheme]) -> Result<(), Problems> {
    let mut wrong = Gathered::default();
    let unread = |field: String, text: &str| {
        let text = format!("means nothing to method {:?} with {text}: leave it out", method.name);
        Problem::new(Reason::Unsupported, format!("spec.verification.{field}"), text)
    };
    let beside = || method.common.proofs.iter().map(AsRef::as_ref);
    let all = || in_force.iter().copied().chain(beside());
    let mut known: BTreeSet<&str> = method.common_parameters().collect();
    all().for_each(|scheme| known.extend(read(scheme, given)));
    for name in given.parameters.keys().filter(|name| !known.contains(name.as_str())) {
        wrong.add(unread(format!("parameters.{name}"), "these secretRefs"));
    }
    let sealed = method.sealed.iter().map(|sealed| sealed.purpose.as_deref());
    let others = given.other_purposes.iter().map(|purpose| Some(*purpose));
    let purposes: BTreeSet<Option<&str>> =
        all().flat_map(|scheme| needed(scheme, given.keys)).chain(sealed).chain(others).collect();
    for (position, _) in given.keys.iter().enumerate().filter(|(_, key)| !purposes.contains(&key.purpose.as_deref())) {
        wrong.add(unread(format!("secretRefs[{position}]"), "the others"));
    }
    if given.tolerance.is_some() && !all().any(Scheme::has_time) {
        wrong.add(unread("tolerance".to_owned(), "these secretRefs"));
    }
    if given.external_url.is_some() && !all().any(Scheme::takes_url) {
        wrong.add(unread("externalURL".to_owned(), "these secretRefs"));
    }
    wrong.none()
}

/// Every parameter that the definition reads beside its schemes must be there.
pub(super) fn all_there(method: &Method, given: &Given<'_>) -> Result<(), Problems> {
    let mut wrong = Gathered::default();
    for absent in method.common_parameters().filter(|name| !given.parameters.contains_key(*name)) {
        wrong.add(Problem::invalid(
            format!("spec.verification.parameters.{absent}"),
            "is missing: it says which of the vendor's customers you are".to_owned(),
        ));
    }
    wrong.none()
}

/// A secret that a request delivers, as a key of a scheme.
pub(super) fn delivered(scheme: &Scheme, secret: &SecretBytes) -> Option<Key> {
    Some(Key { label: "the delivered secret".into(), not_after: None, material: material(scheme, secret).ok()? })
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
            let key = key_text::decode(value.expose(), hash.key_encoding, hash.key_prefix.as_deref())?;
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
fn pairs(keys: &[KeyRef], unfit: &mut Vec<UnfitKey>) -> Vec<Key> {
    let of = |purpose: &'static str| keys.iter().filter(move |key| key.purpose.as_deref() == Some(purpose));
    let mut pairs = Vec::new();
    for user in of(USERNAME) {
        // What is sent says nowhere where the name ends: part of it could be moved into the password (RFC 7617, section 2).
        if user.value.as_ref().is_some_and(|name| name.expose().contains(&b':')) {
            unfit.push(UnfitKey {
                label: user.label(),
                reason: "holds a colon, which a user name of HTTP Basic cannot".to_owned(),
            });
            continue;
        }
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
