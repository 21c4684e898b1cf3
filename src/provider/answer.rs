//! What a vendor hears where nothing went wrong: of a handshake, or of a delivery that was accepted.
//!
//! Compiled once; values of the request are capped, escaped for their media type, and never HTML. A challenge that is signed
//! can never be a body.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use regex::Regex;

use super::decode::Carrier;
use super::harmless::is_harmless;
use super::place::{Place, PointerList};
use super::request::RequestView;
use super::verify::view::View;
use super::verify::{Verifier, signature_encoding};
use crate::api;
use crate::api::scheme::{Encoding, HashAlgorithm};
use crate::json::Pointers;
use crate::template::{self, Piece};

/// The longest value of a request that is echoed, in bytes.
const MAX_ECHO: usize = 1024;
/// The longest challenge that is signed, in bytes.
const MAX_CHALLENGE: usize = 256;
/// What every answer carries: browsers neither guess at its type nor run anything of it.
pub(crate) const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
];

/// A compiled answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    /// Values in the body are escaped as JSON.
    json: bool,
    body: Text,
    /// Those that are the same for every request.
    headers: HeaderMap,
    varying: Vec<(HeaderName, Vec<Part>)>,
    /// Of an answer that reads the request by itself.
    pointers: Pointers,
    carrier: Carrier,
}

/// An answer, filled in.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

#[derive(Clone, Debug)]
enum Text {
    Constant(Bytes),
    Varying(Vec<Part>),
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    /// The number of items received.
    Items,
    Echo(Place),
    /// A parameter of the source.
    Parameter(String),
    Signed(HashAlgorithm, Encoding, Place),
    Decrypted(Place),
}

/// What an answer takes of ours: keys and parameters of the route.
pub(crate) trait Ours {
    /// The MAC of a challenge; `None` without a live key of that hash function.
    fn signed(&self, algorithm: HashAlgorithm, challenge: &[u8]) -> Option<Vec<u8>>;
    /// What a text holds that is encrypted as the vendor's bodies are; `None` where no live key opens it.
    fn decrypted(&self, text: &[u8]) -> Option<Bytes>;
    /// What the source says of a parameter.
    fn parameter(&self, name: &str) -> Option<&str>;
}

impl Ours for (&Verifier, Timestamp) {
    fn signed(&self, algorithm: HashAlgorithm, challenge: &[u8]) -> Option<Vec<u8>> {
        self.0.tag(algorithm, challenge, self.1)
    }

    fn decrypted(&self, text: &[u8]) -> Option<Bytes> {
        self.0.decrypted(text, self.1)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.0.parameter(name)
    }
}

/// What an answer is filled in with.
struct Filling<'f, 'v> {
    view: &'f View<'v>,
    ours: &'f dyn Ours,
    /// What is signed must match all of this.
    challenge: Option<&'f Regex>,
    items: usize,
    /// A value that is not there is left out: what happened has happened.
    lenient: bool,
}

impl Answer {
    /// Compiles the answer of a handshake, which reads the request for its own conditions as well.
    ///
    /// # Errors
    /// A sentence that names the variable or header that is wrong.
    pub fn of_handshake(written: &api::provider::Answer, list: &mut PointerList) -> Result<Self, String> {
        Self::compile(written, list, false)
    }

    /// Compiles the answer of accepted deliveries, in which `{items}` is the number of items received.
    ///
    /// # Errors
    /// A sentence that names the variable or header that is wrong.
    pub(super) fn of_events(written: &api::provider::Answer, carrier: &Carrier) -> Result<Self, String> {
        let mut list = PointerList::default();
        let answer = Self::compile(written, &mut list, true)?;
        Ok(Self { pointers: list.compile()?.0, carrier: carrier.clone(), ..answer })
    }

