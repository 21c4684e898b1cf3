//! `hookgate send`: a test delivery, signed exactly as the provider would, and what became of it.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{SelectAll, select_all};
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};

use super::nats::{self, NatsArgs};
use super::policy::Policy;
use super::source::{Chosen, choose, definition, load};
use super::tail::{self, Output};
use crate::authorities::Authorities;
use crate::control::object::Key;
use crate::manifest::Loaded;
use crate::provider::documented;
use crate::provider::sample::{Sample, sample};
use crate::provider::verify::sign::Draft;
use crate::route::subject::SubjectTemplate;
use crate::subject::pattern::is_within;

/// How long events are waited for in all.
const WAIT: Duration = Duration::from_secs(2);
/// The largest answer that is printed, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Arguments of `send`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Manifests that hold the source, its provider where it is none of the built-in, and its Secrets
    #[arg(short, long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The source, as NAMESPACE/NAME. Default: the only one
    #[arg(long, value_name = "NS/NAME")]
    source: Option<String>,
    /// The event type to send. Default: one that the provider maps, or `test`
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// The vendor's documented delivery to send: `hookgate providers NAME --samples` shows them
    #[arg(long, value_name = "EVENT", conflicts_with_all = ["event", "data", "content_type"])]
    sample: Option<String>,
    /// The body to send. Default: one made from the provider's definition
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The media type of --data. Default: what the provider sends
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Where the receiver is; a URL with a path is used as it is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    to: String,
    /// The host that the request names. Default: the first of the source's hostnames that is no wildcard, else that of --to
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// A private key (PKCS#8, PEM) for vendors that sign with one
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// Print the delivery as a curl command instead of sending it
    #[arg(long)]
    curl: bool,
    /// Do not wait for events on NATS
    #[arg(long)]
    no_events: bool,
    #[command(flatten)]
    policy: Policy,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Runs the command. Returns whether the receiver accepted the delivery.
///
/// # Errors
/// What cannot be signed or sent.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<bool> {
    let loaded = load(&args.files)?;
    let chosen = choose(&loaded, args.source.as_deref(), Timestamp::now())?;
    let uri = target(&args.to, &chosen.path())?;
    let draft = draft(args, &loaded, &chosen, &uri)?;
    if args.curl {
        writeln!(out, "{}", curl(&draft, &uri))?;
        return Ok(true);
    }
    note_event(args, &loaded, &chosen, out)?;
    let events = match args.no_events {
        true => None,
        false => match listen(args, &chosen).await {
            Ok(events) => Some(events),
            Err(error) => {
                writeln!(out, "events are not shown: {error:#} (--no-events does not look for them)")?;
                None
            }
        },
    };
    writeln!(out, "> {} {}", draft.method, full(&uri, draft.query.as_deref()))?;
    for (name, value) in &draft.headers {
        writeln!(out, "> {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
    }
    writeln!(out, "> {} bytes", draft.body.len())?;
    let accepted = post(&draft, &uri, out).await?;
    if let Some(events) = events {
        show(events, &chosen, accepted, out).await?;
    }
    Ok(accepted)
}

/// Prints the events of this source until none came for a while; other sources of a busy namespace keep nobody waiting.
async fn show(
    mut events: SelectAll<async_nats::Subscriber>,
    chosen: &Chosen<'_>,
    accepted: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + WAIT;
    let mut quiet = end;
    let mut any = false;
    while let Ok(Some(message)) = tokio::time::timeout_at(quiet.min(end), events.next()).await {
        let read = tail::Read::of(&message);
        if !read.is_of(&chosen.source.metadata) {
            continue;
        }
        writeln!(out)?;
        read.print(Output::Text, out)?;
        any = true;
        quiet = tokio::time::Instant::now() + WAIT / 8;
    }
    if !any && accepted {
        writeln!(
            out,
            "\nno event on NATS within {} s: it was a duplicate or filtered out, or this NATS is not the receiver's",
            WAIT.as_secs()
        )?;
    }
    Ok(())
}

