//! The catalogue: every provider by its id, the built-in ones compiled from their manifests when first asked for.
//!
//! A definition that is added later (a `WebhookProvider` of the cluster) is asked before the built-ins.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use super::Provider;
use super::definition_error::DefinitionError;
use crate::api::provider::{WebhookProvider, WebhookProviderSpec};
use crate::spelling::{distance, is_near};

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// A built-in definition.
pub struct BuiltIn {
    /// Its id.
    pub id: &'static str,
    /// Its manifest, as YAML.
    pub manifest: &'static str,
    /// The same as JSON, which is read in a tenth of the time.
    json: &'static str,
    compiled: OnceLock<Result<Compiled, Vec<DefinitionError>>>,
}

type Compiled = (WebhookProviderSpec, Arc<Provider>);

static BUILT_INS: LazyLock<BTreeMap<&'static str, BuiltIn>> = LazyLock::new(|| {
    let built_in = |(id, manifest, json): &(&'static str, &'static str, &'static str)| {
        (*id, BuiltIn { id, manifest, json, compiled: OnceLock::new() })
    };
    SOURCES.iter().map(built_in).collect()
});

/// Every built-in, by id.
pub fn built_ins() -> impl Iterator<Item = &'static BuiltIn> {
    BUILT_INS.values()
}

/// The built-in of that id.
pub fn built_in(id: &str) -> Option<&'static BuiltIn> {
    BUILT_INS.get(id)
}

impl BuiltIn {
    /// Its definition.
    ///
    /// # Errors
    /// What is wrong with the manifest; a test keeps all of them right.
    pub fn spec(&self) -> Result<&WebhookProviderSpec, &[DefinitionError]> {
        self.compiled().map(|(spec, _)| spec)
    }

    /// It, compiled.
    ///
    /// # Errors
    /// As [`BuiltIn::spec`].
    pub fn provider(&self) -> Result<&Arc<Provider>, &[DefinitionError]> {
        self.compiled().map(|(_, provider)| provider)
    }

    fn compiled(&self) -> Result<&Compiled, &[DefinitionError]> {
        let compile = || {
            let manifest: WebhookProvider = serde_json::from_str(self.json)
                .map_err(|error| vec![DefinitionError { path: String::new(), reason: error.to_string() }])?;
            let provider = Provider::compile(self.id, &manifest.spec)?;
            Ok((manifest.spec, Arc::new(provider)))
        };
        self.compiled.get_or_init(compile).as_ref().map_err(Vec::as_slice)
    }
}

/// The providers that sources may name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    added: BTreeMap<String, Arc<Provider>>,
}

impl Catalogue {
    /// Adds a definition that wins over a built-in of its name.
    pub fn add(&mut self, provider: Arc<Provider>) {
        self.added.insert(provider.name.to_string(), provider);
    }

    /// The provider of that id.
    pub fn get(&self, id: &str) -> Option<Arc<Provider>> {
        self.find(id).cloned()
    }

    /// The same, for a look.
    pub fn find(&self, id: &str) -> Option<&Arc<Provider>> {
        self.added.get(id).or_else(|| built_in(id)?.provider().ok())
    }

    /// The ids that are nearest to a misspelt one, for messages.
    pub fn similar(&self, id: &str) -> Vec<String> {
        let known = self.added.keys().map(String::as_str).chain(BUILT_INS.keys().copied());
        let mut near: Vec<(usize, String)> =
            known.filter(|name| is_near(id, name)).map(|name| (distance(id, name), name.to_owned())).collect();
        near.sort();
        near.dedup();
        near.into_iter().take(3).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;
    use crate::api::validate::validate;

    #[test]
    fn every_built_in_compiles_and_is_named_as_its_file() {
        for built_in in built_ins() {
            if let Err(errors) = built_in.provider() {
                panic!("{}: {errors:?}", built_in.id);
            }
            let manifest: WebhookProvider = serde_saphyr::from_str(built_in.manifest).unwrap();
            assert_eq!(manifest.metadata.name.as_deref(), Some(built_in.id));
            assert_eq!(Some(&manifest.spec), built_in.spec().ok(), "{}: the JSON says something else", built_in.id);
            let object: serde_json::Value = serde_saphyr::from_str(built_in.manifest).unwrap();
            let refused = validate(Kind::Provider, &object);
            assert!(refused.is_empty(), "{}: the API server would refuse it: {refused:?}", built_in.id);
        }
    }

    #[test]
    fn a_misspelt_provider_is_told_its_neighbours() {
        let mut catalogue = Catalogue::default();
        assert!(catalogue.get("nobody-knows-me").is_none());
        catalogue.add(Arc::new(Provider::compile("acme-calls", &WebhookProviderSpec::default()).unwrap()));
        assert_eq!(catalogue.similar("acme-call").first().map(String::as_str), Some("acme-calls"));
    }
}
