//! A receiver as the program builds it, with sources written as manifests and a NATS that may be away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookgate::api::source::WebhookSource;
use hookgate::control::compile::{claim, compile};
use hookgate::control::resolve::{Resolved, ResolvedRef, secret_refs};
use hookgate::control::settings::Settings;
use hookgate::deliver::{Deliveries, Delivery, NatsOptions};
use hookgate::metrics::Metrics;
use hookgate::provider::catalogue::Catalogue;
use hookgate::receive::connection::Arrival;
use hookgate::receive::handle::{Options, Receiver};
use hookgate::receive::routes::Routes;
use hookgate::receive::{listen, settings};
use hookgate::route::{Entry, RouteTable, SourceState, Sources};
use hookgate::secret::SecretBytes;
use http::Request;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::receive_wire::SOON;
use crate::support::nats::Nats;
use crate::support::port::free_port;
use crate::support::wait::eventually;

/// The value of every secret that a test's source refers to.
pub const SECRET: &str = "s3cr3t";

/// A running receiver.
pub struct Port {
    pub address: SocketAddr,
    pub routes: Arc<Routes>,
    pub metrics: Metrics,
    pub delivery: Delivery,
    sources: Sources,
    stop: CancellationToken,
}

impl Port {
    /// With a NATS that is not there.
    pub async fn without_nats(sources: &[&str], options: Options) -> Port {
        let port = Port::open(format!("nats://127.0.0.1:{}", free_port()), options).await;
        port.serve(sources);
        port
    }

    /// With a NATS whose default stream is ready.
    pub async fn with_nats(nats: &Nats, sources: &[&str], options: Options) -> Port {
        let port = Port::open(nats.url(), options).await;
        port.serve(sources);
        port.connected().await;
        port
    }

    /// With a NATS whose default stream is ready, and `--claim-check off`.
    pub async fn without_claims(nats: &Nats, sources: &[&str], options: Options) -> Port {
        let port = Port::open_with(nats.url(), false, options).await;
        port.serve(sources);
        port.connected().await;
        port
    }

    /// Without a table: as before the first sync.
    pub async fn open(url: String, options: Options) -> Port {
        Port::open_with(url, true, options).await
    }

    async fn open_with(url: String, claim_check: bool, options: Options) -> Port {
        let nats = NatsOptions { urls: vec![url.into()], ..NatsOptions::default() };
        let delivery = hookgate::deliver::Options { claim_check, ..hookgate::deliver::Options::new(nats) };
        let delivery = Delivery::start(&delivery).await.unwrap();
        let metrics = Metrics::new();
        let routes = Arc::new(Routes::new(metrics.clone()));
        let keys = Arc::new(hookgate::fetch::KeyStore::new(false, Vec::new()));
        let receiver = Receiver::new(
            routes.clone(),
            Deliveries::new(delivery.clone(), Vec::new()),
            keys,
            None,
            options,
            metrics.clone(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let service = move |request: Request<Incoming>, arrival: Arrival| receiver.clone().handle(request, arrival);
        let settings = settings::Settings { h2c: true, ..settings::Settings::default() };
        tokio::spawn(listen::serve(listener, None, service, settings, (&metrics).into(), stop.clone()));
        let sources = Sources::new(metrics.clone());
        Port { address, routes, metrics, sources, delivery, stop }
    }

    /// Puts these sources, and no others, in force. One that does not compile is known and not served.
    pub fn serve(&self, sources: &[&str]) {
        let settings = Settings { sources: self.sources.clone(), ..Settings::default() };
        let entries = sources.iter().map(|manifest| entry(manifest, &settings)).collect();
        let (table, conflicts) = RouteTable::build(entries);
        assert_eq!(conflicts, []);
        self.routes.swap(Arc::new(table));
    }

    /// What is counted about a source of `source`.
    pub fn state(&self, name: &str) -> Arc<SourceState> {
        self.sources.state(&format!("uid-{name}"), "sales", name, "generic")
    }

    pub async fn connected(&self) {
        eventually("NATS and its streams are known", SOON, async || self.delivery.is_available()).await;
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn entry(manifest: &str, settings: &Settings) -> Entry {
    let source: WebhookSource = serde_saphyr::from_str(manifest).unwrap_or_else(|e| panic!("{e}\n{manifest}"));
    let refs = secret_refs(&source).iter().map(|secret| ResolvedRef {
        name: secret.name.clone(),
        key: secret.key.clone(),
        purpose: secret.purpose.clone(),
        not_after: secret.not_after.as_ref().map(|time| time.0),
        value: Ok(SecretBytes::new(SECRET.as_bytes().to_vec())),
    });
    match compile(&source, &Catalogue::default(), &Resolved { refs: refs.collect() }, settings) {
        Ok(compiled) => Entry::from(Arc::new(compiled.route)),
        Err(_) => Entry::NotServed(Arc::new(claim(&source, settings))),
    }
}

/// A source of namespace `sales` whose requests carry the secret in `X-Token`; `more` are further lines of its spec.
pub fn source(name: &str, more: &str) -> String {
    format!(
        "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
         metadata: {{namespace: sales, name: {name}, uid: uid-{name}, generation: 1}}\n\
         spec:\n  provider: generic\n  verification:\n    method: token\n    secretRefs: [{{name: {name}, key: token}}]\n    \
         token: {{header: X-Token}}\n  extract: {{id: [{{header: X-Delivery}}], type: {{header: X-Event}}}}\n{more}"
    )
}

/// Headers that prove a request and name its delivery.
pub fn proven(id: &str) -> String {
    format!("X-Token: {SECRET}\r\nX-Delivery: {id}\r\nX-Event: call.ended\r\nContent-Type: application/json\r\n")
}

/// Bounds with which a test need not wait.
pub fn quick() -> Options {
    Options { body_time: Duration::from_millis(700), ..Options::default() }
}
