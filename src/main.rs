//! The `hookgate` command.
#![forbid(unsafe_code)]

use std::io::{BufWriter, IsTerminal, Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use hookgate::cli::{Cli, LogFormat};
use tracing_subscriber::EnvFilter;

/// After a flood memory goes back to the kernel: see Cargo.toml.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    let mut out = BufWriter::new(stdout().lock());
    let done = run(&cli, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) if closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "hookgate: {error:#}");
            ExitCode::from(cli.failure())
        }
    }
}

fn run(cli: &Cli, out: &mut impl Write) -> anyhow::Result<u8> {
    let Some(operator) = cli.operator() else { return cli.perform(runtime, out) };
    log(operator.log_format)?;
    runtime()?.block_on(hookgate::app::run(operator)).map(|()| 0)
}

/// The client of NATS repeats each refusal at every attempt; delivery says it once, with what to do.
const QUIET: &str = "async_nats=off,kube=warn";

/// Logs to the standard error; `RUST_LOG` chooses what.
fn log(format: LogFormat) -> anyhow::Result<()> {
    let chosen = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = match chosen.trim() {
        "" => format!("info,{QUIET}"),
        // Who names a level alone wants ours; who wants the client's lines names it, or asks for all there is.
        level @ ("error" | "warn" | "info") => format!("{level},{QUIET}"),
        chosen => chosen.to_owned(),
    };
    let filter =
        EnvFilter::try_new(&filter).with_context(|| format!("RUST_LOG: {filter:?} is no filter such as info"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// For commands that talk to the network. One crypto provider serves the whole process.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    anyhow::ensure!(installed.is_ok(), "another crypto provider is installed already");
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The reader of a pipe went away, as in `hookgate providers | head`.
fn closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
