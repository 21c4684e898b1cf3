//! What one namespace may have (`--namespace-quota`), and what a source weighs.

use std::io::Write;
use std::str::FromStr;

use crate::api::condition::{Problem, Reason};
use crate::api::quantity::Size;
use crate::api::source::WebhookSource;

/// What a compiled source takes at least, in bytes: its route, its state and what is known of its status. Measured over 10,000 in
/// `benches/control`.
const SOURCE: u64 = 16 << 10;
/// What it takes for each byte of its spec as JSON: the spec as it was read, and what it compiles to.
const SPEC: u64 = 8;
/// What a filter takes at least, in bytes.
const FILTER: u64 = 4 << 10;

/// What a namespace may have of each; `None`: any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    sources: Option<u64>,
    filters: Option<u64>,
    bytes: Option<u64>,
    requests: Option<u64>,
}

/// What a source weighs, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    sources: u64,
    filters: u64,
    bytes: u64,
}

/// One number of a weight.
type Part = fn(&Weight) -> u64;

/// The part of a quota that is exceeded.
#[derive(Clone, Copy, Debug)]
pub struct Exceeded {
    name: &'static str,
    limit: u64,
    part: Part,
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut quota = Self::default();
        for part in text.split(',').map(str::trim) {
            let wrong = || {
                format!("{part:?}: write such as sources=100,filters=200,bytes=16Mi,requests=500, each at most once")
            };
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let number = || value.parse::<u64>().ok().filter(|number| *number > 0);
            let (place, value) = match name {
                "sources" => (&mut quota.sources, number()),
                "filters" => (&mut quota.filters, number()),
                "bytes" => (&mut quota.bytes, Size::Text(value.to_owned()).bytes()),
                "requests" => (&mut quota.requests, number()),
                _ => return Err(wrong()),
            };
            if place.replace(value.ok_or_else(wrong)?).is_some() {
                return Err(wrong());
            }
        }
        Ok(quota)
    }
}

impl Quota {
    /// Whether any number of sources may be written.
    pub fn is_unlimited(&self) -> bool {
        *self == Self { requests: self.requests, ..Self::default() }
    }

    /// Requests of all sources of a namespace that may be in work at one time, on one replica; `None`: any number.
    pub fn requests(&self) -> Option<u64> {
        self.requests
    }

    /// What of it so much exceeds.
    pub fn exceeded_by(&self, weight: Weight) -> Option<Exceeded> {
        let parts: [(_, _, Part); 3] = [
            ("sources", self.sources, |weight| weight.sources),
            ("filters", self.filters, |weight| weight.filters),
            ("bytes", self.bytes, |weight| weight.bytes),
        ];
        parts.into_iter().find_map(|(name, limit, part)| {
            let limit = limit.filter(|limit| part(&weight) > *limit)?;
            Some(Exceeded { name, limit, part })
        })
    }
}

impl Exceeded {
    /// What is said to a source that weighs so much.
    pub fn problem(&self, namespace: &str, weight: Weight) -> Problem {
        let Self { name, limit, part } = *self;
        let message = format!(
            "namespace {namespace} may have {name}={limit} (--namespace-quota), and what came before this source leaves no room for its {}: \
             remove what is not needed, or ask the operator's owner for more",
            part(&weight)
        );
        Problem::new(Reason::QuotaExceeded, "", message)
    }
}

impl Weight {
    /// What a source weighs. Of one that cannot be read nothing but itself is known.
    pub fn of(source: Option<&WebhookSource>) -> Self {
        let Some(spec) = source.map(|source| &source.spec) else {
            return Self { sources: 1, filters: 0, bytes: SOURCE };
        };
        let rules = spec.routing.iter().flat_map(|routing| &routing.rules).filter(|rule| rule.filter.is_some()).count();
        let own = spec.events.as_ref().is_some_and(|events| events.filter.is_some());
        let filters = rules as u64 + u64::from(own);
        let mut length = Length(0);
        // Counting does not fail.
        let _ = serde_json::to_writer(&mut length, spec);
        Self { sources: 1, filters, bytes: SOURCE + SPEC * length.0 + FILTER * filters }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    /// This without a part of it.
    pub fn less(self, part: Self) -> Self {
        self.each(part, u64::saturating_sub)
    }

    /// The more of each.
    pub fn most(self, other: Self) -> Self {
        self.each(other, u64::max)
    }

    /// Whether nothing of it is more.
    pub fn is_within(self, other: Self) -> bool {
        self.most(other) == other
    }

    fn each(self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        Self {
            sources: of(self.sources, other.sources),
            filters: of(self.filters, other.filters),
            bytes: of(self.bytes, other.bytes),
        }
    }
}

struct Length(u64);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_read_and_what_is_none_says_what_to_write() {
        let quota: Quota = "sources=100, filters=200,bytes=16Mi,requests=9".parse().unwrap();
        assert_eq!(quota, Quota { sources: Some(100), filters: Some(200), bytes: Some(16 << 20), requests: Some(9) });
        let requests: Quota = "requests=9".parse().unwrap();
        assert!(requests.is_unlimited() && requests.requests() == Some(9) && Quota::default().requests().is_none());
        for wrong in
            ["", "sources", "sources=0", "sources=1,sources=2", "bytes=lots", "routes=1", "requests=0", "sources=1,"]
        {
            let said = wrong.parse::<Quota>().unwrap_err();
            assert!(said.contains("write such as sources=100"), "{wrong}: {said}");
        }
    }
}
