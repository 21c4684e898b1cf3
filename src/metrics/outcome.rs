//! The words that metrics and status use: each label value that is not a name stands here. Those of a proof that does not
//! hold, `Refusal` speaks too, which knows no metrics; a test holds both together.

use strum::{IntoStaticStr, VariantArray};

/// How a request ended; the label `outcome` and, for what was not accepted, `status.lastRejected.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[repr(u8)]
#[allow(missing_docs, reason = "the words are explained where `Reject` explains the answer")]
pub enum Outcome {
    Accepted,
    Handshake,
    BadRequest,
    Undecodable,
    MissingSignature,
    MalformedSignature,
    BadSignature,
    WrongClaims,
    WrongBody,
    StaleTimestamp,
    AddressNotAllowed,
    NotFound,
    MethodNotAllowed,
    BodyTooSlow,
    Aborted,
    TooLarge,
    ContentEncoding,
    MediaType,
    OverRate,
    TooManyFailures,
    Suspended,
    NoLiveSecret,
    KeyNotFetched,
    CaptureFailed,
    ConfirmFailed,
    NotServed,
    NotSynced,
    NoStream,
    NotDurable,
    Unavailable,
    Overloaded,
    NamespaceOverloaded,
    StrangersFull,
    AddressShare,
    UnprovenBytes,
    GaveWay,
}

impl Outcome {
    /// Every outcome, in the order of the enum.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// As metrics and status spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a vendor's delivery may end so and was not taken: not what strangers and proxies alone cause, nor what the owner wants.
    pub fn is_refusal(self) -> bool {
        !matches!(
            self,
            Self::Accepted
                | Self::Handshake
                | Self::BadRequest
                | Self::AddressNotAllowed
                | Self::NotFound
                | Self::MethodNotAllowed
                | Self::Suspended
        )
    }

    /// The outcome at a position of [`Outcome::ALL`].
    pub(super) fn at(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}

/// What became of an event; the label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
#[repr(u8)]
#[allow(missing_docs)]
pub enum EventResult {
    Stored,
    Duplicate,
    Spooled,
    Filtered,
    Rejected,
}

impl EventResult {
    /// Every one, in the order of the enum.
    pub(super) const ALL: &[Self] = Self::VARIANTS;

    /// As the metric spells it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How a source stands on this replica; the label `state` of `hookgate_sources`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)]
pub enum SourceStanding {
    /// Its current generation is served.
    Serving,
    /// Its last good generation is served.
    Previous,
    Suspended,
    /// Nothing of it is served.
    NotServed,
}

impl SourceStanding {
    /// Every state.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// As the metric spells it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_stands_at_its_own_position() {
        for (position, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, position, "{outcome:?}");
        }
    }
}
