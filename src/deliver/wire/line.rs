//! The loop that keeps the connection: connects for ever, sends what waits, hands acknowledgements to those who wait.
//!
//! One task. Nothing that comes is trusted beyond its shape, and a dead peer is given up after three unanswered pings.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::ServerAddr;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::frame::{Info, Op};
use super::login::{Access, DialError, Dialled, dial};
use super::{Shared, Wire};
use crate::deliver::connection::{DELAYS, REFUSED, jittered};
use crate::deliver::event_log::{self, EventLog};
use crate::deliver::options::Counters;
use crate::deliver::stall::Pulse;
use crate::deliver::waiting::Waiting;

/// Between pings.
const PING: Duration = Duration::from_secs(2);
/// Pings without an answer before a peer counts as dead.
const UNANSWERED: u32 = 3;
/// Room that is made for what comes.
const READ: usize = 32 << 10;
/// Servers of a cluster that are remembered beside those of the options.
const LEARNED: usize = 64;

/// The task that keeps the connection.
pub(in crate::deliver) struct Line {
    pub(in crate::deliver) wire: Wire,
    pub(in crate::deliver) addresses: Vec<ServerAddr>,
    pub(in crate::deliver) access: Access,
    pub(in crate::deliver) waiting: Arc<Waiting>,
    pub(in crate::deliver) pulse: Arc<Pulse>,
    pub(in crate::deliver) counters: Arc<Counters>,
    pub(in crate::deliver) log: Arc<EventLog>,
    /// Notified of each change of the connection.
    pub(in crate::deliver) events: Arc<Notify>,
}

impl Line {
    pub(in crate::deliver) async fn run(self) {
        let mut servers = Servers::new(self.addresses.clone());
        let mut failed = 0;
        loop {
            let address = servers.next();
            match dial(&address, &self.access, &self.wire.shared.inbox).await {
                Ok(dialled) => {
                    failed = 0;
                    servers.learn(&dialled.info, &address);
                    self.wire.shared.open(&dialled.info);
                    self.log.connected();
                    self.events.notify_one();
                    let Err(why) = self.serve(dialled, &mut servers, &address).await;
                    self.wire.shared.close();
                    self.events.notify_one();
                    event_log::lost(&why);
                }
                Err(why) => self.log.failed(&why),
            }
            let pause = if self.log.is_refused() { REFUSED } else { DELAYS[failed.min(DELAYS.len() - 1)] };
            failed += 1;
            tokio::time::sleep(jittered(pause)).await;
        }
    }

