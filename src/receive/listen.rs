//! The public port: accepts, bounds how many connections there are, and stops without cutting a request.
//!
//! Never looks into a request: that is `handle`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Service};
use crate::metrics::{Metrics, SourceMetrics};

/// How long to wait after a failed accept: the process may be out of file descriptors, and others give theirs back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that the kernel completed before the stop come within this time of each other.
const BACKLOG_PAUSE: Duration = Duration::from_millis(20);
/// A flood of new connections does not hold up the stop for longer.
const BACKLOG_TIME: Duration = Duration::from_millis(500);

/// Times and bounds of the public port.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From the first byte of a head to its last, and from a connection to its first byte.
    pub header_timeout: Duration,
    /// How long a connection may be without a request. Longer than the 60 s of common load balancers, which otherwise
    /// send into a connection that is being closed.
    pub idle: Duration,
    /// After this time, a tenth more or less, a connection is asked to end, so that load spreads to new replicas.
    pub max_age: Duration,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// Open connections; beyond them the kernel queues.
    pub connections: usize,
    /// While the port stops: how long an idle client may still send a request.
    pub linger: Duration,
    /// While the port stops: how long requests may take before they are cut.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            max_age: Duration::from_secs(15 * 60),
            tls_timeout: Duration::from_secs(10),
            connections: 8192,
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(25),
        }
    }
}

/// What the port counts by itself.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Open connections.
    open: Gauge,
    /// Where a request is counted that is none, and that nobody but hyper answers.
    refused: Option<Arc<SourceMetrics>>,
}

impl From<Gauge> for Counts {
    fn from(open: Gauge) -> Self {
        Self { open, refused: None }
    }
}

impl From<&Metrics> for Counts {
    fn from(metrics: &Metrics) -> Self {
        Self { open: metrics.connections().clone(), refused: Some(metrics.unrouted().clone()) }
    }
}

impl Settings {
    /// The age at which one connection is asked to end.
    pub(super) fn age(&self) -> Duration {
        // Any spread will do: what matters is that connections of one moment do not end in one moment.
        self.max_age.mul_f64(0.9 + fastrand::f64() / 5.0)
    }
}

/// Serves until `stop`, then until every request that was sent is answered, or `settings.drain` is over.
///
/// Returns how many connections were cut at the end of that time: none, in a good stop.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: impl Service,
    settings: Settings,
    counts: Counts,
    stop: CancellationToken,
) -> usize {
    let settings = Arc::new(settings);
    let places = Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let start = |stream: TcpStream, peer, place: OwnedSemaphorePermit| {
        let (tls, service, settings) = (tls.clone(), service.clone(), settings.clone());
        // Children of their own: looking at a token locks it, and every poll of a connection looks.
        let (counts, stop, cut) = (counts.clone(), stop.child_token(), cut.child_token());
        connections.spawn(async move {
            let _place = place;
            let _open = Open::new(counts.open);
            let refused = counts.refused;
            // Small answers are not held back for more to come.
            let _ = stream.set_nodelay(true);
            let served = async {
                match tls {
                    None => connection::serve(stream, peer, service, settings, refused, stop).await,
                    Some(tls) => match timeout(settings.tls_timeout, tls.accept(stream)).await {
                        Ok(Ok(stream)) => connection::serve(stream, peer, service, settings, refused, stop).await,
                        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                        Err(_) => tracing::debug!("TLS handshake took too long"),
                    },
                }
            };
            tokio::select! {
                () = served => {}
                () = cut.cancelled() => {}
            }
        });
    };

    while let Some((place, accepted)) = accept(&listener, &places, &stop).await {
        match accepted {
            Ok((stream, peer)) => start(stream, peer, place),
            Err(error) => pause(&error).await,
        }
    }
    // The kernel has completed these connections, and their requests may be on the way: they are served as well.
    let until = Instant::now() + BACKLOG_TIME;
    while Instant::now() < until
        && let Ok(place) = places.clone().try_acquire_owned()
        && let Ok(Ok((stream, peer))) = timeout(BACKLOG_PAUSE, listener.accept()).await
    {
        start(stream, peer, place);
    }
    // Clients that came again and again fill the queue to the end: it is emptied without a pause, then closed, so that
    // as good as no connection is reset that the kernel has completed.
    if let Ok(listener) = listener.into_std() {
        while let Ok(place) = places.clone().try_acquire_owned()
            && let Ok((stream, peer)) = listener.accept()
            && stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            start(stream, peer, place);
        }
    }

    connections.close();
    if timeout_at(Instant::now() + settings.drain, connections.wait()).await.is_ok() {
        return 0;
    }
    let left = connections.len();
    cut.cancel();
    connections.wait().await;
    left
}

/// The next connection, with its place among all. `None` once the port stops.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(OwnedSemaphorePermit, io::Result<(TcpStream, std::net::SocketAddr)>)> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        } => accepted,
    }
}

async fn pause(error: &io::Error) {
    // The client gave up between its handshake and our accept: nothing is wrong with the port.
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections: is the limit of open files high enough?");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Counts a connection for as long as it is open.
struct Open(Gauge);

impl Open {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
