//! The commands: one file each. They parse arguments, call the library and print; nothing is decided here.

pub mod asyncapi;
pub mod capture;
pub mod check;
pub mod crds;
pub mod judge;
pub mod nats;
pub mod policy;
pub mod providers;
pub mod providers_new;
pub mod run;
pub mod schema;
pub mod send;
pub mod source;
pub mod tail;
pub mod verify;

use clap::{Parser, Subcommand};

/// Turns any vendor's webhooks into verified, normalized events on NATS.
#[derive(Debug, Parser)]
#[command(name = "hookgate", version, about, propagate_version = true, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the operator: watches the cluster, or a folder of manifests
    Run(Box<run::Args>),
    /// Validates manifests offline; exits 1 and says what is wrong and where
    Check {
        /// What to check
        #[command(flatten)]
        args: check::Args,
        /// What the operator allows
        #[command(flatten)]
        policy: policy::Policy,
    },
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
