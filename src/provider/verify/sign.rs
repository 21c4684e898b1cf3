//! The same schemes run backwards: a request signed exactly as its vendor would, for `hookgate send` and the tests.

mod body;
mod draft;
mod token;

use std::borrow::Cow;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::content::Context;
use super::jws::{Protected, algorithm_name};
use super::key_text;
use super::keys::{Hash, KeyRef, Mac};
use super::method::written;
use super::scheme::{PublicKeyScheme, Scheme, SchemeKind};
use super::sealed::Sealed;
use super::signature::bound_query;
use super::signed::Signed;
use super::view::View;
use super::{Given, Method, PASSWORD, USERNAME};
use crate::api::scheme::PublicKeyAlgorithm;
use crate::provider::Coverage;
use crate::provider::condition::Test;
use crate::provider::decode::Carrier;
use crate::provider::place::Place;
use crate::secret::{SecretBytes, has_ended};

pub use draft::{Draft, RequestParts};

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The method cannot be run backwards with what is at hand.
    #[error("{0}")]
    Cannot(String),
}

fn cannot<T>(text: impl Into<String>) -> Result<T, SignError> {
    Err(SignError::Cannot(text.into()))
}

impl Method {
    /// Signs a draft with a source's secrets, at that time. Public-key schemes need the private key in `private`:
    /// PKCS#8 in PEM.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn sign(
        &self,
        draft: &mut Draft,
        given: &Given<'_>,
        private: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(), SignError> {
        // What the first alternative lacks is told: a test delivery is made for that one.
        let mut first = None;
        for schemes in &self.alternatives {
            let wanted: Vec<_> = schemes.iter().filter(|s| !s.optional || written(s, given.keys)).collect();
            let mut attempt = draft.clone();
            let carrier = &self.common.carrier;
            let mut signer = Signer { draft: &mut attempt, given, private, now, carrier, item: None };
            if let Some(sealed) = &self.sealed {
                signer.seal(sealed)?;
            }
            match wanted.iter().try_for_each(|scheme| signer.scheme(scheme)) {
                Ok(()) => {
                    *draft = attempt;
                    return Ok(());
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        let none = || SignError::Cannot(format!("method {:?} has no alternative for these secretRefs", self.name));
        Err(first.unwrap_or_else(none))
    }
}

struct Signer<'s> {
    draft: &'s mut Draft,
    given: &'s Given<'s>,
    private: Option<&'s [u8]>,
    now: Timestamp,
    /// How the body carries the document that pointers lead into.
    carrier: &'s Carrier,
    /// The item that is proven by itself.
    item: Option<Vec<u8>>,
}

fn covers_body(scheme: &Scheme) -> bool {
    let mut coverage = Coverage::default();
    scheme.cover(&mut coverage);
    coverage.body
}

/// What stands beside the signature: the time, and what else of it is signed.
fn parts<'p>(signed: &'p Signed, stamp: &'p str) -> Vec<(Option<&'p str>, Option<usize>, &'p str)> {
    let time = signed.timestamp.iter().filter(|time| time.place.is_none());
    let time = time.map(|time| (time.key.as_deref(), time.index, stamp));
    time.chain(signed.content.named().into_iter().map(|(key, value)| (Some(key), None, value))).collect()
}

impl Signer<'_> {
    /// The draft as a scheme sees it.
    fn with<T>(&self, scheme: &Scheme, look: impl FnOnce(&View<'_>) -> T) -> T {
        let parts = RequestParts::of(self.draft, self.now);
        let request = parts.request();
        let document = match &self.item {
            Some(item) => Cow::Borrowed(item.as_slice()),
            None => self.carrier.document(&request, &|name| scheme.pointers.leads_into(name)),
        };
        look(&View::of_item(request, self.given.external_url, &scheme.pointers, &document))
    }

    /// Encrypts the body.
    fn seal(&mut self, sealed: &Sealed) -> Result<(), SignError> {
        let Some(key) = self.key(sealed.purpose.as_deref()).and_then(|key| key.value.clone()) else {
            return cannot("no secretRef that encrypts has a live value");
        };
        let addressee = match sealed.parameter().map(|name| (name, self.given.parameters.get(name))) {
            Some((name, None)) => {
                return cannot(format!("parameters.{name} is missing: deliveries are encrypted for it"));
            }
            named => named.and_then(|(_, value)| value).map(String::as_str),
        };
        let Some(text) = sealed.seal(&key, addressee, &self.draft.body) else {
            return cannot("the body could not be encrypted: is the secret a key of this provider's?");
        };
        self.draft.body = self.carrier.holding(sealed.member(), &text, &mut self.draft.headers).into();
        Ok(())
    }

    fn scheme(&mut self, scheme: &Scheme) -> Result<(), SignError> {
        match &scheme.each {
            Some(each) => self.each(each, scheme),
            None => self.prove(scheme),
        }
    }

    fn prove(&mut self, scheme: &Scheme) -> Result<(), SignError> {
        for requirement in &scheme.require {
            self.satisfy(requirement, scheme)?;
        }
        match &scheme.kind {
            SchemeKind::Unproven => Ok(()),
            SchemeKind::Basic => {
                let value = |purpose| self.key(Some(purpose)).and_then(|key| key.value.clone());
                let (Some(user), Some(password)) = (value(USERNAME), value(PASSWORD)) else {
                    return cannot("the secretRefs of purpose username and password have no value");
                };
                let pair = [user.expose(), b":", password.expose()].concat();
                self.header(&AUTHORIZATION, &format!("Basic {}", STANDARD.encode(pair)))
            }
            SchemeKind::Token { place, prefix } => {
                let secret = self.secret(scheme)?;
                let token =
                    format!("{}{}", prefix.as_deref().unwrap_or_default(), String::from_utf8_lossy(secret.expose()));
                self.put(place, scheme, &token)
            }
            SchemeKind::Jwt(jwt, _) => self.jwt(scheme, jwt),
            SchemeKind::Hash(hash) => {
                let secret = self.secret(scheme)?;
                if let Some(bind) = &hash.bind_query {
                    let value = bound_query(bind, &self.draft.body);
                    self.query(&bind.name, &value);
                }
                let stamp = self.stamp(scheme, &hash.signed)?;
                let content = self.content(scheme, &hash.signed, &stamp, secret.expose())?;
                let tag = if hash.keyed {
                    let key = key_text::decode(secret.expose(), hash.key_encoding, hash.key_prefix.as_deref());
                    let key = key.map_err(|reason| SignError::Cannot(format!("the secret {reason}")))?;
                    let Some(mut mac) = Mac::new(hash.algorithm, &key) else { return cannot("the secret is no key") };
                    mac.update(&content);
                    mac.finish()
                } else {
                    let mut state = Hash::new(hash.algorithm);
                    state.update(&content);
                    state.finish()
                };
                self.attach(scheme, &hash.signed, tag.as_slice(), &stamp)
            }
            SchemeKind::PublicKey(public) => {
                let stamp = self.stamp(scheme, &public.signed)?;
                let protected = self.protected(scheme, public)?;
                let mut content = self.content(scheme, &public.signed, &stamp, &[])?;
                if let Some(protected) = protected {
                    content = protected.signing_input(&content);
                }
                let signature = self.public(public, &content)?;
                self.attach(scheme, &public.signed, &signature, &stamp)
            }
        }
    }

    fn satisfy(&mut self, requirement: &Test, scheme: &Scheme) -> Result<(), SignError> {
        if self.with(scheme, |view| requirement.holds(view)) {
            return Ok(());
        }
        match (&requirement.place, &requirement.equals, requirement.absent) {
            (place @ (Place::Header(_) | Place::Query(_)), Some(value), false) => self.put(place, scheme, value),
            _ => cannot(format!("{}: give data that says so", requirement.shown(&scheme.pointer_texts))),
        }
    }

    fn key(&self, purpose: Option<&str>) -> Option<&KeyRef> {
        let live = |key: &&KeyRef| !has_ended(key.not_after, self.now);
        self.given.keys.iter().filter(live).find(|key| key.purpose.as_deref() == purpose && key.value.is_some())
    }

    fn secret(&self, scheme: &Scheme) -> Result<SecretBytes, SignError> {
        match self.key(scheme.purpose.as_deref()).and_then(|key| key.value.clone()) {
            Some(value) => Ok(value),
            None => cannot("no secretRef of this method has a live value"),
        }
    }

    /// Writes the time of signing where it has a place of its own.
    fn stamp(&mut self, scheme: &Scheme, signed: &Signed) -> Result<String, SignError> {
        let Some(wanted) = &signed.timestamp else { return Ok(String::new()) };
        let text = crate::provider::time::write(self.now, wanted.unit);
        match &wanted.place {
            None => {}
            // The body says when it was signed.
            Some(place @ (Place::Pointer(_) | Place::Form(_))) => {
                if let Some(text) = self.with(scheme, |view| wanted.find(view, &signed.signature)) {
                    return Ok(text);
                }
                self.put(place, scheme, &text)?;
            }
            Some(Place::Query(name)) if self.has_parameter(name) => {
                return match self.with(scheme, |view| wanted.find(view, &signed.signature)) {
                    Some(text) => Ok(text),
                    None => cannot("the query holds the time of signing twice"),
                };
            }
            Some(place) => self.put(place, scheme, &text)?,
        }
        Ok(text)
    }

    fn content(&mut self, scheme: &Scheme, signed: &Signed, stamp: &str, secret: &[u8]) -> Result<Vec<u8>, SignError> {
        let signed = signed.with(self.given.parameters);
        for name in signed.content.headers() {
            if !self.draft.headers.contains_key(&name) {
                self.header(&name, "hookgate-test")?;
            }
        }
        for (list, must) in signed.content.header_lists() {
            let listed = [Some(&CONTENT_TYPE), must].into_iter().flatten().map(HeaderName::as_str);
            self.header(list, &listed.collect::<Vec<_>>().join(","))?;
        }
        for name in signed.content.queries() {
            if !self.has_parameter(name) {
                self.query(name, "hookgate-test");
            }
        }
        // What the signature's header says beside the signature is signed, and so stands there before.
        if let (false, Some(place)) = (signed.content.named().is_empty(), signed.signature.places.first()) {
            self.put(place, scheme, &signed.signature.write(b"", &parts(&signed, stamp)))?;
        }
        let mut content = Vec::new();
        let context = Context { timestamp: stamp, secret, signature: &signed.signature, variant: 0 };
        let mut sink = |bytes: &[u8]| content.extend_from_slice(bytes);
        match self.with(scheme, |view| signed.content.feed(view, &context, &mut sink)) {
            Some(()) => Ok(content),
            None => cannot(
                "a part of what the method signs is not in the request: give data that has it, and verification.externalURL where the URL is signed",
            ),
        }
    }

    /// Writes the header of a detached JSON Web Signature, which the content reads.
    fn protected(&mut self, scheme: &Scheme, public: &PublicKeyScheme) -> Result<Option<Protected>, SignError> {
        let (Some(jws), Some(place)) = (&public.jws, public.signed.signature.places.first()) else { return Ok(None) };
        let mut header = Map::new();
        header.insert("alg".into(), algorithm_name(public.algorithm).unwrap_or_default().into());
        header.insert("kid".into(), "hookgate-test".into());
        let members = jws.members.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
        header.extend(members);
        for (member, must) in public.signed.content.listed_headers() {
            header.insert(member.to_owned(), must.map(HeaderName::as_str).unwrap_or_default().into());
        }
        let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        self.put(place, scheme, &format!("{header}..AA"))?;
        match self.with(scheme, |view| Protected::find(view, &public.signed.signature)) {
            Ok(protected) => Ok(Some(protected)),
            Err(refusal) => cannot(refusal.to_string()),
        }
    }

    fn attach(&mut self, scheme: &Scheme, signed: &Signed, signature: &[u8], stamp: &str) -> Result<(), SignError> {
        let mut parts = parts(signed, stamp);
        let header = self.jws_header(scheme, signed);
        if let Some(header) = &header {
            parts.extend([(None, Some(0), header.as_str()), (None, Some(1), "")]);
        }
        let value = signed.with(self.given.parameters).signature.write(signature, &parts);
        match signed.signature.places.first() {
            Some(place @ (Place::Header(_) | Place::Query(_))) => self.put(place, scheme, &value),
            // What signs fields by their names says nothing of the one that this adds.
            Some(place @ (Place::Form(_) | Place::Pointer(_))) if !covers_body(scheme) => {
                self.put(place, scheme, &value)
            }
            _ => cannot("this method carries its signature inside the body: give a signed body"),
        }
    }

    /// The header that was written of a detached JSON Web Signature.
    fn jws_header(&self, scheme: &Scheme, signed: &Signed) -> Option<String> {
        let SchemeKind::PublicKey(public) = &scheme.kind else { return None };
        public.jws.as_ref()?;
        self.with(scheme, |view| signed.signature.part(view, None, Some(0)))
    }

    fn put(&mut self, place: &Place, scheme: &Scheme, value: &str) -> Result<(), SignError> {
        match place {
            Place::Header(name) => self.header(name, value),
            Place::Query(name) => {
                self.query(name, value);
                Ok(())
            }
            Place::Fixed(_) => Ok(()),
            Place::Pointer(index) | Place::Envelope(index) => self.member(&scheme.pointer_texts[*index], value),
            Place::Form(name) => {
                let mut form = String::from_utf8_lossy(&self.draft.body).into_owned();
                let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
                form = if form.is_empty() { pair } else { format!("{form}&{pair}") };
                self.draft.body = form.into();
                self.header(&CONTENT_TYPE, "application/x-www-form-urlencoded")
            }
        }
    }

    fn has_parameter(&self, name: &str) -> bool {
        let query = self.draft.query.as_deref().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).any(|(known, _)| known == name)
    }

