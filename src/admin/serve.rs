//! The admin port on the same accept loop as the public one: its time-outs and its orderly stop hold here too.

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::receive::connection::Arrival;
use crate::receive::listen::{self, Counts, Settings};

/// Probes and scrapers need few connections.
const CONNECTIONS: usize = 256;

/// Serves the admin port until `stop`.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let router = TowerToHyperService::new(router);
    let answer = move |request: Request<Incoming>, _: Arrival| {
        let answered = hyper::service::Service::call(&router, request.map(Body::new));
        async move { answered.await.unwrap_or_else(|never| match never {}) }
    };
    let settings = Settings { connections: CONNECTIONS, ..Settings::default() };
    listen::serve(listener, None, answer, settings, Counts::default(), stop).await;
}
