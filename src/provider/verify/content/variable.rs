//! The variables of signed content by their names: docs/providers.md lists them.

use http::HeaderName;

use super::Pointing;
use super::part::Part;

/// The part that a variable is.
///
/// # Errors
/// A sentence that names the variable or what is wrong with its argument.
pub(super) fn variable(name: &str, argument: Option<&str>, point: Pointing<'_>) -> Result<Part, String> {
    let header = |text: &str| HeaderName::try_from(text).map_err(|_| format!("{text:?} is no header name"));
    let pointer = |text: &str| {
        if text.starts_with('/') {
            Ok(text.to_owned())
        } else {
            Err(format!("{text:?} is no JSON pointer: it begins with /"))
        }
    };
    Ok(match (name, argument) {
        ("body", None) => Part::Body,
        ("body-compact-json", None) => Part::BodyCompactJson,
        ("body-json-string", None) => Part::BodyJsonString,
        ("body-sha256", None) => Part::BodySha256Hex,
        ("body-sha256-raw", None) => Part::BodySha256Raw,
        ("body-md5-base64", None) => Part::BodyMd5Base64,
        ("body-crc32", None) => Part::BodyCrc32,
        ("timestamp", None) => Part::Timestamp,
        ("secret", None) => Part::Secret,
        // Filled in by `Content::with`.
        ("parameter", Some(name)) => Part::Parameter(name.to_owned()),
        ("parameter", None) => return Err("{parameter} needs a name: {parameter:NAME}".to_owned()),
        ("method", None) => Part::Method,
        ("path", None) => Part::Path,
        ("url", None) => Part::Url,
        ("url-decoded", None) => Part::UrlDecoded,
        ("url-without-query", None) => Part::UrlWithoutQuery,
        ("url-any-port", None) => Part::UrlAnyPort,
        ("url-with-form", None) => Part::UrlWithForm,
        ("sorted-query", None) => Part::SortedQuery,
        ("query", Some(name)) => Part::Query(name.to_owned()),
        ("header", Some(h)) => Part::Header(header(h)?),
        ("key", Some(k)) => Part::Key(k.to_owned()),
        ("pointer", Some(p)) => Part::Pointer(point(&pointer(p)?)),
        ("pointer-optional", Some(p)) => Part::PointerOptional(point(&pointer(p)?)),
        ("pointer-percent", Some(p)) => Part::PointerPercent(point(&pointer(p)?)),
        ("lines", Some(names)) => {
            Part::Lines(names.split(',').map(|name| (name.to_owned(), point(&format!("/{name}")))).collect())
        }
        ("form", Some(f)) => Part::Field(f.to_owned()),
        ("form-sorted", None) => Part::FormSorted { unique: true },
        ("form-sorted-all", None) => Part::FormSorted { unique: false },
        ("pairs-sorted-except", Some(except)) => Part::PairsSorted { except: except.to_owned() },
        ("header-lines", Some(h)) => Part::HeaderLines { list: header(h)?, must: None },
        ("jws-header-lines", Some(m)) => Part::JwsHeaderLines { member: m.to_owned(), must: None },
        ("header-values", Some(k)) => Part::HeaderValues(k.to_owned()),
        _ => {
            let shown = argument.map_or_else(|| name.to_owned(), |a| format!("{name}:{a}"));
            return Err(format!("{{{shown}}} is no variable of a content: see docs/providers.md for the list"));
        }
    })
}
