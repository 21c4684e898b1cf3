//! What a signature covers: a template compiled into parts, fed to a hash without being put together first.
//!
//! Every part that a vendor needs is a variable here, under a name that says what it is, not whose it is.
//! Coverage is derived from the parts; a part that cannot be had makes the content impossible, never empty.

mod canonical;
mod lists;
mod part;
mod url;
mod variable;

use std::collections::BTreeMap;

use http::HeaderName;

pub(super) use self::canonical::canonical_request;
use self::lists::sorted;
use self::part::Part;
use self::variable::variable;
use super::signature::Signature;
use super::view::View;
use crate::provider::Coverage;
use crate::provider::decode::Carrier;
use crate::provider::place::Place;
use crate::template::{self, Piece};

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
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(Part::Literal(text)),
            Piece::Variable(name, argument) => variable(&name, argument.as_deref(), point),
        };
        let parts: Vec<Part> = template::parse(text, true)?.into_iter().map(part).collect::<Result<_, _>>()?;
        let parameters = parts.iter().filter_map(|part| match part {
            Part::Parameter(name) => Some(name.clone()),
            _ => None,
        });
        let parameters = parameters.collect();
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
        self.parts.iter().any(|part| part.fixes(place))
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
        self.parts.iter().any(Part::needs_url)
    }

    /// Whether it is built of form fields, so that a body of another kind must never pass.
    pub(crate) fn needs_form(&self) -> bool {
        self.parts.iter().any(Part::needs_form)
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
        self.parts.iter().for_each(|part| part.cover(coverage, pointers));
    }

    /// Whether a harmless challenge could be the whole of it: nothing in it is sure to hold another character.
    pub(super) fn could_be_challenge(&self, carrier: &Carrier) -> bool {
        !self.parts.iter().any(|part| part.differs_from_challenge(carrier))
    }

    /// Feeds the content to `sink`; `None` where a part of it is not there.
    pub(crate) fn feed(&self, view: &View<'_>, context: &Context<'_>, sink: &mut dyn FnMut(&[u8])) -> Option<()> {
        if self.sorted {
            return sorted(&self.parts, |part, sink| part.feed(view, context, sink), sink);
        }
        self.parts.iter().try_for_each(|part| part.feed(view, context, sink))
    }
}

#[cfg(test)]
mod tests {
    use super::url::{decoded_url, port_variant};
    use super::*;
    use crate::json;

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
