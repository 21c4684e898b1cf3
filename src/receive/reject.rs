//! Why a request is not accepted, and everything that follows from it: status, metric, log level, `Retry-After`, whether
//! the connection ends, body. One row each; no other place turns a failure into an answer.
//!
//! Bodies are constants: nothing of a request, a key or a configuration is ever answered.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use tracing::Level;

use super::framing::Offence;
use crate::api::provider::Retries;
use crate::deliver::Unavailable;
use crate::fetch::FetchError;
use crate::metrics::Outcome;
use crate::provider::event::DecodeError;
use crate::provider::verify::Refusal;
use crate::route::capture::CaptureError;

/// Why a request is not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Reject {
    /// Against RFC 9110, 9112 or 9113.
    #[error("{0}")]
    BadRequest(Offence),
    /// The client went away before its body was whole.
    #[error("the connection ended within the body")]
    Aborted,
    /// No source claims the host and path.
    #[error("no source claims the host and path")]
    NotFound,
    /// The route answers other methods: `Allow`.
    #[error("the method is not allowed")]
    Method(HeaderValue),
    /// `limits.allowedCIDRs`.
    #[error("the address is not allowed")]
    Address,
    /// `spec.suspend`.
    #[error("the source is suspended")]
    Suspended,
    /// No required secret counts at present: never answered without a proof.
    #[error("the source has no live secret")]
    NoLiveSecret,
    /// This replica never compiled the source.
    #[error("nothing of the source is served yet")]
    NotServed,
    /// This replica has not read its sources yet.
    #[error("the sources are not read yet")]
    NotSynced,
    /// Requests in work or bytes of bodies: one of their bounds is reached.
    #[error("too much is in work")]
    Overloaded,
    /// So many requests of all sources of the namespace are in work as it may have (`--namespace-quota requests=N`).
    #[error("as many requests of the namespace are in work as its quota lets it have")]
    NamespaceOverloaded,
    /// All places of requests without proof are taken.
    #[error("too many requests without proof are in work")]
    StrangersFull,
    /// One address holds its share of them.
    #[error("too many requests without proof of this address are in work")]
    AddressShare,
    /// What there is for bodies without proof is held by others who hold no more than this one.
    #[error("too many bytes without proof are held")]
    UnprovenBytes,
    /// A slow body of the address that held most gave way to others.
    #[error("the body came slowly, and gave way to others")]
    GaveWay,
    /// Proofs cover the bytes as sent, so bodies are taken as sent.
    #[error("the content coding is not identity")]
    ContentEncoding,
    /// Not of a media type that the provider sends.
    #[error("the media type is not one that the provider sends")]
    MediaType,
    /// Larger than the source's limit.
    #[error("the body is too large")]
    TooLarge,
    /// The body took too long.
    #[error("the body came too slowly")]
    TooSlow,
    /// Missing, wrong or stale.
    #[error("{0}")]
    Unproven(Refusal),
    /// Too many proofs of this address failed, and those that are judged all the same take too long.
    #[error("too many proofs of this address failed, and others of it are being judged")]
    TooManyFailures(Wait),
    /// `limits.requestsPerSecond`.
    #[error("over the rate of the source")]
    OverRate(Wait),
    /// Proved, and not readable.
    #[error("{0}")]
    Undecodable(DecodeError),
    /// A secret that the vendor delivers was not written.
    #[error("{0}")]
    Capture(CaptureError),
    /// The address that confirms a subscription could not be fetched.
    #[error("{0}")]
    Confirm(FetchError),
    /// The deadline passed before the delivery was done.
    #[error("the deadline passed before the delivery was done")]
    TooLate,
    /// Not durable.
    #[error("{0}")]
    Unavailable(Unavailable),
}

/// When the vendor may come again, and how it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// How long to wait.
    pub time: Duration,
    /// 429 where the vendor sends again after it; else 503, after which more vendors do.
    pub retries: Retries,
}

/// What follows from a reject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The status.
    pub status: StatusCode,
    /// The metric's label and the reason in status.
    pub outcome: Outcome,
    /// How loud the log is: what the platform team must see warns. Of one kind there is a line every ten seconds at most,
    /// but at debug.
    pub level: Level,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: &'static str,
}

