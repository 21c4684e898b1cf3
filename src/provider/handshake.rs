//! Special requests that are answered and never published: challenges, pings, subscriptions.
//!
//! Those that the vendor signs are answered only after the proof; the others name themselves `unsigned`.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use regex::Regex;

use super::answer::Answer;
pub use super::answer::Reply;
use super::condition::Test;
use super::decode::Carrier;
use super::definition_error::DefinitionError;
use super::place::{Place, PlaceError, PointerList};
use super::request::RequestView;
use super::verify::fetched::Hosts;
use super::verify::observe::Observer;
use super::verify::scheme::Scheme;
use super::verify::view::View;
use super::verify::{Common, Refusal, Verifier};
use crate::api::extract::Field;
use crate::api::provider::{Handshake as Written, HandshakeCheck, HandshakeMethod};
use crate::api::scheme::HashAlgorithm;
use crate::json::Pointers;
use crate::secret::SecretBytes;

/// The longest secret or URL that arrives with a handshake, in bytes.
const MAX_SECRET: usize = 2048;

/// A compiled handshake.
#[derive(Debug)]
pub struct Handshake {
    /// The request's method.
    pub method: Method,
    /// It is answered before any proof.
    pub unsigned: bool,
    when: Vec<Test>,
    /// It arrives encrypted.
    pub encrypted: bool,
    /// The number of the proof of its own.
    proof: Option<usize>,
    /// What must equal a secret, and that secret's purpose.
    check: Option<(Place, String)>,
    /// Where the signing secret stands that arrives with it.
    capture: Option<Place>,
    /// Where a URL stands that is fetched once to confirm, and the hosts that it may lead to.
    confirm: Option<(Place, Hosts)>,
    respond: Answer,
    /// What the answer signs must match all of this.
    challenge: Option<Regex>,
    pointers: Pointers,
    carrier: Carrier,
}

/// What must be done before a handshake is answered.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The secret is written to `captureSecretRef`.
    Capture(SecretBytes),
    /// The URL is fetched.
    Confirm(String),
}

/// What becomes of a handshake.
#[derive(Debug)]
pub enum Shake {
    /// Answer this, after the effect.
    Answer(Box<Reply>, Option<Effect>),
    /// It is not authentic.
    Refused(Refusal),
}

