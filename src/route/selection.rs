//! Which events of a source are published, and on which subject.

use super::filter::{Filter, FilterError, Variables};
use super::subject::SubjectTemplate;
use crate::glob::Globs;

/// `spec.events`, compiled.
#[derive(Debug, Default)]
pub struct Selection {
    /// Absent or empty: all.
    pub include: Globs,
    /// Wins over `include`.
    pub exclude: Globs,
    /// Judged last.
    pub filter: Option<Filter>,
}

impl Selection {
    /// Whether globs let an event type through.
    pub fn lets_through(&self, event_type: &str) -> bool {
        (self.include.is_empty() || self.include.matches(event_type)) && !self.exclude.matches(event_type)
    }
}

/// `spec.routing`, compiled.
#[derive(Debug)]
pub struct Routing {
    /// In order; the first that matches names the subject.
    pub rules: Vec<Rule>,
    /// The subject of all others.
    pub subject: SubjectTemplate,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Absent or empty: every type.
    pub include: Globs,
    /// An error is no match.
    pub filter: Option<Filter>,
    /// Its subject.
    pub subject: SubjectTemplate,
}

impl Routing {
    /// Whether any rule asks for the variables of an event.
    pub fn has_filters(&self) -> bool {
        self.rules.iter().any(|rule| rule.filter.is_some())
    }

    /// The subject template of an event; `variables` are there where a rule has a filter.
    pub fn template(&self, event_type: &str, variables: Option<&Variables>) -> &SubjectTemplate {
        let matches = |rule: &&Rule| {
            (rule.include.is_empty() || rule.include.matches(event_type))
                && rule
                    .filter
                    .as_ref()
                    .is_none_or(|filter| variables.is_some_and(|variables| filter.holds(variables) == Ok(true)))
        };
        self.rules.iter().find(matches).map_or(&self.subject, |rule| &rule.subject)
    }

    /// Every template that an event may take.
    pub fn templates(&self) -> impl Iterator<Item = &SubjectTemplate> {
        self.rules.iter().map(|rule| &rule.subject).chain([&self.subject])
    }
}

/// What selection says of an event.
pub type Selected = Result<bool, FilterError>;
