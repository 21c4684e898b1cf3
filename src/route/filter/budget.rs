//! What judging one event may cost: units of work, bytes built, and the instant at which the request's time ends.
//!
//! Charged before the work is done. A spent budget is no error that `||`, `&&`, `all` or `exists` may absorb.

use std::time::Instant;

use super::functions::Function;

/// Units of one step: a node of the expression, an element, a comparison. 64 units take at most some 10 ns.
pub(super) const STEP: u64 = 64;
/// Units of a byte that is compared.
pub(super) const SCAN: u64 = 1;
/// Units of a byte that is searched for a text: what the most hostile text costs, most cost a tenth.
pub(super) const SEARCH: u64 = 9;
/// Units of a byte that is built.
pub(super) const BUILD: u64 = 4;
/// Units of a byte that a regex in a table passes.
pub(super) const MATCH: u64 = 8;

/// Units of one comparison while members are sorted.
pub(super) const SORT: u64 = 64;

/// Units of a function beside those for the bytes it reads.
pub(super) fn weight(function: Function) -> u64 {
    match function {
        Function::Text => 64 * STEP,
        Function::Timestamp | Function::Duration | Function::Double => 32 * STEP,
        Function::Int | Function::UInt | Function::Bool => 8 * STEP,
        function if function.is_part_of_time() => 16 * STEP,
        _ => STEP,
    }
}

/// The most steps of one filter for one event; they take at most 10 ms.
pub(super) const MAX_STEPS: u64 = 1_000_000;
/// The most bytes that one filter builds for one event.
pub(super) const MAX_BYTES: u64 = 16 << 20;
/// The most bytes of `data` that one filter names.
pub(super) const MAX_NAMED_BYTES: usize = 1 << 20;
/// The most values of `data` that one filter names, those within lists and objects included.
pub(super) const MAX_NAMED_VALUES: usize = 10_000;
/// The most elements of a list that a macro walks.
pub(super) const MAX_LIST: usize = 1000;
/// Units between two looks at the clock.
const CLOCK: u64 = STEP << 12;

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// CEL's own: no such key, other types, division by zero.
    Error,
    /// The event is larger than filters may read: what is named, a list, depth.
    TooLarge,
    /// The budget is spent.
    Exhausted,
    /// The request's time is over.
    Late,
}

pub(super) type Judged<T> = Result<T, Failure>;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    units: u64,
    bytes: u64,
    deadline: Option<Instant>,
    /// The clock is looked at when so many units are left.
    look: u64,
}

impl Budget {
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        let units = MAX_STEPS * STEP;
        Self { units, bytes: MAX_BYTES, deadline, look: units }
    }

    /// Steps and bytes that were spent.
    #[cfg(test)]
    pub(super) fn spent(&self) -> (u64, u64) {
        ((MAX_STEPS * STEP - self.units) / STEP, MAX_BYTES - self.bytes)
    }

    /// Charges one step.
    pub(super) fn step(&mut self) -> Judged<()> {
        self.charge(STEP)
    }

    /// Charges a function.
    pub(super) fn call(&mut self, function: Function) -> Judged<()> {
        self.charge(weight(function))
    }

    /// Charges work over a text.
    pub(super) fn text(&mut self, bytes: usize, units: u64) -> Judged<()> {
        self.charge(u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(units))
    }

    fn charge(&mut self, units: u64) -> Judged<()> {
        let Some(left) = self.units.checked_sub(units) else {
            // Nothing is left for what comes after, either.
            self.units = 0;
            return Err(Failure::Exhausted);
        };
        self.units = left;
        if left <= self.look {
            self.look = left.saturating_sub(CLOCK);
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Failure::Late);
            }
        }
        Ok(())
    }

    /// Charges what is built, and the work of filling it.
    pub(super) fn build(&mut self, bytes: usize) -> Judged<()> {
        self.text(bytes, BUILD)?;
        let Some(left) = self.bytes.checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX)) else {
            self.bytes = 0;
            return Err(Failure::Exhausted);
        };
        self.bytes = left;
        Ok(())
    }
}
