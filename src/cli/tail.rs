//! `hookgate tail`: events as they arrive on NATS.

use std::io::Write;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use clap::ValueEnum;
use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::nats::{self, NatsArgs};
use super::{claimed, flags};
use crate::event::header::{self, Header};

/// What people see of an event beside its data.
const SHOWN: [Header; 12] = [
    header::TYPE,
    header::ID,
    header::SUBJECT,
    header::SOURCE,
    header::VERIFIEDBY,
    header::COVERS,
    header::UNSIGNED,
    header::DATAREF,
    header::OMITTED,
    header::REASON,
    header::ORIGINALTYPE,
    header::ORIGINALID,
];

/// Arguments of `tail`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The subject, wildcards allowed
    #[arg(default_value = "webhooks.>", value_parser = subject)]
    subject: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Also what came within this time
    #[arg(long, value_name = "DURATION", value_parser = flags::duration, conflicts_with_all = ["last", "all"])]
    since: Option<Duration>,
    /// Also the last so many events
    #[arg(long, value_name = "COUNT", conflicts_with = "all")]
    last: Option<u64>,
    /// Also all that the stream holds
    #[arg(long)]
    all: bool,
    /// End after so many events
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    nats: NatsArgs,
}

/// How events are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
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
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let client = args.nats.connect().await?;
    let context = args.nats.jetstream(client.clone());
    let mut messages = match args.past() {
        None => select_all(nats::subscribe(&client, std::slice::from_ref(&args.subject)).await?).boxed(),
        Some(from) => kept(&context, &args.subject, from, args.last).await?,
    };
    let mut left = args.count;
    while left != Some(0) {
        let Some(message) = messages.next().await else { break };
        Read::of(&message).with_data(&context).await.print(args.output, out)?;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

impl Args {
    /// Where in the stream's past to begin; `None`: with what arrives from now on.
    fn past(&self) -> Option<DeliverPolicy> {
        match self.since {
            Some(since) => {
                let start = SystemTime::now().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH);
                Some(DeliverPolicy::ByStartTime { start_time: start.into() })
            }
            None => (self.all || self.last.is_some()).then_some(DeliverPolicy::All),
        }
    }
}

/// A subject with or without wildcards (docs.nats.io, "Subject-Based Messaging").
fn subject(text: &str) -> Result<String, String> {
    let tokens: Vec<&str> = text.split('.').collect();
    let last = tokens.len() - 1;
    let fits = |(at, token): (usize, &&str)| match *token {
        "" => false,
        ">" => at == last,
        token => !token.contains(char::is_whitespace),
    };
    if tokens.iter().enumerate().all(fits) {
        return Ok(text.to_owned());
    }
    Err("is no subject: write tokens with dots between them, such as webhooks.sales.*.> ('*' is one token, '>' all that follow)".to_owned())
}

/// What the stream of a subject keeps, then what arrives; of what it keeps no more than the last so many.
async fn kept(
    context: &jetstream::Context,
    subject: &str,
    from: DeliverPolicy,
    last: Option<u64>,
) -> anyhow::Result<BoxStream<'static, async_nats::Message>> {
    let name = context.stream_by_subject(subject).await.with_context(|| {
        format!("no stream keeps {subject}: without --since, --last and --all events are shown as they arrive")
    })?;
    let config = OrderedConfig { filter_subject: subject.to_owned(), deliver_policy: from, ..OrderedConfig::default() };
    let consumer = context.get_stream(&name).await?.create_consumer(config).await?;
    let kept = consumer.cached_info().num_pending;
    let skipped = last.map_or(0, |last| kept.saturating_sub(last));
    let messages = consumer.messages().await?.filter_map(async |message| message.ok().map(|kept| kept.message));
    Ok(messages.skip(usize::try_from(skipped).unwrap_or(usize::MAX)).boxed())
}

/// A message as people read it: headers decoded, and the attributes of an event in structured mode beside them, under the same names.
#[derive(Debug)]
pub(super) struct Read<'m> {
    subject: &'m str,
    headers: Map<String, Value>,
    data: Value,
}

