//! What the operator allows: flags that `run`, `check` and `asyncapi` share.

use super::flags;
use crate::control::policy::PathPolicy;
use crate::control::quota::Quota;
use crate::control::settings::Settings;
use crate::route::subject::{PolicyError, SubjectPolicy};

/// What the operator allows; as for `run`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Policy {
    /// Subjects that a namespace may publish (repeatable); the first is the root, which the default subject, rejected items and the stream
    /// follow
    #[arg(
        long = "subject-policy",
        env = "HOOKGATE_SUBJECT_POLICY",
        value_delimiter = ',',
        value_name = "PATTERN",
        value_parser = flags::text,
        default_value = "webhooks.{namespace}.>"
    )]
    subject: Vec<String>,
    /// Paths that a namespace may claim (repeatable)
    #[arg(
        long = "path-policy",
        env = "HOOKGATE_PATH_POLICY",
        value_delimiter = ',',
        value_name = "PATTERN",
        value_parser = path,
        default_value = "/{namespace}/**"
    )]
    path: Vec<PathPolicy>,
}

impl Policy {
    /// The subjects that namespaces may publish on.
    ///
    /// # Errors
    /// A policy that is none.
    pub(super) fn subjects(&self) -> Result<SubjectPolicy, PolicyError> {
        SubjectPolicy::parse(&self.subject)
    }

    /// Settings with these policies.
    ///
    /// # Errors
    /// A policy that is none.
    pub(super) fn settings(&self) -> Result<Settings, PolicyError> {
        Ok(Settings { subject_policy: self.subjects()?, path_policies: self.path.clone(), ..Settings::default() })
    }
}

/// What bounds every source; as for `run`.
#[derive(Clone, Debug, clap::Args)]
pub struct Bounds {
    /// The largest body that any source may take
    #[arg(
        long,
        env = "HOOKGATE_MAX_BODY_SIZE",
        value_name = "SIZE",
        default_value = "32Mi",
        value_parser = flags::size
    )]
    pub(super) max_body_size: u64,
    /// What one namespace may have, such as sources=100,filters=200,bytes=16Mi,requests=500; bytes: what its sources compile to; requests: in work at one time, for each replica. Default: any number
    #[arg(long, env = "HOOKGATE_NAMESPACE_QUOTA", value_name = "QUOTA")]
    namespace_quota: Option<Quota>,
    /// Let methods fetch vendors' public keys
    #[arg(
        long,
        env = "HOOKGATE_FETCH",
        default_value = "true",
        value_parser = flags::truth,
        num_args = 0..=1,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub fetch: bool,
}

impl Bounds {
    /// These settings with the bounds.
    pub(super) fn settings(&self, settings: Settings) -> Settings {
        Settings {
            max_body_size: self.max_body_size,
            namespace_quota: self.namespace_quota.unwrap_or_default(),
            fetch: self.fetch,
            ..settings
        }
    }
}

fn path(text: &str) -> Result<PathPolicy, crate::control::policy::PolicyError> {
    text.trim().parse()
}
