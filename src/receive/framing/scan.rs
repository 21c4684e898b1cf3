//! What a request's head says on the wire and hyper does not pass on: a fragment in the target (RFC 9112, section 3.2),
//! and a Content-Length beside a Transfer-Encoding (section 6.1) or beside another one (section 6.3), which is how
//! requests are smuggled past a proxy.
//!
//! Follows the framing of a whole connection, so that it sees every head, the pipelined ones too. Keeps a few bytes of a
//! line and none of a body. Where it cannot follow, whatever comes next is an offence.

/// Longer than every name that is looked for with a length and white space behind it, and than ` HTTP/1.1`.
const KEPT: usize = 64;

/// The state between two reads.
#[derive(Debug, Default)]
pub(super) struct Scan {
    part: Part,
    /// Heads that are whole.
    heads: u64,
    /// Bytes of the head that is not.
    head_bytes: u32,
    head: Head,
    /// The head that broke a rule; the first one is 1.
    offence: Option<u64>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// Empty lines before a request line are allowed (RFC 9112, section 2.2).
    #[default]
    Request,
    Header,
    /// So much of a body, or of a chunk, is left.
    Length(u64),
    Chunk(u64),
    /// The size of a chunk, which has begun or not.
    Size(Option<u64>),
    /// The rest of the line of a size: white space and extensions.
    Extension,
    /// The end of a line: behind a size, and behind a chunk.
    SizeEnd(u64),
    ChunkEnd,
    /// A line behind the last chunk, and whether anything stands on it.
    Trailer(bool),
    /// Not to be followed any further.
    Lost,
}

/// What is known of a head.
#[derive(Debug)]
struct Head {
    /// The first bytes of a header line, the last bytes of the request line.
    kept: [u8; KEPT],
    len: usize,
    /// The line is longer than what is kept of it.
    long: bool,
    hash: bool,
    length: Option<u64>,
    chunked: bool,
    chunk: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self { kept: [0; KEPT], len: 0, long: false, hash: false, length: None, chunked: false, chunk: 0 }
    }
}

impl Scan {
    /// The number of the head that broke a rule, if one did: the first one of the connection is 1.
    pub(super) fn offence(&self) -> Option<u64> {
        self.offence
    }

    /// Heads that are whole.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// Bytes of a head that is not whole.
    pub(super) fn head_bytes(&self) -> u32 {
        self.head_bytes
    }

    /// Looks at the next bytes of a connection.
    pub(super) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match self.part {
                Part::Request | Part::Header => self.line(bytes),
                Part::Length(left) => self.skip(left, bytes, Part::Length, Part::Request),
                Part::Chunk(left) => self.skip(left, bytes, Part::Chunk, Part::ChunkEnd),
                Part::Lost => return,
                _ => {
                    self.part = self.framing(bytes[0]);
                    1
                }
            };
            bytes = &bytes[taken..];
        }
    }

    fn skip(&mut self, left: u64, bytes: &[u8], part: fn(u64) -> Part, next: Part) -> usize {
        let here = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(left);
        self.part = if here == left { next } else { part(left - here) };
        usize::try_from(here).unwrap_or(bytes.len())
    }

    /// One byte between the chunks (RFC 9112, section 7.1), as strictly as hyper reads it.
    fn framing(&mut self, byte: u8) -> Part {
        match (self.part, byte) {
            (Part::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = (byte as char).to_digit(16).unwrap_or(0);
                match size.unwrap_or(0).checked_mul(16).and_then(|size| size.checked_add(digit.into())) {
                    Some(size) => Part::Size(Some(size)),
                    None => self.lose(),
                }
            }
            (Part::Size(Some(size)), b'\r') => Part::SizeEnd(size),
            (Part::Size(Some(size)), b' ' | b'\t' | b';') => {
                self.head.chunk = size;
                Part::Extension
            }
            (Part::Extension, b'\r') => Part::SizeEnd(self.head.chunk),
            (Part::Extension, b'\n') => self.lose(),
            (Part::Extension, _) => Part::Extension,
            (Part::SizeEnd(0), b'\n') => Part::Trailer(false),
            (Part::SizeEnd(size), b'\n') => Part::Chunk(size),
            (Part::ChunkEnd, b'\r') => Part::ChunkEnd,
            (Part::ChunkEnd, b'\n') => Part::Size(None),
            (Part::Trailer(false), b'\n') => {
                self.head = Head::default();
                Part::Request
            }
            (Part::Trailer(true), b'\n') => Part::Trailer(false),
            (Part::Trailer(any), b'\r') => Part::Trailer(any),
            (Part::Trailer(_), _) => Part::Trailer(true),
            _ => self.lose(),
        }
    }

    /// hyper does not follow either, or what it makes of it is not to be trusted.
    fn lose(&mut self) -> Part {
        self.offence.get_or_insert(self.heads + 1);
        self.head_bytes = 0;
        Part::Lost
    }

    /// Takes bytes up to the end of a line of a head, and says how many.
    fn line(&mut self, bytes: &[u8]) -> usize {
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.head_bytes = self.head_bytes.saturating_add(u32::try_from(taken).unwrap_or(u32::MAX));
        match self.part {
            Part::Request => self.head.keep_last(part),
            _ => self.head.keep_first(part),
        }
        if end.is_some() {
            self.end_line();
        }
        taken
    }

    fn end_line(&mut self) {
        let head = &mut self.head;
        let kept = &head.kept[..head.len];
        let kept = kept.strip_suffix(b"\r").unwrap_or(kept);
        let (empty, long) = (kept.is_empty() && !head.long, head.long);
        if self.part == Part::Request {
            if !empty {
                self.part = Part::Header;
                if head.hash {
                    self.offence.get_or_insert(self.heads + 1);
                }
            }
        } else if empty {
            self.heads += 1;
            self.head_bytes = 0;
            self.part = match (head.chunked, head.length) {
                (true, _) => Part::Size(None),
                (false, None | Some(0)) => Part::Request,
                (false, Some(length)) => Part::Length(length),
            };
            *head = Head::default();
        } else if let Some(value) = value(kept, b"content-length") {
            let length = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = length.filter(|_| !long).and_then(|text| text.parse().ok());
            if length.is_none() || head.length.is_some() || head.chunked {
                self.offence.get_or_insert(self.heads + 1);
            }
            head.length = length.or(Some(0));
        } else if value(kept, b"transfer-encoding").is_some() {
            if head.length.is_some() {
                self.offence.get_or_insert(self.heads + 1);
            }
            head.chunked = true;
        }
        self.head.len = 0;
        self.head.long = false;
        self.head.hash = false;
    }
}

