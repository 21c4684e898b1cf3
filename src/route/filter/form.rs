//! Amounts that depend on what an event holds: so much for each byte and each value of a place, and so much in any case.
//!
//! Sums and multiples of such amounts are exact; the greatest of two is taken part by part, never too low. Amounts too
//! large to count stay at the largest number.

/// What an amount grows with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A place of `data` that the filter reads.
    Place(usize),
    /// The element at which a macro stands, by its variable.
    Element(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    Bytes,
    Values,
}

/// The largest that the places of one filter are together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: u64,
    pub(super) values: u64,
    /// Elements that a macro walks.
    pub(super) list: u64,
}

/// An amount.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    pub(super) fixed: u64,
    parts: Vec<(Source, Measure, u64)>,
}

impl Form {
    pub(super) fn fixed(fixed: u64) -> Self {
        Self { fixed, parts: Vec::new() }
    }

    pub(super) fn one(source: Source, measure: Measure) -> Self {
        Self { fixed: 0, parts: vec![(source, measure, 1)] }
    }

    fn merge(&self, other: &Self, join: fn(u64, u64) -> u64) -> Self {
        let mut parts = self.parts.clone();
        for (source, measure, factor) in &other.parts {
            match parts.iter_mut().find(|(s, m, _)| s == source && m == measure) {
                Some((_, _, known)) => *known = join(*known, *factor),
                None => parts.push((*source, *measure, *factor)),
            }
        }
        Self { fixed: join(self.fixed, other.fixed), parts }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        self.merge(other, u64::saturating_add)
    }

    pub(super) fn max(&self, other: &Self) -> Self {
        self.merge(other, u64::max)
    }

    pub(super) fn times(&self, factor: u64) -> Self {
        let parts = self.parts.iter().map(|(s, m, known)| (*s, *m, known.saturating_mul(factor))).collect();
        Self { fixed: self.fixed.saturating_mul(factor), parts }
    }

    /// Whether it grows with nothing.
    pub(super) fn is_fixed(&self) -> bool {
        self.parts.is_empty()
    }

    /// The innermost element that it grows with.
    pub(super) fn innermost(&self) -> Option<usize> {
        let elements = self.parts.iter().filter_map(|(source, _, _)| match source {
            Source::Element(at) => Some(*at),
            Source::Place(_) => None,
        });
        elements.max()
    }

    /// The sum over all elements that a macro walks: `count` of them, together of the given size.
    pub(super) fn over(&self, element: usize, count: &Form, most: u64, bytes: &Form, values: &Form) -> Self {
        let mut sum = count.times(self.fixed);
        for (source, measure, factor) in &self.parts {
            let part = match (source, measure) {
                (Source::Element(at), Measure::Bytes) if *at == element => bytes.times(*factor),
                (Source::Element(at), Measure::Values) if *at == element => values.times(*factor),
                _ => Self { fixed: 0, parts: vec![(*source, *measure, factor.saturating_mul(most))] },
            };
            sum = sum.plus(&part);
        }
        sum
    }

    /// The most that it can grow with each byte and each value, wherever they are.
    pub(super) fn rates(&self) -> [u64; 2] {
        let most = |wanted: Measure| {
            let factors = self.parts.iter().filter(|(_, measure, _)| *measure == wanted).map(|(_, _, factor)| *factor);
            factors.max().unwrap_or(0)
        };
        [most(Measure::Bytes), most(Measure::Values)]
    }

    /// The largest that it can be: all bytes and all values where they cost most.
    pub(super) fn worst(&self, limits: &Limits) -> u64 {
        let [bytes, values] = self.rates();
        self.fixed
            .saturating_add(bytes.saturating_mul(limits.bytes))
            .saturating_add(values.saturating_mul(limits.values))
    }
}
