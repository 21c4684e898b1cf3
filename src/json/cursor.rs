//! One pass over a JSON document, forward only: forms seen, values skipped and counted, texts read.
//!
//! Validates no more than it must to keep its place; never recurses, so depth costs nothing. Numbers stay text of any
//! size, and a text that is no Unicode (a lone surrogate) reads with U+FFFD.

use std::borrow::Cow;

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{`
    Object,
    /// `[`
    List,
    /// `"`
    Text,
    /// A digit or `-`.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// A place in a document.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Cursor<'a> {
    /// At the first value; `None` where the bytes are no UTF-8.
    pub fn new(json: &'a [u8]) -> Option<Self> {
        Some(Self { text: std::str::from_utf8(json).ok()?, at: 0, values: 0 })
    }

    /// How many values were begun so far, members and elements included.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Where the pass stands, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The text from a place up to here.
    pub fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn white(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The form of the value that comes next; `None` where none does.
    pub fn form(&mut self) -> Option<Form> {
        self.white();
        Some(match self.byte()? {
            b'{' => Form::Object,
            b'[' => Form::List,
            b'"' => Form::Text,
            b'-' | b'0'..=b'9' => Form::Number,
            b't' => Form::True,
            b'f' => Form::False,
            b'n' => Form::Null,
            _ => return None,
        })
    }

    /// Enters the object or list that comes next.
    pub fn enter(&mut self) {
        self.values += 1;
        self.at += 1;
    }

    /// Where the next member starts, and its raw name, with the place at its value; as [`Cursor::member`] else.
    pub fn member_at(&mut self, first: bool) -> Option<Option<(usize, &'a str)>> {
        let name = self.member(first)?;
        Some(name.map(|name| (name.as_ptr() as usize - self.text.as_ptr() as usize, name)))
    }

    /// The raw name of the next member, with the place at its value; `Some(None)` behind the last. `first` on entry.
    pub fn member(&mut self, first: bool) -> Option<Option<&'a str>> {
        if !self.more(first, b'}')? {
            return Some(None);
        }
        let name = self.literal()?;
        self.white();
        if self.byte()? != b':' {
            return None;
        }
        self.at += 1;
        Some(Some(name))
    }

    /// Whether an element follows, with the place at it. `first` on entry.
    pub fn element(&mut self, first: bool) -> Option<bool> {
        self.more(first, b']')
    }

    fn more(&mut self, first: bool, close: u8) -> Option<bool> {
        self.white();
        match self.byte()? {
            byte if byte == close => {
                self.at += 1;
                return Some(false);
            }
            b',' if !first => self.at += 1,
            _ if first => {}
            _ => return None,
        }
        self.white();
        Some(true)
    }

    /// A string literal with its quotes.
    fn literal(&mut self) -> Option<&'a str> {
        let start = self.at;
        if self.byte()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.text.as_bytes().get(self.at..)?)?;
            self.at += found + 1;
            if self.text.as_bytes()[self.at - 1] == b'"' {
                return self.text.get(start..self.at);
            }
            self.at += 1;
        }
    }

    /// A scalar as it stands: a literal, a number, `true`, `false` or `null`.
    pub fn scalar(&mut self) -> Option<&'a str> {
        self.values += 1;
        let start = self.at;
        if self.byte()? == b'"' {
            return self.literal();
        }
        while matches!(self.byte(), Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E')) {
            self.at += 1;
        }
        self.text.get(start..self.at).filter(|text| !text.is_empty())
    }

    /// Passes the value that comes next, and all within it.
    pub fn skip(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            self.white();
            match self.byte()? {
                b'{' | b'[' => {
                    self.enter();
                    open += 1;
                }
                b'}' | b']' => {
                    self.at += 1;
                    open = open.checked_sub(1)?;
                }
                b',' => self.at += 1,
                // A name is no value of its own: it is counted back.
                b':' => {
                    self.at += 1;
                    self.values = self.values.saturating_sub(1);
                }
                _ => {
                    self.scalar()?;
                }
            }
            if open == 0 {
                return Some(());
            }
        }
    }
}

/// The text of a string literal, with U+FFFD for each escape that is half of a pair (RFC 8259, section 8.2).
pub fn lossy_text(literal: &str) -> Cow<'_, str> {
    let inner = literal.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(literal);
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let first = unit(rest);
                rest = rest.get(4..).unwrap_or_default();
                let second = rest.strip_prefix("\\u").map_or(0, unit);
                let pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
                let point = if pair { 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00) } else { first };
                if pair {
                    rest = rest.get(6..).unwrap_or_default();
                }
                text.push(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => text.push(char::from(other)),
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Four hex digits.
fn unit(text: &str) -> u32 {
    let mut unit = 0;
    for at in 0..4 {
        let Some(digit) = text.as_bytes().get(at).and_then(|byte| char::from(*byte).to_digit(16)) else {
            return 0xfffd;
        };
        unit = unit << 4 | digit;
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_passed_whole_and_its_values_are_counted() {
        for (json, count) in [
            ("1", 1),
            (r#"{"a": [1, {"b": "]}\"", "c": null}], "d": -1.5e400}"#, 7),
            ("[]", 1),
            (r#"[[], {}, "\ud800"]"#, 4),
        ] {
            let text = format!(" {json} ,7");
            let mut cursor = Cursor::new(text.as_bytes()).unwrap();
            cursor.form().unwrap();
            let start = cursor.at();
            assert_eq!(cursor.skip(), Some(()), "{json}");
            assert_eq!((cursor.since(start), cursor.values()), (json, count), "{json}");
        }
        for broken in ["", "{", r#"{"a"#, "]", "[1"] {
            assert_eq!(Cursor::new(broken.as_bytes()).and_then(|mut cursor| cursor.skip()), None, "{broken}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(Cursor::new(deep.as_bytes()).unwrap().skip(), Some(()));
    }

    #[test]
    fn half_a_pair_reads_as_the_replacement_character() {
        assert_eq!(lossy_text(r#""a\ud83d""#), "a\u{fffd}");
        assert_eq!(lossy_text(r#""\ude00\ud83d\ude00\u0041\n\"""#), "\u{fffd}😀A\n\"");
        assert_eq!(lossy_text(r#""\ud83d\ud83d\ude00""#), "\u{fffd}😀");
        assert_eq!(lossy_text(r#""plain é""#), "plain é");
    }
}
