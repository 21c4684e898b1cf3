//! A number of things that are held at one time. Taken at once or not at all; nothing is locked.
//!
//! The limit is the caller's, so that what is held outlives a change of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much is held.
#[derive(Debug, Default)]
pub struct Budget {
    held: AtomicU64,
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
pub struct Held<'a> {
    budget: &'a Budget,
    amount: u64,
    limit: u64,
}

impl Budget {
    /// How much is held.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Takes an amount; `None` where that is more than `limit` leaves.
    pub fn take(&self, amount: u64, limit: u64) -> Option<Held<'_>> {
        self.add(amount, limit).then(|| Held { budget: self, amount, limit })
    }

    /// Counts an amount that whoever calls gives back. False, and nothing counted, where that is more than `limit` leaves.
    pub fn add(&self, amount: u64, limit: u64) -> bool {
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(amount).filter(|sum| *sum <= limit)
            })
            .is_ok()
    }

    /// Gives back what was counted.
    pub fn give_back(&self, amount: u64) {
        self.held.fetch_sub(amount, Ordering::Relaxed);
    }
}

impl Held<'_> {
    /// Takes more, so that `amount` is held altogether. False, and nothing changed, where that is more than is left.
    pub fn grow(&mut self, amount: u64) -> bool {
        let more = amount.saturating_sub(self.amount);
        let grown = self.budget.add(more, self.limit);
        if grown {
            self.amount += more;
        }
        grown
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beyond_the_limit_is_given_and_everything_comes_back() {
        let budget = Budget::default();
        let mut first = budget.take(6, 10).unwrap();
        assert!(budget.take(5, 10).is_none());
        let second = budget.take(4, 10).unwrap();
        assert!(!first.grow(7));
        drop(second);
        assert!(first.grow(10) && budget.held() == 10);
        assert!(budget.take(u64::MAX, u64::MAX).is_none(), "no overflow");
        drop(first);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_smaller_limit_counts_what_is_held_under_the_larger_one() {
        let budget = Budget::default();
        let held: Vec<_> = (0..4).map(|_| budget.take(1, 4).unwrap()).collect();
        assert!(budget.take(1, 2).is_none());
        drop(held);
        assert!(budget.take(1, 2).is_some());
    }
}
