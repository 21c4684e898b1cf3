//! How a connection begins: the server's INFO, TLS where it is asked for, then who we are.
//!
//! Source: the protocol reference of NATS (docs.nats.io, "CONNECT") and nats-server's `client.go`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Auth, ServerAddr};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::BytesMut;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::super::credentials::Credentials;
use super::client_certificate::{ClientCertificate, certificates};
use super::frame::{Info, Malformed, Op, Reader};
use crate::authorities::Authorities;

/// From the first packet to the login of one attempt.
const ATTEMPT: Duration = Duration::from_secs(3);

/// A connection as the loop uses it.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::deliver) enum DialError {
    #[error("no address: {0}")]
    Name(std::io::Error),
    #[error("{0}")]
    Connect(std::io::Error),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("it did not answer in time")]
    Slow,
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The server's words.
    #[error("{0}")]
    Refused(String),
    /// The login could not be made; what is wrong with it.
    #[error("{0}")]
    Login(String),
}

/// Who we are.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::deliver) enum Login {
    /// Nobody in particular.
    Nobody,
    Password(String, Zeroizing<String>),
    Token(Zeroizing<String>),
    /// A file with a seed.
    File(Arc<Credentials>),
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(hidden)")
    }
}

impl Login {
    /// What the server is told; its nonce is signed where it wants that.
    pub(in crate::deliver) async fn auth(&self, nonce: &[u8]) -> Result<Auth, String> {
        let mut auth = Auth::new();
        match self {
            Self::Nobody => {}
            Self::Password(user, password) => {
                auth.username = Some(user.clone());
                auth.password = Some(password.to_string());
            }
            Self::Token(token) => auth.token = Some(token.to_string()),
            Self::File(file) => return file.sign(nonce).await,
        }
        Ok(auth)
    }
}

/// How to log in, and whom to trust.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct Access {
    pub(in crate::deliver) login: Login,
    /// PEM file of the authorities to trust instead of those of everybody.
    pub(in crate::deliver) ca: Option<PathBuf>,
    pub(in crate::deliver) certificate: Option<ClientCertificate>,
}

impl Access {
    /// Who says which authorities or certificate to use wants neither to be skipped silently.
    fn requires_tls(&self) -> bool {
        self.ca.is_some() || self.certificate.is_some()
    }

    /// Files are read for each connection: those that were renewed take effect without a restart.
    async fn tls(&self) -> Result<TlsConnector, DialError> {
        let access = self.clone();
        let read = tokio::task::spawn_blocking(move || access.tls_config());
        let config = read.await.map_err(|error| DialError::Tls(error.to_string()))?.map_err(DialError::Tls)?;
        Ok(TlsConnector::from(Arc::new(config)))
    }

    fn tls_config(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(file) => {
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
                }
            }
            None => roots = Authorities::read().map_err(|error| error.to_string())?.into_roots(),
        }
        if let Some(certificate) = &self.certificate {
            // A certificate that cannot be read is told here, and not by a server that misses it.
            certificate.read()?;
        }
        Ok(self.client(roots))
    }

    fn client(&self, roots: RootCertStore) -> ClientConfig {
        let builder = ClientConfig::builder().with_root_certificates(roots);
        match &self.certificate {
            Some(certificate) => builder.with_client_cert_resolver(Arc::new(certificate.clone())),
            None => builder.with_no_client_auth(),
        }
    }

    /// For the general client, which knows no authorities but the system's: those of everybody, where there are any.
    pub(in crate::deliver) fn general_tls(&self) -> Option<ClientConfig> {
        let authorities = self.ca.is_none().then(Authorities::read)?;
        authorities.ok().map(|authorities| self.client(authorities.into_roots()))
    }
}

#[derive(Serialize)]
struct Connect<'a> {
    verbose: bool,
    pedantic: bool,
    name: &'a str,
    lang: &'a str,
    version: &'a str,
    protocol: u8,
    echo: bool,
    headers: bool,
    no_responders: bool,
    tls_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nkey: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sig: Option<String>,
}