/// Says where the event type has no place in what is sent.
fn note_event(args: &Args, loaded: &Loaded, chosen: &Chosen<'_>, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(event) = &args.event else { return Ok(()) };
    let (id, now) = ("id", Timestamp::UNIX_EPOCH);
    let spec = definition(loaded, chosen.source).context("the provider has no definition")?;
    let with = |event: &str| sample(&spec, Some(&chosen.method.name), Some(event), id, now);
    let (one, other) = (with(event), with("hookgate.another.type"));
    let in_body = one.body != other.body;
    let elsewhere = (&one.headers, &one.query) != (&other.headers, &other.query);
    let name = &chosen.provider.display_name;
    if !in_body && !elsewhere {
        writeln!(out, "note: --event is not sent: {name} has no place for an event type")?;
    } else if !elsewhere && args.data.is_some() {
        writeln!(out, "note: --event is not sent: the type of {name} stands in the body, which --data gives")?;
    }
    Ok(())
}

/// Listens to everything that the source may publish.
async fn listen(args: &Args, chosen: &Chosen<'_>) -> anyhow::Result<SelectAll<async_nats::Subscriber>> {
    let policy = args.policy.subjects()?;
    let client = args.nats.connect().await?;
    let Key { namespace, name } = Key::of(&chosen.source.metadata);
    let routing = chosen.source.spec.routing.clone().unwrap_or_default();
    let mut subjects = vec![policy.rejected(&namespace, &name)];
    for text in routing.rules.iter().map(|rule| &rule.subject).chain(&routing.subject) {
        let template = SubjectTemplate::parse(text).map_err(anyhow::Error::msg)?;
        subjects.push(template.pattern(&namespace, &name, &chosen.source.spec.provider));
    }
    if routing.subject.is_none() {
        subjects.push(policy.default_subject().pattern(&namespace, &name, &chosen.source.spec.provider));
    }
    subjects.sort();
    subjects.dedup();
    // What two patterns match arrives twice.
    let narrow: Vec<String> = subjects
        .iter()
        .filter(|one| !subjects.iter().any(|other| other != *one && is_within(one, other)))
        .cloned()
        .collect();
    Ok(select_all(nats::subscribe(&client, &narrow).await?))
}

fn target(to: &str, path: &str) -> anyhow::Result<Uri> {
    let bare = to.split_once("://").map_or(to, |(_, rest)| rest).trim_end_matches('/');
    let text = if bare.contains('/') { to.to_owned() } else { format!("{}{path}", to.trim_end_matches('/')) };
    let uri: Uri = text.parse().with_context(|| format!("--to: {to:?} is no URL such as http://127.0.0.1:8080"))?;
    if uri.host().is_none() {
        bail!("--to: {to:?} is no URL such as http://127.0.0.1:8080");
    }
    Ok(uri)
}

fn draft(args: &Args, loaded: &Loaded, chosen: &Chosen<'_>, uri: &Uri) -> anyhow::Result<Draft> {
    let now = Timestamp::now();
    let id = format!("hookgate-{}", now.as_nanosecond());
    let made = made(args, loaded, chosen, &id, now)?;
    let mut headers = made.headers;
    let body = match &args.data {
        None => made.body,
        Some(file) => std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
    };
    if let Some(media) = &args.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(media).context("--content-type is no media type")?);
    }
    let query = match (uri.query(), made.query) {
        (Some(own), Some(made)) => Some(format!("{own}&{made}")),
        (own, made) => own.map(str::to_owned).or(made),
    };
    let hostnames = &chosen.source.spec.hostnames;
    if let Some(host) = args.host.as_ref().or_else(|| hostnames.iter().find(|host| !host.starts_with('*'))) {
        headers.insert(HOST, HeaderValue::try_from(host).context("--host is no host name")?);
    }
    let mut draft =
        Draft { method: Method::POST, path: uri.path().to_owned(), query, headers, body: Bytes::from(body) };
    let private = match &args.private_key {
        None => None,
        Some(file) => Some(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?),
    };
    chosen.given(|given| chosen.method.sign(&mut draft, given, private.as_deref(), now)).map_err(|error| {
        let missing = chosen.missing();
        let hint = if missing.is_empty() { String::new() } else { format!(" ({})", missing.join("; ")) };
        anyhow::anyhow!("cannot sign as {}: {error}{hint}", chosen.provider.display_name)
    })?;
    Ok(draft)
}

