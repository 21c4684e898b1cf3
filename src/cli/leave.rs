//! `hookgate leave`: the last words of an operator that is uninstalled.

use std::io::Write;

use anyhow::Context;

use super::flags;
use crate::control::leave;
use crate::control::selector::{Selector, selector};
use crate::control::settings::Settings;

/// Arguments of `leave`: those of `run` that say which sources it serves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sources of this namespace (repeatable). Default: all
    #[arg(long = "namespace", env = "HOOKGATE_NAMESPACE", value_delimiter = ',', value_parser = flags::text)]
    namespaces: Vec<String>,
    /// Only sources with these labels
    #[arg(long, env = "HOOKGATE_SELECTOR", value_parser = selector)]
    selector: Option<Selector>,
    /// The namespace of the Lease. Default: the pod's
    #[arg(long, env = "HOOKGATE_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    lease_namespace: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// What keeps a status from saying that nobody serves it.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let settings = Settings {
        namespaces: args.namespaces.clone(),
        selector: args.selector.clone().unwrap_or_default(),
        ..Settings::default()
    };
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "hookgate".to_owned());
    let client = leave::client().await.context("no cluster: set KUBECONFIG, or run in a pod")?;
    let namespace = args.lease_namespace.as_deref().unwrap_or_else(|| client.default_namespace());
    let sources = leave::run(&client, namespace, &host, &settings).await?;
    writeln!(out, "left {sources} sources: their Ready is Unknown until an operator runs again")?;
    Ok(())
}