/// A connection that is logged in and subscribed to its inbox.
pub(super) struct Dialled {
    pub(super) socket: Box<dyn Socket>,
    pub(super) info: Info,
    /// What came already.
    pub(super) input: BytesMut,
    pub(super) reader: Reader,
}

/// Connects, logs in and subscribes to `{inbox}*`, all within three seconds.
///
/// # Errors
/// Why not; never a login.
pub(super) async fn dial(address: &ServerAddr, access: &Access, inbox: &str) -> Result<Dialled, DialError> {
    tokio::time::timeout(ATTEMPT, attempt(address, access, inbox)).await.map_err(|_| DialError::Slow)?
}

async fn attempt(address: &ServerAddr, access: &Access, inbox: &str) -> Result<Dialled, DialError> {
    let mut hosts: Vec<_> =
        tokio::net::lookup_host((address.host(), address.port())).await.map_err(DialError::Name)?.collect();
    // A name of many servers leads to each of them in turn.
    fastrand::shuffle(&mut hosts);
    let mut tcp = Err(std::io::ErrorKind::AddrNotAvailable.into());
    for host in hosts {
        tcp = TcpStream::connect(host).await;
        if tcp.is_ok() {
            break;
        }
    }
    let tcp = tcp.map_err(DialError::Connect)?;
    tcp.set_nodelay(true).map_err(DialError::Connect)?;
    let mut socket: Box<dyn Socket> = Box::new(tcp);
    let mut input = BytesMut::with_capacity(8 << 10);
    let mut reader = Reader::new(inbox.len());
    let info = loop {
        match next(&mut socket, &mut input, &mut reader).await? {
            Op::Info(info) => break *info,
            Op::Error(text) => return Err(DialError::Refused(text)),
            _ => {}
        }
    };
    let tls_required = address.tls_required() || access.requires_tls() || info.tls_required;
    if tls_required {
        let name = ServerName::try_from(address.host().to_owned());
        let name = name.map_err(|_| DialError::Tls(format!("{} is no name of a server", address.host())))?;
        let connected = access.tls().await?.connect(name, socket).await;
        socket = Box::new(connected.map_err(|error| DialError::Tls(error.to_string()))?);
    }
    let auth = access.login.auth(info.nonce.as_bytes()).await.map_err(DialError::Login)?;
    let connect = Connect {
        verbose: false,
        pedantic: false,
        name: "hookgate",
        lang: "rust",
        version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        echo: false,
        headers: true,
        no_responders: true,
        tls_required,
        user: auth.username.as_deref(),
        pass: auth.password.as_deref(),
        auth_token: auth.token.as_deref(),
        jwt: auth.jwt.as_deref(),
        nkey: auth.nkey.as_deref(),
        sig: auth.signature.as_ref().map(|signature| URL_SAFE_NO_PAD.encode(signature)),
    };
    let mut first = b"CONNECT ".to_vec();
    serde_json::to_writer(&mut first, &connect).map_err(|error| DialError::Login(error.to_string()))?;
    first.extend_from_slice(format!("\r\nSUB {inbox}* 1\r\nPING\r\n").as_bytes());
    socket.write_all(&first).await.map_err(DialError::Connect)?;
    socket.flush().await.map_err(DialError::Connect)?;
    loop {
        match next(&mut socket, &mut input, &mut reader).await? {
            Op::Pong => return Ok(Dialled { socket, info, input, reader }),
            Op::Error(text) => return Err(DialError::Refused(text)),
            _ => {}
        }
    }
}

async fn next(socket: &mut Box<dyn Socket>, input: &mut BytesMut, reader: &mut Reader) -> Result<Op, DialError> {
    loop {
        if let Some(op) = reader.next(input)? {
            return Ok(op);
        }
        if socket.read_buf(input).await.map_err(DialError::Connect)? == 0 {
            return Err(DialError::Closed);
        }
    }
}
