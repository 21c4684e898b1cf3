//! The frames of an HTTP/2 connection as a client sends them (RFC 9113, section 4.1), read to bound what costs us work
//! and moves no request: PING, SETTINGS, PRIORITY, RST_STREAM, WINDOW_UPDATE and frames that nobody knows.
//!
//! Keeps nine bytes. Judges no frame: that is the library's.

use std::time::{Duration, Instant};

const HEADER: usize = 9;
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const END_HEADERS: u8 = 0x4;

/// What a client with prior knowledge of HTTP/2 sends first (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// So many frames without a request at once, then one every 10 ms; each request allows some more. A client sends a
/// PING now and then, and a few WINDOW_UPDATEs for the answers that it reads, which are small.
const BURST: u32 = 500;
const INTERVAL: Duration = Duration::from_millis(10);
const FOR_A_REQUEST: u32 = 8;

/// The state between two reads.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes that are passed over before the next frame: the preface, and what a frame carries.
    skip: usize,
    header: [u8; HEADER],
    len: usize,
    /// Bytes of a head that is not whole: of a frame, or of several.
    head_bytes: u32,
    in_head: bool,
    allowed: u32,
    since: Instant,
}

impl Frames {
    /// At the begin of a connection.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            skip: PREFACE.len(),
            header: [0; HEADER],
            len: 0,
            head_bytes: 0,
            in_head: false,
            allowed: BURST,
            since: now,
        }
    }

    /// Bytes of a head, or of another frame, that is not whole.
    pub(super) fn head_bytes(&self) -> u32 {
        self.head_bytes
    }

    /// Looks at the next bytes. False where there are too many frames that carry no request.
    pub(super) fn see(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        while !bytes.is_empty() {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = &bytes[passed..];
            if passed > 0 && self.skip == 0 && !self.in_head {
                self.head_bytes = 0;
            } else if self.head_bytes > 0 {
                self.head_bytes = self.head_bytes.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
            }
            let part = bytes.len().min(HEADER - self.len);
            self.header[self.len..self.len + part].copy_from_slice(&bytes[..part]);
            self.len += part;
            bytes = &bytes[part..];
            if part > 0 {
                self.head_bytes = self.head_bytes.saturating_add(u32::try_from(part).unwrap_or(u32::MAX));
            }
            if self.len == HEADER && !self.begin(now) {
                return false;
            }
        }
        true
    }

    fn begin(&mut self, now: Instant) -> bool {
        let [a, b, c, kind, flags, ..] = self.header;
        self.len = 0;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            HEADERS | CONTINUATION => {
                self.in_head = flags & END_HEADERS == 0;
                if kind == HEADERS {
                    self.allowed = (self.allowed + FOR_A_REQUEST).min(BURST);
                }
            }
            DATA => {}
            _ => {
                let ticks = now.saturating_duration_since(self.since).as_millis() / INTERVAL.as_millis();
                let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
                if ticks > 0 {
                    self.allowed = self.allowed.saturating_add(ticks).min(BURST);
                    self.since = now;
                }
                match self.allowed.checked_sub(1) {
                    Some(left) => self.allowed = left,
                    None => return false,
                }
            }
        }
        if self.skip == 0 && !self.in_head {
            self.head_bytes = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn requests_with_bodies_are_never_too_many_and_pings_are() {
        let now = Instant::now();
        for size in [1, 7, 9, 100, 100_000] {
            let mut frames = Frames::new(now);
            let begin = [PREFACE, &frame(4, 0, &[0; 12])].concat();
            assert!(begin.chunks(size).all(|part| frames.see(part, now)));
            let request =
                [frame(1, 4, &[0; 40]), frame(0, 0, &[6; 20]), frame(0, 1, &[]), frame(8, 0, &[0; 4])].concat();
            for _ in 0..2000 {
                assert!(request.chunks(size).all(|part| frames.see(part, now)));
            }
            let pings = frame(6, 0, &[0; 8]).repeat(1000);
            assert!(!pings.chunks(size).all(|part| frames.see(part, now)), "{size}");
        }
    }

    #[test]
    fn a_ping_now_and_then_is_taken_for_ever() {
        let now = Instant::now();
        let mut frames = Frames::new(now);
        assert!(frames.see(PREFACE, now));
        for n in 0..10_000 {
            assert!(frames.see(&frame(6, 0, &[0; 8]), now + INTERVAL * n), "{n}");
        }
    }

    #[test]
    fn a_head_that_is_not_whole_counts_until_it_is() {
        let now = Instant::now();
        let mut frames = Frames::new(now);
        assert!(frames.see(PREFACE, now) && frames.head_bytes() == 0);
        assert!(frames.see(&frame(1, 0, &[0; 100]), now) && frames.head_bytes() == 109);
        assert!(frames.see(&frame(9, 0, &[0; 100])[..50], now) && frames.head_bytes() == 159);
        assert!(frames.see(&frame(9, 0, &[0; 100])[50..], now) && frames.head_bytes() == 218);
        assert!(frames.see(&frame(9, 4, &[]), now) && frames.head_bytes() == 0);
        assert!(frames.see(&frame(1, 4, &[0; 100]), now) && frames.head_bytes() == 0);
    }
}
