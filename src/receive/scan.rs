//! What a request's head says on the wire and hyper does not pass on: a fragment in the target (RFC 9112, section 3.2),
//! and a Content-Length beside a Transfer-Encoding (section 6.1) or beside another one (section 6.3), which is how
//! requests are smuggled past a proxy.
//!
//! Reads lines and keeps a few bytes of them. Judges the first head after an idle moment; heads that are pipelined behind
//! another request go unseen, and hyper frames those by the chunked coding alone.

/// Longer than every name that is looked for, and than ` HTTP/1.1`.
const KEPT: usize = 24;

/// The state between two reads.
#[derive(Debug)]
pub(super) struct Scan {
    line: Line,
    /// The first bytes of a header line, the last bytes of the request line.
    kept: [u8; KEPT],
    len: usize,
    hash: bool,
    content_length: bool,
    transfer_encoding: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Empty lines before a request line are allowed (RFC 9112, section 2.2).
    Request,
    Header,
    /// The head is over.
    Body,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            line: Line::Request,
            kept: [0; KEPT],
            len: 0,
            hash: false,
            content_length: false,
            transfer_encoding: false,
        }
    }
}

impl Scan {
    /// Looks at the next bytes of a head. True where the head breaks a rule.
    pub(super) fn see(&mut self, mut bytes: &[u8]) -> bool {
        while self.line != Line::Body && !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            match self.line {
                Line::Request => self.keep_last(part),
                Line::Header => self.keep_first(part),
                Line::Body => {}
            }
            let Some(end) = end else { return false };
            if self.end_line() {
                return true;
            }
            bytes = &bytes[end + 1..];
        }
        false
    }

    fn keep_last(&mut self, part: &[u8]) {
        self.hash |= memchr::memchr(b'#', part).is_some();
        let tail = &part[part.len().saturating_sub(KEPT)..];
        let room = KEPT - tail.len();
        let old = self.len.min(room);
        self.kept.copy_within(self.len - old..self.len, 0);
        self.kept[old..old + tail.len()].copy_from_slice(tail);
        self.len = old + tail.len();
    }

    fn keep_first(&mut self, part: &[u8]) {
        let new = part.len().min(KEPT - self.len);
        self.kept[self.len..self.len + new].copy_from_slice(&part[..new]);
        self.len += new;
    }

    /// Judges a whole line. True where the head breaks a rule.
    fn end_line(&mut self) -> bool {
        let kept = &self.kept[..self.len];
        let kept = kept.strip_suffix(b"\r").unwrap_or(kept);
        self.len = 0;
        match self.line {
            Line::Request if kept.is_empty() => false,
            Line::Request => {
                self.line = Line::Header;
                // Where a head began unseen behind another request, this line may be any: the version says that it is not.
                self.hash && kept.len() > 8 && kept[kept.len() - 8..].starts_with(b"HTTP/1.")
            }
            Line::Header if kept.is_empty() => {
                self.line = Line::Body;
                false
            }
            Line::Header => {
                let named = |name: &[u8]| {
                    kept.len() > name.len() && kept[name.len()] == b':' && kept[..name.len()].eq_ignore_ascii_case(name)
                };
                let length = named(b"content-length");
                let twice = length && self.content_length;
                self.content_length |= length;
                self.transfer_encoding |= named(b"transfer-encoding");
                twice || self.content_length && self.transfer_encoding
            }
            Line::Body => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a head breaks a rule, however it is cut into reads.
    fn breaks(head: &str) -> bool {
        let whole = Scan::default().see(head.as_bytes());
        for size in 1..head.len() {
            let mut scan = Scan::default();
            let cut = head.as_bytes().chunks(size).any(|part| scan.see(part));
            assert_eq!(cut, whole, "{head:?} cut into reads of {size}");
        }
        whole
    }

    #[test]
    fn a_fragment_and_two_framings_are_seen_however_the_head_arrives() {
        assert!(breaks("POST /a#b HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(breaks("\r\nPOST /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#b HTTP/1.1\nHost: h\n\n"));
        assert!(breaks("POST / HTTP/1.1\r\nContent-Length: 1\r\nHost: h\r\nTRANSFER-encoding: chunked\r\n\r\n"));
        assert!(breaks("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"));
        assert!(breaks("POST / HTTP/1.1\r\nTransfer-Encoding:chunked\r\nContent-Length:1\r\n\r\n"));
    }

    #[test]
    fn ordinary_heads_and_bodies_are_left_alone() {
        assert!(!breaks("POST /a HTTP/1.1\r\nHost: h\r\nX: a#b\r\nContent-Length: 5\r\n\r\nPOST /#b HTTP/1.1\r\n"));
        assert!(!breaks(
            "POST /a HTTP/1.1\r\nContent-Length-X: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nContent-Length: 1"
        ));
        assert!(!breaks("-Header: of a head that began unseen#\r\nHost: h\r\n\r\n"));
    }
}
