//! A source becomes a route: pure, from what was written, the catalogue and what the secretRefs refer to now.
//!
//! Everything that is wrong becomes a [`Problem`], which is the source's condition. No field is silently ignored:
//! what has no meaning here is `Unsupported`, what is not there yet is a notice on a route that serves.

mod limits;
mod routing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use jiff::Timestamp;

use self::limits::{limits, own_limits};
use self::routing::{routing, selection};
use super::resolve::Resolved;
use super::settings::Settings;
use crate::api::GENERIC;
use crate::api::condition::{Gathered, Problem, Problems, Reason};
use crate::api::duration::DurationString;
use crate::api::provider::Retries;
use crate::api::source::{Deduplicate, OnOutage, WebhookSource, WebhookSourceSpec};
use crate::event::Origin;
use crate::provider::Provider;
use crate::provider::answer::Answer;
use crate::provider::catalogue::Catalogue;
use crate::provider::definition_error::problems;
use crate::provider::handshake::Handshake;
use crate::provider::verify::keys::KeyRef;
use crate::provider::verify::{Given, UnfitKey, Verifier};
use crate::route::capture::CaptureTarget;
use crate::route::filter::Places;
use crate::route::{Claim, Host, Methods, Route, claim_path};

/// A route, and what its owner should know of it.
#[derive(Debug)]
pub struct Compiled {
    /// What is served.
    pub route: Route,
    /// What is wrong with secretRefs whose value cannot be a key of the method.
    pub unfit: Vec<Problem>,
    /// What the manifest asks for and is not there yet, or holds otherwise than written.
    pub notices: Vec<Notice>,
}

/// What its owner should know of a source that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The field, as `spec.limits.maxBodySize`.
    pub field: &'static str,
    /// A sentence.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// What a source claims, whether or not it compiles.
pub fn claim(source: &WebhookSource, settings: &Settings) -> Claim {
    let namespace = source.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let name = source.metadata.name.clone().unwrap_or_default();
    let path = claim_path(source.spec.path.as_deref(), &namespace, &name);
    let uid = source.metadata.uid.as_deref().unwrap_or_default();
    let state = settings.sources.state(uid, &namespace, &name, &source.spec.provider);
    Claim {
        uid: uid.into(),
        provider: source.spec.provider.as_str().into(),
        hosts: Host::parse_all(&source.spec.hostnames),
        created: source.metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |time| time.0),
        held: true,
        namespace: namespace.into(),
        name: name.into(),
        path,
        state,
    }
}

/// Compiles a source.
///
/// # Errors
/// All that its owner must change.
pub fn compile(
    source: &WebhookSource,
    catalogue: &Catalogue,
    refs: &Resolved,
    settings: &Settings,
) -> Result<Compiled, Problems> {
    let spec = &source.spec;
    let claim = claim(source, settings);
    let mut notices = Vec::new();
    let mut wrong = Gathered::default();
    wrong.keep(path(&claim, settings));
    let provider = wrong.keep(provider(spec, catalogue));
    let proven = provider.as_deref().and_then(|provider| wrong.keep(verifier(spec, provider, refs, settings)));
    let capture = provider.as_deref().and_then(|provider| wrong.keep(capture(spec, provider)));
    let deduplicate = provider.as_deref().and_then(|provider| wrong.keep(deduplicate(spec, provider)));
    let mut places = Places::default();
    let selection = wrong.keep(selection(spec, &mut places));
    let routing = wrong.keep(routing(spec.routing.as_ref(), &claim, settings, &mut places));
    let deadline = wrong.keep(deadline(spec));
    let own = wrong.keep(own_limits(spec));
    let answer = wrong.keep(answer(spec, provider.as_deref())).flatten();
    if let (Some(provider), Some((verifier, unfit)), Some(capture), Some(selection)) =
        (provider, proven, capture, selection)
        && let (Some(routing), Some(deadline), Some(own), Some(answer)) = (routing, deadline, own, answer)
        && let Some(deduplicate) = deduplicate
        && wrong.is_empty()
    {
        let written = spec.routing.clone().unwrap_or_default();
        if written.include_original == Some(false) && !provider.extraction.maps() {
            notices.push(Notice {
                field: "spec.routing.includeOriginal",
                message: format!(
                    "false means nothing here: {} maps no event, so the vendor's item is all there is",
                    spec.provider
                ),
            });
        }
        let route = Route {
            generation: source.metadata.generation.unwrap_or_default(),
            suspended: spec.suspend,
            methods: Methods::new(provider.http_methods()),
            limits: limits(spec, &provider, own, settings, &mut notices),
            deadline: deadline.unwrap_or(provider.deadline),
            deduplicate,
            account: settings.accounts.of(&claim.namespace),
            on_outage: on_outage(spec, &provider),
            retries: provider.retries,
            answer,
            selection,
            routing,
            places,
            origin: Origin::new(
                &settings.source_base,
                &claim.namespace,
                &claim.name,
                &claim.uid,
                &claim.provider,
                written.format.unwrap_or_default(),
            ),
            rejected: settings.subject_policy.rejected(&claim.namespace, &claim.name),
            stream: written.stream,
            shape: written.data.unwrap_or_default(),
            include_original: written.include_original.unwrap_or(true),
            capture,
            verifier,
            provider,
            claim,
        };
        return Ok(Compiled { route, unfit: unfit.iter().map(|key| unfit_ref(key, refs)).collect(), notices });
    }
    Err(wrong.into())
}