impl Handshake {
    /// Compiles a handshake; `path` is where it stands in the definition. What all methods must know of it goes to `common`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn compile(written: &Written, path: &str, common: &mut Common) -> Result<Self, DefinitionError> {
        let at = |field: &str| {
            let path = format!("{path}.{field}");
            move |reason: String| DefinitionError { path, reason }
        };
        let mut list = PointerList::default();
        let when = written.when.iter().map(|condition| Test::compile(condition, &mut list)).collect::<Result<_, _>>();
        let respond =
            Answer::of_handshake(&written.respond.clone().unwrap_or_default(), &mut list).map_err(at("respond"))?;
        let when = when.map_err(|error: PlaceError| at("when")(error.reason))?;
        let check = match &written.check {
            None => None,
            Some(check) => Some((checked(check, &mut list).map_err(at("check"))?, check.purpose.clone())),
        };
        let capture = match &written.capture {
            None => None,
            Some(field) => Some(capture(field, &mut list).map_err(at("capture"))?),
        };
        let confirm = match &written.confirm {
            None => None,
            Some(confirm) => Some((
                Place::Pointer(list.index(&confirm.pointer)),
                Hosts::compile(&confirm.hosts).map_err(at("confirm.hosts"))?,
            )),
        };
        if let Some((field, reason)) = unfit(written, &respond) {
            return Err(at(field)(reason.to_owned()));
        }
        let whole = |text: &String| Regex::new(&format!("^(?:{text})$"));
        let challenge = written.challenge.as_ref().map(whole).transpose();
        let challenge = challenge.map_err(|error| at("challenge")(error.to_string()))?;
        let (pointers, _) = list.compile().map_err(at("when"))?;
        let proof = written.proof.as_ref().map(|scheme| {
            let compiled = Scheme::compile(scheme).map_err(|(field, reason)| at(&format!("proof.{field}"))(reason))?;
            if let Some((field, reason)) = unfit_proof(&compiled) {
                return Err(at(&format!("proof.{field}"))(reason.to_owned()));
            }
            common.proofs.push(Arc::new(compiled));
            Ok(common.proofs.len() - 1)
        });
        let proof = proof.transpose()?;
        common.parameters.extend(respond.parameters().map(str::to_owned));
        Ok(Self {
            method: method(written),
            unsigned: written.unsigned,
            encrypted: written.encrypted,
            proof,
            when,
            check,
            capture,
            confirm,
            respond,
            challenge,
            pointers,
            carrier: common.carrier.clone(),
        })
    }

    /// The purpose that its check knows.
    pub fn purpose(&self) -> Option<&str> {
        self.check.as_ref().map(|(_, purpose)| purpose.as_str())
    }

    /// Whether the request is this handshake, authentic or not.
    pub fn is(&self, request: &RequestView<'_>) -> bool {
        let document = self.document(request);
        let view = View::of_item(*request, None, &self.pointers, &document);
        self.method == *request.head.method && self.when.iter().all(|test| test.holds(&view))
    }

    /// What its pointers lead into.
    fn document<'r>(&self, request: &RequestView<'r>) -> Cow<'r, [u8]> {
        if self.pointers.is_empty() {
            return Cow::Borrowed(request.body);
        }
        self.carrier.document(request, &|name| self.pointers.leads_into(name))
    }

    /// Judges the request by the proof that this handshake has of its own; `None` where it has none.
    pub fn proven<O: Observer>(
        &self,
        request: &RequestView<'_>,
        verifier: &Verifier,
        now: Timestamp,
        observer: &mut O,
    ) -> Option<Result<(), Refusal>> {
        Some(verifier.verify_handshake(self.proof?, request, now, observer))
    }

    /// Whether a secret of ours must stand in it.
    pub(crate) fn checks(&self) -> bool {
        self.check.is_some()
    }

    /// Whether its answer holds what was decrypted.
    pub(super) fn decrypts(&self) -> bool {
        self.respond.decrypts()
    }

    /// Whether its answer signs what nobody bounds, with that hash function.
    pub(super) fn signs_anything(&self, algorithm: HashAlgorithm) -> bool {
        self.challenge.is_none() && self.respond.signs().any(|signs| signs == algorithm)
    }

    /// Answers the request, which is this handshake.
    pub fn answer(&self, request: &RequestView<'_>, verifier: &Verifier, now: Timestamp) -> Shake {
        let document = self.document(request);
        let view = View::of_item(*request, None, &self.pointers, &document);
        if let Some((place, purpose)) = &self.check {
            let given = view.value(place);
            if let Err(refusal) = verifier.check(purpose, given.as_deref(), now) {
                return Shake::Refused(refusal);
            }
        }
        let Ok(effect) = self.effect(&view) else { return Shake::Refused(Refusal::Malformed) };
        let effect = match effect {
            // What is delivered again is live already: whoever knows it is the vendor.
            Some(Effect::Capture(secret)) if !self.unsigned || verifier.holds(&secret, now) => None,
            effect => effect,
        };
        self.replied(&view, verifier, effect, now)
    }

    /// Whether it is signed, with the very secret that it delivers or with a live one.
    pub fn delivers(&self) -> bool {
        self.capture.is_some() && !self.unsigned
    }

    /// Answers the request, which is this handshake and signed with the secret that it delivers.
    pub fn delivered(&self, request: &RequestView<'_>, verifier: &Verifier, now: Timestamp) -> Shake {
        let document = self.document(request);
        let view = View::of_item(*request, None, &self.pointers, &document);
        let Ok(Some(Effect::Capture(secret))) = self.effect(&view) else {
            return Shake::Refused(Refusal::Malformed);
        };
        match verifier.verify_under(&secret, request, now) {
            Ok(()) => self.replied(&view, verifier, Some(Effect::Capture(secret)), now),
            Err(refusal) => Shake::Refused(refusal),
        }
    }

    fn replied(&self, view: &View<'_>, verifier: &Verifier, effect: Option<Effect>, now: Timestamp) -> Shake {
        match self.respond.fill(view, &(verifier, now), self.challenge.as_ref()) {
            Some(reply) => Shake::Answer(Box::new(reply), effect),
            None => Shake::Refused(Refusal::Malformed),
        }
    }

    /// Whether a secret arrives with it.
    pub fn captures(&self) -> bool {
        self.capture.is_some()
    }

    fn effect(&self, view: &View<'_>) -> Result<Option<Effect>, ()> {
        let text = |place| {
            let value = view.value(place).filter(|value| !value.is_empty() && value.len() <= MAX_SECRET).ok_or(())?;
            String::from_utf8(value.into_owned()).map_err(|_| ())
        };
        if let Some(place) = &self.capture {
            return Ok(Some(Effect::Capture(SecretBytes::new(text(place)?.into_bytes()))));
        }
        let Some((place, hosts)) = &self.confirm else { return Ok(None) };
        let url = text(place)?;
        if hosts.allow(&url) { Ok(Some(Effect::Confirm(url))) } else { Err(()) }
    }
}

