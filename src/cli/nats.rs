//! How a command at a terminal reaches NATS.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, ConnectErrorKind, Subscriber};
use bytes::Bytes;
use futures::StreamExt;

use crate::deliver::NatsOptions;
use crate::deliver::connection::prepare;

/// How long the server may take to know of a subscription.
const KNOWN: Duration = Duration::from_secs(2);

/// Where NATS is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct NatsArgs {
    /// The address of NATS, a user and password or a token in it where it needs them
    #[arg(long, env = "HOOKGATE_NATS_URL", hide_env_values = true, default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// A credentials file
    #[arg(long, env = "HOOKGATE_NATS_CREDS", value_name = "FILE")]
    nats_creds: Option<PathBuf>,
    /// The certificate authority of the server, PEM
    #[arg(long, env = "HOOKGATE_NATS_CA", value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// A client certificate, PEM
    #[arg(long, env = "HOOKGATE_NATS_CLIENT_CERT", value_name = "FILE")]
    nats_client_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, env = "HOOKGATE_NATS_CLIENT_KEY", value_name = "FILE")]
    nats_client_key: Option<PathBuf>,
}

impl NatsArgs {
    /// Connects once, with the login that `run` would use.
    ///
    /// # Errors
    /// Where nobody answers, or the server refuses. Names the host, never a login.
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        let options = NatsOptions {
            urls: vec![self.nats_url.as_str().into()],
            creds: self.nats_creds.clone(),
            ca: self.nats_ca.clone(),
            client_cert: self.nats_client_cert.clone(),
            client_key: self.nats_client_key.clone(),
        };
        let (addresses, options) = prepare(&options)?;
        // The client would say no more than that it cannot log in.
        if let Some(file) = &self.nats_creds {
            std::fs::File::open(file).with_context(|| format!("--nats-creds: cannot read {}", file.display()))?;
        }
        let hosts: Vec<String> = addresses.iter().map(|one| format!("{}:{}", one.host(), one.port())).collect();
        let hosts = hosts.join(", ");
        options.connect(addresses).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => anyhow::anyhow!(
                "NATS at {hosts} refuses the login: check the user and password in --nats-url, or --nats-creds"
            ),
            ConnectErrorKind::Tls => {
                anyhow::anyhow!("the TLS of NATS at {hosts} cannot be trusted ({error}): check --nats-ca")
            }
            _ => anyhow::anyhow!("cannot connect to NATS at {hosts} ({error}): does it run, and is --nats-url right?"),
        })
    }
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
        "NATS does not pass on what is published to an inbox: may this user publish and subscribe to _INBOX.>?",
    )?;
    Ok(all)
}
