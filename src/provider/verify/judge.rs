//! The interpreter: every scheme of an alternative must hold. All keys are tried, in constant time, with no early exit.

mod sent;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::content::{Context, VARIANTS};
use super::fetched::{FetchedKeys, Named, NothingFetched, Wanted};
use super::jws::Protected;
use super::keys::{Hash, Key, Material};
use super::observe::{Observer, tell};
use super::public_key::Hashed;
use super::refusal::Refusal;
use super::scheme::{Each, Scheme, SchemeKind};
use super::signature::{Found, Signature};
use super::signed::Signed;
use super::view::View;
use super::{Alternative, Ready, Verifier};
use crate::api::scheme::Encoding;
use crate::json;
use crate::provider::event::MAX_ITEMS;
use crate::provider::place::Place;
use crate::provider::request::RequestView;
use crate::provider::time;

/// Judges one alternative.
pub(super) fn all<O: Observer>(
    verifier: &Verifier,
    alternative: &Alternative,
    request: &RequestView<'_>,
    now: Timestamp,
    fetched: &dyn FetchedKeys,
    observer: &mut O,
) -> Result<(), Refusal> {
    let document = document(verifier, &alternative.schemes, request);
    for ready in &alternative.schemes {
        let url = verifier.external_url.as_deref();
        let judge = Judge { verifier, ready, now, fetched };
        let held = match &ready.scheme.each {
            None => judge.one(&View::of_item(*request, url, &ready.scheme.pointers, &document), observer),
            Some(each) => judge.items(request, url, &document, each, observer),
        };
        if let Err(refusal) = held {
            tell(observer, "verdict", Some(false), || format!("{}: {refusal}", name(&ready.scheme)));
            return Err(refusal);
        }
        tell(observer, "verdict", Some(true), || format!("{} holds", name(&ready.scheme)));
    }
    Ok(())
}

/// What the pointers of schemes lead into: the body, or the document that it carries.
fn document<'r>(verifier: &Verifier, schemes: &[Ready], request: &RequestView<'r>) -> Cow<'r, [u8]> {
    let inside = |ready: &Ready| ready.scheme.each.is_some() || !ready.scheme.pointers.is_empty();
    if !schemes.iter().any(inside) {
        return Cow::Borrowed(request.body);
    }
    let wanted = |ready: &Ready, name: &str| ready.scheme.each.is_some() || ready.scheme.pointers.leads_into(name);
    verifier.common.carrier.document(request, &|name| schemes.iter().any(|ready| wanted(ready, name)))
}

fn name(scheme: &Scheme) -> &'static str {
    match &scheme.kind {
        SchemeKind::Hash(hash) if hash.keyed => "hmac",
        SchemeKind::Hash(_) => "digest",
        SchemeKind::PublicKey(_) => "publicKey",
        SchemeKind::Jwt(..) => "jwt",
        SchemeKind::Token { .. } => "token",
        SchemeKind::Basic => "basic",
        SchemeKind::Unproven => "none",
    }
}

struct Judge<'j> {
    verifier: &'j Verifier,
    ready: &'j Ready,
    now: Timestamp,
    fetched: &'j dyn FetchedKeys,
}

/// The key that a request needs of a scheme that fetches, whether or not it is at hand.
pub(super) fn wanted(verifier: &Verifier, ready: &Ready, request: &RequestView<'_>, now: Timestamp) -> Option<Wanted> {
    let judge = Judge { verifier, ready, now, fetched: &NothingFetched };
    let document = document(verifier, std::slice::from_ref(ready), request);
    let view = View::of_item(*request, verifier.external_url.as_deref(), &ready.scheme.pointers, &document);
    if !ready.scheme.require.iter().all(|requirement| requirement.holds(&view)) {
        return None;
    }
    if judge.addressed(&view) { judge.wanted(&view) } else { None }
}

