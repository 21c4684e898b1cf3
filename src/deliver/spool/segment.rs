//! One file of the spool: its name, its header, and a walk over its records that damage does not end.

use std::io;
use std::marker::PhantomData;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::files::Handle;
use super::record::{Damage, FRAME, Frame, FromBody, Record, Salt};

/// The version of the format. Another one is refused whole, and left as it is.
pub(in super::super) const VERSION: u32 = 1;
/// `HOOKGATE`, the version, the salt and the check sum of these.
pub(in super::super) const HEADER: u64 = 8 + 4 + 8 + 4;
const MAGIC: &[u8; 8] = b"HOOKGATE";
/// What is read at one time while a segment is walked.
const CHUNK: usize = 1 << 20;

/// What names a segment: its place in the order of all, and the salt of its frames. Both stand in the file's name, so
/// that a header that is lost takes nothing with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Name {
    pub(in super::super) id: u64,
    salt: u64,
}

impl Name {
    pub(in super::super) fn new(id: u64, salt: Salt) -> Self {
        Self { id, salt: salt.0 }
    }

    pub(in super::super) fn salt(self) -> Salt {
        Salt(self.salt)
    }

    pub(in super::super) fn file(self) -> String {
        format!("{:016x}-{:016x}.spool", self.id, self.salt)
    }

    pub(in super::super) fn parse(file: &str) -> Option<Self> {
        let (id, salt) = file.strip_suffix(".spool")?.split_once('-')?;
        let number = |text: &str| (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok()).flatten();
        Some(Self { id: number(id)?, salt: number(salt)? })
    }

    /// What the file begins with.
    pub(in super::super) fn header(self) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&self.salt.to_le_bytes());
        let sum = crc32fast::hash(&header);
        header.extend_from_slice(&sum.to_le_bytes());
        header
    }
}

/// The version that a file's header proves; `None` where the header is damaged.
pub(in super::super) fn version(header: &[u8]) -> Option<u32> {
    let (text, sum) = header.split_last_chunk::<4>()?;
    let sound = text.starts_with(MAGIC) && u32::from_le_bytes(*sum) == crc32fast::hash(text);
    sound.then(|| u32::from_le_bytes(text[8..12].try_into().unwrap_or_default()))
}

/// What a walk comes upon.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Found<B = Record> {
    /// A record, and where it stands.
    Record(B, Range<u64>),
    /// Bytes that are none.
    Damage(Damage),
}

/// A walk over the records of a segment, up to an end that may move.
pub(in super::super) struct Walk<H, B = Record> {
    file: H,
    name: Name,
    at: u64,
    /// Bytes of the file from `start` on.
    read: Bytes,
    start: u64,
    holds: PhantomData<B>,
}

impl<H: Handle, B: FromBody> Walk<H, B> {
    pub(in super::super) fn new(file: H, name: Name) -> Self {
        Self { file, name, at: HEADER, read: Bytes::new(), start: 0, holds: PhantomData }
    }

    /// Goes on at an offset where a record begins.
    pub(super) fn seek(&mut self, at: u64) {
        self.at = at;
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next find before `end`; `None` where there is none.
    pub(in super::super) fn next(&mut self, end: u64) -> io::Result<Option<Found<B>>> {
        if self.at >= end {
            return Ok(None);
        }
        let from = self.at;
        if let Some((record, next)) = self.record(from, end)? {
            self.at = next;
            return Ok(Some(Found::Record(record, from..next)));
        }
        let torn = self.is_torn(from, end)?;
        self.at = self.search(from + 1, end)?;
        let torn = torn && self.at == end;
        Ok(Some(Found::Damage(Damage { file: self.name.file(), bytes: from..self.at, torn })))
    }

    /// Whether a record begins here and is longer than what there is.
    fn is_torn(&mut self, from: u64, end: u64) -> io::Result<bool> {
        let salt = self.name.salt();
        let begun = self.bytes(from, FRAME, end)?;
        Ok(match Frame::read(&begun, salt) {
            Some(frame) => from + (FRAME + frame.body) as u64 > end,
            None => begun.len() < FRAME && begun.iter().zip(salt.marker()).all(|(written, marker)| *written == marker),
        })
    }

    /// The record that begins here, and where the next one would.
    fn record(&mut self, from: u64, end: u64) -> io::Result<Option<(B, u64)>> {
        let salt = self.name.salt();
        let Some(frame) = Frame::read(&self.bytes(from, FRAME, end)?, salt) else { return Ok(None) };
        let whole = self.bytes(from, FRAME + frame.body, end)?;
        if whole.len() < FRAME + frame.body || !frame.proves(&whole[FRAME..], salt) {
            return Ok(None);
        }
        Ok(B::read(whole.slice(FRAME..)).map(|record| (record, from + whole.len() as u64)))
    }

    /// Where the next frame begins that holds, or the end.
    fn search(&mut self, mut from: u64, end: u64) -> io::Result<u64> {
        let salt = self.name.salt();
        let marker = memmem::Finder::new(&salt.marker()).into_owned();
        while from < end {
            let chunk = self.bytes(from, CHUNK, end)?;
            let Some(found) = marker.find(&chunk) else {
                // The marker may stand across the end of the chunk.
                from += (chunk.len().saturating_sub(7)).max(1) as u64;
                continue;
            };
            from += found as u64;
            if Frame::read(&self.bytes(from, FRAME, end)?, salt).is_some() {
                return Ok(from);
            }
            from += 1;
        }
        Ok(end)
    }

    /// As many bytes from an offset on as the file holds before `end`.
    fn bytes(&mut self, from: u64, length: usize, end: u64) -> io::Result<Bytes> {
        let length = length.min(usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX));
        let held = self.start..self.start + self.read.len() as u64;
        if from < held.start || from + length as u64 > held.end {
            let left = usize::try_from(end - from).unwrap_or(usize::MAX);
            let mut read = BytesMut::zeroed(length.max(CHUNK.min(left)));
            let filled = self.file.read_full_at(&mut read, from)?;
            read.truncate(filled);
            (self.read, self.start) = (read.freeze(), from);
        }
        let offset = usize::try_from(from - self.start).unwrap_or(usize::MAX);
        Ok(self.read.slice(offset.min(self.read.len())..(offset + length).min(self.read.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_header_read_back() {
        let name = Name::new(17, Salt(0xfeed));
        assert_eq!(Name::parse(&name.file()), Some(name));
        assert_eq!(Name::parse("0000000000000011-feed.spool"), None);
        assert_eq!(version(&name.header()), Some(VERSION));
        let mut damaged = name.header();
        damaged[9] ^= 1;
        assert_eq!(version(&damaged), None);
        assert_eq!(name.header().len() as u64, HEADER);
    }
}