fn method(written: &Written) -> Method {
    match written.method {
        Some(HandshakeMethod::GET) => Method::GET,
        Some(HandshakeMethod::HEAD) => Method::HEAD,
        Some(HandshakeMethod::OPTIONS) => Method::OPTIONS,
        Some(HandshakeMethod::POST) | None => Method::POST,
    }
}

/// What a definition may not write of a handshake: the field, and why.
fn unfit(written: &Written, respond: &Answer) -> Option<(&'static str, &'static str)> {
    let proof = written.proof.is_some();
    if written.confirm.is_some() && written.unsigned {
        Some(("confirm", "a URL is fetched only for a request that is proven: leave unsigned out"))
    } else if method(written) == Method::POST && written.when.is_empty() {
        // Without a condition every event of the vendor would be swallowed.
        Some(("when", "a POST handshake needs a condition: it would answer every event"))
    } else if written.encrypted && written.unsigned && written.check.is_none() {
        Some(("check", "what is encrypted and not signed is answered only to whoever knows a secret: write check"))
    } else if proof && (written.unsigned || written.encrypted || written.capture.is_some()) {
        Some(("proof", "means nothing beside unsigned, encrypted or capture"))
    } else if respond.decrypts() && written.unsigned {
        Some((
            "respond",
            "nothing is decrypted for strangers: leave unsigned out, and write proof where it has one of its own",
        ))
    } else if written.challenge.is_some() && respond.signs().next().is_none() {
        Some(("challenge", "bounds what {hmac-...} signs, and the answer holds none"))
    } else {
        None
    }
}

/// What a proof of a handshake may not be: the field, and why.
fn unfit_proof(scheme: &Scheme) -> Option<(&'static str, &'static str)> {
    if scheme.optional {
        Some(("optional", "a handshake is proven or not: leave it out"))
    } else if scheme.fetch().is_some() {
        Some(("fetch", "no key is fetched for a handshake"))
    } else if !scheme.needs_key() {
        Some(("none", "proves nothing: write unsigned"))
    } else {
        None
    }
}

fn checked(check: &HandshakeCheck, list: &mut PointerList) -> Result<Place, String> {
    match (&check.query, &check.pointer) {
        (Some(name), None) => Ok(Place::Query(name.clone())),
        (None, Some(pointer)) => Ok(Place::Pointer(list.index(pointer))),
        _ => Err("write exactly one of query or pointer".to_owned()),
    }
}

fn capture(field: &Field, list: &mut PointerList) -> Result<Place, String> {
    match (&field.header, &field.pointer) {
        (Some(name), None) => name.parse().map(Place::Header).map_err(|_| format!("{name:?} is no header name")),
        (None, Some(pointer)) => Ok(Place::Pointer(list.index(pointer))),
        _ => Err("a secret arrives in a header or at a pointer".to_owned()),
    }
}
