//! Which events of a source are published, and where: filters, globs and subjects, within what its namespace may publish on.

use super::super::settings::Settings;
use crate::api::condition::{Gathered, Problem, Problems, Reason};
use crate::api::source::{Routing as WrittenRouting, WebhookSourceSpec};
use crate::glob::Globs;
use crate::route::Claim;
use crate::route::filter::{Filter, Places};
use crate::route::selection::{Routing, Rule, Selection};
use crate::route::subject::SubjectTemplate;

fn filter(field: &str, text: Option<&String>, places: &mut Places) -> Result<Option<Filter>, Problem> {
    text.map(|text| Filter::compile(text, places).map_err(|reason| Problem::invalid(field, reason))).transpose()
}

pub(super) fn selection(spec: &WebhookSourceSpec, places: &mut Places) -> Result<Selection, Problem> {
    let written = spec.events.clone().unwrap_or_default();
    Ok(Selection {
        include: Globs::new(&written.include),
        exclude: Globs::new(&written.exclude),
        filter: filter("spec.events.filter", written.filter.as_ref(), places)?,
    })
}

pub(super) fn routing(
    written: Option<&WrittenRouting>,
    claim: &Claim,
    settings: &Settings,
    places: &mut Places,
) -> Result<Routing, Problems> {
    let empty = WrittenRouting::default();
    let written = written.unwrap_or(&empty);
    let mut wrong = Gathered::default();
    let mut rules = Vec::new();
    for (position, rule) in written.rules.iter().enumerate() {
        let field = |name: &str| format!("spec.routing.rules[{position}].{name}");
        let filter = wrong.keep(filter(&field("filter"), rule.filter.as_ref(), places));
        let subject = wrong.keep(template(&field("subject"), &rule.subject, claim, settings));
        if let (Some(filter), Some(subject)) = (filter, subject) {
            rules.push(Rule { include: Globs::new(&rule.include), filter, subject });
        }
    }
    let subject = match written.subject.as_deref() {
        None => Some(settings.subject_policy.default_subject().clone()),
        Some(text) => wrong.keep(template("spec.routing.subject", text, claim, settings)),
    };
    match subject.filter(|_| wrong.is_empty()) {
        Some(subject) => Ok(Routing { rules, subject }),
        None => Err(wrong.into()),
    }
}

/// A subject that the source's namespace may publish on.
fn template(field: &str, text: &str, claim: &Claim, settings: &Settings) -> Result<SubjectTemplate, Problem> {
    let invalid = |reason: String| Problem::invalid(field, reason);
    let template = SubjectTemplate::parse(text).map_err(invalid)?;
    template.check_length(&claim.namespace, &claim.name, &claim.provider).map_err(invalid)?;
    let pattern = template.pattern(&claim.namespace, &claim.name, &claim.provider);
    if settings.subject_policy.allows(&claim.namespace, &pattern) {
        return Ok(template);
    }
    let allowed: Vec<String> = settings.subject_policy.patterns(&claim.namespace).collect();
    let message = format!(
        "{text:?} is outside what namespace {} may publish: write a subject within {}",
        claim.namespace,
        allowed.join(" or ")
    );
    Err(Problem::new(Reason::SubjectNotAllowed, field, message))
}