    /// An answer whose body is sent as it stands.
    pub fn literal(status: StatusCode, content_type: Option<HeaderValue>, body: String) -> Self {
        let mut headers = HeaderMap::from_iter(ALWAYS);
        let usual = || HeaderValue::from_static(usual_type(&body));
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type.unwrap_or_else(usual));
        }
        let (body, pointers) = (Text::Constant(body.into()), Pointers::default());
        Self { status, json: false, body, headers, varying: Vec::new(), pointers, carrier: Carrier::default() }
    }

    fn compile(written: &api::provider::Answer, list: &mut PointerList, events: bool) -> Result<Self, String> {
        let body = written.body.as_deref().unwrap_or_default();
        let content_type = written.content_type.clone().unwrap_or_else(|| usual_type(body).to_owned());
        let status = written.status.unwrap_or(200);
        let status = u16::try_from(status).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let mut headers = HeaderMap::from_iter(ALWAYS);
        let mut varying = Vec::new();
        let json = content_type.contains("json");
        let content_type = HeaderValue::try_from(content_type).map_err(|_| "contentType is no media type")?;
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        for (name, value) in &written.headers {
            let header = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header name"))?;
            match &*parts(value, list, events)? {
                [] => {}
                [Part::Literal(text)] => {
                    let value = HeaderValue::try_from(text).map_err(|_| format!("{text:?} is no header value"))?;
                    headers.insert(header, value);
                }
                parts => varying.push((header, parts.to_vec())),
            }
        }
        let body = match &*parts(body, list, events)? {
            [] => Text::Constant(Bytes::new()),
            [Part::Literal(text)] => Text::Constant(text.clone().into()),
            parts => Text::Varying(parts.to_vec()),
        };
        let status = status.filter(StatusCode::is_success).ok_or("status must be from 200 to 299")?;
        let (pointers, carrier) = (Pointers::default(), Carrier::default());
        Ok(Self { status, json, body, headers, varying, pointers, carrier })
    }

    /// The parameters that it holds.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parts().filter_map(|part| match part {
            Part::Parameter(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The hash functions that it signs with.
    pub(crate) fn signs(&self) -> impl Iterator<Item = HashAlgorithm> {
        self.parts().filter_map(|part| match part {
            Part::Signed(algorithm, ..) => Some(*algorithm),
            _ => None,
        })
    }

    /// Whether it holds what was decrypted.
    pub(crate) fn decrypts(&self) -> bool {
        self.parts().any(|part| matches!(part, Part::Decrypted(_)))
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        let body = match &self.body {
            Text::Constant(_) => &[],
            Text::Varying(parts) => parts.as_slice(),
        };
        self.varying.iter().flat_map(|(_, parts)| parts).chain(body)
    }

    /// Fills in the answer of a handshake; `None` where a value is not there, too long or not fit to be signed, for which all of
    /// it must match `challenge` where that is given.
    pub(crate) fn fill(&self, view: &View<'_>, ours: &dyn Ours, challenge: Option<&Regex>) -> Option<Reply> {
        self.reply(&Filling { view, ours, challenge, items: 0, lenient: false })
    }

    /// The answer of a delivery of that many items. A value that is not there is left out.
    pub(crate) fn accepted(&self, request: &RequestView<'_>, items: usize, ours: &dyn Ours) -> Reply {
        if let (Text::Constant(body), true) = (&self.body, self.varying.is_empty()) {
            return Reply { status: self.status, headers: self.headers.clone(), body: body.clone() };
        }
        let document = self.carrier.document(request, &|name| self.pointers.leads_into(name));
        let view = View::of_item(*request, None, &self.pointers, &document);
        let filled = self.reply(&Filling { view: &view, ours, challenge: None, items, lenient: true });
        filled.unwrap_or_else(|| Reply { status: self.status, headers: self.headers.clone(), body: Bytes::new() })
    }

    fn reply(&self, filling: &Filling<'_, '_>) -> Option<Reply> {
        let mut headers = self.headers.clone();
        for (name, parts) in &self.varying {
            match HeaderValue::try_from(filling.text(parts, false)?) {
                Ok(value) => drop(headers.insert(name.clone(), value)),
                Err(_) if filling.lenient => {}
                Err(_) => return None,
            }
        }
        let body = match &self.body {
            Text::Constant(body) => body.clone(),
            Text::Varying(parts) => filling.text(parts, self.json)?.into(),
        };
        Some(Reply { status: self.status, headers, body })
    }
}

/// The media type of a body that names none.
fn usual_type(body: &str) -> &'static str {
    if body.trim_start().starts_with(['{', '[']) { "application/json" } else { "text/plain; charset=utf-8" }
}

