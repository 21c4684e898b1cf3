//! What one would write by hand for one vendor: axum, HMAC, a publish that waits for its acknowledgement.
//!
//! It verifies the same signature and stores the same body under the same id with the same headers, or with none but
//! the id's. It parses, counts and logs nothing. It is the measure of what Hookgate costs, so it must stay as good as so
//! little code can be.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// Its own subject, which the stream of the benchmark owns.
const SUBJECT: &str = "webhooks.bench.bare.issues.opened";

struct Bare {
    key: Hmac<Sha256>,
    jetstream: jetstream::Context,
    /// What every event has in common; nothing where events have their id alone.
    common: Option<Vec<(HeaderName, HeaderValue)>>,
}

/// Serves until the process is killed; `event` asks for all headers of a CloudEvent.
pub async fn serve(listen: SocketAddr, nats: &str, secret: &str, event: bool) -> anyhow::Result<()> {
    let client = async_nats::connect(nats).await?;
    let key = Hmac::new_from_slice(secret.as_bytes()).context("a key of HMAC")?;
    let bare = Bare { key, jetstream: jetstream::new(client), common: event.then(common) };
    let app = Router::new().route("/bench/github", post(receive)).with_state(Arc::new(bare));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

fn common() -> Vec<(HeaderName, HeaderValue)> {
    let constant = |(name, value)| (HeaderName::from_static(name), HeaderValue::from(value));
    let all = [
        ("ce-specversion", "1.0"),
        ("ce-source", "hookgate/namespaces/bench/webhooksources/bare"),
        ("ce-provider", "github"),
        ("ce-type", "github.issues.opened"),
        ("ce-subject", "acme/shop"),
        ("ce-datacontenttype", "application/json"),
        ("ce-verifiedby", "signature"),
        ("ce-covers", "body"),
        ("ce-unsigned", "id,type"),
        ("content-type", "application/json"),
    ];
    all.map(constant).to_vec()
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
    if let Some(common) = &bare.common {
        for (name, value) in common {
            event.insert(name.clone(), value.clone());
        }
        let now = Timestamp::now().to_string();
        event.insert(HeaderName::from_static("ce-id"), id);
        event.insert(HeaderName::from_static("ce-time"), now.as_str());
        event.insert(HeaderName::from_static("ce-recordedtime"), now);
    }
    event.insert("Nats-Msg-Id", id);
    let Ok(sent) = bare.jetstream.publish_with_headers(SUBJECT, event, body).await else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    match sent.await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
