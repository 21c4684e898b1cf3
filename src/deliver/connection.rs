//! How to reach NATS: addresses, login and trust, read from the options once and used for the client and the line of events.
//!
//! Passes no password to the client, which logs what it has; what is said of the connection stands in `event_log.rs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{AuthError, Client, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::event_log::{EventLog, Refusals};
use super::wire::{Access, ClientCertificate, Login, Wire};

/// A dead peer is given up after three of these without an answer.
const PING: Duration = Duration::from_secs(2);
/// From the first packet to the login of one attempt.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Delays before the attempts after a loss; the last one repeats, so that service is back soon after NATS is.
pub(super) const DELAYS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
];
/// Delay after a refused login, which seldom is better a moment later.
pub(super) const REFUSED: Duration = Duration::from_secs(1);

/// How to reach NATS.
#[derive(Clone, Debug, Default)]
pub struct NatsOptions {
    /// `nats://` or `tls://` URLs, each may be a list separated by commas; a user and password or a token may stand in them.
    pub urls: Vec<Secret>,
    /// A credentials file as `nsc` writes it; read again for each connection.
    pub creds: Option<PathBuf>,
    /// A file with the seed of an nkey user, `SU…`; read again for each connection.
    pub nkey: Option<PathBuf>,
    /// PEM file of the authorities to trust instead of the system's; read again for each connection.
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate; read again for each connection.
    pub client_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub client_key: Option<PathBuf>,
    /// What the subjects of answers begin with; `None`: `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// The domain of JetStream; `None`: that of the servers.
    pub domain: Option<String>,
    /// What stands in `urls` of a login is that of somebody else, and not used.
    pub replaces_login: bool,
}

/// A URL that may hold a password: not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// Why options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// There is no URL.
    #[error("--nats-url is empty: write for example nats://nats.nats.svc:4222")]
    NoUrl,
    /// A URL is none.
    #[error("--nats-url number {number} is no nats:// or tls:// URL ({problem})")]
    Url {
        /// Which, from 1.
        number: usize,
        /// Never the URL itself: it may hold a password.
        problem: String,
    },
    /// Two logins in the URLs.
    #[error("the URLs of --nats-url name different logins: write the same in each, or in one only")]
    TwoLogins,
    /// More than one of a login in a URL, a credentials file and an nkey.
    #[error("--nats-creds, --nats-nkey and a login in --nats-url exclude each other: keep one of them")]
    TwoKindsOfLogin,
    /// A certificate without a key, or the other way round.
    #[error("--nats-client-cert and --nats-client-key belong together: give both or neither")]
    HalfCertificate,
    /// The client refuses the options.
    #[error("the NATS client cannot start: {0}")]
    Client(String),
}

/// What is known of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// A connection exists.
    pub connected: bool,
    /// One has existed since the start.
    pub connected_once: bool,
    /// Which connection it is or was, from 1.
    pub number: u64,
    /// The server's limit for headers and payload together, in bytes; 0 before the first connection.
    pub max_payload: usize,
    /// The server's name and version; empty before the first connection.
    pub server: String,
    /// It is connected, but nothing comes back: a paused server, or a network that drops packets.
    pub stalled: bool,
}

/// Where the servers are, without a login, and how to log in and whom to trust: the same for the operator and for commands.
///
/// # Errors
/// What cannot be used, by the name of its flag.
fn access(options: &NatsOptions) -> Result<(Vec<ServerAddr>, Access), OptionsError> {
    let (addresses, login) = addresses(&options.urls)?;
    let login = match (login.filter(|_| !options.replaces_login), &options.creds, &options.nkey) {
        (Some(login), None, None) => login,
        (None, Some(file), None) => Login::File(Arc::new(Credentials::of_nsc(file.clone()))),
        (None, None, Some(file)) => Login::File(Arc::new(Credentials::nkey(file.clone()))),
        (None, None, None) => Login::Nobody,
        _ => return Err(OptionsError::TwoKindsOfLogin),
    };
    let certificate = match (&options.client_cert, &options.client_key) {
        (Some(chain), Some(key)) => Some(ClientCertificate { chain: chain.clone(), key: key.clone() }),
        (None, None) => None,
        _ => return Err(OptionsError::HalfCertificate),
    };
    Ok((addresses, Access { login, ca: options.ca.clone(), certificate }))
}

