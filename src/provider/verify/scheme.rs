//! One scheme of a definition, compiled: places resolved, templates parsed, JSON pointers collected. Holds no key.

use std::collections::BTreeSet;

use http::HeaderName;

use super::content::Content;
use super::fetched::Fetch;
use super::jws::{Jws, algorithm_name};
use super::jwt::{self, JwtScheme};
use super::signed::{Signed, signed};
use crate::api::scheme::{
    BindQuery, BoundPart, HashAlgorithm, KeyEncoding, KeyFormat, PublicKeyAlgorithm, Scheme as Written,
};
use crate::api::{duration::DurationString, scheme};
use crate::json::Pointers;
use crate::provider::Coverage;
use crate::provider::condition::Test;
use crate::provider::place::{Place, PointerList};
use crate::template;

/// A compiled scheme.
#[derive(Debug)]
pub(crate) struct Scheme {
    /// Which secretRefs hold its keys.
    pub purpose: Option<String>,
    /// It must hold only where the source names a secretRef of its purpose.
    pub optional: bool,
    /// What the request must say for it to be tried.
    pub require: Vec<Test>,
    /// What names the customer among those for whom the vendor's key signs.
    pub addressee: Option<Addressee>,
    /// The list whose items are proven one by one: indices into `pointers` and `item_pointers` do not mix.
    pub each: Option<Each>,
    /// What it computes.
    pub kind: SchemeKind,
    /// JSON pointers into the body, or into an item where `each` is set.
    pub pointers: Pointers,
    /// Their text, for coverage.
    pub pointer_texts: Vec<String>,
    /// Parameters that it reads, whether or not it fetches its keys.
    pub parameters: BTreeSet<String>,
}

/// Parts of the request that must equal a parameter of the source.
#[derive(Clone, Debug)]
pub(crate) struct Addressee {
    /// The parts.
    pub content: Content,
    /// The parameter's name.
    pub parameter: String,
}

/// A list whose items are proven one by one.
#[derive(Debug)]
pub(crate) struct Each {
    /// Finds the list.
    pub list: Pointers,
    /// Finds the proven object inside an item.
    pub item: Option<Pointers>,
    /// The pointers of both, as they are written; empty: the whole.
    pub list_text: String,
    pub item_text: String,
}

/// What a scheme computes.
#[derive(Debug)]
pub(crate) enum SchemeKind {
    /// `hmac` and `digest`.
    Hash(Box<HashScheme>),
    /// `publicKey`.
    PublicKey(Box<PublicKeyScheme>),
    /// `jwt`, and where its keys come from without a secretRef.
    Jwt(Box<JwtScheme>, Option<Fetch>),
    /// `token`.
    Token {
        /// Where it stands.
        place: Place,
        /// Text before it.
        prefix: Option<String>,
    },
    /// `basic`.
    Basic,
    /// `none`.
    Unproven,
}

/// A compiled `hmac` or `digest`.
#[derive(Clone, Debug)]
pub(crate) struct HashScheme {
    /// The hash function.
    pub algorithm: HashAlgorithm,
    /// Keyed (`hmac`) or not (`digest`).
    pub keyed: bool,
    /// How the secret becomes the key.
    pub key_encoding: KeyEncoding,
    /// Text removed from the front of the secret.
    pub key_prefix: Option<String>,
    /// What is signed, and when.
    pub signed: Signed,
    /// A query parameter that holds a hash of the body.
    pub bind_query: Option<BindQuery>,
}

/// A compiled `publicKey`.
#[derive(Clone, Debug)]
pub(crate) struct PublicKeyScheme {
    /// The algorithm.
    pub algorithm: PublicKeyAlgorithm,
    /// How the key is written.
    pub format: KeyFormat,
    /// How its text becomes bytes.
    pub key_encoding: KeyEncoding,
    /// Text removed from the front of the key.
    pub key_prefix: Option<String>,
    /// What is signed, and when.
    pub signed: Signed,
    /// The content is the payload of a detached JSON Web Signature.
    pub jws: Option<Jws>,
    /// Where the key comes from without a secretRef.
    pub fetch: Option<Fetch>,
}

