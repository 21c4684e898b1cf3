//! Condition types and reasons as status, `check` and the documentation spell them.

use std::fmt;

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
    /// Requests are accepted.
    pub const HEALTHY: &str = "Healthy";
    /// Only an edit by the owner can help.
    pub const STALLED: &str = "Stalled";
}

/// Why a condition is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, strum::IntoStaticStr)]
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
    QuotaExceeded,
    ShadowsBuiltIn,
    ResolvedRefs,
    SecretNotFound,
    KeyNotFound,
    SecretInvalid,
    SecretExpired,
    SecretForbidden,
    Programmed,
    PreviousGeneration,
    PartlyCovered,
    SpoolMissing,
    NoStream,
    NotDurable,
    Suspended,
    Ready,
    OperatorLeft,
    Healthy,
    AllRefused,
}

impl Reason {
    /// The reason as it stands in a condition.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One thing that is wrong with a resource, and what its owner should write instead. Prints as `{field}: {message}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason for the condition.
    pub reason: Reason,
    /// The field, such as `spec.routing.rules[0].filter`; empty where none is meant.
    pub field: String,
    /// The value seen and the value wanted.
    pub message: String,
}

impl Problem {
    /// A problem with its field and sentence.
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into() }
    }

    /// A field that cannot hold what it holds.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Reason::Invalid, field, message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// All that is wrong with a resource: one problem or more. Prints as their sentences, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    first: Problem,
    others: Vec<Problem>,
}

impl Problems {
    /// The reason for the condition: that of the first.
    pub fn reason(&self) -> Reason {
        self.first.reason
    }

    /// Each of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl From<Problem> for Problems {
    fn from(first: Problem) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others.iter().try_for_each(|problem| write!(f, "; {problem}"))
    }
}

impl std::error::Error for Problems {}

/// Gathers what is wrong, so that all of it is said at once.
#[derive(Debug, Default)]
pub struct Gathered(Vec<Problem>);

impl Gathered {
    /// Adds one, unless it was said already.
    pub fn add(&mut self, problem: Problem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// The value of what went well; what went wrong is added.
    pub fn keep<T>(&mut self, result: Result<T, impl Into<Problems>>) -> Option<T> {
        result
            .map_err(|problems| {
                let Problems { first, others } = problems.into();
                self.add(first);
                others.into_iter().for_each(|other| self.add(other));
            })
            .ok()
    }

    /// Nothing, or all of it.
    ///
    /// # Errors
    /// What was gathered.
    pub fn none(self) -> Result<(), Problems> {
        if self.is_empty() { Ok(()) } else { Err(self.into()) }
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Gathered> for Problems {
    /// Where nothing was gathered, an error without a sentence.
    fn from(gathered: Gathered) -> Self {
        let mut all = gathered.0.into_iter();
        let first = all.next().unwrap_or_else(|| Problem::invalid("", "cannot be used"));
        Self { first, others: all.collect() }
    }
}
