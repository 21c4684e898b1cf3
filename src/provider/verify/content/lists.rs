//! Form fields, query parameters and headers put in the orders that vendors sign.

use std::cmp::Ordering;

use http::HeaderName;
use zeroize::Zeroizing;

use crate::provider::verify::jws::Protected;
use crate::provider::verify::signature::Signature;
use crate::provider::verify::view::View;

/// The parts in the order of their bytes, without anything between.
pub(super) fn sorted<P>(
    parts: &[P],
    feed: impl Fn(&P, &mut dyn FnMut(&[u8])) -> Option<()>,
    sink: &mut dyn FnMut(&[u8]),
) -> Option<()> {
    let mut all = Vec::with_capacity(parts.len());
    for part in parts {
        // One of them is the secret.
        let mut bytes = Zeroizing::new(Vec::new());
        feed(part, &mut |chunk| bytes.extend_from_slice(chunk))?;
        all.push(bytes);
    }
    all.sort_by(|one, other| order(one, other));
    all.iter().for_each(|bytes| sink(bytes));
    Some(())
}

/// The order of two texts, looked at to the end of the shorter one: how far a secret is like what was sent shows in no time.
fn order(one: &[u8], other: &[u8]) -> Ordering {
    let first = one.iter().zip(other).fold(0_i16, |first, (a, b)| {
        let here = i16::from(*a) - i16::from(*b);
        first + here * i16::from(first == 0)
    });
    first.cmp(&0).then(one.len().cmp(&other.len()))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_in_the_order_of_their_bytes() {
        let joined = |parts: &[&str]| {
            let mut out = String::new();
            let feed = |part: &&str, sink: &mut dyn FnMut(&[u8])| {
                sink(part.as_bytes());
                Some(())
            };
            sorted(parts, feed, &mut |bytes| out.push_str(std::str::from_utf8(bytes).unwrap())).unwrap();
            out
        };
        assert_eq!(joined(&["789", "456", "123"]), "123456789");
        assert_eq!(joined(&["b", "a", "", "ab", "B", "é"]), "Baabbé");
        assert!(sorted(&[1], |_, _| None, &mut |_| {}).is_none(), "a part that is not there");
    }

    #[test]
    fn the_order_is_that_of_bytes() {
        let texts: [&[u8]; 8] = [b"", b"a", b"aa", b"ab", b"b", b"\xff", b"\0", b"\x7f\x80"];
        for one in texts {
            for other in texts {
                assert_eq!(order(one, other), one.cmp(other), "{one:?} {other:?}");
            }
        }
    }
}
