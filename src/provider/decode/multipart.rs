//! `multipart/form-data` (RFC 7578): the named parts of a body, as slices.

use crate::provider::event::DecodeError;

/// Most parts of a multipart body, fields of a form.
pub(super) const MAX_PARTS: usize = 1000;

/// Most bytes of one part's headers.
const MAX_HEADERS: usize = 8192;
const MALFORMED: DecodeError = DecodeError::Malformed("multipart body");

/// One named part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'b> {
    /// The name of the form field.
    pub name: String,
    /// The name of the file, where it is one.
    pub filename: Option<String>,
    /// Its media type, where it says one.
    pub media_type: Option<&'b str>,
    /// What it holds.
    pub content: &'b [u8],
}

impl<'b> Part<'b> {
    /// The text of a field; `None` for a file.
    pub(super) fn text(&self) -> Option<&'b str> {
        std::str::from_utf8(self.content).ok().filter(|_| self.filename.is_none())
    }
}

/// The named parts in order.
///
/// # Errors
/// `Malformed` where the body does not follow its boundary.
pub(super) fn parts<'b>(body: &'b [u8], boundary: &str) -> Result<Vec<Part<'b>>, DecodeError> {
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
        let headers = std::str::from_utf8(headers).unwrap_or_default();
        if let Some((name, filename)) = disposition(headers) {
            let media_type = header(headers, "content-type").map(str::trim);
            parts.push(Part { name, filename, media_type, content: &content[..end] });
        }
        if parts.len() > MAX_PARTS {
            return Err(DecodeError::Shape(format!("more than {} parts", MAX_PARTS)));
        }
        rest = &content[end + between.len()..];
    }
    Ok(parts)
}

fn header<'b>(headers: &'b str, wanted: &str) -> Option<&'b str> {
    headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case(wanted).then_some(value)
    })
}

/// The `name` and `filename` of a part's `Content-Disposition: form-data`.
fn disposition(headers: &str) -> Option<(String, Option<String>)> {
    let mut rest = header(headers, "content-disposition")?.trim_start().strip_prefix("form-data")?;
    let (mut name, mut filename) = (None, None);
    while let Some(at) = rest.find(';') {
        let Some((key, value)) = rest[at + 1..].trim_start().split_once('=') else { break };
        let (value, after) = quoted_or_token(value)?;
        match key.trim() {
            key if key.eq_ignore_ascii_case("name") => name = name.or(Some(value)),
            key if key.eq_ignore_ascii_case("filename") || key.eq_ignore_ascii_case("filename*") => {
                filename = Some(value);
            }
            _ => {}
        }
        rest = after;
    }
    Some((name?, filename))
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
