//! What is said of the connection to NATS: where it leads, why it is not there and what to do, each reason once; never a login.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_nats::{Event, ServerAddr};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connection::NatsOptions;
use super::exchange;
use super::wire::DialError;

/// Of a subject of the object store that the claim check uses.
const CLAIMS: [&str; 2] = ["$O.hookgate-", "OBJ_hookgate-"];

/// What this user may not do although the line works without it.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// Cancelled when NATS lets nothing pass between replicas.
    pub(super) exchange: CancellationToken,
    /// True when it does not let the guard read events back.
    pub(super) guard: watch::Sender<bool>,
}

/// Writes why NATS is not there: each reason once, until it changes.
#[derive(Debug)]
pub(super) struct EventLog {
    /// What subjects of JetStream's API begin with.
    api: String,
    /// What the subjects of answers begin with.
    inbox: String,
    /// Hosts and ports, without a login.
    hosts: String,
    /// What to do when the login is refused.
    advice: String,
    refused: AtomicBool,
    refusals: Refusals,
    /// What the guard may not do was said.
    guard_said: AtomicBool,
    last: Mutex<Option<String>>,
}

impl EventLog {
    pub(super) fn new(addresses: &[ServerAddr], options: &NatsOptions, refusals: Refusals) -> Self {
        let hosts: Vec<String> = addresses.iter().map(|one| format!("{}:{}", one.host(), one.port())).collect();
        let (advice, refused) = (advice(options), AtomicBool::new(false));
        let (guard_said, last) = (AtomicBool::new(false), Mutex::default());
        let api = options.domain.as_ref().map_or_else(|| "$JS.API".to_owned(), |domain| format!("$JS.{domain}.API"));
        let inbox = options.inbox_prefix.clone().unwrap_or_else(|| "_INBOX".to_owned());
        Self { hosts: hosts.join(", "), api, inbox, advice, refused, refusals, guard_said, last }
    }

    /// The login is refused, and seldom better a moment later.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn connected(&self) {
        self.refused.store(false, Ordering::Relaxed);
        self.is_news(None);
    }

    /// An attempt to connect failed.
    pub(super) fn failed(&self, why: &DialError) {
        let text = why.to_string();
        let hint = match why {
            DialError::Refused(text) => return self.server_error(text),
            DialError::Login(text) => {
                self.refused.store(true, Ordering::Relaxed);
                if self.is_news(Some(text)) {
                    tracing::error!("cannot log in to NATS at {} ({text}): {}", self.hosts, self.advice);
                }
                return;
            }
            DialError::Name(_) => "a host of --nats-url has no address",
            DialError::Tls(_) => "check --nats-ca, --nats-client-cert and --nats-client-key",
            DialError::Connect(_) | DialError::Slow | DialError::Closed | DialError::Malformed(_) => {
                "check that the server of --nats-url runs and can be reached"
            }
        };
        self.refused.store(false, Ordering::Relaxed);
        if self.is_news(Some(&text)) {
            tracing::warn!("cannot connect to NATS at {} ({text}): {hint}; trying on", self.hosts);
        }
    }

    /// What the general client meets; of the connection itself the line of publishing tells.
    pub(super) fn client(&self, event: &Event) {
        match event {
            Event::SlowConsumer(_) => tracing::warn!("what other replicas tell arrives faster than it is read"),
            Event::ServerError(error) if error.to_string().to_ascii_lowercase().contains("permissions violation") => {
                self.server_error(&error.to_string());
            }
            _ => {}
        }
    }

    fn refused(&self, text: &str) {
        self.refused.store(true, Ordering::Relaxed);
        if self.is_news(Some(text)) {
            tracing::error!("NATS at {} refuses the login ({text}): {}", self.hosts, self.advice);
        }
    }

    /// The server's own words.
    pub(super) fn server_error(&self, text: &str) {
        let lower = text.to_ascii_lowercase();
        if lower.contains("authentication") || lower.contains("authorization") {
            self.refused(&lower);
        } else if lower.contains("permissions violation") && text.contains(exchange::ROOT) {
            if !self.refusals.exchange.is_cancelled() {
                self.refusals.exchange.cancel();
                tracing::warn!(
                    "{text}: let this user publish on and subscribe to {}>; until the next start replicas do not tell each other \
                     of requests, and lastAcceptedTime and lastRejected in status leave out what others than the leader saw",
                    exchange::ROOT
                );
            }
        } else if lower.contains("permissions violation") && CLAIMS.iter().any(|claims| text.contains(claims)) {
            // Each try names another subject: said once, until something else is.
            if self.is_news(Some("claims")) {
                tracing::error!(
                    "{text}: events that are too large for a message are answered 503 or wait in the spool. Let this user \
                     publish on $O.>, {api}.STREAM.MSG.GET.* and {api}.STREAM.*.* (narrower for a namespace: \
                     $O.hookgate-NAMESPACE.> and the stream OBJ_hookgate-NAMESPACE), or write --claim-check off",
                    api = self.api
                );
            }
        } else if lower.contains("permissions violation") && text.contains("STREAM.MSG.GET") {
            self.refusals.guard.send_replace(true);
            if !self.guard_said.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "{text}: let this user publish on {}.STREAM.MSG.GET.*; until then the guard is off, and events that a \
                     server acknowledged and forgot in a power cut are not published again",
                    self.api
                );
            }
        } else if lower.contains("permissions violation") {
            if self.is_news(Some(text)) {
                tracing::error!(
                    "{text}: let this user publish on the sources' subjects and on {api}.STREAM.LIST and \
                     {api}.STREAM.CREATE.*, and subscribe to {inbox}.>",
                    api = self.api,
                    inbox = self.inbox
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

pub(super) fn lost(why: &DialError) {
    tracing::warn!("the connection to NATS is lost ({why}); connecting again");
}

pub(super) fn lame_duck() {
    tracing::info!("the NATS server is about to stop; the connection moves on when it closes");
}

/// What to do when NATS refuses the login.
fn advice(options: &NatsOptions) -> String {
    match (&options.creds, &options.nkey) {
        (Some(file), _) => {
            format!("check the credentials file {} (--nats-creds) and that its account may log in", file.display())
        }
        (None, Some(file)) => {
            format!("check the seed in {} (--nats-nkey) and that the servers know this nkey", file.display())
        }
        (None, None) => {
            "check the user and password in --nats-url, or give a credentials file with --nats-creds".to_owned()
        }
    }
}
