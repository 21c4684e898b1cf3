//! `hookgate verify` of handshakes: what would be answered to a request that is none of the vendor's deliveries, and by whose word.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::provider::handshake::{Effect, Handshake, Reply, Shake};
use crate::provider::request::RequestView;
use crate::provider::verify::fetched::NothingFetched;
use crate::provider::verify::observe::Step;
use crate::provider::verify::{Refusal, Verifier};
use crate::provider::{Covers, Provider};

/// What was found of a request.
pub(super) struct Judged {
    /// Why it is not authentic.
    pub refusal: Option<Refusal>,
    /// It is answered although nothing proves it.
    pub unsigned: bool,
    /// What the proof covers.
    pub covers: Covers,
    /// What it would be answered where it is a handshake.
    pub answer: Option<Value>,
}

/// A request that may be a handshake.
pub(super) struct Asked<'a> {
    pub provider: &'a Provider,
    pub verifier: &'a Verifier,
    pub request: &'a RequestView<'a>,
    pub now: Timestamp,
}

impl Asked<'_> {
    /// Judges a handshake that is not proven as deliveries are; `None` where the request is none.
    pub(super) fn alone(&self, steps: &mut Vec<Step>) -> Option<Judged> {
        let handshake = self.provider.handshake(self.request)?;
        if handshake.unsigned {
            steps.push(fact("a handshake that the vendor does not sign: it is answered before any proof"));
            return Some(self.answered(handshake, !handshake.checks(), steps));
        }
        let proven = handshake.proven(self.request, self.verifier, self.now, steps)?;
        steps.push(fact("a handshake with a proof of its own"));
        Some(match proven {
            Ok(()) => self.answered(handshake, false, steps),
            Err(refusal) => refused(refusal),
        })
    }

    /// Judges what the proof of deliveries said of a request: it may be a handshake all the same.
    pub(super) fn after(&self, refusal: Option<&Refusal>, steps: &mut Vec<Step>) -> Option<Judged> {
        if let Some(refusal) = refusal {
            let sealed = || self.provider.sealed_handshake(self.verifier, self.request, self.now);
            let shake = sealed().filter(|_| *refusal == Refusal::Missing)?;
            steps.push(fact("an encrypted handshake that the vendor does not sign: a secret of yours stands in it"));
            return Some(told(&shake, false, steps));
        }
        let body = Bytes::copy_from_slice(self.request.body);
        let verified = self.verifier.prove(self.request.head, &body, self.now, &NothingFetched).ok()?;
        let inside = RequestView { head: self.request.head, body: verified.body() };
        let opened = verified.body().as_ptr() != body.as_ptr();
        let handshake = match opened {
            true => self.provider.handshake_inside(&inside),
            false => self.provider.handshake(self.request),
        }?;
        steps.push(fact("a handshake, and proven as deliveries are"));
        let judged = told(&handshake.answer(&inside, self.verifier, self.now), false, steps);
        Some(Judged { covers: verified.proof().coverage().covers(), ..judged })
    }

    fn answered(&self, handshake: &Handshake, unsigned: bool, steps: &mut Vec<Step>) -> Judged {
        told(&handshake.answer(self.request, self.verifier, self.now), unsigned, steps)
    }
}

fn told(shake: &Shake, unsigned: bool, steps: &mut Vec<Step>) -> Judged {
    match shake {
        Shake::Refused(refusal) => {
            steps.push(Step { step: "handshake", ok: Some(false), detail: format!("refused: {refusal}") });
            refused(*refusal)
        }
        Shake::Answer(reply, effect) => {
            let first = match effect {
                None => "",
                Some(Effect::Capture(_)) => "once its secret is written to captureSecretRef, ",
                Some(Effect::Confirm(_)) => "once its URL is fetched, ",
            };
            steps.push(Step { step: "handshake", ok: Some(true), detail: format!("{first}answered {}", shown(reply)) });
            Judged { refusal: None, unsigned, covers: Covers::None, answer: Some(written(reply)) }
        }
    }
}

fn fact(detail: &str) -> Step {
    Step { step: "handshake", ok: None, detail: detail.to_owned() }
}

fn refused(refusal: Refusal) -> Judged {
    Judged { refusal: Some(refusal), unsigned: false, covers: Covers::None, answer: None }
}

fn media_type(reply: &Reply) -> Option<&str> {
    reply.headers.get(CONTENT_TYPE)?.to_str().ok()
}

fn shown(reply: &Reply) -> String {
    let body = String::from_utf8_lossy(&reply.body);
    let status = reply.status.as_u16();
    match media_type(reply) {
        Some(media_type) => format!("{status} as {media_type}: {body}"),
        None => format!("{status} without a body"),
    }
}

fn written(reply: &Reply) -> Value {
    json!({"status": reply.status.as_u16(), "contentType": media_type(reply), "body": String::from_utf8_lossy(&reply.body)})
}
