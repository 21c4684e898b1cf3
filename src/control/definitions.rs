//! The providers that sources may name: the built-in catalogue, and what WebhookProviders add to it or replace.
//!
//! Pure. A WebhookProvider that stops compiling keeps its last good definition; one that shadows a built-in without saying so is not used.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::object::Object;
use crate::api::condition::{Problem, Problems, Reason};
use crate::api::provider::WebhookProvider;
use crate::provider::Provider;
use crate::provider::catalogue::{Catalogue, built_in};
use crate::provider::definition_error::problems;

/// WebhookProviders, compiled.
#[derive(Debug, Default)]
pub struct Definitions {
    known: BTreeMap<String, Definition>,
    catalogue: Arc<Catalogue>,
}

#[derive(Debug)]
struct Definition {
    uid: String,
    accepted: Result<(), Problems>,
    /// What sources use. It may be older than what was refused last.
    used: Option<Arc<Provider>>,
}

impl Definitions {
    /// Takes in what became of a WebhookProvider; `None`: it is gone.
    pub fn update(&mut self, name: &str, object: Option<&Object<WebhookProvider>>) {
        match object {
            None => {
                self.known.remove(name);
            }
            Some(object) => {
                let before =
                    self.known.remove(name).filter(|known| known.uid == object.uid).and_then(|known| known.used);
                let (accepted, used) = judge(name, object, before);
                self.known.insert(name.to_owned(), Definition { uid: object.uid.clone(), accepted, used });
            }
        }
        let mut catalogue = Catalogue::default();
        for used in self.known.values().filter_map(|definition| definition.used.as_ref()) {
            catalogue.add(used.clone());
        }
        self.catalogue = Arc::new(catalogue);
    }

    /// What sources may name now.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Whether a WebhookProvider is used as it stands, or what its owner should write.
    pub fn accepted(&self, name: &str) -> Result<(), &Problems> {
        match self.known.get(name) {
            Some(Definition { accepted: Err(problem), .. }) => Err(problem),
            _ => Ok(()),
        }
    }
}

fn judge(
    name: &str,
    object: &Object<WebhookProvider>,
    before: Option<Arc<Provider>>,
) -> (Result<(), Problems>, Option<Arc<Provider>>) {
    let provider = match &object.value {
        Ok(provider) => provider,
        Err(broken) => return (Err(broken.problem.clone()), before),
    };
    if built_in(name).is_some() && !provider.spec.overrides_built_in {
        let message = format!(
            "Hookgate has a built-in provider {name}, which sources use instead: write true to replace it, or choose another metadata.name"
        );
        return (Err(Problem::new(Reason::ShadowsBuiltIn, "spec.overridesBuiltIn", message).into()), None);
    }
    match Provider::compile(name, &provider.spec) {
        Ok(compiled) => (Ok(()), Some(Arc::new(compiled))),
        Err(errors) => (Err(problems(errors)), before),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, uid: &str, spec: &Value) -> Object<WebhookProvider> {
        let object = json!({"metadata": {"name": name, "uid": uid, "generation": 1}, "spec": spec});
        Object::read(serde_json::from_value(object).unwrap())
    }

    fn good() -> Value {
        json!({
            "displayName": "Acme",
            "methods": [{"name": "token", "anyOf": [{"allOf": [{"token": {"header": "X-Token"}}]}]}],
        })
    }

    #[test]
    fn a_definition_that_stops_being_readable_keeps_its_last_good_version_until_it_is_gone() {
        let mut definitions = Definitions::default();
        definitions.update("acme", Some(&object("acme", "u1", &good())));
        let first = definitions.catalogue().get("acme").expect("acme is known");
        assert!(definitions.accepted("acme").is_ok());
        let mut later = good();
        later["teleport"] = json!(true);
        definitions.update("acme", Some(&object("acme", "u1", &later)));
        assert_eq!(definitions.accepted("acme").unwrap_err().reason(), Reason::Unsupported);
        assert!(Arc::ptr_eq(&first, &definitions.catalogue().get("acme").unwrap()));
        // Another object of that name has no past.
        definitions.update("acme", Some(&object("acme", "u2", &later)));
        assert!(definitions.catalogue().get("acme").is_none());
        definitions.update("acme", Some(&object("acme", "u2", &good())));
        definitions.update("acme", None);
        assert!(definitions.catalogue().get("acme").is_none());
    }

    #[test]
    fn a_built_in_is_replaced_only_by_who_says_so() {
        let name = crate::provider::catalogue::built_ins().next().expect("a built-in").id;
        let built_in = Definitions::default().catalogue().get(name).unwrap();
        let mut definitions = Definitions::default();
        definitions.update(name, Some(&object(name, "u1", &good())));
        let refused = definitions.accepted(name).unwrap_err();
        assert_eq!(refused.reason(), Reason::ShadowsBuiltIn);
        assert!(refused.to_string().contains("spec.overridesBuiltIn: "), "{refused}");
        assert!(Arc::ptr_eq(&built_in, &definitions.catalogue().get(name).unwrap()));
        let mut overriding = good();
        overriding["overridesBuiltIn"] = json!(true);
        definitions.update(name, Some(&object(name, "u1", &overriding)));
        assert!(definitions.accepted(name).is_ok());
        assert_eq!(definitions.catalogue().get(name).unwrap().display_name, "Acme");
        definitions.update(name, Some(&object(name, "u1", &good())));
        assert!(Arc::ptr_eq(&built_in, &definitions.catalogue().get(name).unwrap()));
    }
}
