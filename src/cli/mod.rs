//! The commands: one file each. They parse arguments, call the library and print; nothing is decided here.

pub mod asyncapi;
pub mod capture;
pub mod check;
pub mod crds;
pub mod flags;
pub mod nats;
pub mod policy;
pub mod providers;
pub mod providers_new;
pub mod run;
pub mod schema;
pub mod selector;
pub mod send;
pub mod source;
pub mod tail;
pub mod verify;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Turns any vendor's webhooks into verified, normalized events on NATS.
#[derive(Debug, Parser)]
#[command(name = "hookgate", version, about, propagate_version = true, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What the command line and the environment say. Ends the process where they are wrong, or ask for help.
    pub fn read() -> Self {
        let matches = flags::without_empty_twins(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the operator: watches the cluster, or a folder of manifests
    Run(Box<run::Args>),
    /// Says what the operator would say of manifests, offline; exits 1 where something is wrong, 2 where it found nothing to check
    Check(check::Args),
    /// Prints the CRDs
    Crds(crds::Args),
    /// Lists the providers, or shows one
    Providers(providers::Args),
    /// Sends a test delivery signed exactly as the provider would, or prints it as curl
    Send(send::Args),
    /// Explains step by step why a captured request is or is not authentic
    Verify(verify::Args),
    /// Prints events as they arrive on NATS
    Tail(tail::Args),
    /// Prints a JSON Schema
    Schema(schema::Args),
    /// Prints an AsyncAPI document of what sources publish
    #[command(name = "asyncapi")]
    AsyncApi(asyncapi::Args),
}