impl Judge<'_> {
    /// The scheme over each item of a list. An empty list proves nothing and is refused.
    fn items<O: Observer>(
        &self,
        request: &RequestView<'_>,
        url: Option<&str>,
        document: &[u8],
        each: &Each,
        observer: &mut O,
    ) -> Result<(), Refusal> {
        let captured = each.list.capture(document).map_err(|_| Refusal::Malformed)?;
        let list = captured.get(0).ok_or(Refusal::Missing)?;
        let Ok(Some((items, received))) = json::elements(list.get(), MAX_ITEMS) else {
            return Err(Refusal::Malformed);
        };
        if items.is_empty() || received > items.len() {
            return Err(Refusal::Missing);
        }
        for item in items {
            let inner = match &each.item {
                None => item,
                Some(pointer) => {
                    let captured = pointer.capture(item.get().as_bytes()).map_err(|_| Refusal::Malformed)?;
                    captured.get(0).ok_or(Refusal::Missing)?
                }
            };
            self.one(&View::of_item(*request, url, &self.ready.scheme.pointers, inner.get().as_bytes()), observer)?;
        }
        Ok(())
    }

    fn one<O: Observer>(&self, view: &View<'_>, observer: &mut O) -> Result<(), Refusal> {
        for requirement in &self.ready.scheme.require {
            let holds = requirement.holds(view);
            tell(observer, "condition", Some(holds), || requirement.shown(&self.ready.scheme.pointer_texts));
            if !holds {
                return Err(Refusal::NotApplicable);
            }
        }
        if let Some(addressee) = &self.ready.scheme.addressee {
            let ours = self.addressed(view);
            tell(observer, "addressee", Some(ours), || {
                format!("what the proof covers must say what parameters.{} says", addressee.parameter)
            });
            if !ours {
                return Err(Refusal::Addressee);
            }
        }
        match &self.ready.scheme.kind {
            SchemeKind::Unproven => Ok(()),
            SchemeKind::Basic => self.basic(view, observer),
            SchemeKind::Token { place, prefix } => self.token(view, place, prefix.as_deref(), observer),
            SchemeKind::Jwt(..) => self.jwt(view, observer),
            SchemeKind::Hash(hash) => {
                if let Some(bind) = &hash.bind_query {
                    let expected = super::signature::bound_query(bind, view.request().body);
                    let bound = view.parameter(&bind.name).ok_or(Refusal::Missing)?;
                    let same = match bind.encoding {
                        Encoding::Hex => bound.to_ascii_lowercase().as_bytes().ct_eq(expected.as_bytes()),
                        Encoding::Base64 | Encoding::Base64URL => bound.as_bytes().ct_eq(expected.as_bytes()),
                    };
                    if !bool::from(same) {
                        return Err(Refusal::BoundPart);
                    }
                }
                self.signed(view, observer, |signed, key, found, stamp, variant| {
                    let tag = match &key.material {
                        Material::Mac(state, held) => {
                            let mut mac = (**state).clone();
                            let context = Context {
                                timestamp: stamp,
                                secret: held.as_ref().map_or(&[], |secret| secret.expose()),
                                signature: &signed.signature,
                                variant,
                            };
                            signed.content.feed(view, &context, &mut |bytes| mac.update(bytes))?;
                            mac.finish()
                        }
                        Material::Secret(secret) => {
                            let mut state = Hash::new(hash.algorithm);
                            let context = Context {
                                timestamp: stamp,
                                secret: secret.expose(),
                                signature: &signed.signature,
                                variant,
                            };
                            signed.content.feed(view, &context, &mut |bytes| state.update(bytes))?;
                            state.finish()
                        }
                        _ => return None,
                    };
                    Some(found.iter().fold(false, |any, signature| any | tag.matches(signature)))
                })
            }
            SchemeKind::PublicKey(public) => {
                // The content is the same for every key, and hashed once for all of them and all signatures.
                let signature = self.ready.signed.as_ref().map(|signed| &signed.signature);
                let protected = match (&public.jws, signature) {
                    (Some(jws), Some(signature)) => {
                        let protected = Protected::find(view, signature)?;
                        if !protected.fits(jws, public.algorithm) {
                            tell(observer, "signature", Some(false), || {
                                "the header of the JSON Web Signature is not what the method wants".to_owned()
                            });
                            return Err(Refusal::Malformed);
                        }
                        Some(protected)
                    }
                    _ => None,
                };
                let kid = protected.as_ref().and_then(|protected| protected.named().kid);
                let contents: [OnceCell<Option<Hashed>>; VARIANTS] = std::array::from_fn(|_| OnceCell::new());
                self.signed(view, observer, |signed, key, found, stamp, variant| {
                    let Material::Public(key) = &key.material else { return None };
                    let content = contents.get(variant)?.get_or_init(|| {
                        let mut content = Vec::with_capacity(view.request().body.len() + 128);
                        let context = Context { timestamp: stamp, secret: &[], signature: &signed.signature, variant };
                        signed.content.feed(view, &context, &mut |bytes| content.extend_from_slice(bytes))?;
                        if let Some(protected) = &protected {
                            content = protected.signing_input(&content);
                        }
                        Some(Hashed::new(content, public.algorithm))
                    });
                    let content = content.as_ref()?;
                    Some(found.iter().any(|signature| content.holds(key, kid, signature)))
                })
            }
        }
    }

    /// Whether the request is for this customer of the vendor: nothing of it is trusted before the proof, but what
    /// is for another need not be proven.
    fn addressed(&self, view: &View<'_>) -> bool {
        let Some(addressee) = &self.ready.scheme.addressee else { return true };
        let mut said = Vec::new();
        let none = Signature::default();
        let context = Context { timestamp: "", secret: &[], signature: &none, variant: 0 };
        let whole = addressee.content.feed(view, &context, &mut |bytes| said.extend_from_slice(bytes));
        whole.is_some() && self.ready.addressee.as_deref().is_some_and(|wanted| wanted.as_bytes() == said)
    }

    fn live(&self) -> impl Iterator<Item = &Key> {
        self.ready.keys.iter().filter(|key| key.live(self.now))
    }

    fn wanted(&self, view: &View<'_>) -> Option<Wanted> {
        let (fetch, fetching) = (self.ready.scheme.fetch()?, self.ready.fetching.as_ref()?);
        let kid = self.ready.jwt.as_ref().and_then(|jwt| jwt.kid(view));
        let protected = match (&self.ready.scheme.kind, &self.ready.signed) {
            (SchemeKind::PublicKey(public), Some(signed)) if public.jws.is_some() => {
                Some(Protected::find(view, &signed.signature).ok()?)
            }
            _ => None,
        };
        let named = protected.as_ref().map_or(Named { kid: kid.as_deref(), jku: None }, Protected::named);
        let secret =
            |purpose: &str| Some(String::from_utf8_lossy(fetching.secrets.get(purpose)?.expose()).into_owned());
        fetch.wanted(view, named, &fetching.parameters, &secret)
    }

    /// The key that the vendor publishes for this request, where it is at hand; `None` for schemes that fetch nothing.
    fn published(&self, view: &View<'_>) -> Option<Result<Key, Refusal>> {
        let (fetch, fetching) = (self.ready.scheme.fetch()?, self.ready.fetching.as_ref()?);
        let Some(wanted) = self.wanted(view) else { return Some(Err(Refusal::Malformed)) };
        let Some(answer) = self.fetched.get(&wanted) else { return Some(Err(Refusal::NotFetched)) };
        let key = |material| Key { label: "the vendor's published key".into(), not_after: None, material };
        if let Some(last) = fetching.last.load().as_deref()
            && Arc::ptr_eq(&last.0, &answer)
        {
            return Some(Ok(key(last.1.clone())));
        }
        let material = match &self.ready.scheme.kind {
            SchemeKind::PublicKey(public) => fetch.public_key(&answer, public.algorithm).map(Material::Public),
            _ => fetch.jwt_key(&answer).map(Material::Jwt),
        };
        let Some(material) = material else { return Some(Err(Refusal::NotFetched)) };
        fetching.last.store(Some(Arc::new((answer, material.clone()))));
        Some(Ok(key(material)))
    }

    /// What hash, MAC and public-key schemes share: signatures, time of signing, every key over every spelling.
    fn signed<O: Observer>(
        &self,
        view: &View<'_>,
        observer: &mut O,
        matches: impl Fn(&Signed, &Key, &Found, &str, usize) -> Option<bool>,
    ) -> Result<(), Refusal> {
        let Some(signed) = &self.ready.signed else { return Err(Refusal::NoKey) };
        if signed.content.needs_form() && view.fields().is_none() {
            tell(observer, "body", Some(false), || "the scheme signs form fields and the body is no form".to_owned());
            return Err(Refusal::NotApplicable);
        }
        let found = signed.signature.find(view);
        tell(observer, "signature", Some(!found.is_empty()), || {
            let n = found.len();
            let shown = |place: &Place| place.shown(&self.ready.scheme.pointer_texts);
            let places = signed.signature.places.iter().map(shown).collect::<Vec<_>>().join(", ");
            if found.present { format!("{n} readable in {places}") } else { format!("nothing in {places}") }
        });
        if found.is_empty() {
            return Err(if found.present { Refusal::Malformed } else { Refusal::Missing });
        }
        let (stamp, at) = match &signed.timestamp {
            None => (String::new(), None),
            Some(wanted) => {
                let tolerance = self.verifier.tolerance.or(wanted.tolerance);
                let found = wanted.find(view, &signed.signature);
                // A time that stands in the content as it is, and that nobody judges, need not be there.
                if found.is_none() && (tolerance.is_some() || signed.content.holds_time()) {
                    tell(observer, "timestamp", Some(false), || "the time of signing is missing".to_owned());
                    return Err(Refusal::Missing);
                }
                let text = found.unwrap_or_default();
                let at = time::read(&text, wanted.unit);
                tell(observer, "timestamp", tolerance.map(|_| at.is_some()), || {
                    let judged = if tolerance.is_some() { "" } else { ", and not judged: no tolerance is set" };
                    format!("{text:?} read as {:?}{judged}", wanted.unit)
                });
                let judged = tolerance.map(|tolerance| at.map(|at| (at, tolerance)).ok_or(Refusal::Malformed));
                (text, judged.transpose()?)
            }
        };
        let published = self.published(view).transpose()?;
        let (mut tried, mut matched) = (false, false);
        for key in self.live().chain(&published) {
            for variant in 0..signed.content.variants() {
                // A content whose parts are not there matches nothing.
                let this = matches(signed, key, &found, &stamp, variant).unwrap_or(false);
                tell(observer, "secret", Some(this), || {
                    format!("{} {}", key.label, if this { "matches" } else { "does not match" })
                });
                matched |= this;
                if this {
                    // The same key over another spelling of the URL could only say so again.
                    break;
                }
            }
            tried = true;
        }
        if O::LISTENS {
            tell_content(view, signed, &stamp, observer);
        }
        match (matched, at) {
            (true, Some((at, tolerance))) if !time::within(at, self.now, tolerance) => {
                tell(observer, "clock", Some(false), || {
                    format!("signed at {at}, judged at {}: more than {} s apart", self.now, tolerance.as_secs())
                });
                Err(Refusal::Stale)
            }
            (true, _) => Ok(()),
            (false, _) => Err(if tried { Refusal::BadSignature } else { Refusal::NoKey }),
        }
    }

    fn jwt<O: Observer>(&self, view: &View<'_>, observer: &mut O) -> Result<(), Refusal> {
        let Some(jwt) = &self.ready.jwt else { return Err(Refusal::NoKey) };
        let published = self.published(view).transpose()?;
        let keys: Vec<_> = self
            .live()
            .chain(&published)
            .filter_map(|key| match &key.material {
                Material::Jwt(jwt) => Some((&*key.label, jwt)),
                _ => None,
            })
            .collect();
        if keys.is_empty() {
            return Err(Refusal::NoKey);
        }
        jwt.verify(view, keys.into_iter(), self.now, &mut |label, matched| {
            tell(observer, "secret", Some(matched), || {
                format!("{label} {}", if matched { "matches" } else { "does not match" })
            });
        })
    }
}

/// Shows the signed bytes, and never a secret among them.
fn tell_content<O: Observer>(view: &View<'_>, signed: &Signed, stamp: &str, observer: &mut O) {
    let mut content = Vec::new();
    let context = Context { timestamp: stamp, secret: b"<secret>", signature: &signed.signature, variant: 0 };
    let whole = signed.content.feed(view, &context, &mut |bytes| content.extend_from_slice(bytes)).is_some();
    tell(observer, "content", Some(whole), || {
        let shown = String::from_utf8_lossy(&content[..content.len().min(512)]).into_owned();
        let more = if content.len() > 512 { " …" } else { "" };
        let order = if signed.content.is_sorted() { " (sorted: the secret may stand elsewhere in it)" } else { "" };
        if whole {
            format!("{} bytes: {shown:?}{more}{order}", content.len())
        } else {
            format!("a part of the content is not in the request; before it: {shown:?}")
        }
    });
}
