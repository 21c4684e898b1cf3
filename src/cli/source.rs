//! A source out of manifest files, with its provider and secrets: what `check`, `send` and `verify` work on.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::api::GENERIC;
use crate::api::condition::{Problem, Reason};
use crate::api::provider::{WebhookProvider, WebhookProviderSpec};
use crate::api::source::WebhookSource;
use crate::control::resolve::{Resolved, ResolvedRef};
use crate::control::vault::refused;
use crate::manifest::{self, Loaded};
use crate::provider::Provider;
use crate::provider::catalogue::{Catalogue, built_in};
use crate::provider::verify::keys::KeyRef;
use crate::provider::verify::{Given, Method};

/// Reads manifests and tells what is wrong with them.
///
/// # Errors
/// Everything that is wrong, a line each.
pub fn load(files: &[PathBuf]) -> anyhow::Result<Loaded> {
    let loaded = manifest::read(files);
    if loaded.problems.is_empty() {
        return Ok(loaded);
    }
    let told: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    bail!("{}", told.join("\n"))
}

/// The built-in providers and those of the files that compile.
pub fn catalogue(loaded: &Loaded) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for provider in &loaded.providers {
        let name = provider.metadata.name.as_deref().unwrap_or_default();
        if let Ok(compiled) = Provider::compile(name, &provider.spec) {
            catalogue.add(Arc::new(compiled));
        }
    }
    catalogue
}

/// The definition behind a source: one of the files, its own, or a built-in one.
pub fn definition<'l>(loaded: &'l Loaded, source: &WebhookSource) -> Option<Cow<'l, WebhookProviderSpec>> {
    let name = source.spec.provider.as_str();
    let named = |provider: &&WebhookProvider| provider.metadata.name.as_deref() == Some(name);
    match loaded.providers.iter().find(named) {
        Some(own) => Some(Cow::Borrowed(&own.spec)),
        None if name == GENERIC => Some(Cow::Owned(Provider::generic_spec(&source.spec))),
        None => built_in(name).and_then(|provider| provider.spec().ok()).map(Cow::Borrowed),
    }
}

/// What the secretRefs of a source refer to in the files.
pub fn resolve(source: &WebhookSource, loaded: &Loaded) -> Resolved {
    let namespace = source.metadata.namespace.clone().unwrap_or_default();
    let refs =
        source.spec.verification.as_ref().map(|verification| verification.secret_refs.as_slice()).unwrap_or_default();
    let resolve = |written: &crate::api::source::SecretRef| {
        let problem = |reason, said: &str| {
            Err(Problem::new(
                reason,
                "spec.verification.secretRefs",
                format!("Secret {namespace}/{}: {said}", written.name),
            ))
        };
        let value = match loaded.secrets.get(&(namespace.clone(), written.name.clone())) {
            None => problem(Reason::SecretNotFound, "is not in these files"),
            Some(secret) if refused(secret).is_some() => problem(
                Reason::SecretInvalid,
                &format!("is of type {}, which is never used to prove webhooks: write type Opaque", secret.kind),
            ),
            Some(secret) => match secret.data.get(&written.key) {
                None => problem(Reason::KeyNotFound, &format!("has no key {}", written.key)),
                Some(value) if value.is_empty() => {
                    problem(Reason::SecretInvalid, "is empty: write the vendor's secret")
                }
                Some(value) => Ok(value.clone()),
            },
        };
        ResolvedRef {
            name: written.name.clone(),
            key: written.key.clone(),
            purpose: written.purpose.clone(),
            not_after: written.not_after.as_ref().map(|time| time.0),
            value,
        }
    };
    Resolved { refs: refs.iter().map(resolve).collect() }
}

/// A source that was chosen, and what stands behind it.
pub struct Chosen<'l> {
    /// The source.
    pub source: &'l WebhookSource,
    /// Its provider.
    pub provider: Arc<Provider>,
    /// Its method.
    pub method: Arc<Method>,
    keys: Vec<KeyRef>,
    others: Vec<String>,
}

/// Chooses a source by `NAMESPACE/NAME`, by its name alone, or the only one there is.
///
/// # Errors
/// Where there is none, or more than one.
pub fn choose<'l>(loaded: &'l Loaded, wanted: Option<&str>) -> anyhow::Result<Chosen<'l>> {
    let full = |source: &WebhookSource| {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{}/{}", part(&source.metadata.namespace), part(&source.metadata.name))
    };
    let fits = |source: &&WebhookSource| {
        wanted.is_none_or(|wanted| full(source) == wanted || source.metadata.name.as_deref() == Some(wanted))
    };
    let found: Vec<&WebhookSource> = loaded.sources.iter().filter(fits).collect();
    let names = || loaded.sources.iter().map(full).collect::<Vec<_>>().join(", ");
    let source = match (found.as_slice(), wanted) {
        ([one], _) => *one,
        ([], Some(wanted)) => bail!("no WebhookSource {wanted} in these files: there are {}", names()),
        ([], None) => bail!("no WebhookSource in these files"),
        (_, _) => bail!("more than one WebhookSource fits: choose with --source one of {}", names()),
    };
    let provider = match source.spec.provider.as_str() {
        GENERIC => Arc::new(Provider::generic(&source.spec).map_err(|errors| {
            anyhow::anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?),
        name => catalogue(loaded)
            .get(name)
            .with_context(|| format!("spec.provider: {name:?} is unknown: see `hookgate providers`"))?,
    };
    let verification = source.spec.verification.clone().unwrap_or_default();
    let method = provider
        .method(verification.method.as_deref())
        .with_context(|| {
            let known: Vec<&str> = provider.methods.iter().map(|method| &*method.name).collect();
            format!("spec.verification.method: write one of {}", known.join(", "))
        })?
        .clone();
    let keys = resolve(source, loaded).refs.into_iter().map(|resolved| KeyRef {
        secret: resolved.name,
        key: resolved.key,
        purpose: resolved.purpose,
        not_after: resolved.not_after,
        value: resolved.value.ok(),
    });
    let keys = keys.collect();
    let others = provider.handshakes.iter().filter_map(|handshake| handshake.purpose().map(str::to_owned)).collect();
    Ok(Chosen { source, provider, method, keys, others })
}

impl Chosen<'_> {
    /// Does something with what the source says of its verification.
    pub fn given<T>(&self, with: impl FnOnce(&Given<'_>) -> T) -> T {
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
    pub fn path(&self) -> String {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let usual = || format!("/{}/{}", part(&self.source.metadata.namespace), part(&self.source.metadata.name));
        self.source.spec.path.clone().unwrap_or_else(usual)
    }

    /// Names of secretRefs whose Secret is not in the files.
    pub fn missing(&self) -> Vec<String> {
        self.keys.iter().filter(|key| key.value.is_none()).map(|key| key.label().to_string()).collect()
    }
}

/// A time that a user wrote, or now.
///
/// # Errors
/// Where it is no RFC 3339.
pub fn instant(text: Option<&str>) -> anyhow::Result<Timestamp> {
    match text {
        None => Ok(Timestamp::now()),
        Some(text) => text.parse().with_context(|| format!("--at: {text:?} is no time such as 2026-01-31T12:00:00Z")),
    }
}
