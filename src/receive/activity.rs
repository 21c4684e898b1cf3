//! What one connection is doing, shared by its wire, its requests and the task that drives it.
//!
//! hyper has one time-out for "the head is slow" and "the connection is idle", and none for a client that sends
//! nothing at all; here the two are told apart, without a timer of its own for each request.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::Instant;

/// What a connection was told: each holds what the one before says.
const AFTER_ANSWER: u8 = 1;
const AT_ONCE: u8 = 2;

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    begun: Instant,
    /// Requests between their head and their answer.
    requests: AtomicU32,
    /// Those of them of which no proof holds and whose body has not come yet.
    bodies: AtomicU32,
    /// Since when there are such: as `head_since`.
    bodies_since: AtomicU64,
    /// When a byte or an answer passed last, in milliseconds since `begun`.
    last: AtomicU64,
    /// When the first byte of an unfinished head (or handshake) came, in milliseconds since `begun`, plus one; 0: there
    /// is none.
    head_since: AtomicU64,
    /// Bytes of that head.
    head_bytes: AtomicU32,
    /// Heads that became requests.
    heads: AtomicU64,
    /// The number of the head that breaks a rule which hyper does not hold: it and all that follow are refused.
    offence: AtomicU64,
    /// The next bytes that are written begin an answer of ours.
    answered: AtomicBool,
    /// hyper answered something that is no request.
    refused: AtomicBool,
    /// Answers whose body is not handed over yet.
    untaken: AtomicU32,
    /// Since when there are such, or since when the client takes no bytes: as `head_since`.
    untaken_since: AtomicU64,
    blocked_since: AtomicU64,
    /// Bytes of an answer are not known to be on their way.
    unsent: AtomicBool,
    /// A TLS handshake is not done.
    shaking: AtomicBool,
    /// A request on this connection was proven.
    proven: AtomicBool,
    /// Told to end, `AFTER_ANSWER` or `AT_ONCE`; 0: nobody told it.
    told: AtomicU8,
    /// Wakes the connection when it is told.
    teller: AtomicWaker,
    /// The next answer is the last one.
    closing: AtomicBool,
    /// When nothing is left to be read, the connection ends.
    hang_up: AtomicBool,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// An answer of ours.
    Answer,
    /// The bodies of all its requests, for this long already.
    Body(Duration),
    /// A client that takes its answer, for this long already.
    Taking(Duration),
    /// The rest of a head, for this long already.
    Head(Duration),
    /// A request, for this long already.
    Request(Duration),
}

