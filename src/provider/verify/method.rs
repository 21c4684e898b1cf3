//! A method of a definition, compiled: what its schemes are and what they need. Holds no key.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::jwt;
use super::keys::KeyRef;
use super::scheme::{Scheme, SchemeKind};
use super::sealed::Sealed;
use super::{PASSWORD, USERNAME};
use crate::api;
use crate::api::scheme::HashAlgorithm;
use crate::provider::decode::Carrier;
use crate::provider::definition_error::DefinitionError;
use crate::provider::{Coverage, Covers};
use crate::template;

/// What a definition says for all of its methods.
#[derive(Debug, Default)]
pub(in crate::provider) struct Common {
    /// How bodies carry the document that pointers lead into.
    pub carrier: Carrier,
    /// The proofs of handshakes that have one of their own, by their numbers.
    pub proofs: Vec<Arc<Scheme>>,
    /// Parameters that the answers of handshakes hold.
    pub parameters: BTreeSet<String>,
}

/// A method of a definition, compiled. Holds no key.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: Arc<str>,
    pub(super) alternatives: Vec<Vec<Arc<Scheme>>>,
    /// What the definition says for all of its methods.
    pub(super) common: Arc<Common>,
    /// Its deliveries arrive encrypted.
    pub(super) sealed: Option<Arc<Sealed>>,
}

impl Method {
    /// Compiles a method; `path` is where it stands in the definition.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(written: &api::provider::Method, path: &str) -> Result<Self, Vec<DefinitionError>> {
        let mut alternatives = Vec::new();
        let mut errors = Vec::new();
        for (a, alternative) in written.any_of.iter().enumerate() {
            let mut schemes = Vec::new();
            for (s, scheme) in alternative.all_of.iter().enumerate() {
                match Scheme::compile(scheme) {
                    Ok(scheme) => schemes.push(Arc::new(scheme)),
                    Err((field, reason)) => errors.push(DefinitionError {
                        path: format!("{path}.anyOf[{a}].allOf[{s}]{}{field}", if field.is_empty() { "" } else { "." }),
                        reason,
                    }),
                }
            }
            alternatives.push(schemes);
        }
        if errors.is_empty() {
            Ok(Self { name: written.name.as_str().into(), alternatives, common: Arc::default(), sealed: None })
        } else {
            Err(errors)
        }
    }

    /// The same in a definition.
    pub(in crate::provider) fn within(self, common: Arc<Common>) -> Self {
        Self { common, ..self }
    }

    /// The same for deliveries that arrive encrypted.
    pub(crate) fn sealed(self, sealed: Option<Arc<Sealed>>) -> Self {
        Self { sealed, ..self }
    }

    /// The same in the definition of another, for one of that one's alternatives alone.
    pub fn beside(self, other: &Self) -> Self {
        self.within(other.common.clone()).sealed(other.sealed.clone())
    }

    /// Whether it signs, with a shared secret and such a hash function, what a challenge could be.
    pub(in crate::provider) fn signs_any(&self, signs: &dyn Fn(HashAlgorithm) -> bool, carrier: &Carrier) -> bool {
        self.schemes().any(|scheme| match &scheme.kind {
            SchemeKind::Hash(hash) => {
                hash.keyed && signs(hash.algorithm) && hash.signed.content.could_be_challenge(carrier)
            }
            _ => false,
        })
    }

    /// Nothing is proven: such a method is never a default.
    pub fn proves_nothing(&self) -> bool {
        self.schemes().any(|scheme| matches!(scheme.kind, SchemeKind::Unproven))
    }

    /// The weakest that an alternative covers.
    pub fn covers(&self) -> Covers {
        let covers = |schemes: &Vec<Arc<Scheme>>| match &self.sealed {
            Some(sealed) => sealed.coverage(coverage(schemes)).covers(),
            None => coverage(schemes).covers(),
        };
        self.alternatives.iter().map(covers).min().unwrap_or(Covers::None)
    }

    /// The purposes that its schemes know; `None` is the signing secret.
    pub fn purposes(&self) -> BTreeSet<Option<&str>> {
        let sealed = self.sealed.iter().map(|sealed| sealed.purpose.as_deref());
        self.schemes().chain(&self.common.proofs).flat_map(|scheme| purposes(scheme)).chain(sealed).collect()
    }

    /// Whether no way to prove a delivery does without a secretRef of this purpose.
    pub fn needs_purpose(&self, purpose: Option<&str>) -> bool {
        let needs = |scheme: &Arc<Scheme>| !scheme.optional && !fetches(scheme) && purposes(scheme).contains(&purpose);
        let sealed = self.sealed.iter().any(|sealed| sealed.purpose.as_deref() == purpose);
        sealed || self.alternatives.iter().all(|schemes| schemes.iter().any(needs))
    }

    /// Whether a source must say this parameter.
    pub fn needs_parameter(&self, name: &str) -> bool {
        let named = |value: &String| template::parameter(value) == Some(name);
        let needs = |scheme: &Arc<Scheme>| match &scheme.kind {
            _ if scheme.optional => false,
            SchemeKind::Jwt(jwt, _) if jwt::PARAMETERS.contains(&name) => {
                jwt.claims.iter().map(|(_, value)| value).chain(&jwt.issuer).chain(&jwt.audiences).any(named)
            }
            _ => scheme
                .parameters
                .iter()
                .chain(scheme.fetch().into_iter().flat_map(|fetch| &fetch.parameters))
                .any(|p| p == name),
        };
        self.common_parameters().any(|common| common == name)
            || self.alternatives.iter().all(|schemes| schemes.iter().any(needs))
    }

    /// The parameters that it reads.
    pub fn parameters(&self) -> BTreeSet<&str> {
        let own = self.schemes().flat_map(|scheme| {
            let fetch = scheme.fetch().into_iter().flat_map(|fetch| &fetch.parameters);
            scheme.parameters.iter().chain(fetch)
        });
        own.map(String::as_str).chain(self.common_parameters()).collect()
    }

    /// Those that it reads whatever secretRefs there are: whom messages are for, and what handshakes say.
    pub(super) fn common_parameters(&self) -> impl Iterator<Item = &str> {
        let proofs = self.common.proofs.iter().flat_map(|scheme| &scheme.parameters);
        let sealed = self.sealed.iter().filter_map(|sealed| sealed.parameter());
        self.common.parameters.iter().chain(proofs).map(String::as_str).chain(sealed)
    }

    /// Whether the source must say the public URL.
    pub fn needs_url(&self) -> bool {
        self.schemes().any(|scheme| scheme.needs_url())
    }

    /// Whether the source may say the public URL: where a proxy changes the path that is signed, it has to.
    pub fn takes_url(&self) -> bool {
        self.schemes().any(|scheme| scheme.takes_url())
    }

    /// Whether it holds a time that `tolerance` bounds.
    pub fn has_time(&self) -> bool {
        self.schemes().any(|scheme| scheme.has_time())
    }

    fn schemes(&self) -> impl Iterator<Item = &Arc<Scheme>> {
        self.alternatives.iter().flatten()
    }
}

