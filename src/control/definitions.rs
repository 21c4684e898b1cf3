//! The providers that sources may name: the built-in catalogue, and what WebhookProviders add to it or replace.
//!
//! Pure. A WebhookProvider that stops compiling keeps its last good definition; one that shadows a built-in wins, and where it does not say so
//! its status does: a built-in that a new version brings changes nothing for those who had the name before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::object::{Former, Object};
use crate::api::condition::{Problem, Problems, Reason};
use crate::api::provider::WebhookProvider;
use crate::provider::Provider;
use crate::provider::catalogue::{Catalogue, built_in};
use crate::provider::definition_error::problems;

/// WebhookProviders, compiled.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    known: BTreeMap<String, Definition>,
    catalogue: Arc<Catalogue>,
}

#[derive(Debug)]
struct Definition {
    uid: String,
    generation: i64,
    accepted: Result<(), Problems>,
    /// What sources use. It may be older than what was refused last.
    used: Option<Arc<Provider>>,
    /// What that was made of.
    good: Option<Arc<Former<WebhookProvider>>>,
}

impl Definitions {
    /// Takes in what became of WebhookProviders; `None`: it is gone.
    pub(crate) fn update<'a>(
        &mut self,
        changed: impl IntoIterator<Item = (&'a str, Option<&'a Object<WebhookProvider>>)>,
    ) {
        let mut any = false;
        for (name, object) in changed {
            any = true;
            let before = self.known.remove(name);
            if let Some(object) = object {
                let definition = judge(name, object, before.filter(|known| known.uid == object.uid));
                self.known.insert(name.to_owned(), definition);
            }
        }
        if !any {
            return;
        }
        let mut catalogue = Catalogue::default();
        for used in self.known.values().filter_map(|definition| definition.used.as_ref()) {
            catalogue.add(used.clone());
        }
        self.catalogue = Arc::new(catalogue);
    }

    /// What sources may name now.
    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Whether a WebhookProvider is used as it stands, or what its owner should write.
    pub(crate) fn accepted(&self, name: &str) -> Result<(), &Problems> {
        match self.known.get(name) {
            Some(Definition { accepted: Err(problem), .. }) => Err(problem),
            _ => Ok(()),
        }
    }

    /// The last good definition, where the current one is not: what status keeps for replicas that start later.
    pub(crate) fn last_good(&self, name: &str) -> Option<&Arc<Former<WebhookProvider>>> {
        let known = self.known.get(name)?;
        known.good.as_ref().filter(|good| good.generation != known.generation)
    }
}

fn judge(name: &str, object: &Object<WebhookProvider>, before: Option<Definition>) -> Definition {
    let (uid, generation) = (object.uid.clone(), object.generation);
    let compiled = |provider: &WebhookProvider| Provider::compile(name, &provider.spec).map(Arc::new);
    let refused: Problems = match &object.value {
        Err(broken) => broken.problem.clone(),
        Ok(provider) => match compiled(provider) {
            Ok(used) => {
                let good = Former { generation, value: provider.clone() };
                let accepted = if provider.spec.overrides_built_in { Ok(()) } else { shadows(name) };
                return Definition { uid, generation, accepted, used: Some(used), good: Some(Arc::new(good)) };
            }
            Err(errors) => problems(errors),
        },
    };
    let known = before.as_ref().and_then(|before| before.good.as_ref()).map(|good| good.generation);
    // Another replica may know a later one than this, which perhaps only just started.
    let told = object.last_good.as_ref().filter(|told| known.is_none_or(|known| known < told.generation));
    let told = told.and_then(|told| Some((compiled(&told.value).ok()?, told.clone())));
    let (used, good) = match (told, before) {
        (Some((used, good)), _) => (Some(used), Some(good)),
        (None, Some(before)) => (before.used, before.good),
        (None, None) => (None, None),
    };
    Definition { uid, generation, accepted: Err(refused), used, good }
}

/// What its owner must say where sources use it instead of a built-in.
fn shadows(name: &str) -> Result<(), Problems> {
    if built_in(name).is_none() {
        return Ok(());
    }
    let message = format!(
        "sources use it instead of Hookgate's built-in provider {name}: write true to say that this is meant, or choose another metadata.name"
    );
    Err(Problem::new(Reason::ShadowsBuiltIn, "spec.overridesBuiltIn", message).into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, uid: &str, spec: &Value) -> Object<WebhookProvider> {
        let object = json!({"metadata": {"name": name, "uid": uid, "generation": 1}, "spec": spec});
        Object::read(serde_json::from_value(object).unwrap())
    }

    fn update(definitions: &mut Definitions, name: &str, object: Option<&Object<WebhookProvider>>) {
        definitions.update([(name, object)]);
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
        update(&mut definitions, "acme", Some(&object("acme", "u1", &good())));
        let first = definitions.catalogue().get("acme").expect("acme is known");
        assert!(definitions.accepted("acme").is_ok());
        let mut later = good();
        later["teleport"] = json!(true);
        update(&mut definitions, "acme", Some(&object("acme", "u1", &later)));
        assert_eq!(definitions.accepted("acme").unwrap_err().reason(), Reason::Unsupported);
        assert!(Arc::ptr_eq(&first, &definitions.catalogue().get("acme").unwrap()));
        // Another object of that name has no past.
        update(&mut definitions, "acme", Some(&object("acme", "u2", &later)));
        assert!(definitions.catalogue().get("acme").is_none());
        update(&mut definitions, "acme", Some(&object("acme", "u2", &good())));
        update(&mut definitions, "acme", None);
        assert!(definitions.catalogue().get("acme").is_none());
    }

    #[test]
    fn a_webhook_provider_wins_over_a_built_in_and_should_say_so() {
        let name = crate::provider::catalogue::built_ins().next().expect("a built-in").id;
        let built_in = Definitions::default().catalogue().get(name).unwrap();
        let mut definitions = Definitions::default();
        update(&mut definitions, name, Some(&object(name, "u1", &good())));
        let refused = definitions.accepted(name).unwrap_err();
        assert_eq!(refused.reason(), Reason::ShadowsBuiltIn);
        assert!(refused.to_string().contains("spec.overridesBuiltIn: "), "{refused}");
        assert_eq!(definitions.catalogue().get(name).unwrap().display_name, "Acme");
        assert!(definitions.last_good(name).is_none(), "what is used is the current one");
        let mut overriding = good();
        overriding["overridesBuiltIn"] = json!(true);
        update(&mut definitions, name, Some(&object(name, "u1", &overriding)));
        assert!(definitions.accepted(name).is_ok());
        assert_eq!(definitions.catalogue().get(name).unwrap().display_name, "Acme");
        update(&mut definitions, name, None);
        assert!(Arc::ptr_eq(&built_in, &definitions.catalogue().get(name).unwrap()));
    }

    #[test]
    fn a_replica_that_starts_later_uses_what_the_status_keeps() {
        let mut definitions = Definitions::default();
        let mut later = good();
        later["teleport"] = json!(true);
        let status = json!({"lastGood": {"generation": 1, "spec": good()}});
        let object =
            json!({"metadata": {"name": "acme", "uid": "u1", "generation": 2}, "spec": later, "status": status});
        let object = Object::read(serde_json::from_value(object).unwrap());
        update(&mut definitions, "acme", Some(&object));
        assert_eq!(definitions.accepted("acme").unwrap_err().reason(), Reason::Unsupported);
        assert_eq!(definitions.catalogue().get("acme").expect("the last good").display_name, "Acme");
        assert_eq!(definitions.last_good("acme").unwrap().generation, 1);
    }
}
