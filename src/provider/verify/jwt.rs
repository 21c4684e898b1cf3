//! JSON Web Tokens (RFC 7519) under the rules of RFC 8725: the scheme and the key decide the algorithm, never the token.
//!
//! A key in PEM or a key set never verifies HS*, a raw secret never RS* or ES*. Headers that bring or point to keys,
//! unknown critical headers and doubled members are refused; claims of a wrong type are errors, not absent.

mod keys;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderName;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

pub use self::keys::{JwtKey, key_set};
use super::content::canonical_request;
use super::refusal::Refusal;
use super::view::View;
use crate::api::scheme::{Bind, BindEncoding, BoundPart, JwtAlgorithm};
use crate::json;

/// The longest token that is read, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// The longest life of a token unless `parameters.maxLifetime` says otherwise.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// The leeway for clocks unless `tolerance` says otherwise.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// The most leeway: a longer `tolerance` must not revive tokens that ended.
pub const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// A compiled `jwt` block, its parameters filled in.
#[derive(Clone, Debug)]
pub struct JwtScheme {
    /// The header that carries the token; `None`: the whole body is the token.
    pub header: Option<HeaderName>,
    /// Text before the token, compared without case.
    pub prefix: String,
    /// The algorithms that may have signed it.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The `iss` it must have.
    pub issuer: Option<String>,
    /// The `aud` values of which it must have one.
    pub audiences: Vec<String>,
    /// Other claims it must have.
    pub claims: Vec<(String, String)>,
    /// Claims that hold a hash of a part of the request.
    pub bind: Vec<Bind>,
    /// `exp` may be absent.
    pub without_expiry: bool,
    /// How old `iat` may be.
    pub max_age: Option<Duration>,
    /// How long a token may live.
    pub max_lifetime: Duration,
    /// The leeway for clocks.
    pub leeway: Duration,
}

struct Token<'t> {
    /// `header.payload` as received.
    signed: &'t str,
    signature: &'t str,
    algorithm: JwtAlgorithm,
    kid: Option<String>,
    payload: Vec<u8>,
}

impl JwtScheme {
    /// Finds the token and reads its header; nothing of it is trusted yet.
    fn token<'v>(&self, view: &View<'v>) -> Result<Token<'v>, Refusal> {
        let value = match &self.header {
            Some(name) => view.header(name).ok_or(Refusal::Missing)?,
            None => view.request().body,
        };
        let text = std::str::from_utf8(value).map_err(|_| Refusal::Malformed)?;
        let text = match text.get(..self.prefix.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(&self.prefix) => &text[self.prefix.len()..],
            _ => return Err(Refusal::Malformed),
        };
        if text.len() > MAX_TOKEN {
            return Err(Refusal::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') || signature.is_empty() || URL_SAFE_NO_PAD.decode(signature).is_err() {
            return Err(Refusal::Malformed);
        }
        let header = object(&URL_SAFE_NO_PAD.decode(header).map_err(|_| Refusal::Malformed)?)?;
        if ["crit", "jku", "x5u", "x5c", "jwk", "b64", "zip", "enc"].iter().any(|name| header.contains_key(*name)) {
            return Err(Refusal::Malformed);
        }
        let named = header.get("alg").and_then(Value::as_str).ok_or(Refusal::Malformed)?;
        let algorithm = self.algorithms.iter().find(|algorithm| algorithm.as_str() == named);
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= 256 => Some(kid.clone()),
            Some(_) => return Err(Refusal::Malformed),
        };
        Ok(Token {
            signed,
            signature,
            algorithm: *algorithm.ok_or(Refusal::BadSignature)?,
            kid,
            payload: URL_SAFE_NO_PAD.decode(payload).map_err(|_| Refusal::Malformed)?,
        })
    }

    /// The id of the key that the token names, where it is a token at all.
    pub fn kid(&self, view: &View<'_>) -> Option<String> {
        self.token(view).ok()?.kid
    }

    /// Judges the token; `tried` hears which key is tried and whether it matched.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn verify<'k>(
        &self,
        view: &View<'_>,
        keys: impl Iterator<Item = (&'k str, &'k JwtKey)>,
        now: Timestamp,
        tried: &mut dyn FnMut(&str, bool),
    ) -> Result<(), Refusal> {
        let token = self.token(view)?;
        let mut matched = false;
        for (label, key) in keys {
            // A token that binds a part of its request comes once.
            let this = key.verifies(&token, self.bind.is_empty());
            tried(label, this);
            matched |= this;
        }
        if !matched {
            return Err(Refusal::BadSignature);
        }
        let claims = object(&token.payload)?;
        self.times(&claims, now)?;
        self.values(&claims)?;
        self.bind.iter().try_for_each(|bind| bound(bind, &claims, view))
    }

    /// Those of [`PARAMETERS`] that mean something to it: where the age of a token is judged nobody asks how long it lives.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        let judged = self.max_age.is_none();
        PARAMETERS.into_iter().filter(move |name| judged || *name != "maxLifetime")
    }

    fn times(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), Refusal> {
        let leeway = self.leeway.as_secs_f64();
        let now = now.as_millisecond() as f64 / 1000.0;
        let (exp, nbf, iat) = (number(claims, "exp")?, number(claims, "nbf")?, number(claims, "iat")?);
        match exp {
            None if !self.without_expiry => return Err(Refusal::Claims("exp")),
            Some(exp) if now > exp + leeway => return Err(Refusal::Stale),
            // Where the age of `iat` is judged it ends a token long before its `exp` does.
            Some(exp) if self.max_age.is_none() => {
                // The clocks of two machines have a part in it only where the token does not say when it was made.
                let life = iat.or(nbf).map_or(exp - now - leeway, |begin| exp - begin);
                if life > self.max_lifetime.as_secs_f64() {
                    return Err(Refusal::Claims("exp"));
                }
            }
            _ => {}
        }
        if nbf.is_some_and(|nbf| nbf > now + leeway) || iat.is_some_and(|iat| iat > now + leeway) {
            return Err(Refusal::Stale);
        }
        match (self.max_age, iat) {
            (Some(_), None) => Err(Refusal::Claims("iat")),
            (Some(age), Some(iat)) if now - iat > age.as_secs_f64() + leeway => Err(Refusal::Stale),
            _ => Ok(()),
        }
    }

    fn values(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Refusal::Claims("iss"));
        }
        if !self.audiences.is_empty() {
            let ours = |value: &Value| value.as_str().is_some_and(|text| self.audiences.iter().any(|a| a == text));
            let fits = match claims.get("aud") {
                Some(Value::Array(list)) => list.iter().any(ours),
                Some(value) => ours(value),
                None => false,
            };
            if !fits {
                return Err(Refusal::Claims("aud"));
            }
        }
        let fits = |(name, wanted): &(String, String)| match claims.get(name) {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Bool(value)) => wanted == if *value { "true" } else { "false" },
            Some(Value::Number(value)) => wanted.parse().is_ok_and(|wanted: serde_json::Number| wanted == *value),
            _ => false,
        };
        if self.claims.iter().all(fits) { Ok(()) } else { Err(Refusal::Claims("claims")) }
    }
}