impl<'m> Read<'m> {
    /// Reads a message; what is no event is read as far as it goes.
    pub(super) fn of(message: &'m async_nats::Message) -> Self {
        let empty = async_nats::HeaderMap::new();
        let written = message.headers.as_ref().unwrap_or(&empty);
        let mut headers: Map<String, Value> = written
            .iter()
            .filter_map(|(name, values)| {
                let value = percent_decode_str(values.first()?.as_str()).decode_utf8_lossy().into_owned();
                Some((name.to_string(), Value::String(value)))
            })
            .collect();
        let payload: Option<Value> = serde_json::from_slice(&message.payload).ok();
        let structured = headers
            .get(header::CONTENT_TYPE.name)
            .and_then(Value::as_str)
            .is_some_and(|media| media.starts_with("application/cloudevents+json"));
        let data = match payload {
            Some(Value::Object(mut event)) if structured => {
                let data = event.remove("data").or_else(|| event.remove("data_base64")).unwrap_or_default();
                headers.extend(event.into_iter().map(|(name, value)| (format!("ce-{name}"), value)));
                data
            }
            Some(data) => data,
            None => text(&message.payload),
        };
        Self { subject: message.subject.as_str(), headers, data }
    }

    /// With the data that it refers to, where that can be read; why not is said on the error output.
    pub(super) async fn with_data(mut self, context: &jetstream::Context) -> Self {
        let Some(reference) = self.header(header::DATAREF.name) else { return self };
        match claimed::fetch(context, reference).await {
            Ok(bytes) => self.data = value(&bytes),
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error:#}");
                self.data = Value::Null;
            }
        }
        self
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(Value::as_str)
    }

    /// Whether it is an event of this source.
    pub(super) fn is_of(&self, source: &ObjectMeta) -> bool {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let end = format!("/namespaces/{}/webhooksources/{}", part(&source.namespace), part(&source.name));
        self.header("ce-source").is_some_and(|source| source.ends_with(&end))
    }

    /// Prints it.
    ///
    /// # Errors
    /// A closed output.
    pub(super) fn print(&self, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
        match output {
            Output::Json => {
                writeln!(out, "{}", json!({"subject": self.subject, "headers": self.headers, "data": self.data}))?;
            }
            Output::Text => {
                writeln!(out, "{}  {}", self.header(header::TIME.name).unwrap_or("-"), self.subject)?;
                for Header { name, .. } in SHOWN {
                    if let Some(value) = self.header(name) {
                        writeln!(out, "  {:13} {value}", name.trim_start_matches("ce-"))?;
                    }
                }
                match &self.data {
                    Value::String(text) => writeln!(out, "  {text}")?,
                    data => {
                        serde_json::to_string_pretty(data)?.lines().try_for_each(|line| writeln!(out, "  {line}"))?
                    }
                }
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(())
    }
}

/// JSON as it is, anything else as text.
fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| text(bytes))
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)], payload: &str) -> (String, String) {
        let mut map = async_nats::HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.insert(*name, *value));
        let message = async_nats::Message {
            subject: "webhooks.sales.calls.x".into(),
            reply: None,
            payload: payload.to_owned().into(),
            headers: Some(map),
            status: None,
            description: None,
            length: 0,
        };
        let print = |output| {
            let mut out = Vec::new();
            Read::of(&message).print(output, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        (print(Output::Text), print(Output::Json))
    }

    #[test]
    fn values_are_decoded() {
        let (text, json) = read(&[("ce-id", "d%201%22"), ("ce-subject", "Gr%C3%BC%C3%9Fe")], "{}");
        assert!(text.contains("d 1\"") && text.contains("Grüße"), "{text}");
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["headers"]["ce-subject"], "Grüße");
    }

    #[test]
    fn attributes_of_structured_events_stand_where_those_of_binary_ones_do() {
        let event = r#"{"id": "d 1", "type": "xosum.x", "source": "/namespaces/sales/webhooksources/calls", "time": "2026-01-01T00:00:00Z", "data": {"n": 1}}"#;
        let (text, json) = read(&[("content-type", "application/cloudevents+json")], event);
        assert!(text.starts_with("2026-01-01T00:00:00Z  webhooks.sales.calls.x\n") && text.contains("d 1"), "{text}");
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["headers"]["ce-type"], &json["data"]), (&json!("xosum.x"), &json!({"n": 1})));
    }
}
