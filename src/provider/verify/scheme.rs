//! One scheme of a definition, compiled: places resolved, templates parsed, JSON pointers collected. Holds no key.

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderName;

use super::content::Content;
use super::fetched::Fetch;
use super::jwt::{self, JwtScheme};
use super::signature::Signature;
use super::view::{Place, View};
use crate::api::scheme::{
    BindQuery, BoundPart, Condition, HashAlgorithm, KeyEncoding, KeyFormat, PublicKeyAlgorithm, Scheme as Written,
    TimeUnit,
};
use crate::api::{duration::DurationString, scheme};
use crate::json::Pointers;
use crate::provider::Coverage;

/// The tolerance that a scheme with a timestamp gets when a definition says none and the source asks for one.
pub type Tolerance = Option<Duration>;

/// A compiled scheme.
#[derive(Debug)]
pub struct Scheme {
    /// Which secretRefs hold its keys.
    pub purpose: Option<String>,
    /// It must hold only where the source names a secretRef of its purpose.
    pub optional: bool,
    /// What the request must say for it to be tried.
    pub require: Vec<Requirement>,
    /// The list whose items are proven one by one: indices into `pointers` and `item_pointers` do not mix.
    pub each: Option<Each>,
    /// What it computes.
    pub kind: SchemeKind,
    /// JSON pointers into the body, or into an item where `each` is set.
    pub pointers: Pointers,
    /// Their text, for coverage.
    pub pointer_texts: Vec<String>,
    /// Parameters that it reads.
    pub parameters: BTreeSet<String>,
}

/// A list whose items are proven one by one.
#[derive(Debug)]
pub struct Each {
    /// Finds the list.
    pub list: Pointers,
    /// Finds the proven object inside an item.
    pub item: Option<Pointers>,
}

/// What a scheme computes.
#[derive(Debug)]
pub enum SchemeKind {
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
pub struct HashScheme {
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
pub struct PublicKeyScheme {
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
    /// Where the key comes from without a secretRef.
    pub fetch: Option<Fetch>,
}

/// What `hmac`, `digest` and `publicKey` share.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Where the signature stands.
    pub signature: Signature,
    /// What it covers.
    pub content: Content,
    /// When it was made.
    pub timestamp: Option<Time>,
}

/// Where the time of signing stands.
#[derive(Clone, Debug)]
pub struct Time {
    /// The place; `None`: inside the signature's value.
    pub place: Option<Place>,
    /// The pair of the signature's value.
    pub key: Option<String>,
    /// The position in the signature's value.
    pub index: Option<usize>,
    /// How it is written.
    pub unit: TimeUnit,
    /// How far it may lie away.
    pub tolerance: Tolerance,
}

impl Time {
    /// The time as written.
    pub fn find(&self, view: &View<'_>, signature: &Signature) -> Option<String> {
        match &self.place {
            Some(place) => String::from_utf8(view.value(place)?.into_owned()).ok(),
            None => signature.part(view, self.key.as_deref(), self.index),
        }
    }
}

/// What a request must say.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Where.
    pub place: Place,
    /// What; `None`: anything.
    pub equals: Option<String>,
    /// It must not be there.
    pub absent: bool,
}

impl Requirement {
    /// Whether the request says it.
    pub fn holds(&self, view: &View<'_>) -> bool {
        let found = view.value(&self.place);
        match (&self.equals, self.absent) {
            // Lists and objects are there too; null counts as absent.
            (None, false) => found.is_some() || matches!(self.place, Place::Pointer(_)) && view.holds_any(&self.place),
            (Some(wanted), false) => found.is_some_and(|value| *value == *wanted.as_bytes()),
            // A doubled header has no value, and is there all the same.
            (_, true) if !view.holds_any(&self.place) => true,
            (None, true) => false,
            (Some(wanted), true) => found.is_some_and(|value| *value != *wanted.as_bytes()),
        }
    }
}

/// Collects the JSON pointers of a scheme.
#[derive(Default)]
pub struct PointerList(Vec<String>);

impl PointerList {
    /// The index of a pointer, added where it is new.
    pub fn index(&mut self, pointer: &str) -> usize {
        self.0.iter().position(|known| known == pointer).unwrap_or_else(|| {
            self.0.push(pointer.to_owned());
            self.0.len() - 1
        })
    }

    /// Compiles them.
    pub fn compile(self) -> Result<(Pointers, Vec<String>), String> {
        Ok((Pointers::compile(&self.0).map_err(|error| error.to_string())?, self.0))
    }
}

