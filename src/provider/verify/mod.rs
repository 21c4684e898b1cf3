//! Verification: the only place where a [`Proof`] is made, and joined with the body that it proves.
//!
//! A method is a list of alternatives, an alternative a list of schemes that must all hold. One interpreter runs
//! them for every provider; `hookgate verify` runs the same with an observer, `hookgate send` the same backwards.

mod bind;
mod content;
pub(crate) mod diagnose;
pub mod fetched;
mod handshakes;
mod judge;
mod jws;
pub mod jwt;
pub mod key_text;
pub mod keys;
mod method;
pub mod observe;
mod public_key;
pub(crate) mod refusal;
pub(crate) mod scheme;
pub(crate) mod sealed;
pub mod sign;
mod signature;
pub(crate) mod signed;
mod verified;
pub(crate) mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use jiff::Timestamp;

pub use self::bind::{Given, UnfitKey};
use self::bind::{all_read, all_there, fits, missing, others, ready};
use self::fetched::{FetchedKeys, NothingFetched, Wanted};
use self::jwt::JwtScheme;
use self::keys::{Key, Material};
pub(super) use self::method::Common;
pub use self::method::Method;
use self::method::{coverage, fetches, written};
use self::observe::{Observer, Silent};
pub use self::refusal::Refusal;
use self::scheme::Scheme;
use self::sealed::{Opener, Sealed};
use self::signed::Signed;
pub use self::verified::{Proof, Verified};
use super::request::{Head, RequestView};
use super::{Coverage, Covers};
use crate::api;
use crate::api::condition::{Gathered, Problems};
use crate::secret::SecretBytes;

/// Purposes of the two halves of HTTP Basic.
const USERNAME: &str = "username";
const PASSWORD: &str = "password";

/// A method with one source's keys: what a route verifies with.
#[derive(Debug)]
pub struct Verifier {
    method: Arc<str>,
    alternatives: Vec<Alternative>,
    /// Keys of purposes that handshakes check.
    others: Vec<(String, Key)>,
    external_url: Option<Box<str>>,
    tolerance: Option<Duration>,
    common: Arc<Common>,
    /// The proofs of handshakes that have one of their own, by their numbers.
    proofs: Vec<Alternative>,
    opener: Option<Opener>,
    parameters: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Alternative {
    schemes: Vec<Ready>,
    coverage: Arc<Coverage>,
    /// What it covers of a body that it arrives in encrypted.
    inside: Arc<Coverage>,
}

impl Alternative {
    fn new(schemes: Vec<Ready>, coverage: Coverage, sealed: Option<&Sealed>) -> Self {
        let coverage = Arc::new(coverage);
        let inside = sealed.map(|sealed| Arc::new(sealed.coverage((*coverage).clone())));
        Self { schemes, inside: inside.unwrap_or_else(|| coverage.clone()), coverage }
    }
}

/// A scheme with its keys.
#[derive(Debug)]
struct Ready {
    scheme: Arc<Scheme>,
    keys: Vec<Key>,
    /// The content with the source's parameters filled in.
    signed: Option<Signed>,
    jwt: Option<JwtScheme>,
    /// What the parts that name the customer must say.
    addressee: Option<String>,
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

impl Verifier {
    /// Joins a method with a source's keys. Keys that do not fit are left out and told.
    ///
    /// # Errors
    /// What the source must write: a missing purpose, URL or parameter, or one that means nothing here.
    pub fn new(method: &Method, given: &Given<'_>) -> Result<(Self, Vec<UnfitKey>), Problems> {
        let mut wrong = Gathered::default();
        let fits = wrong.keep(fits(method, given)).is_some();
        wrong.keep(all_there(method, given));
        let mut unfit = Vec::new();
        let mut alternatives = Vec::new();
        for schemes in &method.alternatives {
            let wanted: Vec<_> =
                schemes.iter().filter(|scheme| !scheme.optional || written(scheme, given.keys)).cloned().collect();
            if wanted.iter().any(|scheme| scheme.needs_key() && !written(scheme, given.keys) && !fetches(scheme)) {
                continue;
            }
            let coverage = coverage(&wanted);
            let ready = wanted.into_iter().filter_map(|scheme| wrong.keep(ready(scheme, given, &mut unfit))).collect();
            alternatives.push(Alternative::new(ready, coverage, method.sealed.as_deref()));
        }
        if alternatives.is_empty() && fits {
            wrong.add(missing(method));
        }
        // What follows asks what is in force, which nobody knows before that is mended.
        wrong.none()?;
        let in_force = alternatives.iter().flat_map(|one: &Alternative| &one.schemes);
        all_read(method, given, &in_force.map(|ready| &*ready.scheme).collect::<Vec<_>>())?;
        let proofs = method.common.proofs.iter().map(|scheme| {
            let coverage = coverage(std::slice::from_ref(scheme));
            Ok(Alternative::new(vec![ready(scheme.clone(), given, &mut unfit)?], coverage, None))
        });
        let proofs = proofs.collect::<Result<_, Problems>>()?;
        let opener = method.sealed.as_ref().map(|sealed| Opener::new(sealed, given, &mut unfit));
        if let Some(sealed) = &method.sealed
            && !given.keys.iter().any(|key| key.purpose == sealed.purpose)
        {
            return Err(bind::missing_key(method, sealed.purpose.as_deref()).into());
        }
        unfit.dedup();
        let verifier = Self {
            method: method.name.clone(),
            alternatives,
            others: others(given),
            external_url: given.external_url.map(Into::into),
            tolerance: given.tolerance,
            common: method.common.clone(),
            proofs,
            opener,
            parameters: given.parameters.clone(),
        };
        Ok((verifier, unfit))
    }