    /// Serves one connection until it ends.
    async fn serve(
        &self,
        dialled: Dialled,
        servers: &mut Servers,
        address: &ServerAddr,
    ) -> Result<std::convert::Infallible, DialError> {
        let Dialled { socket, mut input, mut reader, .. } = dialled;
        let shared = &self.wire.shared;
        let (mut read, mut write) = tokio::io::split(socket);
        let mut batch = Batch::default();
        let mut unflushed = false;
        let mut unanswered = 0;
        let mut pings = interval_at(Instant::now() + PING, PING);
        // A process that was frozen asks once, and waits for the answer to that.
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(op) = reader.next(&mut input)? {
                match op {
                    Op::Answer(answer) => self.answer(answer),
                    Op::Ping => batch.0.push_back(Bytes::from_static(b"PONG\r\n")),
                    Op::Pong => self.pulse.alive(),
                    Op::Info(info) => {
                        servers.learn(&info, address);
                        shared.renew(&info);
                        if info.lame_duck {
                            event_log::lame_duck();
                        }
                    }
                    Op::Error(text) => self.log.server_error(&text),
                }
            }
            if batch.0.is_empty() {
                shared.take(&mut batch.0);
            }
            input.reserve(READ);
            tokio::select! {
                got = read.read_buf(&mut input) => {
                    if got.map_err(DialError::Connect)? == 0 {
                        return Err(DialError::Closed);
                    }
                    unanswered = 0;
                }
                sent = progress(&mut write, &mut batch), if unflushed || batch.has_remaining() => {
                    unflushed = sent.map_err(DialError::Connect)?;
                }
                () = shared.filled.notified(), if !batch.has_remaining() => {
                    // Who writes first wakes this task, which would run next: others that have requests write theirs
                    // before it, and all of it goes out in one piece.
                    if self.waiting.len() > 1 {
                        tokio::task::yield_now().await;
                    }
                }
                _ = pings.tick() => {
                    unanswered += 1;
                    if unanswered > UNANSWERED {
                        return Err(DialError::Slow);
                    }
                    batch.0.push_back(Bytes::from_static(b"PING\r\n"));
                }
            }
        }
    }

    fn answer(&self, answer: super::frame::Answer) {
        self.pulse.alive();
        let super::frame::Answer { number, status, payload } = answer;
        if !self.waiting.answer(number, status, &payload) {
            self.counters.late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends some of the batch, or what the socket holds back of it. True: something may be held back. Nothing is lost when it
/// is given up half way.
async fn progress(write: &mut (impl AsyncWrite + Unpin), batch: &mut Batch) -> std::io::Result<bool> {
    if !batch.has_remaining() {
        return write.flush().await.map(|()| false);
    }
    match write.write_buf(batch).await? {
        0 => Err(std::io::ErrorKind::WriteZero.into()),
        _ => Ok(true),
    }
}

impl Shared {
    fn open(&self, info: &Info) {
        self.renew(info);
        let number = self.made.load(Ordering::Relaxed) + 1;
        let mut out = self.lock();
        out.forget();
        out.connection = number;
        drop(out);
        self.made.store(number, Ordering::Relaxed);
        self.current.store(number, Ordering::Release);
    }

    fn renew(&self, info: &Info) {
        self.max_payload.store(info.max_payload, Ordering::Relaxed);
        let mut server = self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !info.server_name.is_empty() {
            *server = (info.server_name.clone(), info.version.clone());
        }
    }

    fn close(&self) {
        self.current.store(0, Ordering::Release);
        self.lock().forget();
        self.emptied.notify_waiters();
    }

    /// All that waits to be sent.
    fn take(&self, into: &mut VecDeque<Bytes>) {
        let mut out = self.lock();
        let held = out.len();
        out.take(into);
        drop(out);
        if held > 0 {
            self.emptied.notify_waiters();
        }
    }
}

/// Bytes on their way out.
#[derive(Debug, Default)]
struct Batch(VecDeque<Bytes>);

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |first| first)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, bytes) in into.iter_mut().zip(&self.0) {
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut sent: usize) {
        while let Some(first) = self.0.front_mut() {
            if first.len() > sent {
                first.advance(sent);
                return;
            }
            sent -= first.len();
            self.0.pop_front();
        }
    }
}

/// Where to connect to: the options' servers, in an order of chance, and those that they name.
struct Servers {
    known: Vec<ServerAddr>,
    learned: Vec<ServerAddr>,
    next: usize,
}

impl Servers {
    fn new(mut known: Vec<ServerAddr>) -> Self {
        fastrand::shuffle(&mut known);
        Self { known, learned: Vec::new(), next: 0 }
    }

    /// Each in turn.
    fn next(&mut self) -> ServerAddr {
        let at = self.next % (self.known.len() + self.learned.len());
        self.next = at + 1;
        match self.known.get(at) {
            Some(address) => address.clone(),
            None => self.learned[at - self.known.len()].clone(),
        }
    }

    /// Remembers the servers that one names beside itself: those alone, so that what left the cluster is forgotten.
    fn learn(&mut self, info: &Info, from: &ServerAddr) {
        if info.connect_urls.is_empty() {
            return;
        }
        let scheme = if from.tls_required() { "tls" } else { "nats" };
        let named = info.connect_urls.iter().take(LEARNED).filter_map(|one| format!("{scheme}://{one}").parse().ok());
        let same = |one: &ServerAddr, other: &ServerAddr| (one.host(), one.port()) == (other.host(), other.port());
        self.learned = named.filter(|one| !self.known.iter().any(|known| same(known, one))).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_turns_and_what_one_names_joins_them() {
        let mut servers = Servers::new(vec!["nats://one:1".parse().unwrap()]);
        let one = servers.next();
        assert_eq!(servers.next().port(), 1);
        let info = Info { connect_urls: vec!["one:1".into(), "two:2".into(), "no address:".into()], ..Info::default() };
        servers.learn(&info, &one);
        let ports: Vec<_> = (0..4).map(|_| servers.next().port()).collect();
        assert_eq!(ports, [2, 1, 2, 1]);
    }

    #[test]
    fn what_was_sent_leaves_the_batch_and_nothing_else() {
        let mut batch = Batch(["ab", "cde", "f"].map(|text| Bytes::from_static(text.as_bytes())).into());
        batch.advance(3);
        assert_eq!((batch.chunk(), batch.remaining()), (&b"de"[..], 3));
        batch.advance(3);
        assert!(!batch.has_remaining());
    }
}