/// The value of a header line of this name.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    rest.strip_prefix(b":").filter(|_| start.eq_ignore_ascii_case(name)).map(<[u8]>::trim_ascii)
}

impl Head {
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
        self.long |= new < part.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head that breaks a rule, however the bytes are cut into reads.
    fn breaks(bytes: &str) -> Option<u64> {
        let seen = |size: usize| {
            let mut scan = Scan::default();
            bytes.as_bytes().chunks(size).for_each(|part| scan.see(part));
            (scan.offence(), scan.head_bytes())
        };
        let whole = seen(bytes.len());
        for size in 1..bytes.len() {
            assert_eq!(seen(size), whole, "{bytes:?} cut into reads of {size}");
        }
        whole.0
    }

    const BAD: [&str; 6] = [
        "POST /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\nPOST /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#b HTTP/1.1\nHost: h\n\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nHost: h\r\nTRANSFER-encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding:chunked\r\nContent-Length:1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
    ];

    const GOOD: [&str; 7] = [
        "POST /a HTTP/1.1\r\nHost: h\r\nX: a#b\r\nContent-Length: 9\r\n\r\nPOST /#b ",
        "POST /a HTTP/1.1\r\nContent-Length-X: 5\r\nTransfer-Encoding: chunked\r\n\r\n11\r\nContent-Length: 1\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"#\"\r\nabc\r\n2 \t\r\n\r\n\r\n000\r\nX: y\r\nZ: 1\r\n\r\n",
        "GET /a HTTP/1.1\nHost: h\n\n",
        "\r\nPOST /a HTTP/1.1\r\nContent-Length: 0000\r\n\r\n",
        "POST /a HTTP/1.1\r\ncontent-length:\t 0003 \r\n\r\n###",
        "POST /a HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
    ];

    #[test]
    fn a_fragment_and_two_framings_are_seen_however_the_head_arrives() {
        for bad in BAD {
            assert_eq!(breaks(bad), Some(1), "{bad:?}");
        }
    }

    #[test]
    fn ordinary_heads_and_bodies_are_left_alone_and_followed_to_the_next_head() {
        for good in GOOD {
            assert_eq!(breaks(good), None, "{good:?}");
            for next in GOOD {
                assert_eq!(breaks(&format!("{good}{next}")), None, "{good:?} and {next:?}");
                for bad in BAD {
                    assert_eq!(breaks(&format!("{good}{next}{bad}")), Some(3), "{good:?}, {next:?} and {bad:?}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_followed_is_an_offence_of_what_comes_next() {
        for lost in ["x\r\n", "3\nabc", "3\r\nabcd", "10000000000000000\r\n", "\r\n", "3;\nabc"] {
            let bytes = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{lost}");
            assert_eq!(breaks(&bytes), Some(2), "{lost:?}");
        }
    }

    #[test]
    fn bytes_of_a_head_that_is_not_whole_are_counted() {
        let mut scan = Scan::default();
        scan.see(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n");
        assert_eq!(scan.head_bytes(), 36);
        scan.see(b"\r\n{");
        assert_eq!(scan.head_bytes(), 0);
        scan.see(b"}POST");
        assert_eq!(scan.head_bytes(), 4);
    }
}
