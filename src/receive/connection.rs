//! One connection from its first byte to its end: version, time-outs, age, and a close that loses nothing.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::activity::{Activity, AwaitedBody, Untaken, Waiting};
use super::crowd::Member;
use super::framing::wire::{Version, Wire};
use super::settings::Settings;
use crate::metrics::{Outcome, SourceMetrics};

/// Heads larger than this, or of more fields, are answered 431.
const HEAD_BYTES: usize = 32 << 10;
const HEAD_FIELDS: usize = 96;
/// One h1 connection reads ahead no more than this.
const BUFFER: usize = 64 << 10;
/// Requests of one h2 connection at a time, and what it may send ahead of us: vendors send small bodies, one by one.
const STREAMS: u32 = 16;
const WINDOW: u32 = 64 << 10;
/// How long a connection keeps its buffers after a request.
const AWAKE: Duration = Duration::from_secs(1);

/// How a request arrived.
#[derive(Debug)]
pub struct Arrival {
    /// Who is at the other end of the connection.
    pub peer: SocketAddr,
    /// The head holds a fragment, or two framings: see `scan`.
    pub offence: bool,
    activity: Arc<Activity>,
}

impl Arrival {
    /// A request of this connection was proven: from now on it gives way after those of strangers.
    pub(super) fn prove(&self) {
        self.activity.prove();
    }

    /// The request waits for its body, until the guard is dropped: a connection that does nothing else may give way.
    pub(super) fn await_body(&self) -> AwaitedBody {
        self.activity.await_body()
    }
}

/// What answers the requests of every connection.
pub trait Service: Clone + Send + Sync + Unpin + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static;

    /// An answer on its way.
    type Answer: Future<Output = Response<Self::Body>> + Send + 'static;

    /// Answers one request.
    fn answer(&self, request: Request<Incoming>, arrival: Arrival) -> Self::Answer;
}

impl<F, A, B> Service for F
where
    F: Fn(Request<Incoming>, Arrival) -> A + Clone + Send + Sync + Unpin + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static,
{
    type Body = B;
    type Answer = A;

    fn answer(&self, request: Request<Incoming>, arrival: Arrival) -> A {
        self(request, arrival)
    }
}

/// The same service, whose answers leave nothing behind but their bodies: on HTTP/2 these may wait for their client.
#[derive(Clone)]
struct Boxed<S>(S);

impl<S: Service> Service for Boxed<S> {
    type Body = S::Body;
    type Answer = Pin<Box<S::Answer>>;

    fn answer(&self, request: Request<Incoming>, arrival: Arrival) -> Self::Answer {
        Box::pin(self.0.answer(request, arrival))
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve<T, S>(stream: T, peer: SocketAddr, member: Member, service: S, port: &Port)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    let (settings, activity) = (&port.settings, member.activity().clone());
    let mut wire = Wire::new(stream, member);
    let mut watch = Watch::new(settings, activity.clone());
    let mut version = None;
    loop {
        // Between requests a connection is its socket and little more: hyper's buffers are not held for it.
        if watch.sleep(&mut wire, version.is_none()).await.is_none() {
            return;
        }
        let speaks = match version {
            Some(version) => version,
            None if port.knows_http2 => match wire.learn() {
                Some(speaks) => speaks,
                None => continue,
            },
            None => Version::Http1,
        };
        version = Some(speaks);
        match speaks {
            Version::Http1 => {
                let answer = answer(service.clone(), peer, speaks, activity.clone());
                let mut http = http1().serve_connection(TokioIo::new(wire), answer);
                let ended = watch.drive(Pin::new(&mut http), speaks).await;
                if let Some(metrics) = port.refused.as_ref().filter(|_| activity.was_refused()) {
                    metrics.count(Outcome::BadRequest);
                }
                if ended {
                    return;
                }
                let parts = http.into_parts();
                wire = parts.io.into_inner();
                wire.put_back(&parts.read_buf);
            }
            Version::Http2 => {
                let answer = answer(Boxed(service), peer, speaks, activity.clone());
                let http = http2().serve_connection(TokioIo::new(wire), answer);
                watch.drive(pin!(http), speaks).await;
                return;
            }
        }
    }
}

/// What all connections of a port share.
pub(super) struct Port {
    pub(super) settings: Settings,
    /// TLS agrees on a version; without it HTTP/2 is spoken where that is asked for.
    pub(super) knows_http2: bool,
    /// Where a request is counted that is none, and that nobody but hyper answers.
    pub(super) refused: Option<Arc<SourceMetrics>>,
}

fn answer<S: Service>(
    service: S,
    peer: SocketAddr,
    version: Version,
    activity: Arc<Activity>,
) -> impl HttpService<Incoming, ResBody = Sent<S::Body>, Error = Infallible, Future: Send> + Unpin {
    service_fn(move |request: Request<Incoming>| {
        let (guard, offence) = activity.begin();
        let answer = service.answer(request, Arrival { peer, offence, activity: activity.clone() });
        let activity = activity.clone();
        async move {
            let mut response = answer.await;
            if version == Version::Http2 {
                response.headers_mut().remove(header::CONNECTION);
            } else if activity.is_closing() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            activity.answer();
            let untaken = activity.hand_over();
            drop(guard);
            Ok::<_, Infallible>(response.map(|body| Sent { body, _untaken: untaken }))
        }
    })
}

/// The body of an answer, which is not taken until it is dropped.
struct Sent<B> {
    body: B,
    _untaken: Untaken,
}

impl<B: Body + Unpin> Body for Sent<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn http1() -> http1::Builder {
    let mut http = http1::Builder::new();
    // Heads and idle moments are timed by `Activity`.
    http.timer(TokioTimer::new())
        .header_read_timeout(None)
        // A client that hangs up after its whole request does not undo it: its event is delivered all the same.
        .half_close(true)
        .max_headers(HEAD_FIELDS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER);
    http
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(16 << 10)
        .max_send_buf_size(16 << 10)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    http
}

/// The clock of one connection.
struct Watch<'a> {
    settings: &'a Settings,
    activity: Arc<Activity>,
    /// When it is asked to end.
    old: Instant,
    ending: bool,
}

