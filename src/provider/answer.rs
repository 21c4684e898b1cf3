//! What a vendor hears: a status and a body, filled in from the request under strict rules.
//!
//! Values are capped, escaped for their media type, and never HTML. A challenge that is signed can never be a body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::place::{Place, PointerList};
use super::template::{self, Piece};
use super::verify::signature_encoding;
use super::verify::view::View;
use crate::api;
use crate::api::scheme::Encoding;

/// The longest value of a request that is echoed, in bytes.
const MAX_ECHO: usize = 1024;
/// The longest challenge that is signed, in bytes.
const MAX_CHALLENGE: usize = 256;

/// A compiled answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The media type.
    pub content_type: HeaderValue,
    json: bool,
    body: Vec<Part>,
    headers: Vec<(HeaderName, Vec<Part>)>,
}

/// An answer, filled in.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The media type.
    pub content_type: HeaderValue,
    /// Further headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Echo(Place),
    Signed(Place, Encoding),
}

/// Signs a challenge with the route's key; `None` without a live one.
pub type Signer<'s> = &'s dyn Fn(&[u8]) -> Option<Vec<u8>>;

impl Answer {
    /// Compiles an answer.
    ///
    /// # Errors
    /// A sentence that names the variable or header that is wrong.
    pub fn compile(written: &api::provider::Answer, list: &mut PointerList) -> Result<Self, String> {
        let body = written.body.as_deref().unwrap_or_default();
        let looks_json = body.trim_start().starts_with(['{', '[']);
        let content_type = written.content_type.clone().unwrap_or_else(|| {
            if looks_json { "application/json".to_owned() } else { "text/plain; charset=utf-8".to_owned() }
        });
        let status = written.status.unwrap_or(200);
        let status = u16::try_from(status).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let mut headers = Vec::new();
        for (name, value) in &written.headers {
            let header = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header name"))?;
            headers.push((header, parts(value, list)?));
        }
        Ok(Self {
            status: status.filter(StatusCode::is_success).ok_or("status must be from 200 to 299")?,
            json: content_type.contains("json"),
            content_type: HeaderValue::try_from(content_type).map_err(|_| "contentType is no media type")?,
            body: parts(body, list)?,
            headers,
        })
    }

    /// Fills in an answer from the request; `None` where a value is not there, too long or not fit to be signed.
    pub fn fill(&self, view: &View<'_>, sign: Signer<'_>) -> Option<Reply> {
        let mut headers = HeaderMap::new();
        for (name, parts) in &self.headers {
            let value = text(parts, view, sign, false)?;
            headers.insert(name.clone(), HeaderValue::try_from(value).ok()?);
        }
        let body = text(&self.body, view, sign, self.json)?;
        Some(Reply { status: self.status, content_type: self.content_type.clone(), headers, body: body.into() })
    }
}

fn parts(body: &str, list: &mut PointerList) -> Result<Vec<Part>, String> {
    let compile = |piece| match piece {
        Piece::Literal(text) => Ok(Part::Literal(text)),
        Piece::Variable(name, argument) => {
            let argument = argument.unwrap_or_default();
            match name.as_str() {
                "hmac-sha256-hex" => Ok(Part::Signed(source(&argument, list)?, Encoding::Hex)),
                "hmac-sha256-base64" => Ok(Part::Signed(source(&argument, list)?, Encoding::Base64)),
                _ => Ok(Part::Echo(source(&format!("{name}:{argument}"), list)?)),
            }
        }
    };
    template::parse(body, false)?.into_iter().map(compile).collect()
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
            "{{{text}}} is no variable of a handshake's answer: query:, header:, pointer:, form:, hmac-sha256-hex:, hmac-sha256-base64:"
        )),
    }
}

fn text(parts: &[Part], view: &View<'_>, sign: Signer<'_>, json: bool) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Echo(place) => {
                let value = view.value(place)?;
                let value = std::str::from_utf8(&value).ok().filter(|value| value.len() <= MAX_ECHO)?;
                if json {
                    let quoted = serde_json::to_string(value).ok()?;
                    out.push_str(&quoted[1..quoted.len() - 1]);
                } else {
                    out.push_str(value);
                }
            }
            Part::Signed(place, encoding) => {
                let challenge = view.value(place)?;
                let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(byte);
                if challenge.is_empty() || challenge.len() > MAX_CHALLENGE || !challenge.iter().all(harmless) {
                    return None;
                }
                out.push_str(&signature_encoding(&sign(&challenge)?, *encoding));
            }
        }
    }
    Some(out)
}
