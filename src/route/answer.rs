//! What an accepted delivery is answered, made ready when the route is compiled.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode};

/// The placeholder of the number of items received.
const ITEMS: &str = "{items}";

/// An answer whose parts are ready to be sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200 to 299.
    pub status: StatusCode,
    /// The media type; none without a body.
    pub content_type: Option<HeaderValue>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Literal(Bytes),
    /// The text around each `{items}`.
    Counting(Vec<String>),
}

impl Answer {
    /// An answer whose body is sent as it stands.
    pub fn literal(status: StatusCode, content_type: Option<HeaderValue>, body: impl Into<String>) -> Self {
        let body = body.into();
        Self {
            status,
            content_type: content_type.or_else(|| usual_type(&body)),
            headers: Vec::new(),
            body: Body::Literal(body.into()),
        }
    }

    /// An answer in whose body `{items}` becomes the number of items received.
    pub fn counting(status: StatusCode, content_type: Option<HeaderValue>, body: impl Into<String>) -> Self {
        let body = body.into();
        if !body.contains(ITEMS) {
            return Self::literal(status, content_type, body);
        }
        Self {
            status,
            content_type: content_type.or_else(|| usual_type(&body)),
            headers: Vec::new(),
            body: Body::Counting(body.split(ITEMS).map(str::to_owned).collect()),
        }
    }

    /// The body for a delivery of that many items.
    pub fn body(&self, items: usize) -> Bytes {
        match &self.body {
            Body::Literal(bytes) => bytes.clone(),
            Body::Counting(parts) => {
                let items = items.to_string();
                let mut body = BytesMut::new();
                for (position, part) in parts.iter().enumerate() {
                    if position > 0 {
                        body.put_slice(items.as_bytes());
                    }
                    body.put_slice(part.as_bytes());
                }
                body.freeze()
            }
        }
    }
}

/// `application/json` for a body that begins with a brace, else `text/plain`; nothing for an empty one.
fn usual_type(body: &str) -> Option<HeaderValue> {
    match body.as_bytes().first()? {
        b'{' | b'[' => Some(HeaderValue::from_static("application/json")),
        _ => Some(HeaderValue::from_static("text/plain; charset=utf-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_counted_where_the_vendor_wants_to_hear_it() {
        let answer = Answer::counting(StatusCode::OK, None, r#"{"accepted": {items}}"#);
        assert_eq!(answer.body(12), r#"{"accepted": 12}"#);
        assert_eq!(answer.content_type.unwrap(), "application/json");
        assert_eq!(Answer::literal(StatusCode::OK, None, "{items}").body(12), "{items}");
        assert_eq!(Answer::counting(StatusCode::NO_CONTENT, None, "").content_type, None);
    }
}