/// What the clock asks of a connection.
enum Due {
    /// Look again after this time.
    Nothing(Duration),
    /// It is idle: end it.
    End,
    /// It is slow: cut it.
    Cut,
}

impl<'a> Watch<'a> {
    fn new(settings: &'a Settings, activity: Arc<Activity>) -> Self {
        Self { settings, activity, old: Instant::now() + settings.age(), ending: false }
    }

    /// Waits until the client sends something. `None` where it does not, and the connection is ended.
    async fn sleep<T>(&mut self, wire: &mut Wire<T>, new: bool) -> Option<()>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        if !wire.rests() && !new {
            return Some(());
        }
        let mut look = pin!(sleep_until(Instant::now()));
        loop {
            tokio::select! {
                biased;
                () = self.activity.is_stopped(), if !self.activity.is_closing() => {
                    self.activity.close_soon();
                    look.as_mut().reset(Instant::now());
                }
                woken = wire.wake() => return woken.ok().filter(|more| *more || !wire.rests()).map(|_| ()),
                () = look.as_mut() => {
                    let old = Instant::now() >= self.old;
                    if old && !self.activity.is_closing() {
                        self.activity.close_soon();
                    }
                    match self.due(new) {
                        Due::Nothing(next) => look.as_mut().reset(Instant::now() + next),
                        Due::Cut => return None,
                        Due::End => {
                            // What the client sent at the same moment is read, so that it sees our end and no reset.
                            let _ = timeout(self.settings.header_timeout, wire.shutdown()).await;
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// Polls a connection, and looks at the clock only when something may be due. True where it ended; false where it
    /// rests and may sleep.
    async fn drive<C>(&mut self, mut connection: Pin<&mut C>, version: Version) -> bool
    where
        C: GracefulConnection,
    {
        let mut look = pin!(sleep_until(Instant::now() + AWAKE));
        loop {
            tokio::select! {
                // The stop comes first: a request that is sent after it hears so.
                biased;
                () = self.activity.is_stopped(), if !self.activity.is_closing() => {
                    self.activity.close_soon();
                    look.as_mut().reset(Instant::now() + self.settings.linger);
                    if version == Version::Http2 {
                        // GOAWAY, and what the client sent before it saw that is still answered (RFC 9113, section 6.8).
                        connection.as_mut().graceful_shutdown();
                    }
                }
                _ = connection.as_mut() => return true,
                () = look.as_mut() => {
                    if Instant::now() >= self.old && !self.activity.is_closing() {
                        self.activity.close_soon();
                        if version == Version::Http2 {
                            connection.as_mut().graceful_shutdown();
                        }
                    }
                    if version == Version::Http1
                        && !self.activity.is_closing()
                        && self.activity.sleeps().is_some_and(|time| time >= AWAKE)
                    {
                        return false;
                    }
                    let next = match self.due(false) {
                        Due::Nothing(next) => next,
                        // It was told to end, and the client does not take what it was sent.
                        Due::End | Due::Cut if self.ending => return true,
                        Due::Cut => return true,
                        Due::End => {
                            self.ending = true;
                            match version {
                                Version::Http1 => self.activity.hang_up(),
                                Version::Http2 => connection.as_mut().graceful_shutdown(),
                            }
                            self.settings.header_timeout
                        }
                    };
                    look.as_mut().reset(Instant::now() + if version == Version::Http1 { next.min(AWAKE) } else { next });
                }
            }
        }
    }

    /// What is due. A `new` connection has as long for its first byte as for a head.
    fn due(&self, new: bool) -> Due {
        let settings = self.settings;
        let idle = match self.activity.is_closing() {
            true => settings.linger,
            false if new => settings.header_timeout,
            false => settings.idle,
        };
        // What begins after this look is slow no earlier than this.
        let again = settings.header_timeout.min(settings.answer_timeout).min(idle);
        let left = |limit: Duration, passed: Duration| limit.checked_sub(passed).filter(|left| !left.is_zero());
        match self.activity.waiting() {
            // Body and delivery have deadlines of their own.
            Waiting::Answer | Waiting::Body(_) => Due::Nothing(again),
            Waiting::Taking(passed) => {
                left(settings.answer_timeout, passed).map_or(Due::Cut, |left| Due::Nothing(left.min(again)))
            }
            Waiting::Head(passed) => {
                left(settings.header_timeout, passed).map_or(Due::Cut, |left| Due::Nothing(left.min(again)))
            }
            Waiting::Request(passed) => left(idle, passed).map_or(Due::End, |left| Due::Nothing(left.min(again))),
        }
    }
}
