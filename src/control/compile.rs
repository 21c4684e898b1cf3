//! A source becomes a route: pure, from what was written, the catalogue and what the secretRefs refer to now.
//!
//! Everything that is wrong becomes a [`Problem`], which is the source's condition. No field is silently ignored:
//! what has no meaning here is `Unsupported`, what is not there yet is a notice on a route that serves.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use ipnet::IpNet;
use jiff::Timestamp;

use super::resolve::Resolved;
use super::settings::{Settings, SpoolSetting};
use crate::api::GENERIC;
use crate::api::condition::{Problem, Reason};
use crate::api::duration::DurationString;
use crate::api::provider::Retries;
use crate::api::source::{Deduplicate, OnOutage, Routing as WrittenRouting, WebhookSource, WebhookSourceSpec};
use crate::deliver::message::Origin;
use crate::glob::Globs;
use crate::provider::Provider;
use crate::provider::catalogue::Catalogue;
use crate::provider::handshake::Handshake;
use crate::provider::verify::keys::KeyRef;
use crate::provider::verify::{Given, UnfitKey, Verifier};
use crate::route::capture::CaptureTarget;
use crate::route::filter::Filter;
use crate::route::selection::{Routing, Rule, Selection};
use crate::route::subject::{SubjectPolicy, SubjectTemplate};
use crate::route::{Answer, Claim, Host, Limits, Methods, Route};

/// The subject of events that no rule names another for.
const DEFAULT_SUBJECT: &str = "webhooks.{namespace}.{source}.{type}";

/// A route, and what its owner should know of it.
#[derive(Debug)]
pub struct Compiled {
    /// What is served.
    pub route: Route,
    /// secretRefs whose value cannot be a key of the method.
    pub unfit: Vec<UnfitKey>,
    /// What the manifest asks for and is not there yet, or holds otherwise than written.
    pub notices: Vec<String>,
}

/// What a source claims, whether or not it compiles.
pub fn claim(source: &WebhookSource, settings: &Settings) -> Claim {
    let namespace = source.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let name = source.metadata.name.clone().unwrap_or_default();
    let path = source.spec.path.clone().unwrap_or_else(|| format!("/{namespace}/{name}"));
    let metrics = settings.metrics.source(&namespace, &name, &source.spec.provider);
    Claim {
        uid: source.metadata.uid.as_deref().unwrap_or_default().into(),
        provider: source.spec.provider.as_str().into(),
        hosts: Host::parse_all(&source.spec.hostnames),
        created: source.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        namespace: namespace.into(),
        name: name.into(),
        path,
        metrics,
    }
}

/// Compiles a source.
///
/// # Errors
/// The first thing that its owner must change.
pub fn compile(
    source: &WebhookSource,
    catalogue: &Catalogue,
    refs: &Resolved,
    settings: &Settings,
) -> Result<Compiled, Problem> {
    let spec = &source.spec;
    let claim = claim(source, settings);
    let mut notices = Vec::new();
    if !settings.allows_path(&claim.namespace, &claim.path) {
        return Err(Problem::new(
            Reason::PathNotAllowed,
            format!(
                "spec.path: {:?} is outside what namespace {} may claim: write a path below /{}/, or ask the operator's owner for another --path-policy",
                claim.path, claim.namespace, claim.namespace
            ),
        ));
    }
    let provider = provider(spec, catalogue)?;
    let (verifier, unfit) = verifier(spec, &provider, refs)?;
    if !settings.fetch && verifier.fetches() {
        return Err(Problem::new(
            Reason::Unsupported,
            format!(
                "spec.verification.method: {:?} fetches the vendor's public key, and the operator runs with --fetch=false: hold the key in a Secret and name it in secretRefs",
                verifier.method()
            ),
        ));
    }
    let routing = routing(spec.routing.as_ref(), &claim, settings)?;
    let written = spec.routing.clone().unwrap_or_default();
    let route = Route {
        generation: source.metadata.generation.unwrap_or_default(),
        suspended: spec.suspend,
        methods: Methods::new(provider.http_methods()),
        limits: limits(spec, &provider, settings, &mut notices)?,
        deadline: deadline(spec, &provider)?,
        deduplicate: deduplicate(spec, &provider)?,
        on_outage: on_outage(spec, &provider, settings, &mut notices),
        retries: provider.retries,
        answer: answer(spec, &provider)?,
        selection: selection(spec)?,
        routing,
        origin: Origin::new(
            &settings.source_base,
            &claim.namespace,
            &claim.name,
            &claim.uid,
            &claim.provider,
            written.stream.as_deref(),
            written.format.unwrap_or_default(),
        ),
        stream: written.stream,
        shape: written.data.unwrap_or_default(),
        include_original: written.include_original.unwrap_or(true),
        capture: capture(spec, &provider)?,
        verifier,
        provider,
        claim,
    };
    Ok(Compiled { route, unfit, notices })
}

fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(Reason::Invalid, text)
}

