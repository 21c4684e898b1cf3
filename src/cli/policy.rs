//! What the operator allows: flags that `run`, `check` and `asyncapi` share.

use crate::control::policy::PathPolicy;
use crate::control::settings::Settings;
use crate::route::subject::{PolicyError, SubjectPolicy};

/// What the operator allows; as for `run`.
#[derive(Clone, Debug, clap::Args)]
pub struct Policy {
    /// Subjects that a namespace may publish (repeatable); the first is the root, which the default subject, rejected items and the stream
    /// follow
    #[arg(
        long = "subject-policy",
        env = "HOOKGATE_SUBJECT_POLICY",
        value_delimiter = ',',
        value_name = "PATTERN",
        default_value = "webhooks.{namespace}.>"
    )]
    subject: Vec<String>,
    /// Paths that a namespace may claim (repeatable)
    #[arg(
        long = "path-policy",
        env = "HOOKGATE_PATH_POLICY",
        value_delimiter = ',',
        value_name = "PATTERN",
        default_value = "/{namespace}/**"
    )]
    path: Vec<PathPolicy>,
}

impl Policy {
    /// The subjects that namespaces may publish on.
    ///
    /// # Errors
    /// A policy that is none.
    pub fn subjects(&self) -> Result<SubjectPolicy, PolicyError> {
        let trimmed: Vec<&str> = self.subject.iter().map(|policy| policy.trim()).collect();
        SubjectPolicy::parse(&trimmed)
    }

    /// Settings with these policies.
    ///
    /// # Errors
    /// A policy that is none.
    pub fn settings(&self) -> Result<Settings, PolicyError> {
        Ok(Settings { subject_policy: self.subjects()?, path_policies: self.path.clone(), ..Settings::default() })
    }
}
