//! A source out of manifest files, with its provider and secrets: what `send`, `verify` and `asyncapi` work on.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::api::GENERIC;
use crate::api::provider::{WebhookProvider, WebhookProviderSpec};
use crate::api::source::WebhookSource;
use crate::control::object::Key;
use crate::control::offline::Offline;
use crate::control::resolve::Resolved;
use crate::control::settings::Settings;
use crate::manifest::{Loaded, ObjectKey};
use crate::provider::Provider;
use crate::provider::catalogue::built_in;
use crate::provider::verify::keys::KeyRef;
use crate::provider::verify::{Given, Method};

/// Reads manifests: files, folders with their subfolders, or `-` for the standard input. What is wrong in them concerns only who needs it.
///
/// # Errors
/// A standard input that is no text.
pub(super) fn load(files: &[PathBuf]) -> anyhow::Result<Loaded> {
    let mut loaded = Loaded::default();
    for file in files {
        if file.as_os_str() == "-" {
            let text = std::io::read_to_string(std::io::stdin()).context("the standard input cannot be read")?;
            loaded.read_documents("standard input", &text);
        } else {
            loaded.read_deep(file);
        }
    }
    Ok(loaded)
}

/// The definition behind a source: one of the files, its own, or a built-in one.
pub(super) fn definition<'l>(loaded: &'l Loaded, source: &WebhookSource) -> Option<Cow<'l, WebhookProviderSpec>> {
    let name = source.spec.provider.as_str();
    let named = |provider: &&WebhookProvider| provider.metadata.name.as_deref() == Some(name);
    match loaded.providers.iter().find(named) {
        Some(own) => Some(Cow::Borrowed(&own.spec)),
        None if name == GENERIC => Some(Cow::Owned(Provider::generic_spec(&source.spec))),
        None => built_in(name).and_then(|provider| provider.spec().ok()).map(Cow::Borrowed),
    }
}

/// What is wrong with a source, or with the provider that it names, as far as reading the files tells.
///
/// # Errors
/// A line for each.
pub(super) fn readable(loaded: &Loaded, source: &ObjectKey, provider: &str) -> anyhow::Result<()> {
    let provider = ObjectKey::new("WebhookProvider", "", provider);
    let wrong = loaded.problems_of(source).chain(loaded.problems_of(&provider));
    let told: Vec<String> = wrong.map(ToString::to_string).collect();
    anyhow::ensure!(told.is_empty(), "{}", told.join("\n"));
    Ok(())
}

/// A source that was chosen, and what stands behind it.
pub(super) struct Chosen<'l> {
    /// The source.
    pub(super) source: &'l WebhookSource,
    /// Its provider.
    pub(super) provider: Arc<Provider>,
    /// Its method.
    pub(super) method: Arc<Method>,
    refs: Resolved,
    keys: Vec<KeyRef>,
    others: Vec<String>,
}

/// Chooses a source by `NAMESPACE/NAME`, by its name alone, or the only one there is; with its secrets at an instant.
///
/// # Errors
/// Where there is none, or more than one; and what is wrong with that one.
pub(super) fn choose<'l>(loaded: &'l Loaded, wanted: Option<&str>, now: Timestamp) -> anyhow::Result<Chosen<'l>> {
    let source = one(loaded, wanted)?;
    let offline = Offline::new(loaded, Settings::default(), now);
    let provider = match source.spec.provider.as_str() {
        GENERIC => Arc::new(Provider::generic(&source.spec).map_err(crate::provider::definition_error::problems)?),
        name => {
            readable(loaded, &key(source), name)?;
            let of_files = loaded.providers.iter().any(|own| own.metadata.name.as_deref() == Some(name));
            if of_files && let Err(problems) = offline.accepted(name) {
                bail!("WebhookProvider {name}: {problems}");
            }
            offline
                .catalogue()
                .get(name)
                .with_context(|| format!("spec.provider: {name:?} is unknown: see `hookgate providers`"))?
        }
    };
    let verification = source.spec.verification.clone().unwrap_or_default();
    let method = provider
        .method(verification.method.as_deref())
        .with_context(|| {
            let known: Vec<&str> = provider.methods.iter().map(|method| &*method.name).collect();
            format!("spec.verification.method: write one of {}", known.join(", "))
        })?
        .clone();
    let refs = offline.resolved(source);
    let keys = refs.keys();
    let others = provider.handshakes.iter().filter_map(|handshake| handshake.purpose().map(str::to_owned)).collect();
    Ok(Chosen { source, provider, method, refs, keys, others })
}