impl Reject {
    /// What follows.
    pub(crate) fn row(&self) -> Row {
        use StatusCode as S;
        let row = |status, outcome, level, retry_after, body| Row { status, outcome, level, retry_after, body };
        let unavailable = |outcome, level, seconds| {
            row(S::SERVICE_UNAVAILABLE, outcome, level, Some(seconds), "unavailable, try again later\n")
        };
        let wait = |wait: &Wait, outcome| {
            let status = match wait.retries {
                Retries::TooManyRequests => S::TOO_MANY_REQUESTS,
                Retries::ServerErrors | Retries::Never => S::SERVICE_UNAVAILABLE,
            };
            let seconds = wait.time.as_secs() + u64::from(wait.time.subsec_nanos() > 0);
            row(status, outcome, Level::INFO, Some(seconds.max(1)), "too many requests\n")
        };
        match self {
            Self::BadRequest(_) => row(S::BAD_REQUEST, Outcome::BadRequest, Level::DEBUG, None, "bad request\n"),
            Self::Aborted => row(S::BAD_REQUEST, Outcome::Aborted, Level::DEBUG, None, "bad request\n"),
            Self::NotFound => row(S::NOT_FOUND, Outcome::NotFound, Level::DEBUG, None, "not found\n"),
            Self::Method(_) => {
                row(S::METHOD_NOT_ALLOWED, Outcome::MethodNotAllowed, Level::DEBUG, None, "method not allowed\n")
            }
            Self::Address => row(S::FORBIDDEN, Outcome::AddressNotAllowed, Level::INFO, None, "forbidden\n"),
            Self::Suspended => unavailable(Outcome::Suspended, Level::DEBUG, 60),
            Self::NoLiveSecret | Self::Unproven(Refusal::NoKey) => unavailable(Outcome::NoLiveSecret, Level::WARN, 30),
            // Whoever fetches says what failed, once for each request to the key server.
            Self::Unproven(Refusal::NotFetched | Refusal::FetchFailed) => {
                unavailable(Outcome::KeyNotFetched, Level::DEBUG, 30)
            }
            Self::NotServed => unavailable(Outcome::NotServed, Level::INFO, 30),
            Self::NotSynced => unavailable(Outcome::NotSynced, Level::DEBUG, 5),
            Self::Overloaded => unavailable(Outcome::Overloaded, Level::WARN, 1),
            Self::NamespaceOverloaded => unavailable(Outcome::NamespaceOverloaded, Level::WARN, 1),
            Self::StrangersFull => unavailable(Outcome::StrangersFull, Level::INFO, 1),
            Self::AddressShare => unavailable(Outcome::AddressShare, Level::INFO, 1),
            Self::UnprovenBytes => unavailable(Outcome::UnprovenBytes, Level::INFO, 1),
            Self::GaveWay => unavailable(Outcome::GaveWay, Level::INFO, 1),
            Self::ContentEncoding => row(
                S::UNSUPPORTED_MEDIA_TYPE,
                Outcome::ContentEncoding,
                Level::INFO,
                None,
                "unsupported content coding\n",
            ),
            Self::MediaType | Self::Undecodable(DecodeError::MediaType(_)) => {
                row(S::UNSUPPORTED_MEDIA_TYPE, Outcome::MediaType, Level::INFO, None, "unsupported media type\n")
            }
            Self::TooLarge | Self::Unavailable(Unavailable::TooLarge) => {
                row(S::PAYLOAD_TOO_LARGE, Outcome::TooLarge, Level::INFO, None, "too large\n")
            }
            Self::TooSlow => row(S::REQUEST_TIMEOUT, Outcome::BodyTooSlow, Level::INFO, None, "too slow\n"),
            // One body for all: which part of a proof is wrong is nobody's business but the owner's.
            Self::Unproven(refusal) => row(S::UNAUTHORIZED, unproven(*refusal), Level::INFO, None, "unauthorized\n"),
            Self::TooManyFailures(until) => wait(until, Outcome::TooManyFailures),
            Self::OverRate(until) => wait(until, Outcome::OverRate),
            Self::Undecodable(_) => row(S::BAD_REQUEST, Outcome::Undecodable, Level::WARN, None, "bad request\n"),
            // Anybody can send one: status says that it came, and only what the cluster refused is worth a line.
            Self::Capture(CaptureError::NotWanted | CaptureError::NoCluster | CaptureError::Present(_)) => {
                unavailable(Outcome::CaptureFailed, Level::DEBUG, 30)
            }
            Self::Capture(_) => unavailable(Outcome::CaptureFailed, Level::WARN, 30),
            Self::Confirm(_) => unavailable(Outcome::ConfirmFailed, Level::WARN, 30),
            Self::TooLate => unavailable(Outcome::Unavailable, Level::WARN, 5),
            Self::Unavailable(Unavailable::NoStream) => unavailable(Outcome::NoStream, Level::WARN, 30),
            Self::Unavailable(Unavailable::NotDurable) => unavailable(Outcome::NotDurable, Level::WARN, 30),
            Self::Unavailable(Unavailable::Overloaded) => unavailable(Outcome::Overloaded, Level::WARN, 1),
            // Delivery says once that NATS is away; a line for each request would fill the disk with it.
            Self::Unavailable(Unavailable::Disconnected | Unavailable::Unresponsive) => {
                unavailable(Outcome::Unavailable, Level::DEBUG, 5)
            }
            Self::Unavailable(_) => unavailable(Outcome::Unavailable, Level::WARN, 5),
        }
    }

