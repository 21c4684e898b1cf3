//! What is said of the connection to NATS: where it leads, why it is not there and what to do, each reason once; never a login.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{ClientError, Event, ServerAddr, ServerError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::exchange;

/// What this user may not do although the line works without it.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// Cancelled when NATS lets nothing pass between replicas.
    pub(super) exchange: CancellationToken,
    /// True when it does not let the guard read events back.
    pub(super) guard: watch::Sender<bool>,
}

/// Writes why NATS is not there: each reason once, until it changes.
pub(super) struct EventLog {
    /// Hosts and ports, without a login.
    hosts: String,
    /// What to do when the login is refused.
    advice: String,
    refused: Arc<AtomicBool>,
    refusals: Refusals,
    /// What the guard may not do was said.
    guard_said: AtomicBool,
    last: Mutex<Option<String>>,
}

impl EventLog {
    /// `refused` is set while the login is refused, and cleared with the next connection.
    pub(super) fn new(
        addresses: &[ServerAddr],
        credentials: Option<&Path>,
        refused: Arc<AtomicBool>,
        refusals: Refusals,
    ) -> Self {
        let hosts: Vec<String> = addresses.iter().map(|one| format!("{}:{}", one.host(), one.port())).collect();
        let (advice, guard_said, last) = (advice(credentials), AtomicBool::new(false), Mutex::default());
        Self { hosts: hosts.join(", "), advice, refused, refusals, guard_said, last }
    }

    pub(super) fn write(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.refused.store(false, Ordering::Relaxed);
                self.is_news(None);
            }
            Event::Disconnected => tracing::warn!("the connection to NATS is lost; connecting again"),
            Event::LameDuckMode => {
                tracing::info!("the NATS server is about to stop; the client moves on when it closes")
            }
            Event::SlowConsumer(_) => {
                tracing::warn!("acknowledgements arrive faster than they are read; some are lost")
            }
            Event::ServerError(ServerError::AuthorizationViolation) => self.refused("authorization violation"),
            Event::ServerError(error) => self.server_error(&error.to_string()),
            Event::ClientError(ClientError::Other(text)) if text == "authorization violation" => self.refused(text),
            // The client's words for a login that could not even be made.
            Event::ClientError(ClientError::Other(text)) if text == "failed signing nonce" => {
                self.refused.store(true, Ordering::Relaxed);
                if self.is_news(Some(text)) {
                    tracing::error!("cannot log in to NATS at {}: {}", self.hosts, self.advice);
                }
            }
            Event::ClientError(error) => {
                let text = error.to_string();
                if self.is_news(Some(&text)) {
                    let hint = if text.contains("DNS") {
                        "a host of --nats-url has no address"
                    } else if text.contains("TLS") {
                        "check --nats-ca, --nats-client-cert and --nats-client-key"
                    } else {
                        "check that the server of --nats-url runs and can be reached"
                    };
                    tracing::warn!("cannot connect to NATS at {} ({text}): {hint}; trying on", self.hosts);
                }
            }
            Event::Draining | Event::Closed => {}
        }
    }

    fn refused(&self, text: &str) {
        self.refused.store(true, Ordering::Relaxed);
        if self.is_news(Some(text)) {
            tracing::error!("NATS at {} refuses the login ({text}): {}", self.hosts, self.advice);
        }
    }

    fn server_error(&self, text: &str) {
        let lower = text.to_ascii_lowercase();
        if lower.contains("authentication") || lower.contains("authorization") {
            self.refused(text);
        } else if lower.contains("permissions violation") && text.contains(exchange::ROOT) {
            if !self.refusals.exchange.is_cancelled() {
                self.refusals.exchange.cancel();
                tracing::warn!(
                    "{text}: let this user publish on and subscribe to {}>; until the next start replicas do not tell each other \
                     of requests, and lastAcceptedTime and lastRejected in status leave out what others than the leader saw",
                    exchange::ROOT
                );
            }
        } else if lower.contains("permissions violation") && text.contains("STREAM.MSG.GET") {
            self.refusals.guard.send_replace(true);
            if !self.guard_said.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "{text}: let this user publish on $JS.API.STREAM.MSG.GET.*; until then the guard is off, and events that a \
                     server acknowledged and forgot in a power cut are not published again"
                );
            }
        } else if lower.contains("permissions violation") {
            if self.is_news(Some(text)) {
                tracing::error!(
                    "{text}: let this user publish on the sources' subjects and on $JS.API.STREAM.LIST and \
                     $JS.API.STREAM.CREATE.*, and subscribe to _INBOX.>"
                );
            }
        } else {
            tracing::warn!("NATS says: {text}");
        }
    }

    fn is_news(&self, text: Option<&str>) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let news = last.as_deref() != text;
        if news {
            *last = text.map(str::to_owned);
        }
        news
    }
}

/// What to do when NATS refuses the login.
fn advice(credentials: Option<&Path>) -> String {
    match credentials {
        Some(file) => {
            format!("check the credentials file {} (--nats-creds) and that its account may log in", file.display())
        }
        None => "check the user and password in --nats-url, or give a credentials file with --nats-creds".to_owned(),
    }
}