    /// The method's name.
    pub fn method(&self) -> &Arc<str> {
        &self.method
    }

    /// The weakest that an alternative in force covers.
    pub fn covers(&self) -> Covers {
        self.alternatives.iter().map(|alternative| alternative.inside.covers()).min().unwrap_or(Covers::None)
    }

    /// Whether some alternative has a live key for each of its schemes: else the route is closed.
    pub fn open(&self, now: Timestamp) -> bool {
        let opens = self.opener.as_ref().is_none_or(|opener| opener.live(now));
        opens
            && self.alternatives.iter().any(|alternative| {
                alternative.schemes.iter().all(|ready| {
                    !ready.scheme.needs_key() || fetches(&ready.scheme) || ready.keys.iter().any(|key| key.live(now))
                })
            })
    }

    /// Whether a scheme in force fetches its keys.
    pub fn fetches(&self) -> bool {
        self.alternatives.iter().flat_map(|alternative| &alternative.schemes).any(|ready| ready.fetching.is_some())
    }

    /// How many different secretRefs count at that instant.
    pub fn active_keys(&self, now: Timestamp) -> usize {
        let keys = self.alternatives.iter().flat_map(|alternative| &alternative.schemes).flat_map(|ready| &ready.keys);
        let keys = keys.chain(self.opener.iter().flat_map(Opener::keys));
        keys.filter(|key| key.live(now)).map(|key| &key.label).collect::<BTreeSet<_>>().len()
    }

    /// Judges a request.
    ///
    /// # Errors
    /// Why it is not authentic, of the alternative that came farthest.
    pub fn verify(&self, request: &RequestView<'_>, now: Timestamp) -> Result<Proof, Refusal> {
        self.explain(request, now, &NothingFetched, &mut Silent)
    }

    /// Judges a request with the keys that were fetched so far, and joins its body with the proof.
    ///
    /// # Errors
    /// As [`Verifier::verify`]; `NotFetched` where [`Verifier::wanted`] names a key to fetch first.
    pub fn prove(
        &self,
        head: Head<'_>,
        body: &Bytes,
        now: Timestamp,
        fetched: &dyn FetchedKeys,
    ) -> Result<Verified, Refusal> {
        let (proof, opened) = self.judged(&RequestView { head, body }, now, fetched, &mut Silent)?;
        Ok(Verified::new(opened.unwrap_or_else(|| body.clone()), proof))
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
        self.judged(request, now, fetched, observer).map(|(proof, _)| proof)
    }

    /// The proof, and the body that an encrypted one holds.
    fn judged<O: Observer>(
        &self,
        request: &RequestView<'_>,
        now: Timestamp,
        fetched: &dyn FetchedKeys,
        observer: &mut O,
    ) -> Result<(Proof, Option<Bytes>), Refusal> {
        let mut farthest = Refusal::NotApplicable;
        for alternative in &self.alternatives {
            match judge::all(self, alternative, request, now, fetched, observer) {
                Ok(()) => {
                    let Some(opener) = &self.opener else {
                        return Ok((Proof::new(self.method.clone(), alternative.coverage.clone()), None));
                    };
                    let opened = opener.open(&self.common.carrier, request, now);
                    // What holds nothing encrypted is what it seems only where all of it is proven.
                    let opened = opened.and_then(|opened| match opened {
                        None if !alternative.coverage.body => Err(Refusal::Sealed),
                        opened => Ok(opened),
                    });
                    observe::tell(observer, "decrypt", Some(opened.is_ok()), || match &opened {
                        Ok(Some(body)) => format!("{} bytes inside", body.len()),
                        Ok(None) => "the body is not encrypted".to_owned(),
                        Err(refusal) => refusal.to_string(),
                    });
                    let opened = opened?;
                    let coverage = if opened.is_some() { &alternative.inside } else { &alternative.coverage };
                    return Ok((Proof::new(self.method.clone(), coverage.clone()), opened));
                }
                Err(refusal) => farthest = farthest.max(refusal),
            }
        }
        Err(farthest)
    }
}
