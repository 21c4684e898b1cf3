//! `hookgate migrate`: manifests of Argo Events and Flux as WebhookSources, with what they need and what has no equivalent.
//!
//! Reads files and prints; the rules are in `argo.rs` and `flux.rs` over the tables beside them. Nothing is guessed: what cannot be
//! carried over stands in a comment, and what would take more than before is suspended.

mod argo;
mod draft;
mod flux;
mod remark;
mod table;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::Value;

use self::draft::{Draft, Places};
use self::remark::Remarks;
use self::table::Table;
use super::policy::Policy;
use crate::manifest::Loaded;

/// Arguments of `migrate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the manifests are of
    from: Project,
    /// Manifests, or - for the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policy: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Project {
    /// EventSources of Argo Events
    Argo,
    /// Receivers of Flux
    Flux,
}

impl Project {
    fn table(self) -> anyhow::Result<Table> {
        Table::read(match self {
            Self::Argo => include_str!("argo.yaml"),
            Self::Flux => include_str!("flux.yaml"),
        })
    }

    /// The kind that is carried over, and the API group of the project.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Argo => ("EventSource", "argoproj.io/"),
            Self::Flux => ("Receiver", "notification.toolkit.fluxcd.io/"),
        }
    }
}

/// Runs the command. Returns the exit code: 0 where all was carried over, 1 where something has no equivalent, 2 where there was nothing.
///
/// # Errors
/// A file that cannot be read, a policy that is none, or a closed output: exit code 2.
pub(super) fn run(args: &Args, input: &mut impl Read, out: &mut impl Write) -> anyhow::Result<u8> {
    let mut objects = Vec::new();
    for file in &args.files {
        let named = file.display().to_string();
        let mut text = String::new();
        if named == "-" {
            input.read_to_string(&mut text).context("the standard input cannot be read")?;
        } else {
            text = std::fs::read_to_string(file).with_context(|| format!("cannot read {named}"))?;
        }
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).with_context(|| format!("{named} is no YAML"))?;
        documents.into_iter().for_each(|document| flatten(document, &mut objects));
    }
    let settings = args.policy.settings()?;
    let migrated = migrate(args.from, &objects, &mut Places::new(&settings.path_policies))?;
    if migrated.drafts.is_empty() && !migrated.left.lost() {
        let (kind, _) = args.from.names();
        bail!("there is no {kind} in these files");
    }
    let text = migrated.text()?;
    let mut loaded = Loaded::default();
    loaded.read_documents("output", &text);
    let refused: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    write!(out, "{text}")?;
    if !refused.is_empty() {
        bail!("what was printed is not all right:\n{}", refused.join("\n"));
    }
    Ok(u8::from(migrated.lost()))
}

/// Objects, of which lists hold several.
fn flatten(document: Value, objects: &mut Vec<Value>) {
    match document {
        Value::Object(mut list) if list.get("items").is_some_and(Value::is_array) => {
            if let Some(Value::Array(items)) = list.remove("items") {
                items.into_iter().for_each(|item| flatten(item, objects));
            }
        }
        Value::Null => {}
        object => objects.push(object),
    }
}

/// What became of the files.
struct Migrated {
    table: Table,
    drafts: Vec<Draft>,
    /// What belongs to no source.
    left: Remarks,
}

/// Carries objects over. Pure.
fn migrate(from: Project, objects: &[Value], places: &mut Places<'_>) -> anyhow::Result<Migrated> {
    let table = from.table()?;
    let (kind, group) = from.names();
    let (mut drafts, mut left) = (Vec::new(), Remarks::default());
    let secrets = secrets(objects);
    for object in objects {
        let own = object["apiVersion"].as_str().unwrap_or_default().starts_with(group);
        let sort = object["kind"].as_str().unwrap_or_default();
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        match (own, from) {
            (true, Project::Argo) if sort == kind => drafts.extend(argo::sources(object, &table, places, &mut left)),
            (true, Project::Flux) if sort == kind => {
                drafts.extend(flux::source(object, &table, &secrets, places, &mut left));
            }
            (true, _) => {
                if let Some(remark) = table.documents.get(sort) {
                    left.say(&format!("{sort} {name}"), remark.clone());
                }
            }
            (false, _) => {}
        }
    }
    Ok(Migrated { table, drafts, left })
}

/// The texts of Secrets in the files.
fn secrets(objects: &[Value]) -> flux::Secrets {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let mut secrets = BTreeMap::new();
    for object in objects.iter().filter(|object| object["kind"] == "Secret") {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let members = |member: &str| object[member].as_object().cloned().unwrap_or_default();
        let decoded = |value: &Value| String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok();
        let encoded = members("data").into_iter().filter_map(|(key, value)| Some((key, decoded(&value)?)));
        let plain =
            members("stringData").into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())));
        secrets.insert((text("/metadata/namespace"), text("/metadata/name")), encoded.chain(plain).collect());
    }
    secrets
}

impl Migrated {
    fn lost(&self) -> bool {
        self.left.lost() || self.drafts.iter().any(|draft| draft.remarks.lost())
    }

    /// Manifests with what is said of them.
    fn text(&self) -> anyhow::Result<String> {
        let mut text = self.table.heading.iter().map(|line| format!("# {line}\n")).collect::<String>();
        let left = self.left.comments();
        if !left.is_empty() {
            text.push_str("#\n# Beside the sources:\n");
            text.push_str(&left);
        }
        for draft in &self.drafts {
            let manifest = serde_saphyr::to_string(&draft.manifest())?;
            let origin: String = draft.origin.split_whitespace().collect::<Vec<_>>().join(" ");
            text.push_str(&format!("---\n# {origin}\n{}{manifest}", draft.remarks.comments()));
        }
        Ok(text)
    }
}