pub(super) fn purposes(scheme: &Scheme) -> Vec<Option<&str>> {
    match scheme.kind {
        SchemeKind::Basic => vec![Some(USERNAME), Some(PASSWORD)],
        SchemeKind::Unproven => Vec::new(),
        _ => {
            let fetch = scheme.fetch().into_iter().flat_map(|fetch| fetch.purposes.iter().map(|p| Some(p.as_str())));
            [scheme.purpose.as_deref()].into_iter().chain(fetch).collect()
        }
    }
}

pub(super) fn coverage(schemes: &[Arc<Scheme>]) -> Coverage {
    let mut coverage = Coverage::default();
    schemes.iter().for_each(|scheme| scheme.cover(&mut coverage));
    coverage
}

/// Whether its keys are fetched where no secretRef holds them.
pub(super) fn fetches(scheme: &Scheme) -> bool {
    scheme.fetch().is_some()
}

/// Whether the source names a secretRef for every purpose of the scheme, live or not.
pub(super) fn written(scheme: &Scheme, keys: &[KeyRef]) -> bool {
    // Secrets that a fetch needs are wanted only where it fetches.
    let own = if fetches(scheme) { vec![scheme.purpose.as_deref()] } else { purposes(scheme) };
    own.iter().all(|purpose| keys.iter().any(|key| key.purpose.as_deref() == *purpose))
}

/// The purposes of the secretRefs that the scheme reads of this source.
pub(super) fn needed<'s>(scheme: &'s Scheme, keys: &[KeyRef]) -> Vec<Option<&'s str>> {
    if fetches(scheme) && written(scheme, keys) { vec![scheme.purpose.as_deref()] } else { purposes(scheme) }
}
