//! What a signature covers: a template compiled into parts, fed to a hash without being put together first.
//!
//! Every part that a vendor needs is a variable here, under a name that says what it is, not whose it is.
//! Coverage is derived from the parts; a part that cannot be had makes the content impossible, never empty.

mod canonical;
mod lists;
mod url;
mod variable;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use md5::Md5;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

pub(super) use self::canonical::canonical_request;
use self::lists::{form_sorted, header_lines, header_values, jws_header_lines, pairs_sorted, sorted, sorted_query};
use self::url::{decoded_url, path_of, port_variant, url, url_with_form};
use self::variable::variable;
use super::signature::Signature;
use super::view::View;
use crate::json;
use crate::provider::Coverage;
use crate::provider::answer::is_harmless;
use crate::provider::decode::Carrier;
use crate::provider::place::Place;
use crate::template::{self, Piece};

/// A part of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Body,
    BodyCompactJson,
    BodyJsonString,
    BodySha256Hex,
    BodySha256Raw,
    BodyMd5Base64,
    BodyCrc32,
    Timestamp,
    Secret,
    Method,
    Path,
    Url,
    UrlDecoded,
    UrlWithoutQuery,
    UrlAnyPort,
    UrlWithForm,
    SortedQuery,
    Query(String),
    Header(HeaderName),
    Key(String),
    Parameter(String),
    Pointer(usize),
    PointerOptional(usize),
    PointerPercent(usize),
    Lines(Vec<(String, usize)>),
    Field(String),
    FormSorted { unique: bool },
    PairsSorted { except: String },
    HeaderLines { list: HeaderName, must: Option<HeaderName> },
    HeaderValues(String),
    JwsHeaderLines { member: String, must: Option<HeaderName> },
}

/// A compiled content template.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    parts: Vec<Part>,
    /// The parts are joined in the order of their bytes.
    sorted: bool,
}

/// What the feeding of a content needs beside the request.
pub(crate) struct Context<'c> {
    /// The time of signing as written.
    pub timestamp: &'c str,
    /// The secret, for contents that hold it.
    pub secret: &'c [u8],
    /// Where other pairs of the signature's header stand.
    pub signature: &'c Signature,
    /// Which spelling of the URL to use, where the scheme allows several.
    pub variant: usize,
}

/// The most spellings of the URL that one content is tried with.
pub(super) const VARIANTS: usize = 2;

/// Collects JSON pointers while templates compile.
pub(super) type Pointing<'p> = &'p mut dyn FnMut(&str) -> usize;

impl Content {
    /// Compiles a template. `{parameter:NAME}` is collected into `parameters` and filled in later by [`Content::with`].
    ///
    /// # Errors
    /// A sentence that names the unknown variable.
    pub(crate) fn compile(text: &str, point: Pointing<'_>) -> Result<(Self, Vec<String>), String> {
        let mut parts = Vec::new();
        let mut parameters = Vec::new();
        for piece in template::parse(text, true)? {
            parts.push(match piece {
                Piece::Literal(text) => Part::Literal(text),
                Piece::Variable(name, argument) => {
                    if name == "parameter" {
                        let parameter = argument.ok_or("{parameter} needs a name: {parameter:NAME}")?;
                        parameters.push(parameter.clone());
                        Part::Parameter(parameter)
                    } else {
                        variable(&name, argument.as_deref(), point)?
                    }
                }
            });
        }
        Ok((Self { parts, sorted: false }, parameters))
    }

    /// The content with its parameters filled in.
    pub(crate) fn with(&self, parameters: &BTreeMap<String, String>) -> Self {
        let parts = self.parts.iter().map(|part| match part {
            Part::Parameter(name) => match parameters.get(name) {
                Some(value) => Part::Literal(value.clone()),
                None => part.clone(),
            },
            _ => part.clone(),
        });
        Self { parts: parts.collect(), sorted: self.sorted }
    }

    /// Whether the parts are joined in the order of their bytes.
    pub(super) fn is_sorted(&self) -> bool {
        self.sorted
    }

    /// Joins the parts in the order of their bytes from now on.
    ///
    /// # Errors
    /// Where text stands between them: nobody could say where it goes.
    pub(super) fn sort(&mut self) -> Result<(), String> {
        if self.parts.iter().any(|part| matches!(part, Part::Literal(_))) {
            return Err("what is sorted holds variables alone, and no text between them".to_owned());
        }
        self.sorted = true;
        Ok(())
    }

