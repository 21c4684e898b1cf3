//! Form fields, query parameters and headers put in the orders that vendors sign.

use http::HeaderName;

use crate::provider::verify::jws::Protected;
use crate::provider::verify::signature::Signature;
use crate::provider::verify::view::View;

/// Each name and value of the form, sorted by name and value, without anything between.
pub(super) fn form_sorted(view: &View<'_>, unique: bool, sink: &mut dyn FnMut(&[u8])) -> Option<()> {
    let mut pairs: Vec<(&str, &str)> = view.form()?.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
    pairs.sort_unstable();
    if unique {
        pairs.dedup();
    }
    for (name, value) in pairs {
        sink(name.as_bytes());
        sink(value.as_bytes());
    }
    Some(())
}

/// `&name=value` of every form field and query parameter but one, sorted, `&` and `=` in values written `_`.
pub(super) fn pairs_sorted(view: &View<'_>, except: &str, sink: &mut dyn FnMut(&[u8])) -> Option<()> {
    let form = view.form_or_empty()?.iter();
    let mut pairs: Vec<(&str, &str)> =
        form.chain(view.query()?).map(|(n, v)| (n.as_ref(), v.as_ref())).filter(|(n, _)| *n != except).collect();
    pairs.sort_unstable();
    for (name, value) in pairs {
        sink(b"&");
        sink(name.as_bytes());
        sink(b"=");
        sink(value.replace(['&', '='], "_").as_bytes());
    }
    Some(())
}

pub(super) fn sorted_query(view: &View<'_>) -> Option<String> {
    let mut pairs: Vec<(&str, &str)> = view.query()?.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
    pairs.sort_unstable();
    Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// `name:value` of every header that a header lists, joined with `;`; nothing where one that it must list is not there.
pub(super) fn header_lines(
    view: &View<'_>,
    list: &HeaderName,
    must: Option<&HeaderName>,
    sink: &mut dyn FnMut(&[u8]),
) -> Option<()> {
    let names = std::str::from_utf8(view.header(list)?).ok()?;
    if let Some(must) = must
        && !names.split(',').any(|name| name.trim().eq_ignore_ascii_case(must.as_str()))
    {
        return None;
    }
    for (position, name) in names.split(',').map(str::trim).enumerate() {
        let value = view.header(&HeaderName::try_from(name).ok()?)?;
        if position > 0 {
            sink(b";");
        }
        sink(name.to_ascii_lowercase().as_bytes());
        sink(b":");
        sink(value.trim_ascii());
    }
    Some(())
}

/// `name: value` and a line feed of every header that a member of a detached signature's header lists, the name as it
/// stands there; nothing where one that it must list is not there.
pub(super) fn jws_header_lines(
    view: &View<'_>,
    signature: &Signature,
    member: &str,
    must: Option<&HeaderName>,
    sink: &mut dyn FnMut(&[u8]),
) -> Option<()> {
    let protected = Protected::find(view, signature).ok()?;
    let names = protected.text(member)?;
    let listed = || names.split(',').filter(|name| !name.is_empty());
    if must.is_some_and(|must| !listed().any(|name| name.eq_ignore_ascii_case(must.as_str()))) {
        return None;
    }
    for name in listed() {
        let value = view.header(&HeaderName::try_from(name).ok()?)?;
        for bytes in [name.as_bytes(), b": ", value, b"\n"] {
            sink(bytes);
        }
    }
    Some(())
}

/// The values of the headers that a pair of the signature's header names, joined with `.`.
pub(super) fn header_values(
    view: &View<'_>,
    signature: &Signature,
    key: &str,
    sink: &mut dyn FnMut(&[u8]),
) -> Option<()> {
    for (position, name) in signature.part(view, Some(key), None)?.split_ascii_whitespace().enumerate() {
        if position > 0 {
            sink(b".");
        }
        sink(view.header(&HeaderName::try_from(name).ok()?)?);
    }
    Some(())
}
