//! `multipart/form-data` (RFC 7578): the named parts of a body, as slices.

use crate::provider::event::DecodeError;

/// Most bytes of one part's headers.
const MAX_HEADERS: usize = 8192;
const MALFORMED: DecodeError = DecodeError::Malformed("multipart body");

/// The named parts in order: name and content.
///
/// # Errors
/// `Malformed` where the body does not follow its boundary.
pub(super) fn parts<'b>(body: &'b [u8], boundary: &str) -> Result<Vec<(String, &'b [u8])>, DecodeError> {
    let delimiter = format!("--{boundary}");
    let between = format!("\r\n{delimiter}");
    let mut rest = match body.strip_prefix(delimiter.as_bytes()) {
        Some(rest) => rest,
        None => {
            let at = memchr::memmem::find(body, between.as_bytes()).ok_or(MALFORMED)?;
            &body[at + between.len()..]
        }
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let part = rest[blank..].strip_prefix(b"\r\n").ok_or(MALFORMED)?;
        // Headers may be absent: then the part begins with the blank line.
        let (headers, content) = match part.strip_prefix(b"\r\n") {
            Some(content) => (&part[..0], content),
            None => {
                let end = memchr::memmem::find(part, b"\r\n\r\n").filter(|end| *end <= MAX_HEADERS).ok_or(MALFORMED)?;
                (&part[..end], &part[end + 4..])
            }
        };
        let end = memchr::memmem::find(content, between.as_bytes()).ok_or(MALFORMED)?;
        if let Some(name) = name(headers) {
            parts.push((name, &content[..end]));
        }
        if parts.len() > super::MAX_FIELDS {
            return Err(DecodeError::Shape(format!("more than {} parts", super::MAX_FIELDS)));
        }
        rest = &content[end + between.len()..];
    }
    Ok(parts)
}

/// The `name` of a part's `Content-Disposition: form-data`.
fn name(headers: &[u8]) -> Option<String> {
    let headers = std::str::from_utf8(headers).ok()?;
    let value = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let mut rest = value.trim_start().strip_prefix("form-data")?;
    while let Some(at) = rest.find(';') {
        let parameter = rest[at + 1..].trim_start();
        let (key, value) = parameter.split_once('=')?;
        let (value, after) = quoted_or_token(value)?;
        if key.trim().eq_ignore_ascii_case("name") {
            return Some(value);
        }
        rest = after;
    }
    None
}

fn quoted_or_token(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &inner[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}