impl Scheme {
    /// Compiles one scheme of a definition.
    ///
    /// # Errors
    /// Pairs of the field below the scheme and what is wrong with it.
    pub(crate) fn compile(written: &Written) -> Result<Self, (String, String)> {
        let at = |field: &'static str| move |reason: String| (field.to_owned(), reason);
        let mut list = PointerList::default();
        let mut parameters = BTreeSet::new();
        let require = written
            .require
            .iter()
            .map(|condition| Test::compile(condition, &mut list))
            .collect::<Result<_, _>>()
            .map_err(|error| at("require")(error.to_string()))?;
        let kind = if let Some(hmac) = &written.hmac {
            let signed =
                signed(&hmac.signature, (&hmac.content, false), hmac.timestamp.as_ref(), &mut list, &mut parameters);
            SchemeKind::Hash(Box::new(HashScheme {
                algorithm: hmac.algorithm,
                keyed: true,
                key_encoding: hmac.key_encoding.unwrap_or_default(),
                key_prefix: hmac.key_prefix.clone(),
                signed: signed.map_err(|(field, reason)| (format!("hmac.{field}"), reason))?,
                bind_query: hmac.bind_query.clone(),
            }))
        } else if let Some(digest) = &written.digest {
            let signed = signed(
                &digest.signature,
                (&digest.content, digest.sorted),
                digest.timestamp.as_ref(),
                &mut list,
                &mut parameters,
            );
            let signed = signed.map_err(|(field, reason)| (format!("digest.{field}"), reason))?;
            if !signed.content.holds_secret() {
                return Err(("digest.content".into(), "a hash without {secret} proves nothing".into()));
            }
            SchemeKind::Hash(Box::new(HashScheme {
                algorithm: digest.algorithm,
                keyed: false,
                key_encoding: KeyEncoding::UTF8,
                key_prefix: None,
                signed,
                bind_query: None,
            }))
        } else if let Some(public) = &written.public_key {
            if let Some(encoding @ (KeyEncoding::NFKD | KeyEncoding::SHA1)) = public.key_encoding {
                let reason = format!("{encoding:?} makes keys of shared secrets, and this is a public key");
                return Err(("publicKey.keyEncoding".into(), reason));
            }
            let signed = signed(
                &public.signature,
                (&public.content, false),
                public.timestamp.as_ref(),
                &mut list,
                &mut parameters,
            );
            let signed = signed.map_err(|(field, reason)| (format!("publicKey.{field}"), reason))?;
            let jws = public.jws.as_ref().map(|jws| Jws {
                members: jws.header.iter().map(|claim| (claim.name.clone(), claim.equals.clone())).collect(),
            });
            if jws.is_some() && algorithm_name(public.algorithm).is_none() {
                return Err(("publicKey.algorithm".into(), "has no name in a JSON Web Signature".into()));
            }
            if jws.is_none() && !signed.content.listed_headers().is_empty() {
                return Err(("publicKey.content".into(), "{jws-header-lines:…} needs jws".into()));
            }
            SchemeKind::PublicKey(Box::new(PublicKeyScheme {
                algorithm: public.algorithm,
                format: public.format.unwrap_or_default(),
                key_encoding: public.key_encoding.unwrap_or_default(),
                key_prefix: public.key_prefix.clone(),
                signed,
                jws,
                fetch: fetch(public.fetch.as_ref(), &mut list).map_err(at("publicKey.fetch"))?,
            }))
        } else if let Some(token) = &written.jwt {
            let fetch = fetch(token.fetch.as_ref(), &mut list).map_err(at("jwt.fetch"))?;
            let jwt = jwt_scheme(token, &mut parameters)?;
            parameters.extend(jwt.parameters().map(str::to_owned));
            SchemeKind::Jwt(Box::new(jwt), fetch)
        } else if let Some(token) = &written.token {
            let place = Place::compile(token, &mut list).map_err(|error| at("token")(error.to_string()))?;
            SchemeKind::Token { place, prefix: token.prefix.clone() }
        } else if written.basic.is_some() {
            SchemeKind::Basic
        } else if written.none.is_some() {
            SchemeKind::Unproven
        } else {
            return Err((
                String::new(),
                "names no scheme: write one of hmac, digest, publicKey, jwt, token, basic or none".into(),
            ));
        };
        let named = matches!(&kind, SchemeKind::PublicKey(public) if public.jws.is_some());
        let jku = [
            written.public_key.as_ref().and_then(|public| public.fetch.as_ref()),
            written.jwt.as_ref().and_then(|jwt| jwt.fetch.as_ref()),
        ];
        if !named && jku.into_iter().flatten().any(|fetch| !fetch.jku.is_empty()) {
            return Err((
                "publicKey.fetch.jku".into(),
                "is named by a detached signature: it needs publicKey.jws".into(),
            ));
        }
        let each = written.each.as_ref().map(each).transpose().map_err(at("each"))?;
        let addressee = match &written.addressee {
            None => None,
            Some(written) => {
                let compiled = Content::compile(&written.content, &mut |pointer| list.index(pointer));
                let (content, unused) = compiled.map_err(at("addressee.content"))?;
                if !unused.is_empty() {
                    return Err(("addressee.content".into(), "must hold parts of the request alone".into()));
                }
                parameters.insert(written.parameter.clone());
                Some(Addressee { content, parameter: written.parameter.clone() })
            }
        };
        let (pointers, pointer_texts) = list.compile().map_err(at("pointer"))?;
        let scheme = Self {
            purpose: written.purpose.clone(),
            optional: written.optional,
            require,
            addressee,
            each,
            kind,
            pointers,
            pointer_texts,
            parameters,
        };
        if scheme.addressee.as_ref().is_some_and(|addressee| !scheme.proves(&addressee.content)) {
            return Err((
                "addressee.content".into(),
                "names a part of the request that the scheme does not sign: anybody could write it".into(),
            ));
        }
        Ok(scheme)
    }