impl Scheme {
    /// Compiles one scheme of a definition.
    ///
    /// # Errors
    /// Pairs of the field below the scheme and what is wrong with it.
    pub fn compile(written: &Written) -> Result<Self, (String, String)> {
        let at = |field: &'static str| move |reason: String| (field.to_owned(), reason);
        let mut list = PointerList::default();
        let mut parameters = BTreeSet::new();
        let require = written
            .require
            .iter()
            .map(|condition| requirement(condition, &mut list))
            .collect::<Result<_, _>>()
            .map_err(at("require"))?;
        let kind = if let Some(hmac) = &written.hmac {
            let signed = signed(&hmac.signature, &hmac.content, hmac.timestamp.as_ref(), &mut list, &mut parameters);
            SchemeKind::Hash(Box::new(HashScheme {
                algorithm: hmac.algorithm,
                keyed: true,
                key_encoding: hmac.key_encoding.unwrap_or_default(),
                key_prefix: hmac.key_prefix.clone(),
                signed: signed.map_err(|(field, reason)| (format!("hmac.{field}"), reason))?,
                bind_query: hmac.bind_query.clone(),
            }))
        } else if let Some(digest) = &written.digest {
            let signed =
                signed(&digest.signature, &digest.content, digest.timestamp.as_ref(), &mut list, &mut parameters);
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
            let signed =
                signed(&public.signature, &public.content, public.timestamp.as_ref(), &mut list, &mut parameters);
            SchemeKind::PublicKey(Box::new(PublicKeyScheme {
                algorithm: public.algorithm,
                format: public.format.unwrap_or_default(),
                key_encoding: public.key_encoding.unwrap_or_default(),
                key_prefix: public.key_prefix.clone(),
                signed: signed.map_err(|(field, reason)| (format!("publicKey.{field}"), reason))?,
                fetch: fetch(public.fetch.as_ref(), &mut list, &mut parameters).map_err(at("publicKey.fetch"))?,
            }))
        } else if let Some(token) = &written.jwt {
            parameters.extend(jwt::PARAMETERS.map(str::to_owned));
            let fetch = fetch(token.fetch.as_ref(), &mut list, &mut parameters).map_err(at("jwt.fetch"))?;
            SchemeKind::Jwt(Box::new(jwt_scheme(token, &mut parameters)?), fetch)
        } else if let Some(token) = &written.token {
            let places = [&token.header, &token.query, &token.pointer, &token.form];
            let place = place(places, &mut list).map_err(at("token"))?;
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
        let each = written.each.as_ref().map(each).transpose().map_err(at("each"))?;
        let (pointers, pointer_texts) = list.compile().map_err(at("pointer"))?;
        Ok(Self {
            purpose: written.purpose.clone(),
            optional: written.optional,
            require,
            each,
            kind,
            pointers,
            pointer_texts,
            parameters,
        })
    }

    /// Adds what the scheme covers of a request.
    pub fn cover(&self, coverage: &mut Coverage) {
        match &self.kind {
            SchemeKind::Hash(hash) => {
                self.cover_signed(&hash.signed, coverage);
                coverage.body |= hash.bind_query.is_some();
            }
            SchemeKind::PublicKey(public) => self.cover_signed(&public.signed, coverage),
            SchemeKind::Jwt(jwt, _) => {
                coverage.body |= jwt.header.is_none() || jwt.bind.iter().any(|bind| bind.of == BoundPart::Body);
                coverage.url |= jwt.bind.iter().any(|bind| bind.of == BoundPart::URL);
            }
            SchemeKind::Token { .. } | SchemeKind::Basic | SchemeKind::Unproven => {}
        }
    }

    fn cover_signed(&self, signed: &Signed, coverage: &mut Coverage) {
        let stamp = signed.timestamp.as_ref().and_then(|time| match &time.place {
            Some(Place::Header(name)) => Some(name),
            _ => None,
        });
        let mut own = Coverage::default();
        signed.content.cover(&mut own, &self.pointer_texts, stamp);
        // Pointers of `each` lead into items: they cover the items' members, whatever the list is called.
        coverage.body |= own.body;
        coverage.url |= own.url;
        coverage.path |= own.path;
        coverage.headers.extend(own.headers);
        coverage.pointers.extend(own.pointers);
        coverage.form.extend(own.form);
    }

    /// Whether it holds a time that `tolerance` bounds.
    pub fn has_time(&self) -> bool {
        match &self.kind {
            SchemeKind::Hash(hash) => hash.signed.timestamp.is_some(),
            SchemeKind::PublicKey(public) => public.signed.timestamp.is_some(),
            SchemeKind::Jwt(..) => true,
            _ => false,
        }
    }

    /// Whether it signs the public URL.
    pub fn needs_url(&self) -> bool {
        match &self.kind {
            SchemeKind::Hash(hash) => hash.signed.content.needs_url(),
            SchemeKind::PublicKey(public) => public.signed.content.needs_url(),
            SchemeKind::Jwt(jwt, _) => jwt.bind.iter().any(|bind| bind.of == BoundPart::URL),
            _ => false,
        }
    }

    /// Where its keys come from without a secretRef.
    pub fn fetch(&self) -> Option<&Fetch> {
        match &self.kind {
            SchemeKind::PublicKey(public) => public.fetch.as_ref(),
            SchemeKind::Jwt(_, fetch) => fetch.as_ref(),
            _ => None,
        }
    }

    /// Whether it needs a secretRef at all.
    pub fn needs_key(&self) -> bool {
        !matches!(self.kind, SchemeKind::Unproven)
    }
}

/// One of header, query, pointer and form.
fn place(written: [&Option<String>; 4], list: &mut PointerList) -> Result<Place, String> {
    let [header, query, pointer, form] = written;
    match (header, query, pointer, form) {
        (Some(name), None, None, None) => header_place(name),
        (None, Some(name), None, None) => Ok(Place::Query(name.clone())),
        (None, None, Some(pointer), None) => Ok(Place::Pointer(list.index(pointer))),
        (None, None, None, Some(name)) => Ok(Place::Form(name.clone())),
        _ => Err("write exactly one of header, query, pointer or form".to_owned()),
    }
}

fn header_place(name: &str) -> Result<Place, String> {
    HeaderName::try_from(name).map(Place::Header).map_err(|_| format!("{name:?} is no header name"))
}

/// Compiles a condition.
pub fn requirement(written: &Condition, list: &mut PointerList) -> Result<Requirement, String> {
    let place = place([&written.header, &written.query, &written.pointer, &written.form], list)?;
    Ok(Requirement { place, equals: written.equals.clone(), absent: written.absent })
}

fn signed(
    signature: &scheme::Signature,
    content: &str,
    timestamp: Option<&scheme::Timestamp>,
    list: &mut PointerList,
    parameters: &mut BTreeSet<String>,
) -> Result<Signed, (String, String)> {
    let at = |field: &'static str| move |reason: String| (field.to_owned(), reason);
    let mut places = vec![
        place([&signature.header, &signature.query, &signature.pointer, &signature.form], list)
            .map_err(at("signature"))?,
    ];
    for name in &signature.other_headers {
        places.push(header_place(name).map_err(at("signature.otherHeaders"))?);
    }
    let separated = signature.key.is_some() || timestamp.is_some_and(|time| time.key.is_some());
    let compiled = Signature {
        places,
        encoding: signature.encoding,
        prefix: signature.prefix.clone(),
        separator: signature.separator.clone().or_else(|| separated.then(|| ",".to_owned())),
        key: signature.key.clone(),
        index: signature.index.and_then(|index| usize::try_from(index).ok()),
    };
    let timestamp = timestamp.map(|time| self::time(time, list)).transpose().map_err(at("timestamp"))?;
    let (content, names) = Content::compile(content, &mut |pointer| list.index(pointer)).map_err(at("content"))?;
    parameters.extend(names);
    Ok(Signed { signature: compiled, content, timestamp })
}

fn time(written: &scheme::Timestamp, list: &mut PointerList) -> Result<Time, String> {
    let inside = written.key.is_some() || written.index.is_some();
    let place = if inside {
        None
    } else {
        Some(place([&written.header, &written.query, &written.pointer, &written.form], list)?)
    };
    Ok(Time {
        place,
        key: written.key.clone(),
        index: written.index.and_then(|index| usize::try_from(index).ok()),
        unit: written.unit,
        tolerance: written.tolerance.as_ref().and_then(DurationString::get),
    })
}

fn fetch(
    written: Option<&scheme::KeyFetch>,
    list: &mut PointerList,
    parameters: &mut BTreeSet<String>,
) -> Result<Option<Fetch>, String> {
    let Some(written) = written else { return Ok(None) };
    let fetch = Fetch::compile(written, list)?;
    parameters.extend(fetch.parameters.iter().cloned());
    Ok(Some(fetch))
}

fn each(written: &scheme::Each) -> Result<Each, String> {
    let one = |pointer: &str| Pointers::compile([pointer]).map_err(|error| error.to_string());
    Ok(Each { list: one(&written.pointer)?, item: written.item.as_deref().map(one).transpose()? })
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
    for claim in &written.claims {
        if let Some(name) = claim.equals.strip_prefix("{parameter:").and_then(|rest| rest.strip_suffix('}')) {
            parameters.insert(name.to_owned());
        }
    }
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

/// The encoding of a bound query parameter, for `send`.
pub fn bound_query(bind: &BindQuery, body: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    super::signature::encode(&Sha256::digest(body), bind.encoding)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::provider::request::{Head, RequestView};

    #[test]
    fn a_member_that_must_be_absent_may_not_hide_as_a_list() {
        let mut list = PointerList::default();
        let written = Condition { pointer: Some("/items".to_owned()), absent: true, ..Condition::default() };
        let absent = requirement(&written, &mut list).unwrap();
        let (pointers, _) = list.compile().unwrap();
        let headers = HeaderMap::new();
        let received = jiff::Timestamp::UNIX_EPOCH;
        let head = Head { method: &Method::POST, path: "/", query: None, headers: &headers, received };
        let holds = |body: &str| absent.holds(&View::new(RequestView { head, body: body.as_bytes() }, None, &pointers));
        assert!(holds("{}") && holds(r#"{"items":null}"#));
        for there in [r#"{"items":[]}"#, r#"{"items":{}}"#, r#"{"items":0}"#, r#"{"items":""}"#] {
            assert!(!holds(there), "{there}");
        }
    }
}
