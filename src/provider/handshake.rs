//! Special requests that are answered and never published: challenges, pings, subscriptions.
//!
//! Those that the vendor signs are answered only after the proof; the others name themselves `unsigned`.

use http::Method;
use jiff::Timestamp;

use super::answer::Answer;
pub use super::answer::Reply;
use super::condition::Test;
use super::definition_error::DefinitionError;
use super::place::{Place, PlaceError, PointerList};
use super::request::RequestView;
use super::verify::fetched::Hosts;
use super::verify::view::View;
use super::verify::{Refusal, Verifier};
use crate::api::extract::Field;
use crate::api::provider::{Handshake as Written, HandshakeCheck, HandshakeMethod};
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
    /// What must equal a secret, and that secret's purpose.
    check: Option<(Place, String)>,
    /// Where the signing secret stands that arrives with it.
    capture: Option<Place>,
    /// Where a URL stands that is fetched once to confirm, and the hosts that it may lead to.
    confirm: Option<(Place, Hosts)>,
    respond: Answer,
    pointers: Pointers,
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
    /// Compiles a handshake; `path` is where it stands in the definition.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(written: &Written, path: &str) -> Result<Self, DefinitionError> {
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
        if confirm.is_some() && written.unsigned {
            return Err(at("confirm")(
                "a URL is fetched only for a request that is proven: leave unsigned out".to_owned(),
            ));
        }
        let (pointers, _) = list.compile().map_err(at("when"))?;
        let method = match written.method {
            Some(HandshakeMethod::GET) => Method::GET,
            Some(HandshakeMethod::HEAD) => Method::HEAD,
            Some(HandshakeMethod::OPTIONS) => Method::OPTIONS,
            Some(HandshakeMethod::POST) | None => Method::POST,
        };
        // Without a condition every event of the vendor would be swallowed.
        if method == Method::POST && written.when.is_empty() {
            return Err(at("when")("a POST handshake needs a condition: it would answer every event".to_owned()));
        }
        if written.encrypted && written.unsigned && check.is_none() {
            return Err(at("check")(
                "what is encrypted and not signed is answered only to whoever knows a secret: write check".to_owned(),
            ));
        }
        Ok(Self {
            method,
            unsigned: written.unsigned,
            encrypted: written.encrypted,
            when,
            check,
            capture,
            confirm,
            respond,
            pointers,
        })
    }

    /// The purpose that its check knows.
    pub fn purpose(&self) -> Option<&str> {
        self.check.as_ref().map(|(_, purpose)| purpose.as_str())
    }

    /// Whether the request is this handshake, authentic or not.
    pub fn is(&self, request: &RequestView<'_>) -> bool {
        let view = View::new(*request, None, &self.pointers);
        self.method == *request.head.method && self.when.iter().all(|test| test.holds(&view))
    }

    /// Answers the request, which is this handshake.
    pub fn answer(&self, request: &RequestView<'_>, verifier: &Verifier, now: Timestamp) -> Shake {
        let view = View::new(*request, None, &self.pointers);
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
        let view = View::new(*request, None, &self.pointers);
        let Ok(Some(Effect::Capture(secret))) = self.effect(&view) else {
            return Shake::Refused(Refusal::Malformed);
        };
        match verifier.verify_under(&secret, request, now) {
            Ok(()) => self.replied(&view, verifier, Some(Effect::Capture(secret)), now),
            Err(refusal) => Shake::Refused(refusal),
        }
    }

    fn replied(&self, view: &View<'_>, verifier: &Verifier, effect: Option<Effect>, now: Timestamp) -> Shake {
        match self.respond.fill(view, &|challenge| verifier.tag(challenge, now)) {
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
