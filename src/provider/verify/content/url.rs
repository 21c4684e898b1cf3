//! The public URL in the spellings that vendors sign.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::provider::verify::view::View;

/// The path of the external URL where there is one, else the path as received.
pub(super) fn path_of<'v>(view: &'v View<'_>) -> &'v str {
    let Some(url) = view.external_url() else { return view.request().head.path };
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    after.find('/').map_or("/", |at| &after[at..])
}

pub(super) fn url(view: &View<'_>, base: &str, sink: &mut dyn FnMut(&[u8])) {
    sink(base.as_bytes());
    if let Some(query) = view.request().head.query {
        sink(b"?");
        sink(query.as_bytes());
    }
}

/// Percent-decodes the characters `: / ? # [ ] @ ! $ & ' ( ) * + , ; =` alone, spaces and others staying encoded.
pub(super) fn decoded_url(url: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('%') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let code = rest.get(at..at + 3).unwrap_or_default();
        let byte = percent_decode_str(code).next().filter(|b| b":/?#[]@!$&'()*+,;=".contains(b));
        match byte {
            Some(byte) if code.len() == 3 => {
                out.push(byte);
                rest = &rest[at + 3..];
            }
            _ => {
                out.push(b'%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The URL as written, then with the scheme's port added or taken away: senders do not agree.
pub(super) fn port_variant(url: &str, variant: usize) -> Cow<'_, str> {
    if variant == 0 {
        return Cow::Borrowed(url);
    }
    let Some((scheme, rest)) = url.split_once("://") else { return Cow::Borrowed(url) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host_end = authority.rfind(']').unwrap_or(0);
    let authority = match authority[host_end..].rfind(':') {
        Some(colon) => authority[..host_end + colon].to_owned(),
        None => format!("{authority}:{}", if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 }),
    };
    Cow::Owned(format!("{scheme}://{authority}{path}"))
}

/// The URL with its query sorted and decoded, then the form sorted: `URL?a=1&b=2.name1value1…`. Each part only where it is there.
pub(super) fn url_with_form(view: &View<'_>, sink: &mut dyn FnMut(&[u8])) -> Option<()> {
    let base = view.external_url()?;
    sink(base.as_bytes());
    // A URL without a path counts as one with `/`, as URL parsers make of it.
    if base.split_once("://").is_some_and(|(_, rest)| !rest.contains('/')) {
        sink(b"/");
    }
    let mut query: Vec<(&str, &str)> = view.query()?.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
    let mut form: Vec<(&str, &str)> = view.form_or_empty()?.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
    query.sort_unstable();
    form.sort_unstable();
    if !query.is_empty() || !form.is_empty() {
        sink(b"?");
    }
    for (position, (name, value)) in query.iter().enumerate() {
        let between = if position > 0 { "&" } else { "" };
        sink(format!("{between}{name}={value}").as_bytes());
    }
    if !query.is_empty() && !form.is_empty() {
        sink(b".");
    }
    for (name, value) in form {
        sink(name.as_bytes());
        sink(value.as_bytes());
    }
    Some(())
}
