//! A JSON Web Token as its vendor makes it: claims that hold what the definition asks for, signed with the source's key.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{RequestParts, SignError, Signer, cannot};
use crate::api::scheme::{BindEncoding, JwtAlgorithm};
use crate::provider::verify::jwt::{self as jwt_rules, JwtScheme};
use crate::provider::verify::scheme::Scheme;
use crate::provider::verify::view::View;
use crate::template;

impl Signer<'_> {
    pub(super) fn jwt(&mut self, scheme: &Scheme, jwt: &JwtScheme) -> Result<(), SignError> {
        let mut jwt = jwt.clone();
        jwt_rules::apply(&mut jwt, self.given.parameters)
            .map_err(|(name, text)| SignError::Cannot(format!("parameters.{name}: {text}")))?;
        let (algorithm, key) = match self.private {
            Some(pem) => {
                let rsa = EncodingKey::from_rsa_pem(pem).map(|key| (JwtAlgorithm::RS256, key));
                let key = rsa.or_else(|_| EncodingKey::from_ec_pem(pem).map(|key| (JwtAlgorithm::ES256, key)));
                key.map_err(|_| SignError::Cannot("--private-key is no RSA or EC key in PEM".to_owned()))?
            }
            None => {
                let hs = jwt
                    .algorithms
                    .iter()
                    .find(|a| matches!(a, JwtAlgorithm::HS256 | JwtAlgorithm::HS384 | JwtAlgorithm::HS512));
                let secret = self.secret(scheme)?;
                match hs {
                    Some(algorithm) if !secret.expose().starts_with(b"-----BEGIN") => {
                        (*algorithm, EncodingKey::from_secret(secret.expose()))
                    }
                    _ => {
                        return cannot(
                            "the secretRef holds a public key: give the private one with --private-key (PEM)",
                        );
                    }
                }
            }
        };
        let mut claims = match (jwt.header.is_none(), serde_json::from_slice::<Map<String, Value>>(&self.draft.body)) {
            (true, Ok(body)) => body,
            (true, Err(_)) => return cannot("the data must be a JSON object: it becomes the token's payload"),
            (false, _) => Map::new(),
        };
        let now = self.now.as_second();
        claims.insert("iat".into(), now.into());
        claims.insert("exp".into(), (now + 300).into());
        claims.extend(jwt.issuer.clone().map(|issuer| ("iss".to_owned(), Value::String(issuer))));
        claims.extend(jwt.audiences.first().cloned().map(|audience| ("aud".to_owned(), Value::String(audience))));
        for (name, value) in &jwt.claims {
            let value = match template::parameter(value) {
                Some(parameter) => self.given.parameters.get(parameter).cloned().unwrap_or_default(),
                None => value.clone(),
            };
            claims.insert(name.clone(), if value == "true" { Value::Bool(true) } else { Value::String(value) });
        }
        for bind in &jwt.bind {
            let parts = RequestParts::of(self.draft, self.now);
            // No pointer leads anywhere here: a claim binds the whole of a part.
            let view = View::new(parts.request(), self.given.external_url, &scheme.pointers);
            let Some(part) = jwt_rules::bound_part(bind.of, &view) else {
                return cannot("a part that the token binds is not in the request: write verification.externalURL");
            };
            if part.is_empty() && bind.absent_if_empty {
                continue;
            }
            let value = match bind.encoding {
                BindEncoding::Hex => hex::encode(Sha256::digest(&part)),
                BindEncoding::Base64 => STANDARD.encode(Sha256::digest(&part)),
                BindEncoding::Plain => String::from_utf8_lossy(&part).into_owned(),
            };
            claims.insert(bind.claim.clone(), Value::String(value));
        }
        let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, algorithm.as_str());
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string()));
        let signature = crypto::sign(signed.as_bytes(), &key, jwt_rules::primitive(algorithm))
            .map_err(|_| SignError::Cannot("the key cannot sign with the method's algorithm".to_owned()))?;
        let token = format!("{signed}.{signature}");
        match &jwt.header {
            Some(name) => self.header(name, &format!("{}{token}", jwt.prefix)),
            None => {
                self.draft.body = token.into();
                Ok(())
            }
        }
    }
}