    /// The connection ends: its bytes cannot be trusted, or the rest of them is not wanted. (A request whose body was
    /// not read ends it as well, whatever the reject.)
    pub(crate) fn closes(&self) -> bool {
        matches!(self, Self::BadRequest(_) | Self::Aborted | Self::TooLarge | Self::TooSlow | Self::GaveWay)
    }
}

fn unproven(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::NotApplicable | Refusal::Missing => Outcome::MissingSignature,
        Refusal::Malformed => Outcome::MalformedSignature,
        Refusal::NoKey => Outcome::NoLiveSecret,
        Refusal::NotFetched | Refusal::FetchFailed => Outcome::KeyNotFetched,
        Refusal::BadSignature => Outcome::BadSignature,
        Refusal::Claims(_) | Refusal::Addressee => Outcome::WrongClaims,
        Refusal::BoundPart | Refusal::Sealed => Outcome::WrongBody,
        Refusal::Stale => Outcome::StaleTimestamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSALS: [Refusal; 12] = [
        Refusal::Sealed,
        Refusal::NotFetched,
        Refusal::FetchFailed,
        Refusal::NotApplicable,
        Refusal::Addressee,
        Refusal::Missing,
        Refusal::Malformed,
        Refusal::NoKey,
        Refusal::BadSignature,
        Refusal::Claims("exp"),
        Refusal::BoundPart,
        Refusal::Stale,
    ];

    #[test]
    fn a_stranger_learns_nothing_from_a_401() {
        let answers: std::collections::BTreeSet<_> = REFUSALS
            .into_iter()
            .map(|refusal| Reject::Unproven(refusal).row())
            .filter(|row| row.status == StatusCode::UNAUTHORIZED)
            .map(|row| (row.body, row.retry_after))
            .collect();
        assert_eq!(answers.len(), 1);
    }

    #[test]
    fn status_and_metrics_spell_a_refusal_alike() {
        for refusal in REFUSALS {
            assert_eq!(unproven(refusal).as_str(), refusal.as_str());
        }
    }

    #[test]
    fn every_503_and_429_says_when_to_come_again() {
        let wait = |retries| Wait { time: Duration::from_millis(1200), retries };
        for (reject, status, seconds) in [
            (Reject::OverRate(wait(Retries::TooManyRequests)), 429, 2),
            (Reject::OverRate(wait(Retries::ServerErrors)), 503, 2),
            (Reject::TooManyFailures(wait(Retries::Never)), 503, 2),
            (Reject::Suspended, 503, 60),
            (Reject::Unavailable(Unavailable::TimedOut), 503, 5),
            (Reject::NotSynced, 503, 5),
        ] {
            let row = reject.row();
            assert_eq!((row.status.as_u16(), row.retry_after), (status, Some(seconds)), "{reject:?}");
        }
    }
}