    /// How many spellings of the URL are tried.
    pub(crate) fn variants(&self) -> usize {
        if self.parts.contains(&Part::UrlAnyPort) { VARIANTS } else { 1 }
    }

    /// Whether what stands at that place cannot change without changing the content. A header that a list of signed
    /// headers may name must then be in that list.
    pub(crate) fn fix(&mut self, place: &Place) -> bool {
        if let Place::Header(name) = place
            && let Some(Part::HeaderLines { must, .. } | Part::JwsHeaderLines { must, .. }) = self
                .parts
                .iter_mut()
                .find(|part| matches!(part, Part::HeaderLines { .. } | Part::JwsHeaderLines { .. }))
        {
            *must = Some(name.clone());
            return true;
        }
        self.parts.iter().any(|part| match (part, place) {
            (
                Part::Body
                | Part::BodyCompactJson
                | Part::BodyJsonString
                | Part::BodySha256Hex
                | Part::BodySha256Raw
                | Part::BodyMd5Base64,
                Place::Pointer(_) | Place::Form(_),
            ) => true,
            (Part::Url | Part::UrlDecoded | Part::UrlAnyPort | Part::SortedQuery, Place::Query(_)) => true,
            (Part::Query(signed), Place::Query(name)) => signed == name,
            (Part::UrlWithForm, Place::Query(_) | Place::Form(_)) => true,
            (Part::FormSorted { .. }, Place::Form(_)) => true,
            (Part::PairsSorted { except }, Place::Query(name) | Place::Form(name)) => except != name,
            (Part::Field(field), Place::Form(name)) => field == name,
            (Part::Header(header), Place::Header(name)) => header == name,
            (
                Part::Pointer(index) | Part::PointerOptional(index) | Part::PointerPercent(index),
                Place::Pointer(wanted),
            ) => index == wanted,
            (Part::Lines(lines), Place::Pointer(wanted)) => lines.iter().any(|(_, index)| index == wanted),
            _ => false,
        })
    }

    /// Whether the content holds the time of signing as it was written.
    pub(crate) fn holds_time(&self) -> bool {
        self.parts.contains(&Part::Timestamp)
    }

    /// Whether the content holds the path alone, which a proxy may have changed: the public URL may say it.
    pub(crate) fn takes_url(&self) -> bool {
        self.needs_url() || self.parts.contains(&Part::Path)
    }

    /// Whether the content cannot be had without the public URL.
    pub(crate) fn needs_url(&self) -> bool {
        self.parts.iter().any(|p| {
            matches!(p, Part::Url | Part::UrlDecoded | Part::UrlWithoutQuery | Part::UrlAnyPort | Part::UrlWithForm)
        })
    }

