//! What serves a source: its current generation, or the last good one, or nothing but its claim.

use std::sync::Arc;

use jiff::Timestamp;

use super::good::Good;
use super::inputs::Inputs;
use super::{Plan, Planned};
use crate::api::condition::{Gathered, Problem, Problems, Reason};
use crate::api::source::WebhookSource;
use crate::control::compile::{Compiled, claim, compile};
use crate::control::object::{Key, Object};
use crate::control::resolve::{Resolved, resolve};
use crate::control::status::{coverage, refs};
use crate::route::{Claim, Entry, Host, Route, claim_path};

impl Plan {
    /// What becomes of one source; `held`: why its generation was held back before.
    pub(super) fn compile(
        &self,
        object: &Object<WebhookSource>,
        good: Option<Good>,
        held: Option<Problem>,
        inputs: Inputs,
        now: Timestamp,
    ) -> Planned {
        let mut planned = Planned {
            generation: object.generation,
            accepted: Ok(()),
            held: None,
            refs: None,
            ended: Vec::new(),
            notices: Vec::new(),
            pending: false,
            entry: None,
            conflicts: Vec::new(),
            awaited: false,
            good,
            inputs,
            expiry: None,
        };
        let mut expiry = None;
        match &object.value {
            Err(broken) => planned.accepted = Err(broken.problem.clone()),
            Ok(source) => match resolve(source, &self.vault, now) {
                None => planned.pending = true,
                Some(resolved) => {
                    // The refs of a spec that does not serve expire all the same: status tells.
                    expiry = resolved.next_expiry();
                    let (problems, ended) = refs::judge(&resolved);
                    (planned.refs, planned.ended) = (Some(problems), ended);
                    match self.compile_current(source, &resolved, planned.inputs.refused_by_quota.clone()) {
                        Err(problem) => planned.accepted = Err(problem),
                        Ok(compiled) => {
                            planned.refs.get_or_insert_default().extend(compiled.unfit.iter().cloned());
                            planned.notices.clone_from(&compiled.notices);
                            planned.held = self.hold_back(object, &compiled.route, planned.good.as_ref(), held, now);
                            if planned.held.is_none() {
                                let catalogue = self.definitions.catalogue().clone();
                                planned.good = Some(Good { source: source.clone(), catalogue, told: false });
                                planned.serve(compiled, &resolved);
                                return planned;
                            }
                        }
                    }
                }
            },
        }
        match planned.good.as_ref().and_then(|good| self.compile_former(object, good, now)) {
            Some((compiled, resolved)) => planned.serve(compiled, &resolved),
            None => {
                let unread = |good: &Good| {
                    resolve(&good.revise(object, self.is_unread(object, now)), &self.vault, now).is_none()
                };
                planned.awaited = planned.good.as_ref().is_some_and(unread);
                let claim = self.claim(object, planned.good.as_ref());
                planned.entry = claim.map(|claim| Entry::NotServed(Arc::new(claim)));
            }
        }
        planned.expiry = [planned.expiry, expiry].into_iter().flatten().min();
        planned
    }

    /// The current spec, where it compiles and there is room for it.
    fn compile_current(
        &self,
        source: &WebhookSource,
        resolved: &Resolved,
        no_room: Option<Problem>,
    ) -> Result<Compiled, Problems> {
        let mut said = Gathered::default();
        let compiled = match compile(source, self.definitions.catalogue(), resolved, &self.settings) {
            Ok(compiled) => Some(compiled),
            Err(problems) => {
                for problem in problems.iter() {
                    said.add(self.refused_provider(source, problem).unwrap_or_else(|| problem.clone()));
                }
                None
            }
        };
        if let Some(problem) = no_room {
            said.add(problem);
        }
        compiled.filter(|_| said.is_empty()).ok_or_else(|| said.into())
    }

    /// A provider that is there and cannot be used is not unknown.
    fn refused_provider(&self, source: &WebhookSource, problem: &Problem) -> Option<Problem> {
        let name = &source.spec.provider;
        let refused = self.definitions.accepted(name).err().filter(|_| problem.reason == Reason::UnknownProvider)?;
        let message =
            format!("WebhookProvider {name} cannot be used as it stands ({refused}): whoever owns it must change it");
        Some(Problem::new(Reason::UnknownProvider, "spec.provider", message))
    }

    /// Why the current generation is not served although it compiles: no durable stream takes what it publishes, and the former has
    /// one. Where nobody knows the streams, what was found before stays.
    fn hold_back(
        &self,
        object: &Object<WebhookSource>,
        route: &Route,
        good: Option<&Good>,
        held: Option<Problem>,
        now: Timestamp,
    ) -> Option<Problem> {
        let good = good.filter(|good| good.generation() != object.generation)?;
        let Some(streams) = self.streams(&object.key.namespace) else {
            return held.or_else(|| good.told.then(|| coverage::unread(object.generation)));
        };
        let finding = coverage::closing(route, streams, &self.settings)?;
        let (former, _) = self.compile_former(object, good, now)?;
        coverage::closing(&former.route, streams, &self.settings).is_none().then_some(finding)
    }

    /// The last good spec, with what takes effect whatever else is wrong.
    fn compile_former(
        &self,
        object: &Object<WebhookSource>,
        good: &Good,
        now: Timestamp,
    ) -> Option<(Compiled, Resolved)> {
        let former = good.revise(object, self.is_unread(object, now));
        let resolved = resolve(&former, &self.vault, now)?;
        let compiled = compile(&former, self.definitions.catalogue(), &resolved, &self.settings)
            .or_else(|_| compile(&former, &good.catalogue, &resolved, &self.settings))
            .ok()?;
        Some((compiled, resolved))
    }

    /// What a source claims although nothing of it can be served: 503, not 404. Never more than its namespace may claim.
    fn claim(&self, object: &Object<WebhookSource>, good: Option<&Good>) -> Option<Claim> {
        let claim = match (good.map(|good| &good.source), &object.value) {
            (Some(source), _) | (None, Ok(source)) => claim(source, &self.settings),
            (None, Err(broken)) => {
                let Key { namespace, name } = &object.key;
                let provider = broken.provider.as_deref().unwrap_or_default();
                Claim {
                    namespace: namespace.as_str().into(),
                    name: name.as_str().into(),
                    uid: object.uid.as_str().into(),
                    provider: provider.into(),
                    hosts: Host::parse_all(&broken.hostnames),
                    path: claim_path(broken.path.as_deref(), namespace, name),
                    created: object.created,
                    held: true,
                    state: self.settings.sources.state(&object.uid, namespace, name, provider),
                }
            }
        };
        let held = good.is_some() || object.was_served;
        self.settings.allows_path(&claim.namespace, &claim.path).then_some(Claim { held, ..claim })
    }
}
