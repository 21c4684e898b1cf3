//! Scalars as text, digits as sent.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::cursor::lossy_text;

/// A string decoded; `None` for anything else. Escapes that are no Unicode (a lone surrogate) read as U+FFFD.
pub fn string_text(value: &RawValue) -> Option<Cow<'_, str>> {
    readable(value.get())
}

/// An id: a string that is not empty, or an integer's digits as sent, beyond 2^53 too. Fractions, exponents,
/// booleans, null, objects and lists are none.
pub fn id_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    if let Some(text) = readable(raw) {
        return (!text.is_empty()).then_some(text);
    }
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(Cow::Borrowed(raw))
}

/// Any scalar: strings decoded, numbers and booleans as sent; null, objects and lists are none.
pub fn as_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    match raw.as_bytes().first()? {
        b'"' => readable(raw),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// Whether the text is a number as JSON writes it (RFC 8259, section 6).
pub fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// The text of a JSON string literal, U+FFFD for each escape that is no Unicode; `None` for any other value.
pub(super) fn readable(raw: &str) -> Option<Cow<'_, str>> {
    raw.starts_with('"').then(|| lossy_text(raw))
}

/// The text of a JSON string literal; `None` for one that is no Unicode, so that two such names are never one.
pub(super) fn decoded(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_id_is_a_string_or_the_digits_of_an_integer() {
        let id = |text| id_text(raw(text)).map(Cow::into_owned);
        assert_eq!(id(r#""a\u00e9""#).as_deref(), Some("aé"));
        assert_eq!(id("90071992547409931234567890").as_deref(), Some("90071992547409931234567890"));
        assert_eq!(id("-7").as_deref(), Some("-7"));
        for none in ["1.0", "1e3", "true", "null", "\"\"", "{}", "[1]"] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn signed_content_takes_any_scalar_as_sent() {
        let text = |text| as_text(raw(text)).map(Cow::into_owned);
        assert_eq!(text("1.50").as_deref(), Some("1.50"));
        assert_eq!(text("true").as_deref(), Some("true"));
        assert_eq!(text("\"\"").as_deref(), Some(""));
        for none in ["null", "{}", "[]"] {
            assert_eq!(text(none), None, "{none}");
        }
    }

    #[test]
    fn a_string_that_is_no_unicode_reads_with_replacements() {
        for (literal, text) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""cut \ud83d\n\"\u0041\\""#, "cut \u{fffd}\n\"A\\"),
            (r#""\ud83d\ude00 \ude00\ud83d""#, "\u{1f600} \u{fffd}\u{fffd}"),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ud800\u00e9é""#, "\u{fffd}éé"),
        ] {
            assert_eq!(string_text(raw(literal)).as_deref(), Some(text), "{literal}");
            assert_eq!(id_text(raw(literal)), as_text(raw(literal)), "{literal}");
        }
    }

    #[test]
    fn numbers_are_those_of_json() {
        for yes in ["0", "-0", "12", "1.5", "1e9", "1.25E-3"] {
            assert!(is_number(yes), "{yes}");
        }
        for no in ["", "-", "01", "1.", ".5", "1e", "+1", "0x1", "NaN", "1 ", "٣"] {
            assert!(!is_number(no), "{no}");
        }
    }
}
