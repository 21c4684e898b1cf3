//! A request as one line: method, path and sorted query, written as OAuth 1 writes them (RFC 5849, section 3.4.1).

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::url::path_of;
use crate::provider::verify::view::View;

/// Everything but RFC 3986's unreserved characters is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The parameter that may carry the token itself.
const TOKEN: &str = "jwt";

/// `METHOD&path&a=1&b=2,3`: no slash at the path's end, parameters sorted, those of one name joined. The source of the
/// fact: `createCanonicalRequest` of the npm package atlassian-jwt. `None` where there are more parameters than are read.
pub(crate) fn canonical_request(view: &View<'_>) -> Option<String> {
    let path = path_of(view).replace('&', "%26");
    let path = match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ => path.as_str(),
    };
    let mut parameters: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in view.query()?.iter().filter(|(name, _)| name != TOKEN) {
        parameters.entry(name).or_default().push(value);
    }
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let parameters = parameters.into_iter().map(|(name, mut values)| {
        values.sort_unstable();
        let values: Vec<String> = values.into_iter().map(encoded).collect();
        format!("{}={}", encoded(name), values.join(","))
    });
    let parameters: Vec<String> = parameters.collect();
    Some(format!("{}&{path}&{}", view.request().head.method, parameters.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Pointers;
    use crate::provider::request::{Head, RequestView};

    fn canonical(path: &str, query: Option<&str>, external_url: Option<&str>) -> String {
        let (method, headers) = (http::Method::POST, http::HeaderMap::new());
        let head = Head { method: &method, path, query, headers: &headers, received: jiff::Timestamp::UNIX_EPOCH };
        let pointers = Pointers::compile([""; 0]).unwrap();
        canonical_request(&View::new(RequestView { head, body: b"{}" }, external_url, &pointers)).unwrap()
    }

    #[test]
    fn one_request_has_one_line() {
        let query = "zee_last=param&repeated=parameter+2&first=p%2Cq*&repeated=parameter%201&jwt=a.b.c";
        assert_eq!(
            canonical("/path/to/service", Some(query), None),
            "POST&/path/to/service&first=p%2Cq%2A&repeated=parameter%201,parameter%202&zee_last=param"
        );
        assert_eq!(canonical("/in/", None, None), "POST&/in&");
        assert_eq!(canonical("/", Some("a="), None), "POST&/&a=");
        assert_eq!(canonical("/a&b=c", None, None), "POST&/a%26b=c&", "no path is a query");
        assert_eq!(canonical("/proxied", None, Some("https://a.example/hook")), "POST&/hook&");
    }
}
