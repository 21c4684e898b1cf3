//! What one would write by hand for one vendor: axum, HMAC, a publish that waits for its acknowledgement.
//!
//! It verifies the same signature and stores the same body under the same id, and parses, counts and logs nothing. It is
//! the measure of what Hookgate costs, so it must stay as good as so little code can be.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use async_nats::HeaderMap;
use async_nats::jetstream;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Its own subject, which the stream of the benchmark owns.
const SUBJECT: &str = "webhooks.bench.bare.issues.opened";

struct Bare {
    key: Hmac<Sha256>,
    jetstream: jetstream::Context,
}

/// Serves until the process is killed.
pub async fn serve(listen: SocketAddr, nats: &str, secret: &str) -> anyhow::Result<()> {
    let client = async_nats::connect(nats).await?;
    let key = Hmac::new_from_slice(secret.as_bytes()).context("a key of HMAC")?;
    let state = Arc::new(Bare { key, jetstream: jetstream::new(client) });
    let app = Router::new().route("/bench/github", post(receive)).with_state(state);
    axum::serve(tokio::net::TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

async fn receive(State(bare): State<Arc<Bare>>, headers: axum::http::HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = text("x-hub-signature-256").and_then(|text| text.strip_prefix("sha256="));
    let Some(signature) = signature.and_then(|text| hex::decode(text).ok()) else { return StatusCode::UNAUTHORIZED };
    let mut mac = bare.key.clone();
    mac.update(&body);
    if mac.verify_slice(&signature).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let Some(id) = text("x-github-delivery") else { return StatusCode::BAD_REQUEST };
    let mut event = HeaderMap::new();
    event.insert("Nats-Msg-Id", id);
    let Ok(sent) = bare.jetstream.publish_with_headers(SUBJECT, event, body).await else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    match sent.await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