fn provider(spec: &WebhookSourceSpec, catalogue: &Catalogue) -> Result<Arc<Provider>, Problem> {
    if spec.provider == GENERIC {
        return Provider::generic(spec)
            .map(Arc::new)
            .map_err(|errors| invalid(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")));
    }
    catalogue.get(&spec.provider).ok_or_else(|| {
        let near = catalogue.similar(&spec.provider);
        let hint = if near.is_empty() { String::new() } else { format!(" Did you mean {}?", near.join(" or ")) };
        Problem::new(
            Reason::UnknownProvider,
            format!(
                "spec.provider: {:?} is neither built in nor a WebhookProvider of this cluster: `hookgate providers` lists what is there.{hint}",
                spec.provider
            ),
        )
    })
}

fn verifier(
    spec: &WebhookSourceSpec,
    provider: &Provider,
    refs: &Resolved,
) -> Result<(Verifier, Vec<UnfitKey>), Problem> {
    let written = spec.verification.clone().unwrap_or_default();
    let known = || provider.methods.iter().map(|method| &*method.name).collect::<Vec<_>>().join(", ");
    let method = provider.method(written.method.as_deref()).ok_or_else(|| match &written.method {
        Some(name) => Problem::new(
            Reason::UnknownMethod,
            format!("spec.verification.method: {name:?} is no method of {}: they are {}", spec.provider, known()),
        ),
        None => invalid(format!(
            "spec.verification.method is missing: {} offers no proof, so `method: none` must be written out",
            spec.provider
        )),
    })?;
    let tolerance = match &written.tolerance {
        None => None,
        Some(text) => Some(text.get().ok_or_else(|| not_a_duration("spec.verification.tolerance", text))?),
    };
    let keys: Vec<KeyRef> = refs
        .refs
        .iter()
        .map(|resolved| KeyRef {
            secret: resolved.name.clone(),
            key: resolved.key.clone(),
            purpose: resolved.purpose.clone(),
            not_after: resolved.not_after,
            value: resolved.value.as_ref().ok().cloned(),
        })
        .collect();
    let others: Vec<&str> = provider.handshakes.iter().filter_map(|handshake| handshake.purpose()).collect();
    Verifier::new(
        method,
        &Given {
            keys: &keys,
            other_purposes: &others,
            parameters: &written.parameters,
            tolerance,
            external_url: written.external_url.as_deref(),
        },
    )
}

fn not_a_duration(field: &str, text: &DurationString) -> Problem {
    invalid(format!("{field}: {:?} is no duration: write such as 5m, 1h30m or 500ms", text.0))
}

fn filter(field: &str, text: Option<&String>) -> Result<Option<Filter>, Problem> {
    text.map(|text| Filter::compile(text).map_err(|reason| invalid(format!("{field}: {reason}")))).transpose()
}

fn selection(spec: &WebhookSourceSpec) -> Result<Selection, Problem> {
    let written = spec.events.clone().unwrap_or_default();
    Ok(Selection {
        include: Globs::new(&written.include),
        exclude: Globs::new(&written.exclude),
        filter: filter("spec.events.filter", written.filter.as_ref())?,
    })
}

fn routing(written: Option<&WrittenRouting>, claim: &Claim, settings: &Settings) -> Result<Routing, Problem> {
    let policies: Vec<SubjectPolicy> = settings
        .subject_policies
        .iter()
        .map(|policy| SubjectPolicy::parse(policy).map_err(|reason| invalid(format!("--subject-policy: {reason}"))))
        .collect::<Result<_, _>>()?;
    let template = |field: &str, text: &str| -> Result<SubjectTemplate, Problem> {
        let template = SubjectTemplate::parse(text).map_err(|reason| invalid(format!("{field}: {reason}")))?;
        template
            .check_length(&claim.namespace, &claim.name, &claim.provider)
            .map_err(|reason| invalid(format!("{field}: {reason}")))?;
        let pattern = template.pattern(&claim.namespace, &claim.name, &claim.provider);
        if policies.iter().any(|policy| policy.allows(&claim.namespace, &pattern)) {
            return Ok(template);
        }
        let allowed: Vec<String> =
            settings.subject_policies.iter().map(|policy| policy.replace("{namespace}", &claim.namespace)).collect();
        Err(Problem::new(
            Reason::SubjectNotAllowed,
            format!(
                "{field}: {text:?} is outside what namespace {} may publish: write a subject within {}",
                claim.namespace,
                allowed.join(" or ")
            ),
        ))
    };
    let empty = WrittenRouting::default();
    let written = written.unwrap_or(&empty);
    let mut rules = Vec::new();
    for (position, rule) in written.rules.iter().enumerate() {
        rules.push(Rule {
            include: Globs::new(&rule.include),
            filter: filter(&format!("spec.routing.rules[{position}].filter"), rule.filter.as_ref())?,
            subject: template(&format!("spec.routing.rules[{position}].subject"), &rule.subject)?,
        });
    }
    let subject = template("spec.routing.subject", written.subject.as_deref().unwrap_or(DEFAULT_SUBJECT))?;
    Ok(Routing { rules, subject })
}

fn capture(spec: &WebhookSourceSpec, provider: &Provider) -> Result<Option<CaptureTarget>, Problem> {
    let Some(written) = spec.verification.as_ref().and_then(|verification| verification.capture_secret_ref.as_ref())
    else {
        return Ok(None);
    };
    if !provider.handshakes.iter().any(Handshake::captures) {
        return Err(Problem::new(
            Reason::Unsupported,
            format!(
                "spec.verification.captureSecretRef: {} delivers no secret in a handshake; leave it out",
                spec.provider
            ),
        ));
    }
    Ok(Some(CaptureTarget { name: written.name.clone(), key: written.key.clone(), until: written.until.0 }))
}

fn deadline(spec: &WebhookSourceSpec, provider: &Provider) -> Result<std::time::Duration, Problem> {
    match spec.delivery.as_ref().and_then(|delivery| delivery.deadline.as_ref()) {
        None => Ok(provider.deadline),
        Some(text) => text.get().ok_or_else(|| not_a_duration("spec.delivery.deadline", text)),
    }
}

fn deduplicate(spec: &WebhookSourceSpec, provider: &Provider) -> Result<Option<Deduplicate>, Problem> {
    let written = spec.delivery.as_ref().and_then(|delivery| delivery.deduplicate);
    if written == Some(Deduplicate::Id) && !provider.extraction.has_id() {
        return Err(Problem::new(
            Reason::Unsupported,
            format!(
                "spec.delivery.deduplicate: Id, and {} has no id of its events: write Content, where the body itself tells two deliveries apart, or None",
                spec.provider
            ),
        ));
    }
    Ok(written)
}

fn on_outage(
    spec: &WebhookSourceSpec,
    provider: &Provider,
    settings: &Settings,
    notices: &mut Vec<String>,
) -> OnOutage {
    let written = spec.delivery.as_ref().and_then(|delivery| delivery.on_outage);
    let wanted = written.unwrap_or(match provider.retries {
        Retries::Never => OnOutage::Spool,
        Retries::ServerErrors | Retries::TooManyRequests => OnOutage::Reject,
    });
    if wanted == OnOutage::Spool && settings.spool == SpoolSetting::Absent {
        let whose = if written.is_some() {
            "delivery.onOutage: Spool"
        } else {
            "onOutage: Spool, the default where the vendor never retries,"
        };
        notices.push(format!("{whose} is not there yet: while NATS is away requests are answered 503"));
        return OnOutage::Reject;
    }
    wanted
}

fn limits(
    spec: &WebhookSourceSpec,
    provider: &Provider,
    settings: &Settings,
    notices: &mut Vec<String>,
) -> Result<Limits, Problem> {
    let written = spec.limits.clone().unwrap_or_default();
    let wanted = match &written.max_body_size {
        None => provider.max_body,
        Some(size) => size.bytes().ok_or_else(|| {
            invalid("spec.limits.maxBodySize is no size: write a number of bytes, or a quantity such as 1Mi")
        })?,
    };
    let max_body = wanted.min(settings.max_body_size);
    if max_body < wanted && written.max_body_size.is_some() {
        notices.push(format!("limits.maxBodySize is bounded by --max-body-size: {max_body} bytes hold"));
    }
    let positive =
        |value: Option<i32>, default: u32| value.map_or(default, |value| u32::try_from(value).unwrap_or(1).max(1));
    let rate = positive(written.requests_per_second, 100);
    let burst = positive(written.burst, rate.saturating_mul(2));
    let mut allowed = Vec::new();
    for (position, text) in written.allowed_cidrs.iter().enumerate() {
        allowed.push(text.parse::<IpNet>().map_err(|_| {
            invalid(format!("spec.limits.allowedCIDRs[{position}]: {text:?} is no network such as 203.0.113.0/24"))
        })?);
    }
    Ok(Limits::new(max_body, rate, burst, positive(written.max_in_flight, 256), allowed))
}

fn answer(spec: &WebhookSourceSpec, provider: &Provider) -> Result<Answer, Problem> {
    let status = |code: Option<i32>| {
        let code = code.unwrap_or(200);
        u16::try_from(code)
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok())
            .filter(StatusCode::is_success)
            .ok_or_else(|| invalid(format!("spec.response.status: {code} is not from 200 to 299")))
    };
    let media = |text: &Option<String>| {
        let parse = |text: &String| {
            HeaderValue::try_from(text)
                .map_err(|_| invalid(format!("spec.response.contentType: {text:?} is no media type")))
        };
        text.as_ref().map(parse).transpose()
    };
    match &spec.response {
        Some(own) => {
            let media =
                media(&own.content_type)?.or(own.body.as_ref().map(|_| HeaderValue::from_static("application/json")));
            Ok(Answer::literal(status(own.status)?, media, own.body.clone().unwrap_or_default()))
        }
        None => {
            let vendor = &provider.answer;
            Ok(Answer::counting(
                status(vendor.status)?,
                media(&vendor.content_type)?,
                vendor.body.clone().unwrap_or_default(),
            ))
        }
    }
}