/// The general client's options, for what is no event.
///
/// # Errors
/// What cannot be used, by the name of its flag.
pub(crate) fn prepare(options: &NatsOptions) -> Result<(Vec<ServerAddr>, ConnectOptions), OptionsError> {
    let (addresses, access) = access(options)?;
    let general_tls = access.general_tls();
    let Access { login, ca, certificate } = access;
    let tls = ca.is_some() || certificate.is_some();
    let login = Arc::new(login);
    let mut connect = ConnectOptions::with_auth_callback(move |nonce| {
        let login = Arc::clone(&login);
        async move { login.auth(&nonce).await.map_err(AuthError::new) }
    });
    if let Some(ca) = ca {
        connect = connect.add_root_certificates(ca);
    }
    if let Some(ClientCertificate { chain, key }) = certificate {
        connect = connect.add_client_certificate(chain, key);
    }
    if let Some(config) = general_tls {
        connect = connect.tls_client_config(config);
    }
    if let Some(prefix) = &options.inbox_prefix {
        connect = connect.custom_inbox_prefix(prefix);
    }
    // Who says which authorities or certificate to use wants neither to be skipped silently.
    Ok((addresses, connect.require_tls(tls).name("hookgate")))
}

/// JetStream's API; `answer`: how long it may take to answer.
pub(crate) fn jetstream(client: Client, domain: Option<&str>, answer: Duration) -> Context {
    let context = ContextBuilder::new().timeout(answer);
    match domain {
        Some(domain) => context.domain(domain).build(client),
        None => context.build(client),
    }
}

/// Both ways to NATS: a client for what is no event, and the parts of the line that events go over.
pub(super) struct Ways {
    pub(super) client: Client,
    pub(super) addresses: Vec<ServerAddr>,
    pub(super) access: Access,
    pub(super) log: Arc<EventLog>,
}

/// A client that connects for ever, in the background.
///
/// `refusals` learn what NATS does not let this user do.
pub(super) async fn connect(options: &NatsOptions, refusals: Refusals) -> Result<Ways, OptionsError> {
    let (addresses, access) = access(options)?;
    let (_, connect) = prepare(options)?;
    let log = Arc::new(EventLog::new(&addresses, options, refusals));
    let (refused, events) = (Arc::clone(&log), Arc::clone(&log));
    let client = connect
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(move |attempt| if refused.is_refused() { jittered(REFUSED) } else { delay(attempt) })
        .connection_timeout(ATTEMPT)
        .ping_interval(PING)
        .event_callback(move |event| {
            events.client(&event);
            std::future::ready(())
        })
        .connect(addresses.clone())
        .await;
    let client = client.map_err(|error| OptionsError::Client(error.to_string()))?;
    Ok(Ways { client, addresses, access, log })
}