fn made(args: &Args, loaded: &Loaded, chosen: &Chosen<'_>, id: &str, now: Timestamp) -> anyhow::Result<Sample> {
    let spec = definition(loaded, chosen.source).context("the provider has no definition")?;
    let method = Some(&*chosen.method.name);
    let Some(wanted) = &args.sample else { return Ok(sample(&spec, method, args.event.as_deref(), id, now)) };
    let provider = chosen.source.spec.provider.as_str();
    match documented::of(provider).find(|documented| documented.name == wanted) {
        Some(documented) => Ok(documented.sample(&spec, method, id, now)),
        None => {
            let known: Vec<&str> = documented::of(provider).map(|documented| documented.name).collect();
            bail!(
                "--sample: {provider} has no sample {wanted:?}, but {}",
                if known.is_empty() { "none at all".to_owned() } else { known.join(", ") }
            )
        }
    }
}

fn full(uri: &Uri, query: Option<&str>) -> String {
    let base = uri.to_string();
    let base = base.split('?').next().unwrap_or_default();
    query.map_or_else(|| base.to_owned(), |query| format!("{base}?{query}"))
}

async fn post(draft: &Draft, uri: &Uri, out: &mut impl Write) -> anyhow::Result<bool> {
    let tls = match uri.scheme_str() {
        Some("https") => Authorities::read()?.into_client(),
        _ => ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(https);
    let mut request = Request::builder()
        .method(draft.method.clone())
        .uri(full(uri, draft.query.as_deref()))
        .body(Full::new(draft.body.clone()))?;
    *request.headers_mut() = draft.headers.clone();
    let answer = client
        .request(request)
        .await
        .with_context(|| format!("cannot reach {uri}: is the receiver running, and is --to right?"))?;
    let status = answer.status();
    writeln!(out, "< {status}")?;
    for name in ["content-type", "retry-after", "allow"] {
        if let Some(value) = answer.headers().get(name) {
            writeln!(out, "< {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
    }
    let body = Limited::new(answer.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))?
        .to_bytes();
    if !body.is_empty() {
        writeln!(out, "< {}", String::from_utf8_lossy(&body).trim_end())?;
    }
    Ok(status.is_success())
}

/// The delivery as a command for a shell: byte for byte what would be sent.
fn curl(draft: &Draft, uri: &Uri) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut parts = vec![format!("curl -i -X {} {}", draft.method, quoted(&full(uri, draft.query.as_deref())))];
    for (name, value) in &draft.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        // Without a value curl would leave the header out.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        parts.push(format!("-H {}", quoted(&header)));
    }
    match std::str::from_utf8(&draft.body).ok().filter(|body| !body.contains('\0')) {
        // What begins so would name a file.
        Some(body) if body.starts_with('@') => parts.push(format!("--data-raw {}", quoted(body))),
        Some(body) => parts.push(format!("--data-binary {}", quoted(body))),
        None => {
            parts[0] = format!("printf %s {} | base64 -d | {}", BASE64_STANDARD.encode(&draft.body), parts[0]);
            parts.push("--data-binary @-".to_owned());
        }
    }
    parts.join(" \\\n  ")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_command_for_a_shell_sends_what_was_signed() {
        let command = |body: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-empty", HeaderValue::from_static(""));
            let body = Bytes::from_static(body);
            let draft = Draft { method: Method::POST, path: "/x".to_owned(), query: None, headers, body };
            curl(&draft, &Uri::from_static("http://127.0.0.1:1/x"))
        };
        assert!(command(b"it's").ends_with(r"--data-binary 'it'\''s'"));
        assert!(command(b"@file").ends_with("--data-raw '@file'"), "no file is read");
        let binary = command(b"\xff\0");
        assert!(binary.starts_with("printf %s /wA= | base64 -d | curl ") && binary.ends_with("--data-binary @-"));
        assert!(binary.contains("-H 'x-empty;'"), "{binary}");
    }
}