    /// Whether everything that a content holds is part of what the scheme covers.
    fn proves(&self, content: &Content) -> bool {
        let (mut own, mut wanted) = (Coverage::default(), Coverage::default());
        self.cover(&mut own);
        content.cover(&mut wanted, &self.pointer_texts);
        let any = wanted != Coverage::default();
        // A signed form field may hold the document into which pointers lead.
        any && (own.body || own.form.is_superset(&wanted.form))
            && (own.body || !own.form.is_empty() || own.pointers.is_superset(&wanted.pointers))
            && (own.body || !wanted.body)
            && (own.url || !wanted.url)
            && (own.url || own.query.is_superset(&wanted.query))
            && (own.url || own.path || !wanted.path)
            && own.headers.is_superset(&wanted.headers)
    }

    /// Adds what the scheme covers of a request.
    pub(crate) fn cover(&self, coverage: &mut Coverage) {
        match &self.kind {
            SchemeKind::Hash(hash) => {
                self.cover_signed(&hash.signed, coverage);
                coverage.body |= hash.bind_query.is_some();
            }
            SchemeKind::PublicKey(public) => self.cover_signed(&public.signed, coverage),
            SchemeKind::Jwt(jwt, _) => {
                coverage.body |= jwt.header.is_none() || jwt.bind.iter().any(|bind| bind.of == BoundPart::Body);
                coverage.url |= jwt.bind.iter().any(|bind| bind.of != BoundPart::Body);
            }
            SchemeKind::Token { .. } | SchemeKind::Basic | SchemeKind::Unproven => {}
        }
    }

    fn cover_signed(&self, signed: &Signed, coverage: &mut Coverage) {
        let mut own = Coverage::default();
        signed.content.cover(&mut own, &self.pointer_texts);
        let stamp = signed.timestamp.as_ref().filter(|_| signed.content.holds_time());
        match stamp.and_then(|time| time.place.as_ref()) {
            Some(Place::Header(name)) => _ = own.headers.insert(name.as_str().to_owned()),
            Some(Place::Query(name)) => _ = own.query.insert(name.clone()),
            Some(Place::Form(name)) => _ = own.form.insert(name.clone()),
            Some(Place::Pointer(at) | Place::Envelope(at)) => _ = own.pointers.insert(self.pointer_texts[*at].clone()),
            Some(Place::Fixed(_)) | None => {}
        }
        // Pointers of `each` lead into items: they cover the items' members, whatever the list is called.
        coverage.body |= own.body;
        coverage.url |= own.url;
        coverage.path |= own.path;
        coverage.query.extend(own.query);
        coverage.headers.extend(own.headers);
        coverage.pointers.extend(own.pointers);
        coverage.form.extend(own.form);
    }

