//! A number of things that may be held at one time. Taken at once or not at all: nobody waits, nothing is locked.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much is held, and how much may be.
#[derive(Debug)]
pub struct Budget {
    held: AtomicU64,
    limit: u64,
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
pub struct Held<'a> {
    budget: &'a Budget,
    amount: u64,
}

impl Budget {
    /// A budget of which nothing is held.
    pub fn new(limit: u64) -> Self {
        Self { held: AtomicU64::new(0), limit }
    }

    /// How much may be held.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How much is held.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Takes an amount; `None` where that is more than is left.
    pub fn take(&self, amount: u64) -> Option<Held<'_>> {
        self.add(amount).then(|| Held { budget: self, amount })
    }

    fn add(&self, amount: u64) -> bool {
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(amount).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }
}

impl Held<'_> {
    /// Takes more, so that `amount` is held altogether. False, and nothing changed, where that is more than is left.
    pub fn grow(&mut self, amount: u64) -> bool {
        let more = amount.saturating_sub(self.amount);
        let grown = self.budget.add(more);
        if grown {
            self.amount += more;
        }
        grown
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beyond_the_limit_is_given_and_everything_comes_back() {
        let budget = Budget::new(10);
        let mut first = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        let second = budget.take(4).unwrap();
        assert!(!first.grow(7));
        drop(second);
        assert!(first.grow(10) && budget.held() == 10);
        assert!(budget.take(u64::MAX).is_none(), "no overflow");
        drop(first);
        assert_eq!(budget.held(), 0);
    }
}