impl Activity {
    pub(super) fn new(shaking: bool) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            requests: AtomicU32::new(0),
            bodies: AtomicU32::new(0),
            bodies_since: AtomicU64::new(0),
            last: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            head_bytes: AtomicU32::new(0),
            heads: AtomicU64::new(0),
            offence: AtomicU64::new(u64::MAX),
            answered: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            untaken: AtomicU32::new(0),
            untaken_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            unsent: AtomicBool::new(false),
            shaking: AtomicBool::new(shaking),
            proven: AtomicBool::new(false),
            told: AtomicU8::new(0),
            teller: AtomicWaker::new(),
            closing: AtomicBool::new(false),
            hang_up: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// A byte passed.
    pub(super) fn touch(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// So many bytes of an unfinished head are here; 0: none, it is whole or has not begun. Says how many there were before.
    pub(super) fn head(&self, bytes: u32) -> u32 {
        if bytes == 0 {
            self.head_since.store(0, Ordering::Relaxed);
        } else if self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.now() + 1, Ordering::Relaxed);
        }
        self.head_bytes.swap(bytes, Ordering::Relaxed)
    }

    /// Bytes of an unfinished head.
    pub(super) fn head_bytes(&self) -> u64 {
        self.head_bytes.load(Ordering::Relaxed).into()
    }

    /// The head of this number (the first one is 1) breaks a rule.
    pub(super) fn offend(&self, head: u64) {
        self.offence.fetch_min(head, Ordering::Relaxed);
    }

    /// An answer of ours goes out.
    pub(super) fn answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Whether what is written now may begin with an answer of ours.
    pub(super) fn take_answer(&self) -> bool {
        self.answered.swap(false, Ordering::Relaxed)
    }

    /// The client takes bytes, or does not.
    pub(super) fn block(&self, blocked: bool) {
        if !blocked {
            self.blocked_since.store(0, Ordering::Relaxed);
        } else if self.blocked_since.load(Ordering::Relaxed) == 0 {
            self.blocked_since.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    /// Whether bytes of an answer are not known to be on their way.
    pub(super) fn leave_unsent(&self, unsent: bool) {
        self.unsent.store(unsent, Ordering::Relaxed);
    }

    /// The TLS handshake is done.
    pub(super) fn shook(&self) {
        self.shaking.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_shaking(&self) -> bool {
        self.shaking.load(Ordering::Relaxed)
    }

    /// For how long nothing has been begun here and nothing is left to be done, if so.
    pub(super) fn sleeps(&self) -> Option<Duration> {
        match self.waiting() {
            Waiting::Request(time) if !self.unsent.load(Ordering::Relaxed) => Some(time),
            _ => None,
        }
    }

    /// An answer has a body, until the guard is dropped.
    pub(super) fn hand_over(self: &Arc<Self>) -> Untaken {
        if self.untaken.fetch_add(1, Ordering::Relaxed) == 0 {
            self.untaken_since.store(self.now() + 1, Ordering::Relaxed);
        }
        Untaken(self.clone())
    }

    /// A request of this connection was proven.
    pub(super) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Ends the connection at once.
    pub(super) fn cut(&self) {
        self.tell(AT_ONCE);
    }

    /// Ends the connection as soon as it can without a loss.
    pub(super) fn stop(&self) {
        self.tell(AFTER_ANSWER);
    }

    fn tell(&self, what: u8) {
        self.told.fetch_max(what, Ordering::SeqCst);
        self.teller.wake();
    }

    /// Until somebody ends the connection. Asked by one task alone, as is the next.
    pub(super) async fn is_cut(&self) {
        self.is_told(AT_ONCE).await;
    }

    /// Until somebody stops it, or ends it.
    pub(super) async fn is_stopped(&self) {
        self.is_told(AFTER_ANSWER).await;
    }

    /// Every wake of a connection asks: no lock, and no list of those who do.
    async fn is_told(&self, what: u8) {
        poll_fn(|cx| {
            self.teller.register(cx.waker());
            if self.told.load(Ordering::SeqCst) >= what { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// For how long it has held a place without work for us; `None` while a request is answered, or the body of somebody is
    /// on its way who proved something.
    pub(super) fn rests(&self) -> Option<Duration> {
        match self.waiting() {
            Waiting::Body(time) => Some(time).filter(|_| !self.is_proven()),
            _ if self.is_busy() => None,
            Waiting::Answer => None,
            Waiting::Taking(time) | Waiting::Head(time) | Waiting::Request(time) => Some(time),
        }
    }

    /// A request waits for its body, until the guard is dropped.
    pub(super) fn await_body(self: &Arc<Self>) -> AwaitedBody {
        if self.bodies.fetch_add(1, Ordering::Relaxed) == 0 {
            self.bodies_since.store(self.now() + 1, Ordering::Relaxed);
        }
        AwaitedBody(self.clone())
    }

    /// hyper answered what it could not read.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether hyper did; it ends the connection then.
    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// A head is complete. Says whether it broke a rule; the request lasts until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> (Request, bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let head = self.heads.fetch_add(1, Ordering::Relaxed) + 1;
        (Request(self.clone()), head >= self.offence.load(Ordering::Relaxed))
    }

    /// A request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// What the connection waits for now.
    pub(super) fn waiting(&self) -> Waiting {
        let now = self.now();
        let passed = |since: u64| Duration::from_millis(now.saturating_sub(since));
        let blocked = self.blocked_since.load(Ordering::Relaxed);
        let requests = self.requests.load(Ordering::Relaxed);
        if requests > 0 {
            // What is pipelined behind an answer that the client does not take waits for the client, not for us.
            return match self.bodies_since.load(Ordering::Relaxed) {
                _ if blocked > 0 => Waiting::Taking(passed(blocked - 1)),
                since if since > 0 && self.bodies.load(Ordering::Relaxed) == requests => {
                    Waiting::Body(passed(since - 1))
                }
                _ => Waiting::Answer,
            };
        }
        let untaken = match self.untaken.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.untaken_since.load(Ordering::Relaxed),
        };
        if let Some(since) = [untaken, blocked].into_iter().filter(|since| *since > 0).min() {
            return Waiting::Taking(passed(since - 1));
        }
        match self.head_since.load(Ordering::Relaxed) {
            0 => Waiting::Request(passed(self.last.load(Ordering::Relaxed))),
            since => Waiting::Head(passed(since - 1)),
        }
    }

    /// From now on every answer is the last one.
    pub(super) fn close_soon(&self) {
        // The client gets as long as an idle connection of its own would, counted from here, to send once more.
        self.touch();
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// End the connection as soon as nothing is left to be read.
    pub(super) fn hang_up(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.hang_up.store(true, Ordering::Relaxed);
    }

    /// Whether a wire with nothing to read may say that it is at its end.
    pub(super) fn may_hang_up(&self) -> bool {
        self.hang_up.load(Ordering::Relaxed) && matches!(self.waiting(), Waiting::Request(_))
    }
}

/// A request between its head and its answer.
#[derive(Debug)]
pub(super) struct Request(Arc<Activity>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.touch();
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request whose body has not come yet.
#[derive(Debug)]
pub(super) struct AwaitedBody(Arc<Activity>);

impl Drop for AwaitedBody {
    fn drop(&mut self) {
        self.0.bodies.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer whose body is not handed over.
#[derive(Debug)]
pub(super) struct Untaken(Arc<Activity>);

impl Drop for Untaken {
    fn drop(&mut self) {
        self.0.untaken.fetch_sub(1, Ordering::Relaxed);
    }
}
