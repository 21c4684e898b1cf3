//! Answers as HTTP: those that a definition or a source compiled, and those of a reject.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;

use super::reject::Reject;
use crate::metrics::Outcome;
use crate::provider::answer::{ALWAYS, Reply};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A request that was not rejected.
pub(super) struct Accepted {
    pub(super) reply: Reply,
    pub(super) outcome: Outcome,
    /// How many items arrived.
    pub(super) items: usize,
}

impl Accepted {
    pub(super) fn handshake(reply: Reply) -> Self {
        Self { reply, outcome: Outcome::Handshake, items: 0 }
    }
}

/// A delivery was accepted, or a handshake answered.
pub(super) fn accepted(Accepted { reply, .. }: Accepted) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// A request was not accepted; `whole` says that its body was read to the end.
pub(super) fn rejected(reject: &Reject, whole: bool) -> Response<Full<Bytes>> {
    let row = reject.row();
    let mut response = Response::new(Full::new(Bytes::from_static(row.body.as_bytes())));
    *response.status_mut() = row.status;
    let headers = response.headers_mut();
    headers.extend(ALWAYS);
    headers.insert(header::CONTENT_TYPE, TEXT);
    if let Some(seconds) = row.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Reject::Method(allow) = reject {
        headers.insert(header::ALLOW, allow.clone());
    }
    if reject.closes() || !whole {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