fn path(claim: &Claim, settings: &Settings) -> Result<(), Problem> {
    if settings.allows_path(&claim.namespace, &claim.path) {
        return Ok(());
    }
    Err(Problem::new(
        Reason::PathNotAllowed,
        "spec.path",
        format!(
            "{:?} is outside what namespace {} may claim: write a path below /{}/, or ask the operator's owner for another --path-policy",
            claim.path, claim.namespace, claim.namespace
        ),
    ))
}

fn provider(spec: &WebhookSourceSpec, catalogue: &Catalogue) -> Result<Arc<Provider>, Problems> {
    if spec.provider == GENERIC {
        return Provider::generic(spec).map(Arc::new).map_err(problems);
    }
    catalogue.get(&spec.provider).ok_or_else(|| {
        let near = catalogue.similar(&spec.provider);
        let hint = if near.is_empty() { String::new() } else { format!(" Did you mean {}?", near.join(" or ")) };
        let message = format!(
            "{:?} is neither built in nor a WebhookProvider of this cluster: `hookgate providers` lists what is there.{hint}",
            spec.provider
        );
        Problem::new(Reason::UnknownProvider, "spec.provider", message).into()
    })
}

fn verifier(
    spec: &WebhookSourceSpec,
    provider: &Provider,
    refs: &Resolved,
    settings: &Settings,
) -> Result<(Verifier, Vec<UnfitKey>), Problems> {
    let written = spec.verification.clone().unwrap_or_default();
    let known = || provider.methods.iter().map(|method| &*method.name).collect::<Vec<_>>().join(", ");
    const METHOD: &str = "spec.verification.method";
    let method = provider.method(written.method.as_deref()).ok_or_else(|| match &written.method {
        Some(name) => Problem::new(
            Reason::UnknownMethod,
            METHOD,
            format!("{name:?} is no method of {}: they are {}", spec.provider, known()),
        ),
        None => Problem::invalid(
            METHOD,
            format!("is missing: {} offers no proof, so `method: none` must be written out", spec.provider),
        ),
    })?;
    let tolerance = match &written.tolerance {
        None => None,
        Some(text) => Some(text.get().ok_or_else(|| not_a_duration("spec.verification.tolerance", text))?),
    };
    let keys: Vec<KeyRef> = refs.keys();
    let others: Vec<&str> = provider.handshakes.iter().filter_map(|handshake| handshake.purpose()).collect();
    let (verifier, unfit) = Verifier::new(
        method,
        &Given {
            keys: &keys,
            other_purposes: &others,
            parameters: &written.parameters,
            tolerance,
            external_url: written.external_url.as_deref(),
        },
    )?;
    if !settings.fetch && verifier.fetches() {
        let message = format!(
            "{:?} fetches the vendor's public key, and the operator runs with --fetch=false: hold the key in a Secret and name it in secretRefs",
            verifier.method()
        );
        return Err(Problem::new(Reason::Unsupported, METHOD, message).into());
    }
    Ok((verifier, unfit))
}

