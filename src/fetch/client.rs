//! One https request: verified TLS, no redirect, to the address that was judged, bounded in time and size.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use ipnet::IpNet;
use tower::Service;

use super::address::allowed;
use crate::authorities::{Authorities, NoAuthorities};

/// How long a request may take, from name to last byte.
const TIME: Duration = Duration::from_secs(2);
/// The largest answer in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Why a key is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// `--fetch=false`.
    #[error("keys are not fetched: --fetch=false")]
    Disabled,
    /// There is no certificate authority to trust.
    #[error(transparent)]
    Authorities(#[from] NoAuthorities),
    /// No https address with a host.
    #[error("{0} is no https address")]
    Address(String),
    /// The host leads to no public address.
    #[error("{0} leads to no public address: --fetch-allow-cidr names networks that may be reached all the same")]
    Private(String),
    /// Not in time.
    #[error("{0} did not answer within 2 seconds")]
    Slow(String),
    /// Connection, TLS or HTTP failed.
    #[error("{0} could not be asked: {1}")]
    Failed(String, String),
    /// The source asked for more than its share.
    #[error("the source asked for too many keys: forged requests may name others each time")]
    TooMany,
    /// Another status than 200.
    #[error("{0} answered {1}")]
    Status(String, u16),
}

/// An https client that reaches public addresses alone.
pub(super) struct Client {
    client: HyperClient<HttpsConnector<HttpConnector<Public>>, Full<Bytes>>,
    extra: Arc<[IpNet]>,
}

impl Client {
    pub(super) fn new(extra: Vec<IpNet>) -> Result<Self, NoAuthorities> {
        let tls = Authorities::read()?.into_client();
        let extra: Arc<[IpNet]> = extra.into();
        let mut http = HttpConnector::new_with_resolver(Public(extra.clone()));
        http.enforce_http(false);
        http.set_connect_timeout(Some(TIME));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .wrap_connector(http);
        let client = HyperClient::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https);
        Ok(Self { client, extra })
    }

    /// GETs the address, or POSTs a JSON body to it.
    pub(super) async fn get(&self, url: &str, post: Option<&str>) -> Result<Arc<[u8]>, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Address(url.to_owned()))?;
        let Some(host) = uri.host().filter(|_| uri.scheme_str() == Some("https")) else {
            return Err(FetchError::Address(url.to_owned()));
        };
        // A literal address is never resolved, so it is judged here.
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
            && !allowed(address, &self.extra)
        {
            return Err(FetchError::Private(host.to_owned()));
        }
        let host = host.to_owned();
        match tokio::time::timeout(TIME, self.ask(uri, &host, post)).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::Slow(host)),
        }
    }

    async fn ask(&self, uri: Uri, host: &str, post: Option<&str>) -> Result<Arc<[u8]>, FetchError> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            // The reason is at the end of the chain.
            let mut last: &(dyn std::error::Error + 'static) = error;
            while let Some(source) = last.source() {
                last = source;
            }
            // An I/O error hides what it carries from `source`.
            let carried = last.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            match carried.is_some_and(|inner| inner.is::<NoPublicAddress>()) {
                true => FetchError::Private(host.to_owned()),
                false => FetchError::Failed(host.to_owned(), last.to_string()),
            }
        };
        let request = Request::builder().uri(uri).header(USER_AGENT, "hookgate").header(ACCEPT, "*/*");
        let request = match post {
            None => request.method(Method::GET).body(Full::default()),
            Some(body) => {
                request.method(Method::POST).header(CONTENT_TYPE, "application/json").body(Full::from(body.to_owned()))
            }
        };
        let request = request.map_err(|error| failed(&error))?;
        let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
        if answer.status() != http::StatusCode::OK {
            return Err(FetchError::Status(host.to_owned(), answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| FetchError::Failed(host.to_owned(), error.to_string()))?;
        Ok(Arc::from(&body.to_bytes()[..]))
    }
}

/// Resolves names to addresses that may be reached; the connection goes to one of these and no other.
#[derive(Clone)]
struct Public(Arc<[IpNet]>);

/// A name leads to private addresses alone.
#[derive(Debug, thiserror::Error)]
#[error("no public address")]
struct NoPublicAddress;

type Resolving = Pin<Box<dyn Future<Output = std::io::Result<std::vec::IntoIter<SocketAddr>>> + Send>>;

impl Service<Name> for Public {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        let extra = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let reachable: Vec<SocketAddr> = found.filter(|address| allowed(address.ip(), &extra)).collect();
            if reachable.is_empty() { Err(std::io::Error::other(NoPublicAddress)) } else { Ok(reachable.into_iter()) }
        })
    }
}