/// The addresses without their login, so that no log of the client can show it; and the login.
fn addresses(urls: &[Secret]) -> Result<(Vec<ServerAddr>, Option<Login>), OptionsError> {
    let mut addresses = Vec::new();
    let mut login: Option<Login> = None;
    let each = urls.iter().flat_map(|url| url.0.split(',')).map(str::trim).filter(|url| !url.is_empty());
    for (index, url) in each.enumerate() {
        let wrong = |problem: &str| OptionsError::Url { number: index + 1, problem: problem.to_owned() };
        let address: ServerAddr = url.parse().map_err(|_| wrong("it cannot be parsed"))?;
        if address.is_websocket() {
            return Err(wrong("WebSocket is not supported"));
        }
        if address.host().is_empty() {
            return Err(wrong("it names no host"));
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let own = match (address.username(), address.password()) {
            (Some(user), Some(password)) => Some(Login::Password(decoded(user), Zeroizing::new(decoded(password)))),
            (Some(token), None) => Some(Login::Token(Zeroizing::new(decoded(token)))),
            (None, Some(_)) => return Err(wrong("a password without a user")),
            (None, None) => None,
        };
        if own.is_some() {
            if login.is_some() && login != own {
                return Err(OptionsError::TwoLogins);
            }
            login = own;
        }
        let mut bare = address.into_inner();
        let stripped = bare.set_username("").is_ok() && bare.set_password(None).is_ok();
        match ServerAddr::from_url(bare) {
            Ok(address) if stripped => addresses.push(address),
            _ => return Err(wrong("it names no host")),
        }
    }
    if addresses.is_empty() {
        return Err(OptionsError::NoUrl);
    }
    Ok((addresses, login))
}

/// Before attempt `attempt`, from 1.
fn delay(attempt: usize) -> Duration {
    jittered(DELAYS[attempt.saturating_sub(1).min(DELAYS.len() - 1)])
}

/// Up to a fifth less, so that replicas do not come all at once.
pub(super) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(1.0 - fastrand::f64() / 5.0)
}

/// Reads the state off the connection that events go over.
pub(super) fn observe(wire: &Wire, stalled: bool, link: &watch::Sender<Link>) {
    let (connection, made) = (wire.connection(), wire.made());
    let connected = connection.is_some();
    link.send_if_modified(|link| {
        if (link.connected, link.number, link.stalled) == (connected, made, stalled) {
            return false;
        }
        if connected {
            let (server, version) = wire.server();
            if !link.connected || link.number != made {
                tracing::info!(server, version, "connected to NATS");
            }
            link.max_payload = wire.max_payload();
            link.server = format!("{server} {version}");
            link.connected_once = true;
        }
        link.connected = connected;
        link.number = made;
        link.stalled = stalled;
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(urls: &[&str]) -> Result<(Vec<String>, Option<Login>), OptionsError> {
        let urls: Vec<Secret> = urls.iter().map(|&url| Secret::from(url)).collect();
        addresses(&urls).map(|(all, login)| (all.iter().map(|one| one.as_url_str().to_owned()).collect(), login))
    }

    #[test]
    fn a_login_in_a_url_is_used_and_taken_out_of_it() {
        let (addresses, login) = read(&["nats://us%40er:p%3Ass@one:4222, two:4223"]).unwrap();
        assert_eq!(addresses, ["nats://one:4222", "nats://two:4223"]);
        assert!(login == Some(Login::Password("us@er".to_owned(), Zeroizing::new("p:ss".to_owned()))));
        let (_, token) = read(&["tls://tok@one"]).unwrap();
        assert!(token == Some(Login::Token(Zeroizing::new("tok".to_owned()))));
        assert!(matches!(read(&["nats://a:b@one", "nats://c:d@two"]), Err(OptionsError::TwoLogins)));
    }

    #[test]
    fn an_error_names_the_url_by_number_and_never_shows_it() {
        for url in ["http://user:hunter2@one", "nats://user:hunter2@[", "ws://user:hunter2@one", "nats://:hunter2@one"]
        {
            let error = read(&["one", url]).err().unwrap().to_string();
            assert!(error.contains("number 2") && !error.contains("hunter2"), "{error}");
        }
        assert!(matches!(read(&["", " , "]), Err(OptionsError::NoUrl)));
        let options = NatsOptions { urls: vec!["nats://user:hunter2@one".into()], ..NatsOptions::default() };
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn attempts_come_at_once_and_then_at_most_a_fifth_of_a_second_apart() {
        assert_eq!(delay(1), Duration::ZERO);
        for attempt in 2..50 {
            assert!(delay(attempt) <= Duration::from_millis(200), "{:?}", delay(attempt));
            assert!(delay(attempt) >= DELAYS[attempt.min(5) - 1] * 4 / 5);
        }
    }
}