    /// Whether it is built of form fields, so that a body of another kind must never pass.
    pub(crate) fn needs_form(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::FormSorted { .. } | Part::Field(_)))
    }

    /// The members of a detached signature's header that list signed headers, and the header that each must list.
    pub(crate) fn listed_headers(&self) -> Vec<(&str, Option<&HeaderName>)> {
        let listed = self.parts.iter().filter_map(|part| match part {
            Part::JwsHeaderLines { member, must } => Some((member.as_str(), must.as_ref())),
            _ => None,
        });
        listed.collect()
    }

    /// Whether the content holds the secret.
    pub(crate) fn holds_secret(&self) -> bool {
        self.parts.contains(&Part::Secret)
    }

    /// The headers that it holds by name.
    pub(crate) fn headers(&self) -> Vec<HeaderName> {
        let named = self.parts.iter().filter_map(|part| match part {
            Part::Header(name) => Some(name.clone()),
            _ => None,
        });
        named.collect()
    }

    /// Headers that list headers, whose lines it holds, and what each must list.
    pub(super) fn header_lists(&self) -> impl Iterator<Item = (&HeaderName, Option<&HeaderName>)> {
        self.parts.iter().filter_map(|part| match part {
            Part::HeaderLines { list, must } => Some((list, must.as_ref())),
            _ => None,
        })
    }

    /// The pairs of the signature's header that it holds, and a value for each in a test delivery.
    pub(super) fn named(&self) -> Vec<(&str, &'static str)> {
        let values =
            |key: &str| self.parts.iter().any(|part| matches!(part, Part::HeaderValues(named) if named == key));
        let mut named: Vec<_> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Key(key) | Part::HeaderValues(key) => {
                    Some((key.as_str(), if values(key) { "content-type" } else { "hookgate-test" }))
                }
                _ => None,
            })
            .collect();
        named.dedup();
        named
    }

    /// The query parameters that it holds by name.
    pub(super) fn queries(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Query(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Adds what the content covers, but for its time, whose place is the scheme's.
    pub(crate) fn cover(&self, coverage: &mut Coverage, pointers: &[String]) {
        for part in &self.parts {
            match part {
                Part::Body
                | Part::BodyCompactJson
                | Part::BodyJsonString
                | Part::BodySha256Hex
                | Part::BodySha256Raw
                | Part::BodyMd5Base64
                | Part::FormSorted { .. } => coverage.body = true,
                Part::UrlWithForm | Part::PairsSorted { .. } => {
                    coverage.url = true;
                    coverage.body = true;
                }
                Part::Url | Part::UrlDecoded | Part::UrlAnyPort | Part::SortedQuery => coverage.url = true,
                Part::UrlWithoutQuery | Part::Path => coverage.path = true,
                Part::Query(name) => {
                    coverage.query.insert(name.clone());
                }
                Part::Header(name) => {
                    coverage.headers.insert(name.as_str().to_owned());
                }
                Part::Pointer(i) | Part::PointerOptional(i) | Part::PointerPercent(i) => {
                    coverage.pointers.insert(pointers[*i].clone());
                }
                Part::Lines(lines) => {
                    coverage.pointers.extend(lines.iter().map(|(_, i)| pointers[*i].clone()));
                }
                Part::Field(name) => {
                    coverage.form.insert(name.clone());
                }
                // A checksum is no hash: whoever has one body can make another with the same.
                Part::BodyCrc32
                | Part::Literal(_)
                | Part::Secret
                | Part::Timestamp
                | Part::Method
                | Part::Key(_)
                | Part::Parameter(_)
                | Part::HeaderValues(_) => {}
                Part::HeaderLines { must, .. } | Part::JwsHeaderLines { must, .. } => {
                    coverage.headers.extend(must.iter().map(|name| name.as_str().to_owned()));
                }
            }
        }
    }

    /// Whether a harmless challenge could be the whole of it: nothing in it is sure to hold another character.
    pub(super) fn could_be_challenge(&self, carrier: &Carrier) -> bool {
        !self.parts.iter().any(|part| match part {
            Part::Literal(text) => text.bytes().any(|byte| !is_harmless(byte)),
            Part::Body => carrier.marks_bodies(),
            Part::BodyCompactJson | Part::BodyJsonString => true,
            Part::Url | Part::UrlDecoded | Part::UrlWithoutQuery | Part::UrlAnyPort | Part::UrlWithForm => true,
            Part::Lines(_) | Part::HeaderLines { .. } | Part::JwsHeaderLines { .. } | Part::PairsSorted { .. } => true,
            _ => false,
        })
    }

    /// Feeds the content to `sink`; `None` where a part of it is not there.
    pub(crate) fn feed(&self, view: &View<'_>, context: &Context<'_>, sink: &mut dyn FnMut(&[u8])) -> Option<()> {
        if self.sorted {
            return sorted(&self.parts, |part, sink| part.feed(view, context, sink), sink);
        }
        self.parts.iter().try_for_each(|part| part.feed(view, context, sink))
    }
}

impl Part {
    /// Feeds the part to `sink`; `None` where it is not there.
    fn feed(&self, view: &View<'_>, context: &Context<'_>, sink: &mut dyn FnMut(&[u8])) -> Option<()> {
        let request = view.request();
        match self {
            Part::Literal(text) => sink(text.as_bytes()),
            Part::Body => sink(request.body),
            Part::BodyCompactJson => json::compact_chunks(request.body).for_each(&mut *sink),
            Part::BodyJsonString => {
                sink(serde_json::to_string(std::str::from_utf8(request.body).ok()?).ok()?.as_bytes());
            }
            Part::BodySha256Hex => sink(hex::encode(Sha256::digest(request.body)).as_bytes()),
            Part::BodySha256Raw => sink(&Sha256::digest(request.body)),
            Part::BodyMd5Base64 => sink(STANDARD.encode(Md5::digest(request.body)).as_bytes()),
            Part::BodyCrc32 => sink(crc32fast::hash(request.body).to_string().as_bytes()),
            Part::Timestamp => sink(context.timestamp.as_bytes()),
            Part::Secret => sink(context.secret),
            Part::Method => sink(request.head.method.as_str().as_bytes()),
            Part::Path => sink(path_of(view).as_bytes()),
            Part::Url => url(view, view.external_url()?, sink),
            Part::UrlDecoded => {
                let mut whole = Vec::new();
                url(view, view.external_url()?, &mut |bytes| whole.extend_from_slice(bytes));
                sink(&decoded_url(std::str::from_utf8(&whole).ok()?));
            }
            Part::UrlWithoutQuery => sink(view.external_url()?.as_bytes()),
            Part::UrlAnyPort => url(view, &port_variant(view.external_url()?, context.variant), sink),
            Part::UrlWithForm => url_with_form(view, sink)?,
            Part::SortedQuery => sink(sorted_query(view)?.as_bytes()),
            Part::Query(name) => sink(view.parameter(name)?.as_bytes()),
            Part::Header(name) => sink(view.header(name)?),
            Part::Key(key) => sink(context.signature.part(view, Some(key), None)?.as_bytes()),
            // A parameter that the source does not give: the route does not compile without it.
            Part::Parameter(_) => return None,
            Part::Pointer(index) => sink(view.member_text(*index)?.as_bytes()),
            Part::PointerOptional(index) => {
                if let Some(text) = view.member_text(*index) {
                    sink(text.as_bytes());
                }
            }
            Part::PointerPercent(index) => {
                sink(utf8_percent_encode(&view.member_text(*index)?, COMPONENT).to_string().as_bytes());
            }
            Part::Lines(lines) => lines.iter().try_for_each(|(name, index)| {
                for text in [name.as_str(), "\n", &view.member_text(*index)?, "\n"] {
                    sink(text.as_bytes());
                }
                Some(())
            })?,
            Part::Field(name) => sink(view.field(name)?.as_bytes()),
            Part::FormSorted { unique } => form_sorted(view, *unique, sink)?,
            Part::PairsSorted { except } => pairs_sorted(view, except, sink)?,
            Part::HeaderLines { list, must } => header_lines(view, list, must.as_ref(), sink)?,
            Part::JwsHeaderLines { member, must } => {
                jws_header_lines(view, context.signature, member, must.as_ref(), sink)?;
            }
            Part::HeaderValues(key) => header_values(view, context.signature, key, sink)?,
        }
        Some(())
    }
}

/// What `encodeURIComponent` leaves as it is (ECMA-262, section 19.2.6.4).
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_port_is_added_and_taken_away() {
        assert_eq!(port_variant("https://a.example/x", 1), "https://a.example:443/x");
        assert_eq!(port_variant("https://a.example:443/x", 1), "https://a.example/x");
        assert_eq!(port_variant("http://[::1]/x", 1), "http://[::1]:80/x");
        assert_eq!(port_variant("https://a.example/x", 0), "https://a.example/x");
    }

    #[test]
    fn only_reserved_characters_of_a_url_are_decoded() {
        assert_eq!(decoded_url("https://a/b?c=%3A%20%2F%25%"), b"https://a/b?c=:%20/%25%");
    }

    #[test]
    fn a_body_stands_in_a_signed_object_as_a_json_string() {
        let headers = http::HeaderMap::new();
        let head = crate::provider::request::Head {
            method: &http::Method::POST,
            path: "/",
            query: None,
            headers: &headers,
            received: jiff::Timestamp::UNIX_EPOCH,
        };
        let pointers = json::Pointers::compile([""; 0]).unwrap();
        let body = "{\"é\":\"/\\n\u{8}\"}\n";
        let view = View::new(crate::provider::request::RequestView { head, body: body.as_bytes() }, None, &pointers);
        let signature = Signature {
            places: Vec::new(),
            encoding: crate::api::scheme::Encoding::Base64,
            prefix: None,
            separator: None,
            key: None,
            index: None,
        };
        let (content, _) =
            Content::compile("{{\"Body\":{body-json-string},\"TimeStamp\":{timestamp}}}", &mut |_| 0).unwrap();
        let mut signed = Vec::new();
        let context = Context { timestamp: "7", secret: &[], signature: &signature, variant: 0 };
        content.feed(&view, &context, &mut |bytes| signed.extend_from_slice(bytes)).unwrap();
        let expected = r#"{"Body":"{\"é\":\"/\\n\b\"}\n","TimeStamp":7}"#;
        assert_eq!(String::from_utf8(signed).unwrap(), expected);
    }

    #[test]
    fn an_unknown_variable_is_refused_by_name() {
        let error = Content::compile("{bodi}", &mut |_| 0).unwrap_err();
        assert!(error.contains("{bodi}"), "{error}");
    }
}
