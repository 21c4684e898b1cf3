//! What status tells of a compiled route.

use jiff::Timestamp;

use super::programmed;
use super::settings::Settings;
use super::status::Finding;
use crate::api::source::VerificationStatus;
use crate::route::Route;
use crate::subject::Streams;

/// Why the route answers 503 although it compiled.
pub fn closed(route: &Route, now: Timestamp) -> Option<String> {
    let method = route.verifier.method();
    (!route.verifier.open(now)).then(|| format!("no live secret for what method {method} requires, see ResolvedRefs"))
}

/// What streams mean for the route.
pub fn finding(route: &Route, streams: &Streams, settings: &Settings) -> Option<Finding> {
    let claim = &route.claim;
    let templates = route.routing.templates();
    let mut patterns: Vec<String> =
        templates.map(|template| template.pattern(&claim.namespace, &claim.name, &claim.provider)).collect();
    patterns.sort();
    patterns.dedup();
    programmed::judge(&patterns, route.stream.as_deref(), streams, settings.allow_memory_streams)
}

/// How requests are proven.
pub fn verification(route: &Route, now: Timestamp) -> VerificationStatus {
    VerificationStatus {
        method: route.verifier.method().to_string(),
        covers: route.verifier.covers().as_str().to_owned(),
        active_secrets: i32::try_from(route.verifier.active_keys(now)).unwrap_or(i32::MAX),
    }
}
