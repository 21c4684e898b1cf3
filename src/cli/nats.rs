//! How a command at a terminal reaches NATS.

use std::path::PathBuf;

use anyhow::Context;

/// Where NATS is.
#[derive(Clone, Debug, clap::Args)]
pub struct NatsArgs {
    /// The address of NATS, a user and password in it where it needs them
    #[arg(long, env = "HOOKGATE_NATS_URL", hide_env_values = true, default_value = "nats://127.0.0.1:4222")]
    pub nats_url: String,
    /// A credentials file
    #[arg(long, env = "HOOKGATE_NATS_CREDS", value_name = "FILE")]
    pub nats_creds: Option<PathBuf>,
    /// The certificate authority of the server, PEM
    #[arg(long, env = "HOOKGATE_NATS_CA", value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,
}

impl NatsArgs {
    /// Connects once.
    ///
    /// # Errors
    /// Where nobody answers, or the server refuses.
    pub async fn connect(&self) -> anyhow::Result<async_nats::Client> {
        let mut options = async_nats::ConnectOptions::new().name("hookgate");
        if let Some(file) = &self.nats_creds {
            options =
                options.credentials_file(file).await.with_context(|| format!("cannot read {}", file.display()))?;
        }
        if let Some(file) = &self.nats_ca {
            options = options.add_root_certificates(file.clone());
        }
        // The address may hold a password, so it is not told.
        options.connect(&self.nats_url).await.context("cannot connect to NATS: is it running, and is --nats-url right?")
    }
}