fn parts(text: &str, list: &mut PointerList, events: bool) -> Result<Vec<Part>, String> {
    let compile = |piece| match piece {
        Piece::Literal(text) => Ok(Part::Literal(text)),
        Piece::Variable(name, None) if events && name == "items" => Ok(Part::Items),
        Piece::Variable(name, argument) => {
            let argument = argument.unwrap_or_default();
            let mut signed = |algorithm, encoding| Ok(Part::Signed(algorithm, encoding, source(&argument, list)?));
            match name.as_str() {
                "hmac-sha1-hex" => signed(HashAlgorithm::SHA1, Encoding::Hex),
                "hmac-sha1-base64" => signed(HashAlgorithm::SHA1, Encoding::Base64),
                "hmac-sha256-hex" => signed(HashAlgorithm::SHA256, Encoding::Hex),
                "hmac-sha256-base64" => signed(HashAlgorithm::SHA256, Encoding::Base64),
                "decrypted" => Ok(Part::Decrypted(source(&argument, list)?)),
                "parameter" if !argument.is_empty() => Ok(Part::Parameter(argument)),
                _ => Ok(Part::Echo(source(&format!("{name}:{argument}"), list)?)),
            }
        }
    };
    template::parse(text, false)?.into_iter().map(compile).collect()
}

/// `query:NAME`, `header:NAME`, `pointer:/a` or `form:NAME`.
fn source(text: &str, list: &mut PointerList) -> Result<Place, String> {
    match text.split_once(':') {
        Some(("query", name)) => Ok(Place::Query(name.to_owned())),
        Some(("form", name)) => Ok(Place::Form(name.to_owned())),
        Some(("pointer", pointer)) if pointer.starts_with('/') => Ok(Place::Pointer(list.index(pointer))),
        Some(("header", name)) => {
            HeaderName::try_from(name).map(Place::Header).map_err(|_| format!("{name:?} is no header name"))
        }
        _ => Err(format!(
            "{{{text}}} is no variable of an answer: query:, header:, pointer:, form:, parameter:, decrypted:, hmac-sha256-hex:, hmac-sha256-base64:, the same with sha1, and items where events are answered"
        )),
    }
}

impl Filling<'_, '_> {
    fn text(&self, parts: &[Part], json: bool) -> Option<String> {
        let mut out = String::new();
        for part in parts {
            let known = match part {
                Part::Literal(text) => {
                    out.push_str(text);
                    Some(())
                }
                Part::Items => {
                    out.push_str(&self.items.to_string());
                    Some(())
                }
                Part::Echo(place) => self.echo(place, json, &mut out),
                Part::Parameter(name) => self.ours.parameter(name).map(|value| out.push_str(value)),
                Part::Signed(algorithm, encoding, place) => self.signed(*algorithm, *encoding, place, &mut out),
                Part::Decrypted(place) => self.decrypted(place, &mut out),
            };
            if !self.lenient {
                known?;
            }
        }
        Some(out)
    }

    fn echo(&self, place: &Place, json: bool, out: &mut String) -> Option<()> {
        let value = self.view.value(place)?;
        let value = std::str::from_utf8(&value).ok().filter(|value| value.len() <= MAX_ECHO)?;
        if json {
            let quoted = serde_json::to_string(value).ok()?;
            out.push_str(&quoted[1..quoted.len() - 1]);
        } else {
            out.push_str(value);
        }
        Some(())
    }

    fn signed(&self, algorithm: HashAlgorithm, encoding: Encoding, place: &Place, out: &mut String) -> Option<()> {
        let challenge = self.view.value(place)?;
        let text = harmless(&challenge)?;
        if self.challenge.is_some_and(|pattern| !pattern.is_match(text)) {
            return None;
        }
        out.push_str(&signature_encoding(&self.ours.signed(algorithm, &challenge)?, encoding));
        Some(())
    }

    /// What is decrypted can never be a body either: whoever saw a delivery could ask for what it holds.
    fn decrypted(&self, place: &Place, out: &mut String) -> Option<()> {
        let opened = self.ours.decrypted(&self.view.value(place)?)?;
        out.push_str(harmless(&opened)?);
        Some(())
    }
}

/// A challenge that can never be a body.
fn harmless(challenge: &[u8]) -> Option<&str> {
    let allowed = |byte: &u8| is_harmless(*byte);
    let fits = !challenge.is_empty() && challenge.len() <= MAX_CHALLENGE && challenge.iter().all(allowed);
    std::str::from_utf8(challenge).ok().filter(|_| fits)
}
