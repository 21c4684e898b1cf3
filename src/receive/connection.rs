//! One connection from its first byte to its end: version, time-outs, age, and a close that loses nothing.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Waiting};
use super::listen::Settings;
use super::wire::{Version, Wire};
use crate::metrics::{Outcome, SourceMetrics};

/// Heads larger than this, or of more fields, are answered 431.
const HEAD_BYTES: usize = 32 << 10;
const HEAD_FIELDS: usize = 96;
/// One h1 connection reads ahead no more than this.
const BUFFER: usize = 64 << 10;

/// How a request arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Who is at the other end of the connection.
    pub peer: SocketAddr,
    /// The head holds a fragment, or two framings: see `scan`.
    pub offence: bool,
}

/// What answers the requests of every connection.
pub trait Service: Clone + Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// An answer on its way.
    type Answer: Future<Output = Response<Self::Body>> + Send + 'static;

    /// Answers one request.
    fn answer(&self, request: Request<Incoming>, arrival: Arrival) -> Self::Answer;
}

impl<F, A, B> Service for F
where
    F: Fn(Request<Incoming>, Arrival) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
    type Answer = A;

    fn answer(&self, request: Request<Incoming>, arrival: Arrival) -> A {
        self(request, arrival)
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve<T, S>(
    stream: T,
    peer: SocketAddr,
    service: S,
    settings: Arc<Settings>,
    refused: Option<Arc<SourceMetrics>>,
    stop: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    let activity = Activity::new();
    let wire = tokio::select! {
        opened = timeout(settings.header_timeout, Wire::open(stream, activity.clone())) => match opened {
            Ok(Ok(Some(wire))) => wire,
            // Nothing came, or the connection broke: nobody waits for an answer.
            _ => return,
        },
        // What a client has sent already is still read; one that has sent nothing in this time is let go.
        () = quiet_stop(&stop, settings.linger) => return,
    };
    let version = wire.version();
    let answer = {
        let activity = activity.clone();
        service_fn(move |request: Request<Incoming>| {
            let (guard, offence) = activity.begin();
            let answer = service.answer(request, Arrival { peer, offence });
            let activity = activity.clone();
            async move {
                let mut response = answer.await;
                if version == Version::Http2 {
                    response.headers_mut().remove(header::CONNECTION);
                } else if activity.is_closing() {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                drop(guard);
                Ok::<_, Infallible>(response)
            }
        })
    };
    match version {
        Version::Http1 => {
            let mut http = hyper::server::conn::http1::Builder::new();
            // Heads and idle moments are timed by `Activity`.
            http.timer(TokioTimer::new())
                .header_read_timeout(None)
                // A client that hangs up after its whole request does not undo it: its event is delivered all the same.
                .half_close(true)
                .max_headers(HEAD_FIELDS)
                .max_header_size(HEAD_BYTES)
                .max_buf_size(BUFFER);
            drive(http.serve_connection(TokioIo::new(wire), answer), version, &activity, &settings, &stop).await;
        }
        Version::Http2 => {
            let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new())
                .max_concurrent_streams(100)
                .initial_stream_window_size(64 << 10)
                .initial_connection_window_size(256 << 10)
                .max_header_list_size(32 << 10)
                .max_send_buf_size(64 << 10)
                .max_pending_accept_reset_streams(20)
                .max_local_error_reset_streams(128)
                .keep_alive_interval(Duration::from_secs(20))
                .keep_alive_timeout(Duration::from_secs(10));
            drive(http.serve_connection(TokioIo::new(wire), answer), version, &activity, &settings, &stop).await;
        }
    }
    if let Some(metrics) = refused.filter(|_| activity.was_refused()) {
        metrics.count(Outcome::BadRequest);
    }
}

/// Ends some time after the stop.
async fn quiet_stop(stop: &CancellationToken, linger: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(linger).await;
}

/// Polls a connection, and looks at the clock only when something may be due.
async fn drive<C>(connection: C, version: Version, activity: &Activity, settings: &Settings, stop: &CancellationToken)
where
    C: GracefulConnection,
{
    let old = Instant::now() + settings.age();
    let mut connection = std::pin::pin!(connection);
    let mut look = std::pin::pin!(sleep_until(Instant::now() + settings.header_timeout.min(settings.idle)));
    let mut ending = false;
    loop {
        tokio::select! {
            // The stop comes first: a request that is sent after it hears so.
            biased;
            () = stop.cancelled(), if !activity.is_closing() => {
                activity.close_soon();
                look.as_mut().reset(Instant::now() + settings.linger);
                if version == Version::Http2 {
                    // GOAWAY, and what the client sent before it saw that is still answered (RFC 9113, section 6.8).
                    connection.as_mut().graceful_shutdown();
                }
            }
            _ = connection.as_mut() => return,
            () = look.as_mut() => {
                if Instant::now() >= old && !activity.is_closing() {
                    activity.close_soon();
                    if version == Version::Http2 {
                        connection.as_mut().graceful_shutdown();
                    }
                }
                let next = match due(activity, settings) {
                    Due::Nothing(next) => next,
                    // It was told to end, and the client does not take what it was sent.
                    Due::End | Due::Cut if ending => return,
                    Due::Cut => return,
                    Due::End => {
                        ending = true;
                        match version {
                            Version::Http1 => activity.hang_up(),
                            Version::Http2 => connection.as_mut().graceful_shutdown(),
                        }
                        settings.header_timeout
                    }
                };
                look.as_mut().reset(Instant::now() + next);
            }
        }
    }
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

fn due(activity: &Activity, settings: &Settings) -> Due {
    let idle = if activity.is_closing() { settings.linger } else { settings.idle };
    // A head that begins after this look is slow no earlier than this.
    let again = settings.header_timeout.min(idle);
    let left = |limit: Duration, passed: Duration| limit.checked_sub(passed).filter(|left| !left.is_zero());
    match activity.waiting() {
        // Body and delivery have deadlines of their own.
        Waiting::Answer => Due::Nothing(again),
        Waiting::Head(passed) => left(settings.header_timeout, passed).map_or(Due::Cut, Due::Nothing),
        Waiting::Request(passed) => left(idle, passed).map_or(Due::End, |left| Due::Nothing(left.min(again))),
    }
}
