//! `hookgate map`: what a definition makes of a payload, and what of it found no place.

use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::ValueEnum;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::capture::CapturedRequest;
use super::source::load;
use crate::api::provider::{BodyFormat, WebhookProviderSpec};
use crate::provider::catalogue::{Catalogue, built_in};
use crate::provider::event::Event;
use crate::provider::rehearsal::{Rehearsed, rehearse};
use crate::provider::unplaced::unplaced;
use crate::provider::verify::sign::Draft;

/// Arguments of `map`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("definition").required(true).args(["files", "name"])))]
#[command(group(clap::ArgGroup::new("payload").required(true).args(["data", "request"])))]
pub(super) struct Args {
    /// A built-in provider
    name: Option<String>,
    /// A file with the definition: a WebhookProvider
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The body
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A header beside the body, as 'Name: value'
    #[arg(long, value_name = "HEADER", requires = "data")]
    header: Vec<String>,
    /// The query of the request, without `?`
    #[arg(long, value_name = "QUERY", requires = "data")]
    query: Option<String>,
    /// A captured request: a raw HTTP/1.1 message, the body byte for byte
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

/// Runs the command. Returns the exit code: 0 where something is mapped, 1 where nothing is.
///
/// # Errors
/// What keeps it from an answer: exit code 2.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<u8> {
    let (name, spec) = definition(args)?;
    let draft = draft(args, &spec)?;
    let read = rehearse(&name, &spec, &draft, Timestamp::now())?;
    let note = "signed anew with a key of its own: no proof that was received is judged (hookgate verify does)";
    let Rehearsed::Events(batch) = read else {
        match args.output {
            Output::Json => writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(&json!({"note": note, "handshake": true, "events": []}))?
            )?,
            Output::Text => writeln!(out, "{note}\na handshake: it is answered and never published")?,
        }
        return Ok(1);
    };
    let mut mapped = false;
    let mut events = Vec::new();
    for item in &batch.items {
        match item {
            Ok(event) => {
                mapped |= event.data.mapped.is_some();
                events.push(told(&spec, event)?);
            }
            Err(bad) => events.push(json!({"rejected": bad.reason.as_str(), "type": bad.event_type, "id": bad.id})),
        }
    }
    if args.output == Output::Json {
        let answer = json!({"note": note, "dropped": batch.dropped, "events": events});
        writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        return Ok(u8::from(!mapped));
    }
    writeln!(out, "{note}")?;
    if batch.dropped > 0 {
        writeln!(out, "dropped by the definition: {}", batch.dropped)?;
    }
    for event in &events {
        writeln!(out)?;
        print(event, out)?;
    }
    Ok(u8::from(!mapped))
}

/// An event and what of its item found no place.
fn told(spec: &WebhookProviderSpec, event: &Event) -> anyhow::Result<Value> {
    let conversation = match &event.data.mapped {
        Some(mapped) => serde_json::from_slice(mapped)?,
        None => Value::Null,
    };
    let json = event.data.json.as_ref().unwrap_or(&event.data.original);
    let item: Value = serde_json::from_slice(json).unwrap_or(Value::Null);
    let without: Vec<Value> = unplaced(spec, &event.event_type, &item)
        .into_iter()
        .map(|pointer| json!({"pointer": pointer, "value": item.pointer(&pointer)}))
        .collect();
    Ok(json!({
        "type": event.event_type, "id": event.id, "subject": event.subject, "time": event.time.to_string(),
        "conversation": conversation, "unplaced": without,
    }))
}

fn print(event: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
    if event.get("rejected").is_some() {
        writeln!(out, "rejected: {} (type {}, id {})", text("rejected"), text("type"), text("id"))?;
        return Ok(());
    }
    writeln!(out, "type {}, id {}, subject {}, time {}", text("type"), text("id"), text("subject"), text("time"))?;
    match &event["conversation"] {
        Value::Null => {
            writeln!(out, "not mapped: no entry of spec.map takes this type, so the item is published as it came")?
        }
        conversation => writeln!(out, "{}", serde_json::to_string_pretty(conversation)?)?,
    }
    let without = event["unplaced"].as_array().map(Vec::as_slice).unwrap_or_default();
    if without.is_empty() {
        writeln!(out, "everything found a place")?;
    } else {
        writeln!(out, "found no place (it stays under original):")?;
    }
    let width = without.iter().map(|one| one["pointer"].as_str().map_or(0, str::len)).max().unwrap_or(0).min(60);
    for one in without {
        let value: String = one["value"].to_string().chars().take(80).collect();
        writeln!(out, "  {:width$}  {value}", one["pointer"].as_str().unwrap_or_default())?;
    }
    Ok(())
}

/// The definition: the only one of the files, or a built-in one.
fn definition(args: &Args) -> anyhow::Result<(String, Cow<'static, WebhookProviderSpec>)> {
    if let Some(name) = &args.name {
        let spec = built_in(name).and_then(|built_in| built_in.spec().ok());
        return match spec {
            Some(spec) => Ok((name.clone(), Cow::Borrowed(spec))),
            None => {
                let near = Catalogue::default().similar(name);
                let hint =
                    if near.is_empty() { String::new() } else { format!(" Did you mean {}?", near.join(" or ")) };
                bail!("{name:?} is no built-in provider: give a file with -f.{hint}")
            }
        };
    }
    let loaded = load(&args.files)?;
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    match loaded.providers.as_slice() {
        [one] => Ok((one.metadata.name.clone().unwrap_or_default(), Cow::Owned(one.spec.clone()))),
        [] => bail!("no WebhookProvider in these files"),
        _ => bail!("more than one WebhookProvider in these files: give one"),
    }
}

/// The request that is read.
fn draft(args: &Args, spec: &WebhookProviderSpec) -> anyhow::Result<Draft> {
    if let Some(file) = &args.request {
        let message = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let capture = CapturedRequest::parse(&message).with_context(|| file.display().to_string())?;
        let CapturedRequest { method, path, query, headers, body } = capture;
        return Ok(Draft { method, path, query, headers, body });
    }
    let file = args.data.as_ref().context("give --data or --request")?;
    let body = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut headers = HeaderMap::new();
    let formats = spec.decode.as_ref().map(|decode| decode.formats.as_slice()).unwrap_or_default();
    let json = body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[");
    let media = match (json, formats.contains(&BodyFormat::Form)) {
        (false, true) => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    for line in &args.header {
        let (name, value) = line.split_once(':').with_context(|| format!("--header: {line:?} is no 'Name: value'"))?;
        let name =
            HeaderName::try_from(name.trim()).with_context(|| format!("--header: {name:?} is no header name"))?;
        let value = HeaderValue::try_from(value.trim()).context("--header: the value cannot be sent")?;
        if name == CONTENT_TYPE {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    // A line break that an editor adds at the end of a form would be part of its last value.
    let body = if json { body } else { body.trim_ascii_end().to_vec() };
    Ok(Draft {
        method: Method::POST,
        path: "/rehearsal".to_owned(),
        query: args.query.clone(),
        headers,
        body: Bytes::from(body),
    })
}
