//! `hookgate asyncapi`: an AsyncAPI 3.0 document of what sources publish.
//!
//! Made from the compiled route, so that subjects, headers and payloads are those of `run`; a source that would not be
//! accepted is an error, never left out in silence. What messages look like is in `messages`.

mod messages;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use self::messages::Published;
use super::flags;
use super::policy::Policy;
use super::source::{definition, load};
use crate::api::source::{RoutingRule, WebhookSource};
use crate::control::object::Key;
use crate::control::offline::Offline;
use crate::control::settings::Settings;
use crate::manifest::Loaded;

/// The version of the specification: <https://www.asyncapi.com/docs/reference/specification/v3.0.0>.
const VERSION: &str = "3.0.0";

/// Arguments of `asyncapi`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Manifests that hold the sources, and their providers where they are none of the built-in ones
    #[arg(short, long = "file", required = true, num_args = 1.., value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// What ce-source begins with; as for `run`
    #[arg(long, env = "HOOKGATE_SOURCE_BASE", default_value = "", value_name = "URI", value_parser = flags::uri_base)]
    source_base: String,
    #[command(flatten)]
    policy: Policy,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    #[default]
    Yaml,
    Json,
}

/// The document, its members in the order in which people read them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    asyncapi: &'static str,
    id: &'static str,
    info: Value,
    servers: Value,
    channels: BTreeMap<String, Value>,
    operations: BTreeMap<String, Value>,
    components: Value,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the manifests, files without a source, or a closed output.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let loaded = load(&args.files)?;
    let settings = Settings { source_base: args.source_base.clone(), ..args.policy.settings()? };
    if loaded.sources.is_empty() || !loaded.broken.is_empty() {
        let told: Vec<String> = loaded.problems.iter().map(|problem| format!("\n{problem}")).collect();
        anyhow::ensure!(
            loaded.problems.is_empty(),
            "what these files publish cannot be told as a whole:{}",
            told.concat()
        );
    }
    let document = document(&loaded, &settings)?;
    match args.output {
        Output::Yaml => write!(out, "{}", serde_saphyr::to_string(&document)?)?,
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?,
    }
    Ok(())
}

fn document(loaded: &Loaded, settings: &Settings) -> anyhow::Result<Document> {
    anyhow::ensure!(!loaded.sources.is_empty(), "no WebhookSource in these files");
    let offline = Offline::new(loaded, settings.clone(), Timestamp::now());
    let mut document = Document {
        asyncapi: VERSION,
        id: "urn:hookgate:events",
        info: json!({}),
        servers: json!({
            "nats": {
                "host": "{host}",
                "protocol": "nats",
                "description": "The NATS server that Hookgate publishes to; events are kept by JetStream.",
                "variables": {"host": {"description": "Host and port.", "default": "localhost:4222"}},
            }
        }),
        channels: BTreeMap::new(),
        operations: BTreeMap::new(),
        components: json!({}),
    };
    let mut tags = BTreeSet::new();
    let mut messages = Map::new();
    for source in &loaded.sources {
        let published = published(source, loaded, &offline, settings)?;
        tags.extend(published.tags());
        published.describe(&mut messages);
        channels(source, &published, settings, &mut document);
    }
    document.info = json!({
        "title": "Events of Hookgate",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Verified webhooks as CloudEvents 1.0. Delivery is at least once and in no promised order: \
                        deduplicate by (ce-source, ce-id).",
        "tags": tags.iter().map(tag).collect::<Vec<_>>(),
    });
    document.components = json!({"messages": messages, "schemas": messages::schemas()?});
    Ok(document)
}

fn published(
    source: &WebhookSource,
    loaded: &Loaded,
    offline: &Offline,
    settings: &Settings,
) -> anyhow::Result<Published> {
    let key = Key::of(&source.metadata);
    offline.source(&key).map_err(|problems| anyhow::anyhow!("WebhookSource {key}: {problems}"))?;
    let route = offline.route(&key).cloned().with_context(|| format!("WebhookSource {key} is not served"))?;
    // Compiling found the definition already.
    let spec = definition(loaded, source).map(std::borrow::Cow::into_owned).unwrap_or_default();
    let format = source.spec.routing.as_ref().and_then(|routing| routing.format).unwrap_or_default();
    Ok(Published { route, spec, format, source_base: settings.source_base.clone() })
}

/// The channels of a source: one for each subject template, and that of its rejected items.
fn channels(source: &WebhookSource, published: &Published, settings: &Settings, document: &mut Document) {
    let claim = &published.route.claim;
    let (id, name) = (published.id(), format!("{}/{}", claim.namespace, claim.name));
    let rules = source.spec.routing.as_ref().map(|routing| routing.rules.as_slice()).unwrap_or_default();
    // A template that stands twice is one channel: what is said of both, by its address.
    let mut all: Vec<(String, String, String)> = Vec::new();
    for (position, template) in published.route.routing.templates().enumerate() {
        let address = template.address(&claim.namespace, &claim.name, &claim.provider);
        let (channel, said) = match rules.get(position) {
            Some(rule) => (format!("{id}.rule-{position}"), said_of(rule, &name)),
            None => (id.clone(), format!("Events of {name} that no rule sends elsewhere.")),
        };
        match all.iter_mut().find(|(_, known, _)| *known == address) {
            Some((_, _, before)) => *before = format!("{before} {said}"),
            None => all.push((channel, address, said)),
        }
    }
    let events = published.message_ids();
    for (channel, address, said) in all {
        document.add(&channel, &address, &said, published, &events);
    }
    let said = format!("Items of authenticated deliveries to {name} that cannot be events; ce-reason says why.");
    let address = settings.subject_policy.rejected(&claim.namespace, &claim.name);
    document.add(&format!("{id}.rejected"), &address, &said, published, &[published.rejected_id()]);
}

/// Which events a rule's channel gets.
fn said_of(rule: &RoutingRule, name: &str) -> String {
    let types = (!rule.include.is_empty()).then(|| format!("whose type is one of {}", rule.include.join(", ")));
    let filter = rule.filter.as_ref().map(|filter| format!("for which `{filter}` holds"));
    let all: Vec<String> = types.into_iter().chain(filter).collect();
    format!("Events of {name} {}, where no earlier rule matches.", all.join(" and "))
}

fn tag(name: &String) -> Value {
    let (what, which) = name.split_once(':').unwrap_or(("tag", name));
    json!({"name": name, "description": format!("The {what} {which}.")})
}

impl Document {
    /// Adds a channel and the operation that sends to it; `messages` are ids of components.
    fn add(&mut self, id: &str, address: &str, said: &str, published: &Published, messages: &[String]) {
        let tags: Vec<Value> = published.tags().iter().map(tag).collect();
        let within: Map<String, Value> = messages
            .iter()
            .map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")})))
            .collect();
        let sent: Vec<Value> =
            messages.iter().map(|name| json!({"$ref": format!("#/channels/{id}/messages/{name}")})).collect();
        let mut channel = json!({
            "address": address,
            "description": said,
            "servers": [{"$ref": "#/servers/nats"}],
            "messages": within,
            "tags": tags,
        });
        let parameters = published.parameters(address);
        if !parameters.is_empty() {
            channel["parameters"] = parameters.into();
        }
        self.channels.insert(id.to_owned(), channel);
        let operation = json!({
            "action": "send",
            "channel": {"$ref": format!("#/channels/{id}")},
            "summary": said,
            "messages": sent,
            "tags": tags,
        });
        self.operations.insert(format!("publish.{id}"), operation);
    }
}
