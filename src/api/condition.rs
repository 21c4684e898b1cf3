//! Condition types and reasons as status, `check` and the documentation spell them.

/// Types of conditions.
pub mod types {
    /// The spec is valid and allowed.
    pub const ACCEPTED: &str = "Accepted";
    /// Every secretRef resolves.
    pub const RESOLVED_REFS: &str = "ResolvedRefs";
    /// The route serves.
    pub const PROGRAMMED: &str = "Programmed";
    /// The current generation serves.
    pub const READY: &str = "Ready";
    /// Only an edit by the owner can help.
    pub const STALLED: &str = "Stalled";
}

/// Why a condition is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Reason {
    Accepted,
    Invalid,
    UnknownProvider,
    UnknownMethod,
    Unsupported,
    PathConflict,
    PathNotAllowed,
    SubjectNotAllowed,
    ShadowsBuiltIn,
    ResolvedRefs,
    SecretNotFound,
    KeyNotFound,
    SecretInvalid,
    SecretExpired,
    Programmed,
    PreviousGeneration,
    PartlyCovered,
    NoStream,
    NotDurable,
    Suspended,
    Ready,
}

impl Reason {
    /// The reason as it stands in a condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Invalid => "Invalid",
            Self::UnknownProvider => "UnknownProvider",
            Self::UnknownMethod => "UnknownMethod",
            Self::Unsupported => "Unsupported",
            Self::PathConflict => "PathConflict",
            Self::PathNotAllowed => "PathNotAllowed",
            Self::SubjectNotAllowed => "SubjectNotAllowed",
            Self::ShadowsBuiltIn => "ShadowsBuiltIn",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::SecretNotFound => "SecretNotFound",
            Self::KeyNotFound => "KeyNotFound",
            Self::SecretInvalid => "SecretInvalid",
            Self::SecretExpired => "SecretExpired",
            Self::Programmed => "Programmed",
            Self::PreviousGeneration => "PreviousGeneration",
            Self::PartlyCovered => "PartlyCovered",
            Self::NoStream => "NoStream",
            Self::NotDurable => "NotDurable",
            Self::Suspended => "Suspended",
            Self::Ready => "Ready",
        }
    }
}

/// What is wrong with a resource, and what its owner should write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The reason for the condition.
    pub reason: Reason,
    /// The field, the value seen and the value wanted.
    pub message: String,
}

impl Problem {
    /// A problem with its sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
