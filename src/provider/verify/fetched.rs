//! Keys that a vendor publishes instead of sharing: what must be fetched for a request, and what was.
//!
//! Pure: says which address is wanted and judges with what it is handed. Addresses come from definitions, or from a
//! request whose host the definition allows; never from a source.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::jwt::{self, JwtKey};
use super::public_key;
use super::view::View;
use crate::api::duration::DurationString;
use crate::api::scheme::{FetchedFormat, KeyEncoding, KeyFetch, KeyFormat, PublicKeyAlgorithm};
use crate::provider::place::{Place, PointerList};
use crate::template::{self, Piece};

/// How long a fetched key is used unless the definition says otherwise.
const KEEP: Duration = Duration::from_secs(3600);
/// The longest key id that is asked for, in bytes.
const MAX_KID: usize = 128;

/// A compiled `fetch` block.
#[derive(Clone, Debug)]
pub struct Fetch {
    address: Address,
    hosts: Hosts,
    /// What the answer holds.
    pub format: FetchedFormat,
    at: Option<String>,
    post: Option<Vec<Piece>>,
    keep: Duration,
    /// Parameters that the body holds.
    pub parameters: Vec<String>,
    /// Purposes of secrets that the body holds.
    pub purposes: Vec<String>,
}

#[derive(Clone, Debug)]
enum Address {
    Fixed(String),
    Request(Place),
    /// One of these, which the header of a JSON Web Signature names.
    Named(Vec<String>),
}

/// A key that a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The address: https, of an allowed host.
    pub url: String,
    /// A body to POST, JSON.
    pub post: Option<String>,
    /// How long the answer is used.
    pub keep: Duration,
    /// The id of the key, where the answer is a set: an unknown one asks for a fresh answer.
    pub kid: Option<String>,
}

/// What a signature itself says of its key. Nobody signed that yet: it only chooses among what the definition allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'n> {
    /// The id of the key.
    pub kid: Option<&'n str>,
    /// The address of its set.
    pub jku: Option<&'n str>,
}

/// Answers of key servers, kept by whoever fetches.
pub trait FetchedKeys: Send + Sync {
    /// The body that the address answered; `None` where it must be fetched first.
    fn get(&self, wanted: &Wanted) -> Option<Arc<[u8]>>;
}

/// Nothing was fetched, and nothing will be.
pub struct NothingFetched;

impl FetchedKeys for NothingFetched {
    fn get(&self, _: &Wanted) -> Option<Arc<[u8]>> {
        None
    }
}

/// Hosts that a definition allows.
#[derive(Clone, Debug)]
pub struct Hosts(Vec<Regex>);

impl Hosts {
    /// Compiles regular expressions, of which one must match a whole host.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub fn compile(written: &[String]) -> Result<Self, String> {
        let whole = |text: &String| Regex::new(&format!("^(?:{text})$")).map_err(|error| format!("hosts: {error}"));
        written.iter().map(whole).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address that a request names is allowed: https, no user, no port, an allowed host.
    pub fn allow(&self, url: &str) -> bool {
        let Ok(uri) = url.parse::<http::Uri>() else { return false };
        let host = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        uri.scheme_str() == Some("https") && self.0.iter().any(|pattern| pattern.is_match(host))
    }
}

