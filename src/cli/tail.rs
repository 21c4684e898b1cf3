//! `hookgate tail`: events as they arrive on NATS.

use std::io::Write;

use clap::ValueEnum;
use futures::StreamExt;
use serde_json::{Map, Value, json};

use super::nats::NatsArgs;

/// Arguments of `tail`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The subject, wildcards allowed
    #[arg(default_value = "webhooks.>")]
    subject: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// End after so many events
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    nats: NatsArgs,
}

/// How events are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Runs the command until it is stopped, or `count` events were printed.
///
/// # Errors
/// NATS that cannot be reached, or a closed output.
pub async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let client = args.nats.connect().await?;
    let mut messages = client.subscribe(args.subject.clone()).await?;
    client.flush().await?;
    let mut left = args.count;
    while left != Some(0) {
        let Some(message) = messages.next().await else { break };
        print(&message, args.output, out)?;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

/// Prints one event.
///
/// # Errors
/// A closed output.
pub fn print(message: &async_nats::Message, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    let empty = async_nats::HeaderMap::new();
    let headers = message.headers.as_ref().unwrap_or(&empty);
    let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    let data: Option<Value> = serde_json::from_slice(&message.payload).ok();
    match output {
        Output::Json => {
            let all: Map<String, Value> = headers
                .iter()
                .filter_map(|(name, values)| {
                    Some((name.to_string(), Value::String(values.first()?.as_str().to_owned())))
                })
                .collect();
            let data = data.unwrap_or_else(|| Value::String(String::from_utf8_lossy(&message.payload).into_owned()));
            writeln!(out, "{}", json!({"subject": message.subject.as_str(), "headers": all, "data": data}))?;
        }
        Output::Text => {
            writeln!(out, "{}  {}", header("ce-time").unwrap_or("-"), message.subject)?;
            let attributes = ["ce-type", "ce-id", "ce-subject", "ce-source", "ce-verifiedby", "ce-covers", "ce-reason"];
            for name in attributes {
                if let Some(value) = header(name) {
                    writeln!(out, "  {:13} {value}", name.trim_start_matches("ce-"))?;
                }
            }
            match data {
                Some(data) => {
                    serde_json::to_string_pretty(&data)?.lines().try_for_each(|line| writeln!(out, "  {line}"))?
                }
                None => writeln!(out, "  {}", String::from_utf8_lossy(&message.payload))?,
            }
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}
