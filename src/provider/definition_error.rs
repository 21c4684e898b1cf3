//! What is wrong with a provider's definition, and where.

use crate::api::condition::{Gathered, Problem, Problems};

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct DefinitionError {
    /// Where it stands, such as `spec.methods[0].anyOf[0].allOf[0].hmac.content`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub reason: String,
}

impl From<DefinitionError> for Problem {
    fn from(error: DefinitionError) -> Self {
        Self::invalid(error.path, error.reason)
    }
}

/// All of them as what is wrong with the resource that holds the definition.
pub(crate) fn problems(errors: Vec<DefinitionError>) -> Problems {
    let mut gathered = Gathered::default();
    errors.into_iter().for_each(|error| gathered.add(error.into()));
    gathered.into()
}