impl Fetch {
    /// Compiles the block.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub fn compile(written: &KeyFetch, list: &mut PointerList) -> Result<Self, String> {
        let address = match (&written.url, &written.header, &written.pointer) {
            (None, None, None) if !written.jku.is_empty() => {
                if let Some(wrong) = written.jku.iter().find(|url| !url.starts_with("https://")) {
                    return Err(format!("{wrong:?} is no https address"));
                }
                Address::Named(written.jku.clone())
            }
            (Some(url), None, None) if url.starts_with("https://") => Address::Fixed(url.clone()),
            (Some(url), None, None) => return Err(format!("{url:?} is no https address")),
            (None, Some(name), None) => {
                Address::Request(Place::Header(name.parse().map_err(|_| format!("{name:?} is no header name"))?))
            }
            (None, None, Some(pointer)) => Address::Request(Place::Pointer(list.index(pointer))),
            _ => return Err("write exactly one of url, header, pointer or jku".to_owned()),
        };
        if matches!(address, Address::Request(_)) && written.hosts.is_empty() {
            return Err("an address that the request names needs hosts".to_owned());
        }
        let post = written.post.as_deref().map(|text| template::parse(text, false)).transpose()?;
        let variables = |wanted: &str| {
            let named = post.iter().flatten().filter_map(|piece| match piece {
                Piece::Variable(name, Some(argument)) if name == wanted => Some(argument.clone()),
                _ => None,
            });
            named.collect::<Vec<_>>()
        };
        let (parameters, purposes) = (variables("parameter"), variables("secret"));
        let unknown = |piece: &&Piece| match piece {
            Piece::Variable(name, None) => name != "kid",
            Piece::Variable(name, Some(_)) => name != "parameter" && name != "secret",
            Piece::Literal(_) => false,
        };
        if let Some(Piece::Variable(name, _)) = post.iter().flatten().find(unknown) {
            return Err(format!(
                "{{{name}}} cannot stand in post: {{kid}}, {{parameter:NAME}} and {{secret:PURPOSE}} can"
            ));
        }
        Ok(Self {
            address,
            hosts: Hosts::compile(&written.hosts)?,
            format: written.format,
            at: written.at.clone(),
            post,
            keep: written.keep.as_ref().and_then(DurationString::get).unwrap_or(KEEP),
            parameters,
            purposes,
        })
    }

    /// What a request needs; `None` where it names no address that the definition allows.
    pub fn wanted(
        &self,
        view: &View<'_>,
        named: Named<'_>,
        parameters: &BTreeMap<String, String>,
        secret: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Wanted> {
        let url = match &self.address {
            Address::Fixed(url) => url.clone(),
            Address::Request(place) => {
                let url = String::from_utf8(view.value(place)?.into_owned()).ok()?;
                if !self.hosts.allow(&url) {
                    return None;
                }
                url
            }
            Address::Named(allowed) => allowed.iter().find(|url| named.jku == Some(url.as_str()))?.clone(),
        };
        let kid = match named.kid {
            Some(kid)
                if kid.len() > MAX_KID || !kid.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b)) =>
            {
                return None;
            }
            kid => kid.map(str::to_owned),
        };
        let post = match &self.post {
            None => None,
            Some(pieces) => {
                let mut body = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(text) => body.push_str(text),
                        Piece::Variable(_, None) => body.push_str(kid.as_deref().unwrap_or_default()),
                        Piece::Variable(name, Some(parameter)) if name == "parameter" => {
                            body.push_str(&escaped(parameters.get(parameter)?));
                        }
                        Piece::Variable(_, Some(purpose)) => body.push_str(&escaped(&secret(purpose)?)),
                    }
                }
                Some(body)
            }
        };
        Some(Wanted { url, post, keep: self.keep, kid })
    }

    /// The public key of an answer.
    pub fn public_key(&self, answer: &[u8], algorithm: PublicKeyAlgorithm) -> Option<public_key::PublicKeys> {
        let text = self.inside(answer)?;
        if matches!(self.format, FetchedFormat::JWKS | FetchedFormat::JWK) {
            return public_key::read_set(&text, algorithm);
        }
        public_key::read(&text, algorithm, KeyFormat::PEM, KeyEncoding::UTF8, None).ok()
    }

    /// The JWT keys of an answer.
    pub fn jwt_key(&self, answer: &[u8]) -> Option<JwtKey> {
        let text = self.inside(answer)?;
        let set = match self.format {
            FetchedFormat::JWK => [b"{\"keys\":[".as_slice(), &text, b"]}"].concat(),
            _ => text,
        };
        match self.format {
            FetchedFormat::JWK | FetchedFormat::JWKS => Some(JwtKey::Public(Arc::new(jwt::key_set(&set).ok()?.into()))),
            FetchedFormat::PEM | FetchedFormat::Certificate => {
                // An answer that is no key, such as a page of an error, must not become a shared secret.
                JwtKey::read(&set, &[]).ok().filter(|key| matches!(key, JwtKey::Public(_)))
            }
        }
    }

    fn inside(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let Some(pointer) = &self.at else { return Some(answer.to_vec()) };
        let document: Value = serde_json::from_slice(answer).ok()?;
        match document.pointer(pointer)? {
            Value::String(text) => Some(text.clone().into_bytes()),
            value => Some(value.to_string().into_bytes()),
        }
    }
}

/// As it stands inside a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(hosts: &[&str]) -> Fetch {
        let written = KeyFetch {
            header: Some("X-Cert-Url".into()),
            hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            ..KeyFetch::default()
        };
        Fetch::compile(&written, &mut PointerList::default()).unwrap()
    }

    #[test]
    fn only_addresses_of_the_definitions_hosts_are_allowed() {
        let fetch = fetch(&[r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?"]);
        assert!(fetch.hosts.allow("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"));
        for wrong in [
            "http://sns.eu-west-1.amazonaws.com/a.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
            "https://evil.example/sns.eu-west-1.amazonaws.com",
            "https://user@sns.eu-west-1.amazonaws.com/a.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
            "https://127.0.0.1/a.pem",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!fetch.hosts.allow(wrong), "{wrong}");
        }
    }
}
