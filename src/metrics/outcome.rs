//! The words that metrics and status use: each label value that is not a name stands here.

/// How a request ended; the label `outcome` and, for what was not accepted, `status.lastRejected.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    StrangersFull,
    AddressShare,
    UnprovenBytes,
    GaveWay,
}

impl Outcome {
    /// Every outcome, in the order of the enum.
    pub const ALL: [Outcome; 35] = [
        Self::Accepted,
        Self::Handshake,
        Self::BadRequest,
        Self::Undecodable,
        Self::MissingSignature,
        Self::MalformedSignature,
        Self::BadSignature,
        Self::WrongClaims,
        Self::WrongBody,
        Self::StaleTimestamp,
        Self::AddressNotAllowed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooSlow,
        Self::Aborted,
        Self::TooLarge,
        Self::ContentEncoding,
        Self::MediaType,
        Self::OverRate,
        Self::TooManyFailures,
        Self::Suspended,
        Self::NoLiveSecret,
        Self::KeyNotFetched,
        Self::CaptureFailed,
        Self::ConfirmFailed,
        Self::NotServed,
        Self::NotSynced,
        Self::NoStream,
        Self::NotDurable,
        Self::Unavailable,
        Self::Overloaded,
        Self::StrangersFull,
        Self::AddressShare,
        Self::UnprovenBytes,
        Self::GaveWay,
    ];

    /// As metrics and status spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Handshake => "Handshake",
            Self::BadRequest => "BadRequest",
            Self::Undecodable => "Undecodable",
            Self::MissingSignature => "MissingSignature",
            Self::MalformedSignature => "MalformedSignature",
            Self::BadSignature => "BadSignature",
            Self::WrongClaims => "WrongClaims",
            Self::WrongBody => "WrongBody",
            Self::StaleTimestamp => "StaleTimestamp",
            Self::AddressNotAllowed => "AddressNotAllowed",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::BodyTooSlow => "BodyTooSlow",
            Self::Aborted => "Aborted",
            Self::TooLarge => "TooLarge",
            Self::ContentEncoding => "ContentEncoding",
            Self::MediaType => "MediaType",
            Self::OverRate => "OverRate",
            Self::TooManyFailures => "TooManyFailures",
            Self::Suspended => "Suspended",
            Self::NoLiveSecret => "NoLiveSecret",
            Self::KeyNotFetched => "KeyNotFetched",
            Self::CaptureFailed => "CaptureFailed",
            Self::ConfirmFailed => "ConfirmFailed",
            Self::NotServed => "NotServed",
            Self::NotSynced => "NotSynced",
            Self::NoStream => "NoStream",
            Self::NotDurable => "NotDurable",
            Self::Unavailable => "Unavailable",
            Self::Overloaded => "Overloaded",
            Self::StrangersFull => "StrangersFull",
            Self::AddressShare => "AddressShare",
            Self::UnprovenBytes => "UnprovenBytes",
            Self::GaveWay => "GaveWay",
        }
    }

    /// The outcome at a position of [`Outcome::ALL`].
    pub(super) fn at(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}

/// What became of an event; the label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// How many there are.
    pub(super) const COUNT: usize = 5;

    /// As the metric spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Spooled => "spooled",
            Self::Filtered => "filtered",
            Self::Rejected => "rejected",
        }
    }
}

/// How a source stands on this replica; the label `state` of `hookgate_sources`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub const ALL: [SourceStanding; 4] = [Self::Serving, Self::Previous, Self::Suspended, Self::NotServed];

    /// As the metric spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Previous => "previous",
            Self::Suspended => "suspended",
            Self::NotServed => "not-served",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_stands_at_its_own_position() {
        for (position, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, position, "{outcome:?}");
            assert_eq!(format!("{outcome:?}"), outcome.as_str());
        }
    }
}
