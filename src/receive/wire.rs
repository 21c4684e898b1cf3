//! The bytes of one connection on their way to hyper: seen by `Scan`, timed by `Activity`, ended without a loss.
//!
//! Changes no byte but the heads of answers that hyper gives by itself. Ends a connection only where nothing is left to be read, and reads on for a moment after its own
//! end, since a socket closed over unread bytes is reset and takes the answer with it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;
use super::scan::Scan;

/// What a client with prior knowledge of HTTP/2 sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long, and how much, is read after the end: enough for a client that is still sending to see its answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 << 20;

/// The version that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// A stream between a client and hyper.
pub(super) struct Wire<T> {
    inner: T,
    activity: Arc<Activity>,
    /// Read already, to learn the version.
    prefix: BytesMut,
    version: Version,
    scan: Scan,
    /// The client has said that it sends no more.
    ended: bool,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
    /// An answer that hyper gave by itself, amended and on its way.
    own: BytesMut,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// Reads as much of a stream as says which version it speaks. `None` where it ends before.
    pub(super) async fn open(mut inner: T, activity: Arc<Activity>) -> io::Result<Option<Self>> {
        let mut prefix = BytesMut::with_capacity(4096);
        let version = loop {
            let seen = prefix.len().min(PREFACE.len());
            if prefix[..seen] != PREFACE[..seen] {
                break Version::Http1;
            }
            if seen == PREFACE.len() {
                break Version::Http2;
            }
            if inner.read_buf(&mut prefix).await? == 0 {
                if prefix.is_empty() {
                    return Ok(None);
                }
                break Version::Http1;
            }
            activity.touch();
        };
        Ok(Some(Self {
            inner,
            activity,
            prefix,
            version,
            scan: Scan::default(),
            ended: false,
            lingering: None,
            own: BytesMut::new(),
        }))
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// On HTTP/2 pings pass in idle moments too: there only requests count.
    fn touch(&self) {
        if self.version == Version::Http1 {
            self.activity.touch();
        }
    }

    /// Looks at bytes that hyper is about to get.
    fn see(&mut self, bytes: &[u8]) {
        self.touch();
        if self.version == Version::Http2 || self.activity.is_busy() {
            return;
        }
        if self.activity.head_byte() {
            self.scan = Scan::default();
        }
        if self.scan.see(bytes) {
            self.activity.offend();
        }
    }
}

/// What every answer carries, as lines.
const ALWAYS: &[u8] = b"x-content-type-options: nosniff\r\ncontent-security-policy: default-src 'none'\r\n";

impl<T: AsyncWrite + Unpin> Wire<T> {
    /// hyper answers what is no request by itself, 400 or 431, and asks nobody: such an answer gets the lines that all
    /// others have, and is counted. True: it is taken whole.
    fn amend(&mut self, first: &[u8], others: &[io::IoSlice<'_>]) -> bool {
        let own = first.starts_with(b"HTTP/1.1 4") && self.version == Version::Http1 && self.activity.is_in_head();
        let Some(end) =
            memchr::memchr(b'\n', first).filter(|_| own && memchr::memmem::find(first, b"nosniff").is_none())
        else {
            return false;
        };
        self.activity.refuse();
        for part in [&first[..=end], ALWAYS, &first[end + 1..]] {
            self.own.extend_from_slice(part);
        }
        others.iter().for_each(|part| self.own.extend_from_slice(part));
        true
    }

    fn send_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, &self.own))? {
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
                Poll::Pending if wire.activity.may_hang_up() => return Poll::Ready(Ok(())),
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
            wire.see(&buf.filled()[before..]);
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
        let written = ready!(Pin::new(&mut wire.inner).poll_write(cx, bytes))?;
        wire.touch();
        Poll::Ready(Ok(written))
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
        let written = ready!(Pin::new(&mut wire.inner).poll_write_vectored(cx, slices))?;
        wire.touch();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.send_own(cx))?;
        Pin::new(&mut wire.inner).poll_flush(cx)
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