    /// Whether it holds a time that `tolerance` bounds.
    pub(crate) fn has_time(&self) -> bool {
        match &self.kind {
            SchemeKind::Hash(hash) => hash.signed.timestamp.is_some(),
            SchemeKind::PublicKey(public) => public.signed.timestamp.is_some(),
            // A token that need not end, and whose age nobody judges, has no time that could be bounded.
            SchemeKind::Jwt(jwt, _) => !jwt.without_expiry || jwt.max_age.is_some(),
            _ => false,
        }
    }

    /// Whether the source may say the public URL: what is signed holds it, or its path.
    pub(crate) fn takes_url(&self) -> bool {
        match &self.kind {
            SchemeKind::Hash(hash) => hash.signed.content.takes_url(),
            SchemeKind::PublicKey(public) => public.signed.content.takes_url(),
            SchemeKind::Jwt(jwt, _) => jwt.bind.iter().any(|bind| bind.of != BoundPart::Body),
            _ => false,
        }
    }

    /// Whether the source must say the public URL.
    pub(crate) fn needs_url(&self) -> bool {
        match &self.kind {
            SchemeKind::Hash(hash) => hash.signed.content.needs_url(),
            SchemeKind::PublicKey(public) => public.signed.content.needs_url(),
            SchemeKind::Jwt(jwt, _) => jwt.bind.iter().any(|bind| bind.of == BoundPart::URL),
            _ => false,
        }
    }

    /// Where its keys come from without a secretRef.
    pub(crate) fn fetch(&self) -> Option<&Fetch> {
        match &self.kind {
            SchemeKind::PublicKey(public) => public.fetch.as_ref(),
            SchemeKind::Jwt(_, fetch) => fetch.as_ref(),
            _ => None,
        }
    }

    /// Whether it needs a secretRef at all.
    pub(crate) fn needs_key(&self) -> bool {
        !matches!(self.kind, SchemeKind::Unproven)
    }
}

fn fetch(written: Option<&scheme::KeyFetch>, list: &mut PointerList) -> Result<Option<Fetch>, String> {
    written.map(|written| Fetch::compile(written, list)).transpose()
}

fn each(written: &scheme::Each) -> Result<Each, String> {
    let one = |pointer: &str| Pointers::compile([pointer]).map_err(|error| error.to_string());
    Ok(Each {
        list: one(&written.pointer)?,
        item: written.item.as_deref().map(one).transpose()?,
        list_text: written.pointer.clone(),
        item_text: written.item.clone().unwrap_or_default(),
    })
}

fn jwt_scheme(written: &scheme::Jwt, parameters: &mut BTreeSet<String>) -> Result<JwtScheme, (String, String)> {
    let header = match (written.whole_body, &written.header) {
        (true, _) => None,
        (false, Some(name)) => Some(
            HeaderName::try_from(name).map_err(|_| ("jwt.header".to_owned(), format!("{name:?} is no header name")))?,
        ),
        (false, None) => Some(http::header::AUTHORIZATION),
    };
    let bearer = header == Some(http::header::AUTHORIZATION);
    let values = written.claims.iter().map(|claim| &claim.equals).chain(&written.issuer).chain(&written.audiences);
    parameters.extend(values.filter_map(|value| template::parameter(value)).map(str::to_owned));
    Ok(JwtScheme {
        header,
        prefix: written.prefix.clone().unwrap_or_else(|| if bearer { "Bearer ".into() } else { String::new() }),
        algorithms: written.algorithms.clone(),
        issuer: written.issuer.clone(),
        audiences: written.audiences.clone(),
        claims: written.claims.iter().map(|claim| (claim.name.clone(), claim.equals.clone())).collect(),
        bind: written.bind.clone(),
        without_expiry: written.without_expiry,
        max_age: written.max_age.as_ref().and_then(DurationString::get),
        max_lifetime: jwt::MAX_LIFETIME,
        leeway: jwt::LEEWAY,
    })
}