fn key(source: &WebhookSource) -> ObjectKey {
    let Key { namespace, name } = Key::of(&source.metadata);
    ObjectKey::new("WebhookSource", &namespace, &name)
}

fn one<'l>(loaded: &'l Loaded, wanted: Option<&str>) -> anyhow::Result<&'l WebhookSource> {
    let full = |source: &WebhookSource| Key::of(&source.metadata).to_string();
    let fits = |name: &str, full: &str| wanted.is_none_or(|wanted| full == wanted || name == wanted);
    let found: Vec<&WebhookSource> = loaded
        .sources
        .iter()
        .filter(|source| fits(source.metadata.name.as_deref().unwrap_or_default(), &full(source)))
        .collect();
    // One that cannot be read may be the one that is meant.
    let broken: Vec<&ObjectKey> = loaded
        .broken
        .keys()
        .filter(|key| {
            key.kind == "WebhookSource" && fits(&key.name, &Key::new(&*key.namespace, &*key.name).to_string())
        })
        .collect();
    match (found.as_slice(), broken.as_slice(), wanted) {
        ([one], [], _) => Ok(one),
        ([], [broken], _) => {
            readable(loaded, broken, "")?;
            bail!("{broken} cannot be read")
        }
        ([], [], wanted) => {
            let unread: Vec<String> = loaded.problems.iter().map(|problem| format!("\n{problem}")).collect();
            let names: Vec<String> = loaded.sources.iter().map(full).collect();
            match wanted {
                Some(wanted) if !names.is_empty() => {
                    bail!("no WebhookSource {wanted} in these files: there are {}{}", names.join(", "), unread.concat())
                }
                _ => bail!("no WebhookSource in these files{}", unread.concat()),
            }
        }
        _ => {
            let names: Vec<String> = found.iter().map(|source| full(source)).collect();
            let broken = broken.iter().map(|key| Key::new(&*key.namespace, &*key.name).to_string());
            let names: Vec<String> = names.into_iter().chain(broken).collect();
            bail!("more than one WebhookSource fits: choose with --source one of {}", names.join(", "))
        }
    }
}

impl Chosen<'_> {
    /// Does something with what the source says of its verification.
    pub(super) fn given<T>(&self, with: impl FnOnce(&Given<'_>) -> T) -> T {
        let verification = self.source.spec.verification.clone().unwrap_or_default();
        let others: Vec<&str> = self.others.iter().map(String::as_str).collect();
        with(&Given {
            keys: &self.keys,
            other_purposes: &others,
            parameters: &verification.parameters,
            tolerance: verification.tolerance.as_ref().and_then(|tolerance| tolerance.get()),
            external_url: verification.external_url.as_deref(),
        })
    }

    /// The path of its route.
    pub(super) fn path(&self) -> String {
        let Key { namespace, name } = Key::of(&self.source.metadata);
        crate::route::claim_path(self.source.spec.path.as_deref(), &namespace, &name)
    }

    /// Why secretRefs have no value, a sentence each.
    pub(super) fn missing(&self) -> Vec<String> {
        self.refs.problems().map(|problem| problem.message.clone()).collect()
    }
}

/// A time that a user wrote, or now.
///
/// # Errors
/// Where it is no RFC 3339.
pub(super) fn instant(text: Option<&str>) -> anyhow::Result<Timestamp> {
    match text {
        None => Ok(Timestamp::now()),
        Some(text) => text.parse().with_context(|| format!("--at: {text:?} is no time such as 2026-01-31T12:00:00Z")),
    }
}
