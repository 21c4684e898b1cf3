//! The words of CEL: names, numbers, texts with their escapes, marks. Comments and white space vanish.
//!
//! What a word means is the parser's to say; an error names line and column.

use std::fmt;

use super::parse::Span;

/// A word.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    /// A field's name between back quotes.
    Quoted(String),
    /// As written: digits, fraction, exponent, `0x`, `u`.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    Mark(&'static str),
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(word) | Self::Quoted(word) | Self::Number(word) => write!(f, "{word:?}"),
            Self::Text(_) | Self::Bytes(_) => f.write_str("a text"),
            Self::Mark(mark) => write!(f, "{mark:?}"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// Longer ones first.
const MARKS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// Reads words one after another.
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// A sentence about a place.
    pub(super) fn error(&self, at: usize, what: &str) -> String {
        let before = self.source.get(..at).unwrap_or(self.source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("is no CEL expression: {line}:{column}: {what}")
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let text = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
            self.at += rest.len() - text.len();
            if !text.starts_with("//") {
                return;
            }
            self.at += text.find('\n').unwrap_or(text.len());
        }
    }

    /// The next word and its place.
    pub(super) fn token(&mut self) -> Result<(Token, Span), String> {
        self.skip();
        let start = self.at;
        let token = self.word()?;
        Ok((token, Span { start, end: self.at }))
    }

    fn word(&mut self) -> Result<Token, String> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        if let Some(text) = self.text()? {
            return Ok(text);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            self.at += end;
            return Ok(Token::Name(rest[..end].to_owned()));
        }
        let second = rest.as_bytes().get(1);
        if first.is_ascii_digit() || first == '.' && second.is_some_and(u8::is_ascii_digit) {
            return self.number();
        }
        if first == '`' {
            let end = rest[1..].find('`').ok_or_else(|| self.error(self.at, "the back quote is not closed"))?;
            self.at += end + 2;
            return Ok(Token::Quoted(rest[1..=end].to_owned()));
        }
        match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => {
                self.at += mark.len();
                Ok(Token::Mark(mark))
            }
            None if first == '=' => Err(self.error(self.at, "\"=\" compares nothing: write \"==\"")),
            None if first == '&' || first == '|' => {
                Err(self.error(self.at, &format!("\"{first}\" joins nothing: write \"{first}{first}\"")))
            }
            None => Err(self.error(self.at, &format!("{first:?} has no meaning"))),
        }
    }

    fn number(&mut self) -> Result<Token, String> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = if rest.starts_with("0x") || rest.starts_with("0X") {
            2 + bytes[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count()
        } else {
            let mut end = digits(0);
            if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
                end += 1 + digits(end + 1);
            }
            if matches!(bytes.get(end), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                let exponent = bytes.get(end + 1 + sign).map_or(0, |_| digits(end + 1 + sign));
                if exponent > 0 {
                    end += 1 + sign + exponent;
                }
            }
            end
        };
        if matches!(bytes.get(end), Some(b'u' | b'U')) {
            end += 1;
        }
        if bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return Err(self.error(self.at, "a number runs into a name"));
        }
        self.at += end;
        Ok(Token::Number(rest[..end].to_owned()))
    }

    /// A text or bytes, where one begins here.
    fn text(&mut self) -> Result<Option<Token>, String> {
        let rest = self.rest();
        let prefix = rest.find(['\'', '"']).unwrap_or(rest.len());
        let (raw, bytes) = match rest[..prefix.min(3)].to_ascii_lowercase().as_str() {
            "" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "br" | "rb" => (true, true),
            _ => return Ok(None),
        };
        let Some(quote) = rest[prefix..].chars().next() else { return Ok(None) };
        let triple = [quote; 3].iter().collect::<String>();
        let open = if rest[prefix..].starts_with(&triple) { 3 } else { 1 };
        let inside = &rest[prefix + open..];
        let close = &triple[..open];
        let mut length = 0;
        loop {
            let left = &inside[length..];
            let Some(next) = left.chars().next().filter(|next| open == 3 || *next != '\n') else {
                return Err(self.error(self.at, "the text is not closed"));
            };
            if left.starts_with(close) {
                break;
            }
            length += next.len_utf8();
            if next == '\\' && !raw {
                length += inside[length..].chars().next().map_or(0, char::len_utf8);
            }
        }
        let inside = &inside[..length];
        let content = if raw { Some(inside.as_bytes().to_vec()) } else { unescaped(inside, bytes) };
        let content = content.ok_or_else(|| {
            self.error(
                self.at,
                "an escape in the text means nothing: write \\\\ for a backslash, or r'…' around a pattern",
            )
        })?;
        let token = if bytes {
            Token::Bytes(content)
        } else {
            Token::Text(String::from_utf8(content).map_err(|_| self.error(self.at, "the text is no Unicode"))?)
        };
        self.at += prefix + open + length + open;
        Ok(Some(token))
    }
}

/// CEL's escapes decoded; in bytes `\x` and octal ones are bytes, in texts code points.
fn unescaped(text: &str, bytes: bool) -> Option<Vec<u8>> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = rest[at + 1..].chars().next()?;
        rest = &rest[at + 1 + escape.len_utf8()..];
        let (digits, radix) = match escape {
            'a' => (Err(0x07), 0),
            'b' => (Err(0x08), 0),
            'f' => (Err(0x0c), 0),
            'n' => (Err(b'\n'), 0),
            'r' => (Err(b'\r'), 0),
            't' => (Err(b'\t'), 0),
            'v' => (Err(0x0b), 0),
            '\\' | '\'' | '"' | '`' | '?' => (Err(u8::try_from(escape).ok()?), 0),
            'x' | 'X' => (Ok(2), 16),
            'u' if !bytes => (Ok(4), 16),
            'U' if !bytes => (Ok(8), 16),
            '0'..='3' => {
                rest = &text[text.len() - rest.len() - 1..];
                (Ok(3), 8)
            }
            _ => return None,
        };
        match digits {
            Err(byte) => out.push(byte),
            Ok(count) => {
                let digits = rest.get(..count).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
                let value = u32::from_str_radix(digits, radix).ok()?;
                rest = &rest[count..];
                match u8::try_from(value) {
                    Ok(byte) if bytes => out.push(byte),
                    _ => out.extend_from_slice(char::from_u32(value)?.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out)
}
