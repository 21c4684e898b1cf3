//! The admin port: probes, metrics and what is served. Never on the public port, and never a secret.

mod host;
pub(crate) mod readiness;
pub mod serve;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Serialize;

pub use readiness::{Gate, GateState, Readiness};

use crate::metrics::{self, Metrics};
use crate::receive::routes::Routes;
use crate::route::{Entry, Host};

/// What the admin port tells about.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The gates of `/readyz`.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What `/debug/routes` shows.
    pub routes: Arc<Routes>,
}

impl Admin {
    /// `/livez`, `/readyz`, `/metrics` and `/debug/routes`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(render))
            .route("/debug/routes", get(routes))
            .with_state(self)
            .layer(from_fn(host::check))
            .layer(map_response(harden))
    }
}

/// Answers are data: no browser guesses at their type. A page of its own policy keeps it.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    gates: Vec<ReadyGate>,
}

#[derive(Serialize)]
struct ReadyGate {
    name: &'static str,
    state: &'static str,
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let gates = admin.readiness.gates();
    let ready = gates.iter().all(|(_, state)| *state != GateState::Closed);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let gates = gates.into_iter().map(|(name, state)| ReadyGate { name, state: state.as_str() }).collect();
    (status, Json(Ready { ready, gates })).into_response()
}

async fn render(State(admin): State<Admin>) -> Response {
    match admin.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A source as `/debug/routes` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    namespace: String,
    name: String,
    provider: String,
    hosts: Vec<String>,
    path: String,
    /// Absent where nobody says, as in a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(flatten)]
    served: Option<Served>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_accepted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_rejected: Option<Rejected>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    generation: i64,
    method: String,
    covers: &'static str,
    active_secrets: usize,
    suspended: bool,
    in_flight: u64,
}

#[derive(Serialize)]
struct Rejected {
    time: Timestamp,
    reason: &'static str,
}

async fn routes(State(admin): State<Admin>) -> Response {
    let Some(table) = admin.routes.table() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the sources are not read yet\n").into_response();
    };
    Json(table.entries().iter().map(|entry| show(entry, Timestamp::now())).collect::<Vec<_>>()).into_response()
}

fn show(entry: &Entry, now: Timestamp) -> Shown {
    let claim = entry.claim();
    let served = match entry {
        Entry::NotServed(_) => None,
        Entry::Served(route) => Some(Served {
            generation: route.generation,
            method: route.verifier.method().to_string(),
            covers: route.verifier.covers().as_str(),
            active_secrets: route.verifier.active_keys(now),
            suspended: route.suspended,
            in_flight: route.claim.state.in_flight.held(),
        }),
    };
    Shown {
        namespace: claim.namespace.to_string(),
        name: claim.name.to_string(),
        provider: claim.provider.to_string(),
        hosts: claim.hosts.iter().map(Host::to_string).collect(),
        path: claim.path.clone(),
        since: Some(claim.created).filter(|created| *created < Timestamp::MAX),
        served,
        last_accepted: claim.state.metrics.last_accepted(),
        last_rejected: claim.state.metrics.last_rejected().map(|(time, why)| Rejected { time, reason: why.as_str() }),
    }
}
