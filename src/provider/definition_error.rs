//! What is wrong with a provider's definition, and where.

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct DefinitionError {
    /// Where it stands, such as `spec.methods[0].anyOf[0].allOf[0].hmac.content`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub reason: String,
}
