//! The limits of a source: what it writes, else its provider's, never above the operator's own.

use ipnet::IpNet;

use super::super::settings::Settings;
use super::Notice;
use crate::api::condition::Problem;
use crate::api::quantity::Size;
use crate::api::source::{Limits as WrittenLimits, WebhookSourceSpec};
use crate::provider::Provider;
use crate::route::{Limits, RateLimit};

/// What the source writes of its limits, read.
pub(super) struct OwnLimits {
    max_body: Option<u64>,
    allowed: Vec<IpNet>,
}

pub(super) fn own_limits(spec: &WebhookSourceSpec) -> Result<OwnLimits, Problem> {
    let empty = WrittenLimits::default();
    let written = spec.limits.as_ref().unwrap_or(&empty);
    let size = |size: &Size| {
        size.bytes().ok_or_else(|| {
            Problem::invalid(
                "spec.limits.maxBodySize",
                "is no size: write a number of bytes, or a quantity such as 1Mi",
            )
        })
    };
    let network = |(position, text): (usize, &String)| {
        text.parse::<IpNet>().map_err(|_| {
            Problem::invalid(
                format!("spec.limits.allowedCIDRs[{position}]"),
                format!("{text:?} is no network such as 203.0.113.0/24"),
            )
        })
    };
    Ok(OwnLimits {
        max_body: written.max_body_size.as_ref().map(size).transpose()?,
        allowed: written.allowed_cidrs.iter().enumerate().map(network).collect::<Result<_, _>>()?,
    })
}

pub(super) fn limits(
    spec: &WebhookSourceSpec,
    provider: &Provider,
    own: OwnLimits,
    settings: &Settings,
    notices: &mut Vec<Notice>,
) -> Limits {
    let written = spec.limits.clone().unwrap_or_default();
    let wanted = own.max_body.unwrap_or(provider.max_body);
    let max_body = wanted.min(settings.max_body_size);
    if max_body < wanted {
        let (field, whose) = match own.max_body {
            Some(_) => ("spec.limits.maxBodySize", "it"),
            None => ("spec.provider", "its limits.maxBodySize"),
        };
        notices.push(Notice {
            field,
            message: format!(
                "{whose} asks for {wanted} bytes and is bounded by --max-body-size: bodies above {max_body} bytes are answered 413"
            ),
        });
    }
    let positive =
        |value: Option<i32>, default: u32| value.map_or(default, |value| u32::try_from(value).unwrap_or(1).max(1));
    let rate = written.requests_per_second.map(|_| {
        let per_second = positive(written.requests_per_second, 1);
        RateLimit { per_second, burst: positive(written.burst, per_second.saturating_mul(2)) }
    });
    let in_flight = positive(written.max_in_flight, 256).into();
    let in_flight_of_tenant = settings.namespace_quota.requests();
    Limits { max_body, allowed: own.allowed, in_flight, in_flight_of_tenant, rate }
}
