//! A method of a definition, compiled: what its schemes are and what they need. Holds no key.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::keys::KeyRef;
use super::scheme::{Scheme, SchemeKind};
use super::sealed::Sealed;
use super::{PASSWORD, USERNAME};
use crate::api;
use crate::provider::definition_error::DefinitionError;
use crate::provider::{Coverage, Covers};

/// A method of a definition, compiled. Holds no key.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: Arc<str>,
    pub(super) alternatives: Vec<Vec<Arc<Scheme>>>,
    /// The form field that holds the JSON document into which pointers lead.
    pub(super) field: Option<Arc<str>>,
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
            Ok(Self { name: written.name.as_str().into(), alternatives, field: None, sealed: None })
        } else {
            Err(errors)
        }
    }

    /// The same, with pointers that lead into the JSON document of a form or multipart field where the body is a form.
    pub fn inside(self, field: Option<&str>) -> Self {
        Self { field: field.map(Into::into), ..self }
    }

    /// The same for deliveries that arrive encrypted.
    pub fn sealed(self, sealed: Option<Arc<Sealed>>) -> Self {
        Self { sealed, ..self }
    }

    /// The same with what another says of encryption, for one of its alternatives alone.
    pub fn sealed_as(self, other: &Self) -> Self {
        self.sealed(other.sealed.clone())
    }

    /// Nothing is proven: such a method is never a default.
    pub fn proves_nothing(&self) -> bool {
        self.schemes().any(|scheme| matches!(scheme.kind, SchemeKind::Unproven))
    }

    /// The weakest that an alternative covers.
    pub fn covers(&self) -> Covers {
        self.alternatives.iter().map(|schemes| coverage(schemes).covers()).min().unwrap_or(Covers::None)
    }

    /// The purposes that its schemes know; `None` is the signing secret.
    pub fn purposes(&self) -> BTreeSet<Option<&str>> {
        let sealed = self.sealed.iter().map(|sealed| sealed.purpose.as_deref());
        self.schemes().flat_map(|scheme| purposes(scheme)).chain(sealed).collect()
    }

    /// The parameters that its schemes read.
    pub fn parameters(&self) -> BTreeSet<&str> {
        self.schemes().flat_map(|scheme| scheme.parameters.iter().map(String::as_str)).collect()
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