/// The part of a request that a claim binds.
pub(super) fn bound_part<'v>(of: BoundPart, view: &'v View<'_>) -> Option<Cow<'v, [u8]>> {
    Some(match of {
        BoundPart::Body => Cow::Borrowed(view.request().body),
        BoundPart::URL => {
            let base = view.external_url()?;
            match view.request().head.query {
                Some(query) => Cow::Owned(format!("{base}?{query}").into_bytes()),
                None => Cow::Borrowed(base.as_bytes()),
            }
        }
        BoundPart::Request => Cow::Owned(canonical_request(view)?.into_bytes()),
    })
}

fn bound(bind: &Bind, claims: &Map<String, Value>, view: &View<'_>) -> Result<(), Refusal> {
    let part = bound_part(bind.of, view).ok_or(Refusal::Malformed)?;
    let claimed = match claims.get(&bind.claim) {
        Some(Value::String(text)) => text,
        None if bind.absent_if_empty && part.is_empty() => return Ok(()),
        _ => return Err(Refusal::BoundPart),
    };
    if part.is_empty() && bind.absent_if_empty {
        // A hash over nothing where the vendor sends none: the body was taken away.
        return Err(Refusal::BoundPart);
    }
    let matches: bool = match bind.encoding {
        BindEncoding::Hex => Sha256::digest(&part).ct_eq(&hex::decode(claimed).unwrap_or_default()).into(),
        BindEncoding::Base64 => Sha256::digest(&part).ct_eq(&STANDARD.decode(claimed).unwrap_or_default()).into(),
        BindEncoding::Plain => part.ct_eq(claimed.as_bytes()).into(),
    };
    if matches { Ok(()) } else { Err(Refusal::BoundPart) }
}

/// A JSON object without doubled members.
pub(super) fn object(text: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Malformed)?;
    let members = json::members(text).ok().flatten().ok_or(Refusal::Malformed)?;
    let mut object = Map::new();
    for (name, value) in members {
        let name: String = serde_json::from_str(name.get()).map_err(|_| Refusal::Malformed)?;
        let value = serde_json::from_str(value.get()).map_err(|_| Refusal::Malformed)?;
        if object.insert(name, value).is_some() {
            return Err(Refusal::Malformed);
        }
    }
    Ok(object)
}

/// A numeric date; any other type is an error, not absence (CVE-2026-25537).
fn number(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().filter(|n| n.is_finite() && *n >= 0.0).map(Some).ok_or(Refusal::Claims(name)),
    }
}

/// The same algorithm as the library names it.
pub fn primitive(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::HS256 => Algorithm::HS256,
        JwtAlgorithm::HS384 => Algorithm::HS384,
        JwtAlgorithm::HS512 => Algorithm::HS512,
        JwtAlgorithm::RS256 => Algorithm::RS256,
        JwtAlgorithm::RS384 => Algorithm::RS384,
        JwtAlgorithm::RS512 => Algorithm::RS512,
        JwtAlgorithm::ES256 => Algorithm::ES256,
    }
}

/// Parameters that a `jwt` scheme may understand, and none that a source must write.
pub const PARAMETERS: [&str; 3] = ["issuer", "audience", "maxLifetime"];

/// Fills in what the source's parameters say. The error names the parameter.
pub fn apply(scheme: &mut JwtScheme, parameters: &BTreeMap<String, String>) -> Result<(), (&'static str, String)> {
    if let Some(issuer) = parameters.get("issuer") {
        scheme.issuer = Some(issuer.clone());
    }
    if let Some(audience) = parameters.get("audience") {
        scheme.audiences = vec![audience.clone()];
    }
    if let Some(lifetime) = parameters.get("maxLifetime") {
        scheme.max_lifetime = crate::api::duration::DurationString(lifetime.clone())
            .get()
            .ok_or_else(|| ("maxLifetime", format!("{lifetime:?} is no duration such as 2h")))?;
    }
    Ok(())
}
