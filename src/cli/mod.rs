//! The commands: one file each. They parse arguments, call the library and print; nothing is decided here.
//!
//! Others see the command line as a whole; what the commands share stays inside.

mod asyncapi;
mod capture;
mod check;
mod claimed;
mod crds;
mod flags;
mod leave;
mod map;
mod migrate;
mod nats;
mod policy;
mod providers;
mod providers_new;
mod run;
mod schema;
mod send;
mod source;
mod spool;
mod tail;
mod verify;
mod verify_handshake;

use std::io::Write;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use capture::CapturedRequest;
pub use run::{Args as RunArgs, LogFormat, Spool as SpoolArgs};
pub use schema::NAMES as SCHEMAS;
use tokio::runtime::Runtime;

/// Turns any vendor's webhooks into verified, normalized events on NATS.
#[derive(Debug, Parser)]
#[command(name = "hookgate", version, about, propagate_version = true, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// What the command line and the environment say. Ends the process where they are wrong, or ask for help.
    pub fn read() -> Self {
        let matches = flags::without_empty_twins(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The arguments of `run`, where that is the command: the composition root runs it.
    pub fn operator(&self) -> Option<&RunArgs> {
        match &self.command {
            Command::Run(args) => Some(args),
            _ => None,
        }
    }

    /// Runs any command but `run`; `runtime` is for those that talk to the network. Returns the exit code.
    ///
    /// # Errors
    /// What keeps the command from its answer.
    pub fn perform(&self, runtime: fn() -> anyhow::Result<Runtime>, out: &mut impl Write) -> anyhow::Result<u8> {
        let verdict = |right: bool| u8::from(!right);
        match &self.command {
            Command::Run(_) => Ok(0),
            Command::Check(args) => check::run(args, &mut std::io::stdin().lock(), out),
            Command::Crds(args) => Ok(crds::run(args, out).map(|()| 0)?),
            Command::Providers(args) => providers::run(args, out).map(|()| 0),
            Command::AsyncApi(args) => asyncapi::run(args, out).map(|()| 0),
            Command::Schema(args) => schema::run(args, out).map(|()| 0),
            Command::Verify(args) => verify::run(args, out),
            Command::Map(args) => map::run(args, out),
            Command::Migrate(args) => migrate::run(args, &mut std::io::stdin().lock(), out),
            Command::Send(args) => runtime()?.block_on(send::run(args, out)).map(verdict),
            Command::Spool(args) => spool::run(args, out),
            Command::Drain(args) => runtime()?.block_on(spool::drain(args, out)),
            Command::Leave(args) => runtime()?.block_on(leave::run(args, out)).map(|()| 0),
            Command::Tail(args) => runtime()?.block_on(tail::run(args, out)).map(|()| 0),
        }
    }

    /// The exit code where there was no answer: some commands keep 1 for what they were asked, "not authentic" or "something is wrong".
    pub fn failure(&self) -> u8 {
        if matches!(self.command, Command::Verify(_) | Command::Check(_) | Command::Map(_) | Command::Migrate(_)) {
            2
        } else {
            1
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
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
    /// Shows what a definition makes of a payload, and what of it found no place; exits 1 where nothing is mapped
    Map(map::Args),
    /// Prints WebhookSources for manifests of Argo Events or Flux; exits 1 where something has no equivalent, which comments name
    Migrate(migrate::Args),
    /// Prints events as they arrive on NATS
    Tail(tail::Args),
    /// Makes, lists and shows a spool
    Spool(spool::Args),
    /// Publishes a spool that was left behind, and says how much; exits 1 where something is left
    Drain(spool::DrainArgs),
    /// Says in every status that nobody serves it any more, before an operator is uninstalled
    Leave(leave::Args),
    /// Prints a JSON Schema
    Schema(schema::Args),
    /// Prints an AsyncAPI document of what sources publish
    #[command(name = "asyncapi")]
    AsyncApi(asyncapi::Args),
}
