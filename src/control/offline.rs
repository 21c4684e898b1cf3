//! What the operator would say of manifests: they go through the same plan as in a cluster, which is settled once and serves nothing.
//!
//! Pure. Says what is wrong and what is worth a note, and keeps apart what only a cluster could tell.

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::index::{Change, Scope};
use super::manifests::Manifests;
use super::object::{Key, Object, Watched};
use super::plan::{Plan, Planned};
use super::resolve::Resolved;
use super::settings::Settings;
use super::status::facts::displaced;
use crate::api::Kind;
use crate::api::condition::{Problem, Problems, Reason};
use crate::api::source::WebhookSource;
use crate::manifest::{Loaded, ObjectKey};
use crate::provider::catalogue::Catalogue;
use crate::route::{Entry, Route};

/// Manifests as the operator sees them at an instant.
#[derive(Debug)]
pub(crate) struct Offline {
    plan: Plan,
    now: Timestamp,
}

/// What is said of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Of which.
    pub object: ObjectKey,
    /// What.
    pub problem: Problem,
}

/// All that the operator would say.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// What would be refused.
    pub problems: Vec<Said>,
    /// What would be served otherwise than one might think, and what cannot be known here.
    pub notes: Vec<(ObjectKey, String, String)>,
}

impl Offline {
    /// Settles the plan of all manifests. Those that the API server would refuse are judged too, as far as they can be read.
    pub(crate) fn new(loaded: &Loaded, settings: Settings, now: Timestamp) -> Self {
        let folder = Manifests::new(settings.source_base.clone()).merge(loaded);
        let (mut sources, mut providers) = (folder.sources, folder.providers);
        sources.iter_mut().for_each(|object| read_broken(Kind::Source, object, loaded));
        providers.iter_mut().for_each(|object| read_broken(Kind::Provider, object, loaded));
        let mut plan = Plan::new(Arc::new(settings));
        plan.observe_sources(Change::Reset(Scope::All, sources));
        plan.observe_providers(Change::Reset(Scope::All, providers));
        plan.supply_secrets(&folder.secrets, now);
        plan.settle(now);
        Self { plan, now }
    }

    /// The built-in providers, and those of the manifests that can be used.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        self.plan.definitions().catalogue()
    }

    /// Whether a WebhookProvider is used as it stands.
    pub(crate) fn accepted(&self, name: &str) -> Result<(), &Problems> {
        self.plan.definitions().accepted(name)
    }

    /// What is wrong with a source of the manifests.
    pub(crate) fn source(&self, key: &Key) -> Result<(), &Problems> {
        self.plan.sources().get(key).map_or(Ok(()), |planned| planned.accepted.as_ref().map(|_| ()))
    }

    /// The route that a source compiled to.
    pub(crate) fn route(&self, key: &Key) -> Option<&Arc<Route>> {
        match self.plan.sources().get(key)?.entry.as_ref()? {
            Entry::Served(route) => Some(route),
            Entry::NotServed(_) => None,
        }
    }

    /// What the secretRefs of a source refer to.
    pub(crate) fn resolved(&self, source: &WebhookSource) -> Resolved {
        self.plan.resolved(source, self.now).unwrap_or_default()
    }

    /// All that the operator would say, in the order of kinds, namespaces and names.
    pub(crate) fn judge(&self) -> Judgement {
        let mut judgement = Judgement::default();
        for object in self.plan.index().providers.iter() {
            let key = ObjectKey::new(Kind::Provider.as_str(), "", &object.key.name);
            if let Err(problems) = self.plan.definitions().accepted(&object.key.name) {
                problems.iter().for_each(|problem| judgement.refuse(&key, problem.clone()));
            }
        }
        for (key, planned) in self.plan.sources() {
            let object = ObjectKey::new(Kind::Source.as_str(), &key.namespace, &key.name);
            self.judge_source(&object, planned, &mut judgement);
        }
        judgement
    }

    fn judge_source(&self, key: &ObjectKey, planned: &Planned, judgement: &mut Judgement) {
        if let Err(problems) = &planned.accepted {
            problems.iter().for_each(|problem| judgement.refuse(key, problem.clone()));
        } else if planned.is_displaced() {
            displaced(&planned.conflicts).iter().for_each(|problem| judgement.refuse(key, problem.clone()));
        }
        for problem in planned.refs.iter().flatten() {
            if self.may_be_right_elsewhere(key, problem) {
                judgement.note(key, &problem.field, &problem.message);
            } else {
                judgement.refuse(key, problem.clone());
            }
        }
        planned.ended.iter().for_each(|ended| judgement.note(key, &ended.field, &ended.message));
        planned.notices.iter().for_each(|notice| judgement.note(key, notice.field, &notice.message));
    }

    /// A Secret may be in the cluster, and a key that a vendor is to deliver is absent until then; an end that is past is what a rotation
    /// leaves behind.
    fn may_be_right_elsewhere(&self, key: &ObjectKey, problem: &Problem) -> bool {
        let key = Key::new(&*key.namespace, &*key.name);
        match problem.reason {
            Reason::SecretNotFound | Reason::SecretExpired => true,
            Reason::KeyNotFound => {
                let source = self.plan.index().sources.get(&key).and_then(|object| object.value.as_ref().ok());
                let Some(verification) = source.and_then(|source| source.spec.verification.as_ref()) else {
                    return false;
                };
                let awaited = verification.capture_secret_ref.as_ref().and_then(|target| {
                    let refs = verification.secret_refs.iter();
                    let mut same =
                        refs.enumerate().filter(|(_, one)| (&one.name, &one.key) == (&target.name, &target.key));
                    same.next().map(|(at, _)| super::resolve::field(at))
                });
                awaited.is_some_and(|field| field == problem.field)
            }
            _ => false,
        }
    }
}

impl Judgement {
    fn refuse(&mut self, key: &ObjectKey, problem: Problem) {
        self.problems.push(Said { object: key.clone(), problem });
    }

    fn note(&mut self, key: &ObjectKey, field: &str, text: &str) {
        self.notes.push((key.clone(), field.to_owned(), text.to_owned()));
    }
}

/// Reads what schema or rules refuse, so that it need not be mended before the rest of it is judged.
fn read_broken<K: Watched + DeserializeOwned>(kind: Kind, object: &mut Object<K>, loaded: &Loaded) {
    let key = ObjectKey::new(kind.as_str(), &object.key.namespace, &object.key.name);
    if object.value.is_err()
        && let Some(written) = loaded.broken.get(&key)
        && let Ok(read) = serde_json::from_value(written.clone())
    {
        object.value = Ok(Arc::new(read));
    }
}
