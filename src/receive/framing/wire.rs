//! The bytes of one connection on their way to hyper: seen by `Scan` or `Frames`, timed by `Activity`, ended
//! without a loss.
//!
//! Changes no byte but the heads of answers that hyper gives by itself. Ends a connection only where nothing is left to be
//! read, and reads on for a moment after its own end, since a socket closed over unread bytes is reset and takes the answer with it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::super::activity::Activity;
use super::super::crowd::Member;
use super::frames::{Frames, PREFACE};
use super::scan::Scan;

/// How long, and how much, is read after the end: enough for a client that is still sending to see its answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 << 20;

/// The version that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::receive) enum Version {
    Http1,
    Http2,
}

/// A stream between a client and hyper.
pub(in crate::receive) struct Wire<T> {
    inner: T,
    member: Member,
    /// Read already, to learn the version or that the client is there.
    prefix: BytesMut,
    seen: Seen,
    /// The client has said that it sends no more.
    ended: bool,
    /// Written, and not known to be on its way.
    unflushed: bool,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
    /// An answer that hyper gave by itself, amended and on its way.
    own: BytesMut,
}

/// What looks at the bytes.
enum Seen {
    Http1(Scan),
    Http2(Frames),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// A stream of which nothing is read.
    pub(in crate::receive) fn new(inner: T, member: Member) -> Self {
        Self {
            inner,
            member,
            prefix: BytesMut::new(),
            seen: Seen::Http1(Scan::default()),
            ended: false,
            unflushed: false,
            lingering: None,
            own: BytesMut::new(),
        }
    }

    /// Waits for the next bytes, and holds no room for them meanwhile. False where the client sends no more.
    pub(in crate::receive) async fn wake(&mut self) -> io::Result<bool> {
        let read = std::future::poll_fn(|cx| {
            let mut scratch = [0; 4096];
            let mut buf = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf))?;
            self.prefix.extend_from_slice(buf.filled());
            Poll::Ready(io::Result::Ok(!buf.filled().is_empty()))
        });
        let more = read.await?;
        self.activity().touch();
        self.ended |= !more;
        Ok(more)
    }

    /// The version that the client speaks, where what it sent says so. A head has begun meanwhile.
    pub(in crate::receive) fn learn(&mut self) -> Option<Version> {
        let seen = self.prefix.len().min(PREFACE.len());
        if self.prefix[..seen] != PREFACE[..seen] || self.ended {
            return Some(Version::Http1);
        }
        self.member.head(u32::try_from(seen).unwrap_or(u32::MAX));
        if seen < PREFACE.len() {
            return None;
        }
        self.seen = Seen::Http2(Frames::new(Instant::now()));
        Some(Version::Http2)
    }

    /// Puts back what was read ahead, in front of what is to be read.
    pub(in crate::receive) fn put_back(&mut self, bytes: &[u8]) {
        let behind = std::mem::replace(&mut self.prefix, BytesMut::from(bytes));
        self.prefix.extend_from_slice(&behind);
    }

    /// Whether nothing is read that is not taken.
    pub(in crate::receive) fn rests(&self) -> bool {
        self.prefix.is_empty()
    }

    pub(in crate::receive) fn activity(&self) -> &std::sync::Arc<Activity> {
        self.member.activity()
    }

    fn version(&self) -> Version {
        match self.seen {
            Seen::Http1(_) => Version::Http1,
            Seen::Http2(_) => Version::Http2,
        }
    }

    /// On HTTP/2 pings pass in idle moments too: there only requests count.
    fn touch(&self) {
        if self.version() == Version::Http1 {
            self.activity().touch();
        }
    }

    /// Looks at bytes that hyper is about to get. An error ends the connection.
    fn see(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.touch();
        match &mut self.seen {
            Seen::Http1(scan) => {
                let heads = scan.heads();
                scan.see(bytes);
                if scan.heads() != heads {
                    // Another head than the one before: it has a time of its own.
                    self.member.head(0);
                }
                if let Some(head) = scan.offence() {
                    self.member.activity().offend(head);
                }
                self.member.head(scan.head_bytes());
            }
            Seen::Http2(frames) => {
                if !frames.see(bytes, Instant::now()) {
                    return Err(io::ErrorKind::QuotaExceeded.into());
                }
                self.member.head(frames.head_bytes());
            }
        }
        Ok(())
    }

    /// What came of a write or a flush: whether the client takes what it is sent, and whether all is.
    fn sent<R>(&mut self, result: &Poll<io::Result<R>>, flushed: bool) {
        self.member.activity().block(result.is_pending());
        if let Poll::Ready(Ok(_)) = result {
            self.unflushed = !flushed;
        }
        self.member.activity().leave_unsent(self.unflushed || result.is_pending());
    }
}