/// What is wrong with the value of a secretRef, at its place in the spec.
fn unfit_ref(key: &UnfitKey, refs: &Resolved) -> Problem {
    let at = refs.refs.iter().position(|one| *key.label == *format!("{}/{}", one.name, one.key)).unwrap_or_default();
    Problem::new(Reason::SecretInvalid, super::resolve::field(at), format!("the value of {} {}", key.label, key.reason))
}

fn not_a_duration(field: &str, text: &DurationString) -> Problem {
    Problem::invalid(field, format!("{:?} is no duration: write such as 5m, 1h30m or 500ms", text.0))
}

fn capture(spec: &WebhookSourceSpec, provider: &Provider) -> Result<Option<CaptureTarget>, Problem> {
    let Some(written) = spec.verification.as_ref().and_then(|verification| verification.capture_secret_ref.as_ref())
    else {
        return Ok(None);
    };
    if !provider.handshakes.iter().any(Handshake::captures) {
        return Err(Problem::new(
            Reason::Unsupported,
            "spec.verification.captureSecretRef",
            format!("{} delivers no secret in a handshake; leave it out", spec.provider),
        ));
    }
    Ok(Some(CaptureTarget { name: written.name.clone(), key: written.key.clone(), until: written.until.0 }))
}

/// The deadline that the source writes.
fn deadline(spec: &WebhookSourceSpec) -> Result<Option<Duration>, Problem> {
    let written = spec.delivery.as_ref().and_then(|delivery| delivery.deadline.as_ref());
    written.map(|text| text.get().ok_or_else(|| not_a_duration("spec.delivery.deadline", text))).transpose()
}

fn deduplicate(spec: &WebhookSourceSpec, provider: &Provider) -> Result<Option<Deduplicate>, Problem> {
    let written = spec.delivery.as_ref().and_then(|delivery| delivery.deduplicate);
    if written == Some(Deduplicate::Id) && !provider.extraction.has_id() {
        return Err(Problem::new(
            Reason::Unsupported,
            "spec.delivery.deduplicate",
            format!(
                "Id, and {} has no id of its events: write Content, where the body itself tells two deliveries apart, or None",
                spec.provider
            ),
        ));
    }
    Ok(written)
}

/// What the source writes; else what the vendor's retries make of it.
fn on_outage(spec: &WebhookSourceSpec, provider: &Provider) -> OnOutage {
    let written = spec.delivery.as_ref().and_then(|delivery| delivery.on_outage);
    written.unwrap_or(match provider.retries {
        Retries::Never => OnOutage::Spool,
        Retries::ServerErrors | Retries::TooManyRequests => OnOutage::Reject,
    })
}

/// What an accepted delivery is answered: what the source writes, else what its vendor wants to hear.
fn answer(spec: &WebhookSourceSpec, provider: Option<&Provider>) -> Result<Option<Arc<Answer>>, Problem> {
    let Some(own) = &spec.response else {
        return Ok(provider.map(|provider| provider.answer.clone()));
    };
    let code = own.status.unwrap_or(200);
    let status = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let status = status
        .filter(StatusCode::is_success)
        .ok_or_else(|| Problem::invalid("spec.response.status", format!("{code} is not from 200 to 299")))?;
    let media = |text: &String| {
        HeaderValue::try_from(text)
            .map_err(|_| Problem::invalid("spec.response.contentType", format!("{text:?} is no media type")))
    };
    if own.content_type.is_some() && own.body.as_ref().is_none_or(String::is_empty) {
        let text = "means nothing without spec.response.body: leave it out, or write a body";
        return Err(Problem::invalid("spec.response.contentType", text.to_owned()));
    }
    let media = own.content_type.as_ref().map(media).transpose()?;
    let media = media.or(own.body.as_ref().map(|_| HeaderValue::from_static("application/json")));
    Ok(Some(Arc::new(Answer::literal(status, media, own.body.clone().unwrap_or_default()))))
}
