//! The public port: accepts, bounds how many connections there are, and stops without cutting a request.
//!
//! Never looks into a request: that is `handle`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Port, Service};
use super::crowd::Crowd;
use super::memory;
use super::settings::Settings;
use crate::metrics::{Metrics, SourceMetrics};

/// How long to wait after a failed accept: the process may be out of file descriptors, and others give theirs back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that the kernel completed before the stop come within this time of each other.
const BACKLOG_PAUSE: Duration = Duration::from_millis(20);
/// A flood of new connections does not hold up the stop for longer.
const BACKLOG_TIME: Duration = Duration::from_millis(500);

/// Connections that wait for us to accept them; the kernel takes its `net.core.somaxconn` where that is less.
const WAITING: u32 = 4096;
/// Connections beyond the bound that are still leaving, and how long a new one waits for them.
const SPARE: usize = 64;
const LEAVE: Duration = Duration::from_millis(1);

/// Takes connections on an address, which must be within a runtime. Those that nobody has accepted yet wait in a queue as long as the kernel allows: with
/// a short one a flood of connections makes honest ones try again after a second.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
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
    let crowd = Crowd::new(&settings);
    if let Some(limit) = settings.memory {
        memory::watch(limit, &crowd);
    }
    let port = Arc::new(Port { knows_http2: tls.is_some() || settings.h2c, refused: counts.refused, settings });
    let connections = TaskTracker::new();
    let start = |stream: TcpStream, peer: SocketAddr| {
        let Some(mut member) = crowd.enter(peer.ip(), tls.is_some()) else { return };
        let (tls, service, port) = (tls.clone(), service.clone(), port.clone());
        let open = counts.open.clone();
        connections.spawn(async move {
            let _open = Open::new(open);
            // Small answers are not held back for more to come.
            let _ = stream.set_nodelay(true);
            let activity = member.activity().clone();
            let served = async {
                match tls {
                    None => Box::pin(connection::serve(stream, peer, member, service, &port)).await,
                    Some(tls) => match timeout(port.settings.tls_timeout, Box::pin(tls.accept(stream))).await {
                        Ok(Ok(stream)) => {
                            member.shaken();
                            Box::pin(connection::serve(stream, peer, member, service, &port)).await;
                        }
                        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                        Err(_) => tracing::debug!("TLS handshake took too long"),
                    },
                }
            };
            tokio::select! {
                biased;
                () = activity.is_cut() => {}
                () = served => {}
            }
        });
    };

    // Who gave way leaves within a moment: new ones wait for it, so that not even descriptors grow without bound.
    let most = port.settings.connections + port.settings.connections / 8 + SPARE;
    while let Some(accepted) = accept(&listener, &stop).await {
        match accepted {
            Ok((stream, peer)) => start(stream, peer),
            Err(error) => pause(&error).await,
        }
        while connections.len() > most && !stop.is_cancelled() {
            tokio::time::sleep(LEAVE).await;
        }
    }
    crowd.stop();
    // The kernel has completed these connections, and their requests may be on the way: they are served as well.
    let until = Instant::now() + BACKLOG_TIME;
    while Instant::now() < until
        && connections.len() < most
        && let Ok(Ok((stream, peer))) = timeout(BACKLOG_PAUSE, listener.accept()).await
    {
        start(stream, peer);
    }
    // Clients that came again and again fill the queue to the end: it is emptied without a pause, then closed, so that
    // as good as no connection is reset that the kernel has completed.
    if let Ok(listener) = listener.into_std() {
        while connections.len() < most
            && let Ok((stream, peer)) = listener.accept()
            && stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            start(stream, peer);
        }
    }

    connections.close();
    if timeout_at(Instant::now() + port.settings.drain, connections.wait()).await.is_ok() {
        return 0;
    }
    let left = connections.len();
    crowd.cut();
    connections.wait().await;
    left
}

/// The next connection. `None` once the port stops.
async fn accept(listener: &TcpListener, stop: &CancellationToken) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = listener.accept() => Some(accepted),
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
