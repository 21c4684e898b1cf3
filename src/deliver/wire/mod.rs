//! The connection that events are published on: requests write their frames into one buffer, and the loop that sends it
//! reads the acknowledgements.
//!
//! The general client costs a map of headers, a channel and a task for each message and each answer; it keeps all that is
//! no event. What is in the buffer when the connection is lost is dropped: its waiters are told that nothing is known.

mod client_certificate;
mod fit;
mod frame;
mod line;
mod login;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

pub(super) use self::client_certificate::ClientCertificate;
pub(super) use self::fit::fits;
pub(super) use self::frame::BATCH_LINES;
use self::frame::Part;
pub(super) use self::line::Line;
pub(super) use self::login::{Access, DialError, Login};
use super::Unavailable;
use super::group::Member;
use crate::event::Message;

/// Bytes that may wait to be sent; beyond, the connection takes no more.
const ROOM: usize = 16 << 20;
/// `max_payload` before a server has said it: that of a server that nobody changed.
const ASSUMED: usize = 1 << 20;

/// Where frames are written to. Shared by all requests.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What answers are addressed to, up to the number.
    inbox: Box<str>,
    /// With the number of its last message the name of a batch, which no other process gives.
    batches: Box<str>,
    out: Mutex<Out>,
    /// There is something to send.
    filled: Notify,
    /// There is room again, or no connection.
    emptied: Notify,
    /// Which connection there is, from 1; 0: none.
    current: AtomicU64,
    /// How many there have been.
    made: AtomicU64,
    max_payload: AtomicUsize,
    /// The server's name and version.
    server: Mutex<(String, String)>,
}

/// What waits to be sent, in order.
#[derive(Debug, Default)]
struct Out {
    /// The connection it is for; 0: none, and nothing may be written.
    connection: u64,
    whole: Vec<Bytes>,
    /// Bytes in `whole`.
    bytes: usize,
    /// What comes after it.
    open: BytesMut,
    /// A sign of life is asked for.
    ping: bool,
}

impl Out {
    fn len(&self) -> usize {
        self.bytes + self.open.len()
    }

    fn publish(&mut self, message: &Message, envelope: frame::Envelope<'_>) {
        if frame::publish(&mut self.open, message, envelope) {
            let open = self.open.split().freeze();
            self.push(open);
            self.push(message.payload.clone());
            self.open.extend_from_slice(b"\r\n");
        }
    }

    fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.whole.push(bytes);
        }
    }

    /// All of it, leaving nothing.
    fn take(&mut self, into: &mut std::collections::VecDeque<Bytes>) {
        into.extend(self.whole.drain(..));
        self.bytes = 0;
        if !self.open.is_empty() {
            into.push_back(self.open.split().freeze());
        }
        if std::mem::take(&mut self.ping) {
            into.push_back(Bytes::from_static(b"PING\r\n"));
        }
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Wire {
    /// For answers on `{inbox}{number}`.
    pub(super) fn new(inbox: String) -> Self {
        Self {
            shared: Arc::new(Shared {
                inbox: inbox.into(),
                batches: format!("{:016x}", fastrand::u64(..)).into(),
                out: Mutex::default(),
                filled: Notify::new(),
                emptied: Notify::new(),
                current: AtomicU64::new(0),
                made: AtomicU64::new(0),
                max_payload: AtomicUsize::new(ASSUMED),
                server: Mutex::default(),
            }),
        }
    }

    /// The connection that is there.
    pub(super) fn connection(&self) -> Option<u64> {
        Some(self.shared.current.load(Ordering::Acquire)).filter(|&number| number > 0)
    }

    /// How many connections there have been.
    pub(super) fn made(&self) -> u64 {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// The most bytes of headers and payload together.
    pub(super) fn max_payload(&self) -> usize {
        self.shared.max_payload.load(Ordering::Relaxed)
    }

    /// The server's name and version; empty before the first connection.
    pub(super) fn server(&self) -> (String, String) {
        self.shared.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a message on this connection, and no other; its acknowledgement comes under the number.
    ///
    /// # Errors
    /// Nothing was sent: the connection is gone, or takes no more until `by`.
    pub(super) async fn send(
        &self,
        connection: u64,
        message: &Message,
        stream: Option<&str>,
        number: u64,
        by: Instant,
    ) -> Result<(), Unavailable> {
        loop {
            // Before the look: what is emptied after it wakes us.
            let emptied = self.shared.emptied.notified();
            if self.shared.write(connection, message, stream, number)? {
                return Ok(());
            }
            tokio::time::timeout_at(by.into(), emptied).await.map_err(|_| Unavailable::Unresponsive)?;
        }
    }

    /// Sends messages as one atomic batch, or the only one as it is; the answer comes under the number of the last. Sends
    /// nothing where that connection is gone.
    pub(super) fn send_together(&self, connection: u64, members: &[Member<'_>]) {
        let Some(last) = members.last() else { return };
        let mut out = self.shared.lock();
        if out.connection != connection {
            return;
        }
        let before = out.len();
        for (sequence, Member { message, number, stream }) in (1..).zip(members) {
            let commits = sequence == members.len();
            let id = (&*self.shared.batches, last.number);
            let part = (members.len() > 1).then_some(Part { id, sequence, commits });
            let reply = commits.then_some((&*self.shared.inbox, *number));
            out.publish(message, frame::Envelope { stream: *stream, reply, part });
        }
        drop(out);
        if before == 0 {
            self.shared.filled.notify_one();
        }
    }

    /// Asks the server for a sign of life. False: there is nobody to ask.
    pub(super) fn ask(&self) -> bool {
        let mut out = self.shared.lock();
        if out.connection == 0 {
            return false;
        }
        out.ping = true;
        drop(out);
        self.shared.filled.notify_one();
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: there is no room.
    fn write(
        &self,
        connection: u64,
        message: &Message,
        stream: Option<&str>,
        number: u64,
    ) -> Result<bool, Unavailable> {
        let mut out = self.lock();
        if out.connection != connection {
            return Err(Unavailable::Disconnected);
        }
        let before = out.len();
        if before > 0 && before + message.payload.len() > ROOM {
            return Ok(false);
        }
        out.publish(message, frame::Envelope { stream, reply: Some((&self.inbox, number)), part: None });
        drop(out);
        // Who wrote first woke the loop, which takes all there is.
        if before == 0 {
            self.filled.notify_one();
        }
        Ok(true)
    }
}
