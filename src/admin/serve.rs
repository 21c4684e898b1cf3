//! The admin port on the same accept loop as the public one, on a thread of its own: probes are answered however busy
//! the others are, and whoever idles here gives way to whoever asks.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::receive::connection::Arrival;
use crate::receive::listen::{self, Counts};
use crate::receive::settings::Settings;

/// Probes and scrapers need few connections.
const CONNECTIONS: usize = 256;
/// They come again by themselves, and need not stay for it.
const IDLE: Duration = Duration::from_secs(20);
const HEADER: Duration = Duration::from_secs(3);

/// Serves the admin port until `stop`.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let router = TowerToHyperService::new(router);
    let answer = move |request: Request<Incoming>, _: Arrival| {
        let answered = hyper::service::Service::call(&router, request.map(Body::new));
        async move { answered.await.unwrap_or_else(|never| match never {}) }
    };
    let settings = Settings {
        connections: CONNECTIONS,
        idle: IDLE,
        header_timeout: HEADER,
        heads: 1 << 20,
        ..Settings::default()
    };
    listen::serve(listener, None, answer, settings, Counts::default(), stop).await;
}

/// The same on a thread of its own, until `stop`.
///
/// # Errors
/// What keeps the thread from starting.
pub fn start(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ended, end) = oneshot::channel::<()>();
    std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        // Dropped with the thread, however it ends.
        let _ended = ended;
        runtime.block_on(async {
            if let Ok(listener) = TcpListener::from_std(listener) {
                serve(listener, router, stop).await;
            }
        });
    })?;
    Ok(async {
        let _ = end.await;
    })
}
