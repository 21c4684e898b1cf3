//! A request as schemes, conditions and extraction see it: borrowed, nothing parsed ahead of need.

use http::{HeaderMap, Method};

/// What arrived before the body, and when.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The HTTP method.
    pub method: &'a Method,
    /// The path as received.
    pub path: &'a str,
    /// The query as received, without `?`.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// When the receiver had the whole request.
    pub received: jiff::Timestamp,
}

/// A whole request, not proven yet.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// Everything but the body.
    pub head: Head<'a>,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// The values of a query parameter or form field, percent-decoded, in order.
pub fn pairs(encoded: &[u8]) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)> {
    form_urlencoded::parse(encoded)
}
