//! `hookgate spool` and `hookgate drain`: what to do with a spool that nobody serves.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use super::flags;
use super::nats::NatsArgs;
use super::run::Claim;
use crate::deliver::spool::{self, Contents, Spool};
use crate::deliver::{Delivery, Options, StreamOptions, drain_once};

/// Arguments of `spool`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Makes a folder for a spool
    Init {
        /// The folder
        folder: PathBuf,
        /// Its disk outlives the pod
        #[arg(long)]
        persistent: bool,
    },
    /// Lists the events of a spool that no process uses, oldest first
    Ls {
        /// The folder
        folder: PathBuf,
        /// Those that NATS refused for good
        #[arg(long)]
        refused: bool,
    },
    /// Prints one event: its headers and its payload
    Show {
        /// The folder
        folder: PathBuf,
        /// Its Nats-Msg-Id, as `ls` prints it
        id: String,
        /// Among those that NATS refused for good
        #[arg(long)]
        refused: bool,
    },
}

/// Arguments of `drain`.
#[derive(Debug, clap::Args)]
pub(super) struct DrainArgs {
    /// The folder that was left behind
    #[arg(long, env = "HOOKGATE_SPOOL_DIR", value_name = "FOLDER")]
    spool_dir: PathBuf,
    /// Try those again that NATS refused for good
    #[arg(long)]
    refused: bool,
    /// When to give up
    #[arg(long, default_value = "10m", value_parser = flags::duration)]
    timeout: Duration,
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    claim: Claim,
    /// Replicas of a bucket for what is too large for a message, where it is created
    #[arg(long, env = "HOOKGATE_STREAM_REPLICAS", default_value_t = 1)]
    stream_replicas: usize,
}

/// Makes, lists or shows.
///
/// # Errors
/// Where the folder cannot be read or written.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<u8> {
    match &args.what {
        What::Init { folder, persistent } => {
            spool::init(folder, *persistent).with_context(|| folder.display().to_string())?;
            Ok(0)
        }
        What::Ls { folder, refused } => {
            let mut out = BufWriter::new(out);
            each(folder, *refused, |record| {
                let accepted = Timestamp::from_millisecond(record.accepted).unwrap_or_default();
                let bytes = record.headers.len() + record.payload.len();
                writeln!(out, "{accepted:.3}\t{}\t{}\t{bytes}\t{}", record.msg_id, record.subject, record.refused)?;
                Ok(false)
            })?;
            Ok(0)
        }
        What::Show { folder, id, refused } => {
            let mut found = false;
            each(folder, *refused, |record| {
                if record.msg_id != *id {
                    return Ok(false);
                }
                found = true;
                writeln!(out, "subject: {}", record.subject)?;
                for (name, value) in record.message().lines() {
                    writeln!(out, "{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))?;
                }
                out.write_all(b"\n")?;
                out.write_all(&record.payload)?;
                Ok(true)
            })?;
            anyhow::ensure!(found, "no event {id:?} in {}", folder.display());
            Ok(0)
        }
    }
}

/// Hands each record to `look`, until it has seen enough.
fn each(
    folder: &std::path::Path,
    refused: bool,
    mut look: impl FnMut(&spool::Record) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let Contents { mut records, damaged } =
        spool::read(folder, refused).with_context(|| folder.display().to_string())?;
    for damage in damaged {
        let _ = writeln!(
            std::io::stderr(),
            "{}: bytes {} to {} hold no event",
            damage.file,
            damage.bytes.start,
            damage.bytes.end
        );
    }
    while let Some((_, record)) = records.take()? {
        if look(&record)? {
            break;
        }
    }
    Ok(())
}

/// Publishes a spool that was left behind. 0: nothing is left, 1: something is, or another process uses it.
///
/// # Errors
/// Where it cannot be read, or NATS's options are wrong.
pub(super) async fn drain(args: &DrainArgs, out: &mut impl Write) -> anyhow::Result<u8> {
    let folder = &args.spool_dir;
    anyhow::ensure!(folder.is_dir(), "--spool-dir: {} is no folder", folder.display());
    let (spool, recovered) = Spool::open(folder, u64::MAX / 4).with_context(|| folder.display().to_string())?;
    for damage in &recovered.damaged {
        writeln!(out, "{}: bytes {} to {} hold no event", damage.file, damage.bytes.start, damage.bytes.end)?;
    }
    let stream = StreamOptions { name: None, replicas: args.stream_replicas, ..StreamOptions::default() };
    let claim_check = args.claim.is_on();
    let delivery = Delivery::start(&Options { stream, claim_check, ..Options::new(args.nats.options()) }).await?;
    let spool = Arc::new(spool);
    let drained = drain_once(&delivery, &spool, args.refused, args.timeout).await;
    let left = if args.refused { spool.refused_stock().events } else { spool.stock().events };
    writeln!(out, "{} published, {} refused, {left} left", drained.published, drained.refused)?;
    delivery.close(Duration::from_secs(5)).await;
    Ok(u8::from(left > 0))
}