/// What every answer carries, as lines.
const ALWAYS: &[u8] = b"x-content-type-options: nosniff\r\ncontent-security-policy: default-src 'none'\r\n";

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// hyper answers what is no request by itself, 400 or 431, and asks nobody: such an answer gets the lines that all
    /// others have, and is counted. True: it is taken whole.
    fn amend(&mut self, first: &[u8], others: &[io::IoSlice<'_>]) -> bool {
        let ours = self.activity().take_answer() || self.version() == Version::Http2;
        let own = !ours && first.starts_with(b"HTTP/1.1 4") && memchr::memmem::find(first, b"nosniff").is_none();
        let Some(end) = memchr::memchr(b'\n', first).filter(|_| own) else { return false };
        self.activity().refuse();
        for part in [&first[..=end], ALWAYS, &first[end + 1..]] {
            self.own.extend_from_slice(part);
        }
        others.iter().for_each(|part| self.own.extend_from_slice(part));
        true
    }

    fn send_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() {
            let sent = Pin::new(&mut self.inner).poll_write(cx, &self.own);
            self.sent(&sent, false);
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.own.advance(sent),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let before = buf.filled().len();
        if wire.prefix.is_empty() {
            match Pin::new(&mut wire.inner).poll_read(cx, buf) {
                Poll::Ready(read) => read?,
                Poll::Pending if wire.activity().may_hang_up() => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
            wire.ended = buf.filled().len() == before;
        } else {
            let fits = wire.prefix.len().min(buf.remaining());
            buf.put_slice(&wire.prefix[..fits]);
            wire.prefix.advance(fits);
            if wire.prefix.is_empty() {
                wire.prefix = BytesMut::new();
            }
        }
        if buf.filled().len() > before {
            wire.see(&buf.filled()[before..])?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        ready!(wire.send_own(cx))?;
        if wire.amend(bytes, &[]) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut wire.inner).poll_write(cx, bytes);
        wire.sent(&written, false);
        if written.is_ready() {
            wire.touch();
        }
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        ready!(wire.send_own(cx))?;
        if let [first, others @ ..] = slices
            && wire.amend(first, others)
        {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = Pin::new(&mut wire.inner).poll_write_vectored(cx, slices);
        wire.sent(&written, false);
        if written.is_ready() {
            wire.touch();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.send_own(cx))?;
        let flushed = Pin::new(&mut wire.inner).poll_flush(cx);
        wire.sent(&flushed, true);
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.send_own(cx))?;
        if wire.lingering.is_none() {
            ready!(Pin::new(&mut wire.inner).poll_shutdown(cx))?;
        }
        if wire.ended {
            return Poll::Ready(Ok(()));
        }
        let (until, left) = wire.lingering.get_or_insert_with(|| (Box::pin(sleep(LINGER)), LINGER_BYTES));
        let mut scratch = [0; 4096];
        loop {
            if until.as_mut().poll(cx).is_ready() || *left == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut wire.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => *left = left.saturating_sub(buf.filled().len()),
                // Its end, or a reset: nobody is there to be waited for.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