    fn query(&mut self, name: &str, value: &str) {
        let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        self.draft.query = Some(match self.draft.query.take() {
            Some(query) if !query.is_empty() => format!("{query}&{pair}"),
            _ => pair,
        });
    }

    fn header(&mut self, name: &HeaderName, value: &str) -> Result<(), SignError> {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.draft.headers.insert(name, value);
                Ok(())
            }
            Err(_) => cannot(format!("the value of {name} cannot stand in a header")),
        }
    }

    fn public(&self, public: &PublicKeyScheme, content: &[u8]) -> Result<Vec<u8>, SignError> {
        let Some(pem) = self.private else {
            return cannot(
                "the vendor signs with a private key, which only the vendor has: give one of your own with --private-key (PKCS#8 in PEM) whose public key the secretRef holds",
            );
        };
        let wrong = || SignError::Cannot("--private-key is no PKCS#8 key in PEM of the method's algorithm".to_owned());
        let text = std::str::from_utf8(pem).map_err(|_| wrong())?;
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = STANDARD.decode(body).map_err(|_| wrong())?;
        let random = SystemRandom::new();
        match public.algorithm {
            PublicKeyAlgorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| wrong())?;
                Ok(pair.sign(content).as_ref().to_vec())
            }
            PublicKeyAlgorithm::EcdsaP256Sha256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).map_err(|_| wrong())?;
                pair.sign(&random, content).map(|s| s.as_ref().to_vec()).map_err(|_| wrong())
            }
            PublicKeyAlgorithm::EcdsaP521Sha512 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &der).map_err(|_| wrong())?;
                pair.sign(&random, content).map(|s| s.as_ref().to_vec()).map_err(|_| wrong())
            }
            PublicKeyAlgorithm::RsaSha256 => {
                let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| wrong())?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, content, &mut signature).map_err(|_| wrong())?;
                Ok(signature)
            }
            PublicKeyAlgorithm::RsaSha1 => cannot("RSA with SHA-1 is verified for old vendors and never made"),
        }
    }
}
