//! How every command reaches NATS, and how one at a terminal talks to it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::Context;
use async_nats::{Client, ConnectErrorKind, Subscriber};
use bytes::Bytes;
use futures::StreamExt;

use crate::account::Account;
use crate::deliver::NatsOptions;
use crate::deliver::connection::{jetstream, prepare};

/// How long the server may take to know of a subscription.
const KNOWN: Duration = Duration::from_secs(2);
/// How long JetStream may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Where NATS is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct NatsArgs {
    /// The servers of NATS; a user and password or a token may stand in the URL (repeatable)
    #[arg(
        long,
        env = "HOOKGATE_NATS_URL",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "nats://127.0.0.1:4222"
    )]
    nats_url: Vec<String>,
    /// A credentials file, read again for every connection
    #[arg(long, env = "HOOKGATE_NATS_CREDS", value_name = "FILE")]
    nats_creds: Option<PathBuf>,
    /// A file with the seed of an nkey user, read again for every connection
    #[arg(long, env = "HOOKGATE_NATS_NKEY", value_name = "FILE")]
    nats_nkey: Option<PathBuf>,
    /// The certificate authority of the servers, PEM
    #[arg(long, env = "HOOKGATE_NATS_CA", value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// A client certificate, PEM
    #[arg(long, env = "HOOKGATE_NATS_CLIENT_CERT", value_name = "FILE")]
    nats_client_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, env = "HOOKGATE_NATS_CLIENT_KEY", value_name = "FILE")]
    nats_client_key: Option<PathBuf>,
    /// What the subjects of answers begin with
    #[arg(long, env = "HOOKGATE_NATS_INBOX_PREFIX", value_name = "SUBJECT", default_value = "_INBOX", value_parser = inbox_prefix)]
    nats_inbox_prefix: String,
    /// The domain of JetStream, where it is not that of the servers (leaf nodes)
    #[arg(long, env = "HOOKGATE_NATS_JS_DOMAIN", value_name = "NAME", value_parser = domain)]
    nats_js_domain: Option<String>,
}

impl NatsArgs {
    /// As delivery takes them.
    pub(super) fn options(&self) -> NatsOptions {
        NatsOptions {
            urls: self.nats_url.iter().map(|url| url.as_str().into()).collect(),
            creds: self.nats_creds.clone(),
            nkey: self.nats_nkey.clone(),
            ca: self.nats_ca.clone(),
            client_cert: self.nats_client_cert.clone(),
            client_key: self.nats_client_key.clone(),
            inbox_prefix: Some(self.nats_inbox_prefix.clone()),
            domain: self.nats_js_domain.clone(),
            replaces_login: false,
        }
    }

    /// The same servers with the login of an account, in place of any that these arguments have.
    pub(super) fn options_of(&self, account: &Account) -> NatsOptions {
        NatsOptions { creds: Some(account.creds.clone()), nkey: None, replaces_login: true, ..self.options() }
    }

    /// JetStream as these arguments reach it.
    pub(super) fn jetstream(&self, client: Client) -> Context {
        jetstream(client, self.nats_js_domain.as_deref(), ANSWER)
    }

    /// Connects once, with the login that `run` would use.
    ///
    /// # Errors
    /// Where nobody answers, or the server refuses. Names the host, never a login.
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        let (addresses, options) = prepare(&self.options())?;
        // The client would say no more than that it cannot log in.
        for (flag, file) in [("creds", &self.nats_creds), ("nkey", &self.nats_nkey)] {
            let Some(file) = file else { continue };
            std::fs::File::open(file).with_context(|| format!("--nats-{flag}: cannot read {}", file.display()))?;
        }
        let hosts: Vec<String> = addresses.iter().map(|one| format!("{}:{}", one.host(), one.port())).collect();
        let hosts = hosts.join(", ");
        options.connect(addresses).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => anyhow::anyhow!(
                "NATS at {hosts} refuses the login: check the user and password in --nats-url, --nats-creds or --nats-nkey"
            ),
            ConnectErrorKind::Tls => {
                anyhow::anyhow!("the TLS of NATS at {hosts} cannot be trusted ({error}): check --nats-ca")
            }
            _ => anyhow::anyhow!("cannot connect to NATS at {hosts} ({error}): does it run, and is --nats-url right?"),
        })
    }
}

/// Tokens without wildcards.
fn inbox_prefix(text: &str) -> Result<String, String> {
    let fits =
        |token: &str| !token.is_empty() && !token.contains(|char: char| char.is_whitespace() || "*>".contains(char));
    if text.split('.').all(fits) && !text.starts_with('$') {
        return Ok(text.to_owned());
    }
    Err("is no prefix of subjects: write tokens with dots between them and without wildcards, such as _INBOX_hookgate"
        .to_owned())
}

/// One token: nats-server names domains as it names servers.
fn domain(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && !text.contains(|char: char| char.is_whitespace() || ".*>".contains(char));
    fits.then(|| text.to_owned()).ok_or_else(|| "is no name of a domain: it holds no dot, wildcard or space".to_owned())
}

/// Subscribes, and returns when the server knows of it: what is published from then on arrives.
///
/// # Errors
/// Where the server refuses, or does not answer in time.
pub(super) async fn subscribe(client: &Client, subjects: &[String]) -> anyhow::Result<Vec<Subscriber>> {
    let mut all = Vec::new();
    for subject in subjects {
        all.push(client.subscribe(subject.clone()).await.with_context(|| format!("{subject:?} is no subject"))?);
    }
    // The server reads in order: who gets this back knows that it read what came before. A flush alone is no round trip.
    let inbox = client.new_inbox();
    let mut back = client.subscribe(inbox.clone()).await?;
    client.publish(inbox, Bytes::new()).await?;
    tokio::time::timeout(KNOWN, back.next()).await.ok().flatten().context(
        "NATS does not pass on what is published to an inbox: may this user publish and subscribe to the --nats-inbox-prefix (default _INBOX.>)?",
    )?;
    Ok(all)
}
