//! Answers as HTTP: what every one of them carries, and what each kind adds.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::reject::Reject;
use crate::provider::handshake::Reply;
use crate::route::Answer;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Browsers neither guess at an answer's type nor run anything of it.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
];

fn response(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(ALWAYS);
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    response
}

/// A delivery of that many items was accepted.
pub(super) fn accepted(answer: &Answer, items: usize) -> Response<Full<Bytes>> {
    let mut response = response(answer.status, answer.content_type.clone(), answer.body(items));
    for (name, value) in &answer.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// A handshake was answered.
pub(super) fn handshake(reply: Reply) -> Response<Full<Bytes>> {
    let content_type = (!reply.body.is_empty()).then_some(reply.content_type);
    let mut response = response(reply.status, content_type, reply.body);
    response.headers_mut().extend(reply.headers);
    response
}

/// A request was not accepted; `whole` says that its body was read to the end.
pub(super) fn rejected(reject: &Reject, whole: bool) -> Response<Full<Bytes>> {
    let row = reject.row();
    let mut response = response(row.status, Some(TEXT), Bytes::from_static(row.body.as_bytes()));
    let headers = response.headers_mut();
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
