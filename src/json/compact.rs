//! JSON less its white space outside strings, as slices: what a hash or a MAC over compact JSON reads.
//!
//! Copies nothing and validates nothing: bytes that are no JSON come out with some white space less.

/// The bytes between white space outside strings, in order; compact JSON is one slice.
pub fn compact_chunks(json: &[u8]) -> impl Iterator<Item = &[u8]> {
    Chunks { rest: json }
}

struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|b| !white(*b))?;
        let text = &self.rest[start..];
        let mut end = 0;
        while let Some(byte) = text.get(end) {
            match byte {
                b'"' => end += string_length(&text[end..]),
                b if white(*b) => break,
                _ => end += 1,
            }
        }
        let (chunk, rest) = text.split_at(end);
        self.rest = rest;
        Some(chunk)
    }
}

fn white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The length of the string that begins the text, quotes included; all of it where the string does not end.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(text: &str) -> String {
        String::from_utf8(compact_chunks(text.as_bytes()).flatten().copied().collect()).unwrap()
    }

    #[test]
    fn only_white_space_outside_strings_is_left_out() {
        assert_eq!(compact(" {\"a b\" :\t[1 ,\r\n\"x \\\" y\\\\\" ] } "), r#"{"a b":[1,"x \" y\\"]}"#);
        assert_eq!(compact("\"a\\"), "\"a\\");
        assert_eq!(compact("\"a "), "\"a ");
        assert_eq!(compact(" \n"), "");
    }

    #[test]
    fn compact_json_is_one_slice() {
        let text = r#"{"a":"b c","d":[1,2]}"#;
        assert_eq!(compact_chunks(text.as_bytes()).collect::<Vec<_>>(), [text.as_bytes()]);
    }
}
