//! A request in the making, and how schemes see it while it is made.

use bytes::Bytes;
use http::{HeaderMap, Method as HttpMethod};
use jiff::Timestamp;

use crate::provider::request::{Head, RequestView};

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The HTTP method.
    pub method: HttpMethod,
    /// The path.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A draft as a request.
pub struct RequestParts<'d> {
    draft: &'d Draft,
    now: Timestamp,
}

impl<'d> RequestParts<'d> {
    /// A draft, received at that time.
    pub fn of(draft: &'d Draft, now: Timestamp) -> Self {
        Self { draft, now }
    }

    /// As schemes see it.
    pub fn request(&self) -> RequestView<'d> {
        RequestView {
            head: Head {
                method: &self.draft.method,
                path: &self.draft.path,
                query: self.draft.query.as_deref(),
                headers: &self.draft.headers,
                received: self.now,
            },
            body: &self.draft.body,
        }
    }
}
