//! Why a request is not authentic: a bounded set of words for metrics and explanations. Senders hear none of it.

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// The request is not of the kind that the scheme proves.
    #[error("the request is not of the kind that the scheme proves")]
    NotApplicable,
    /// It is for another customer of the vendor.
    #[error("the request is for another customer of the vendor")]
    Addressee,
    /// The signature, token or credentials are not there, or a header that must occur once occurs twice.
    #[error("the proof is missing")]
    Missing,
    /// They are there, but not written as the scheme writes them.
    #[error("the proof is not written as the scheme writes it")]
    Malformed,
    /// No live key of the purpose is at hand.
    #[error("no live secret")]
    NoKey,
    /// The vendor's public key is not at hand.
    #[error("the vendor's public key is not at hand")]
    NotFetched,
    /// The vendor's public key was asked for because of this request, in vain: that is charged to whoever sent it.
    #[error("the vendor's public key is not to be had")]
    FetchFailed,
    /// No key matches.
    #[error("no key matches")]
    BadSignature,
    /// It matches, but a claim does not fit.
    #[error("the claim {0} does not fit")]
    Claims(&'static str),
    /// It matches, but the part that it binds is another.
    #[error("the bound part of the request is another")]
    BoundPart,
    /// It matches, but no live key opens the body that arrived encrypted.
    #[error("no live key opens the encrypted body")]
    Sealed,
    /// It matches, but it was made at another time.
    #[error("the proof was made too long ago, or in the future")]
    Stale,
}

impl Refusal {
    /// As status and metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable | Self::Missing => "MissingSignature",
            Self::Malformed => "MalformedSignature",
            Self::NoKey => "NoLiveSecret",
            Self::NotFetched | Self::FetchFailed => "KeyNotFetched",
            Self::BadSignature => "BadSignature",
            Self::Claims(_) | Self::Addressee => "WrongClaims",
            Self::BoundPart | Self::Sealed => "WrongBody",
            Self::Stale => "StaleTimestamp",
        }
    }
}
