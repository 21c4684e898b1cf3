//! A number of things that many addresses hold: bounded in sum, and for each address once half of the sum is taken.
//!
//! Nothing is locked, and nothing grows: what an address holds is counted in a few rows of counters, each at another place
//! of its key. An address is never counted for less than it holds, and hardly ever for more.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// An address as sources count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// A keyed hash of it, so that nobody chooses with whom to share a counter.
    pub key: u64,
    /// How it is bound.
    pub standing: Standing,
}

/// How an address is bound to its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A trusted proxy: it stands for many, and no share of one binds it.
    Many,
    /// Once half of the sum is taken.
    One,
    /// Its proofs fail: always.
    Failing,
}

/// How much may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// By all.
    pub sum: u64,
    /// By one address.
    pub share: u64,
}

/// Why nothing is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All of it is held.
    Sum,
    /// The address holds its share.
    Share,
}

const ROWS: usize = 3;
const SLOTS: usize = 64;

type Rows = [[AtomicU64; SLOTS]; ROWS];

/// What is held.
#[derive(Debug, Default)]
pub struct Shares {
    sum: AtomicU64,
    rows: OnceLock<Box<Rows>>,
    waiting: AtomicU64,
    freed: Notify,
}

/// A part, given back when it is dropped.
#[derive(Debug)]
pub struct Share<'a> {
    shares: &'a Shares,
    holder: Holder,
    amount: u64,
}

impl Shares {
    /// How much is held.
    pub fn held(&self) -> u64 {
        self.sum.load(Ordering::SeqCst)
    }

    /// Takes an amount.
    ///
    /// # Errors
    /// Which bound is reached.
    pub fn take(&self, holder: Holder, amount: u64, bound: Bound) -> Result<Share<'_>, Full> {
        self.add(holder, amount, bound)?;
        Ok(Share { shares: self, holder, amount })
    }

    /// Takes an amount as soon as the bounds leave it, and waits for that no longer than `patience`, nor in a longer line
    /// than `line`.
    ///
    /// # Errors
    /// Which bound was reached last.
    pub async fn wait(
        &self,
        holder: Holder,
        amount: u64,
        bound: Bound,
        patience: Duration,
        line: u64,
    ) -> Result<Share<'_>, Full> {
        let mut full = match self.take(holder, amount, bound) {
            Ok(share) => return Ok(share),
            Err(full) => full,
        };
        let waits = Waits(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= line {
            return Err(full);
        }
        let until = Instant::now() + patience;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // Whatever comes back from here on is heard of.
            freed.as_mut().enable();
            match self.take(holder, amount, bound) {
                Ok(share) => {
                    drop(waits);
                    return Ok(share);
                }
                Err(now) => full = now,
            }
            // Also where it is told again and again.
            if timeout_at(until, freed).await.is_err() || Instant::now() >= until {
                return Err(full);
            }
        }
    }

    /// Counts an amount that whoever calls gives back.
    ///
    /// # Errors
    /// Which bound is reached; nothing is counted.
    pub fn add(&self, holder: Holder, amount: u64, bound: Bound) -> Result<(), Full> {
        let binds = |before: u64| match holder.standing {
            Standing::Many => false,
            Standing::One => before + amount > bound.sum / 2,
            Standing::Failing => true,
        };
        // Looked at first, so that who only asks is in nobody's way.
        let own = self.counters(holder).map(|counter| counter.load(Ordering::Relaxed)).min().unwrap_or(0);
        if own + amount > bound.share && binds(self.held()) {
            return Err(if self.held() + amount > bound.sum { Full::Sum } else { Full::Share });
        }
        let more = |held: u64| held.checked_add(amount).filter(|sum| *sum <= bound.sum);
        let Ok(before) = self.sum.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more) else {
            return Err(Full::Sum);
        };
        // Counted first and judged after, so that two who come at once are never both the last.
        let own = self.counters(holder).map(|counter| counter.fetch_add(amount, Ordering::Relaxed) + amount).min();
        if binds(before) && own.is_some_and(|own| own > bound.share) {
            self.subtract(holder, amount);
            return Err(Full::Share);
        }
        Ok(())
    }

    /// Gives back what was counted.
    pub fn give_back(&self, holder: Holder, amount: u64) {
        self.subtract(holder, amount);
        // Telling locks: only where somebody listens.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }

    fn subtract(&self, holder: Holder, amount: u64) {
        for counter in self.counters(holder) {
            counter.fetch_sub(amount, Ordering::Relaxed);
        }
        self.sum.fetch_sub(amount, Ordering::SeqCst);
    }

    fn counters(&self, holder: Holder) -> impl Iterator<Item = &AtomicU64> {
        let rows = self.rows.get_or_init(|| Box::new([const { [const { AtomicU64::new(0) }; SLOTS] }; ROWS]));
        rows.iter().enumerate().map(move |(row, slots)| {
            let place = usize::try_from(holder.key >> (16 * row) & 0xffff).unwrap_or(0);
            &slots[place % SLOTS]
        })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.shares.give_back(self.holder, self.amount);
    }
}

struct Waits<'a>(&'a AtomicU64);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUND: Bound = Bound { sum: 64, share: 8 };

    fn one(address: u64) -> Holder {
        // Spread as a hash spreads.
        Holder { key: address.wrapping_mul(0x9e37_79b9_7f4a_7c15), standing: Standing::One }
    }

    #[test]
    fn one_address_takes_half_and_leaves_the_other_half_to_the_others() {
        let shares = Shares::default();
        let mut held: Vec<_> = std::iter::from_fn(|| shares.take(one(1), 1, BOUND).ok()).take(100).collect();
        assert_eq!(held.len(), 32);
        assert_eq!(shares.take(one(1), 1, BOUND).unwrap_err(), Full::Share);
        for address in 2..6 {
            held.extend(std::iter::from_fn(|| shares.take(one(address), 1, BOUND).ok()).take(100));
        }
        assert_eq!(held.len(), 64, "each of the others has its share");
        assert_eq!(shares.take(one(9), 1, BOUND).unwrap_err(), Full::Sum);
        drop(held);
        assert_eq!(shares.held(), 0);
    }

    #[test]
    fn a_proxy_stands_for_many_and_an_address_that_fails_has_its_share_from_the_start() {
        let shares = Shares::default();
        let failing = Holder { standing: Standing::Failing, ..one(1) };
        let held: Vec<_> = std::iter::from_fn(|| shares.take(failing, 1, BOUND).ok()).take(100).collect();
        assert_eq!(held.len(), 8);
        let proxy = Holder { standing: Standing::Many, ..one(2) };
        let rest: Vec<_> = std::iter::from_fn(|| shares.take(proxy, 1, BOUND).ok()).take(100).collect();
        assert_eq!(rest.len(), 56);
    }

    #[test]
    fn the_smallest_bound_lets_one_in() {
        let (shares, bound) = (Shares::default(), Bound { sum: 1, share: 1 });
        let held = shares.take(one(1), 1, bound).unwrap();
        assert_eq!(shares.take(one(2), 1, bound).unwrap_err(), Full::Sum);
        drop(held);
        assert!(shares.take(one(2), 1, bound).is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_gets_what_comes_back_though_others_before_it_may_not() {
        let shares = std::sync::Arc::new(Shares::default());
        let bound = Bound { sum: 4, share: 1 };
        let held: Vec<_> = (0..2).map(|_| shares.take(one(1), 1, bound).unwrap()).collect();
        let others = (shares.take(one(2), 1, bound).unwrap(), shares.take(one(3), 1, bound).unwrap());
        let wait = |address, patience| {
            let shares = shares.clone();
            tokio::spawn(async move { shares.wait(one(address), 1, bound, patience, 2).await.map(|_| ()) })
        };
        let bound_by_its_share = wait(1, Duration::from_secs(60));
        while shares.waiting.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        let soon = wait(4, Duration::from_secs(60));
        while shares.waiting.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(wait(5, Duration::from_secs(60)).await.unwrap(), Err(Full::Sum), "the line is full");
        drop(others.0);
        assert_eq!(soon.await.unwrap(), Ok(()));
        assert_eq!(shares.waiting.load(Ordering::SeqCst), 1, "it still waits");
        drop((held, others.1));
        assert_eq!(bound_by_its_share.await.unwrap(), Ok(()));
        let held = shares.take(one(1), 4, Bound { sum: 4, share: 4 }).unwrap();
        assert_eq!(wait(2, Duration::from_millis(5)).await.unwrap(), Err(Full::Sum), "in vain");
        drop(held);
        assert_eq!((shares.held(), shares.waiting.load(Ordering::SeqCst)), (0, 0));
    }

    proptest! {
        #[test]
        fn nothing_is_negative_and_no_address_keeps_another_from_its_share(
            steps in proptest::collection::vec((0_u64..6, 1_u64..5, any::<bool>()), 1..300)
        ) {
            let shares = Shares::default();
            let mut held: Vec<(u64, Share<'_>)> = Vec::new();
            for (address, amount, takes) in steps {
                if takes {
                    let own: u64 = held.iter().filter(|(of, _)| *of == address).map(|(_, share)| share.amount).sum();
                    let sum: u64 = held.iter().map(|(_, share)| share.amount).sum();
                    match shares.take(one(address), amount, BOUND) {
                        Ok(share) => {
                            prop_assert!(sum + amount <= BOUND.sum);
                            prop_assert!(sum + amount <= BOUND.sum / 2 || own + amount <= BOUND.share);
                            held.push((address, share));
                        }
                        Err(Full::Sum) => prop_assert!(sum + amount > BOUND.sum),
                        Err(Full::Share) => prop_assert!(sum + amount > BOUND.sum / 2),
                    }
                } else if !held.is_empty() {
                    let at = usize::try_from(address).unwrap_or(0) % held.len();
                    held.swap_remove(at);
                }
                prop_assert_eq!(shares.held(), held.iter().map(|(_, share)| share.amount).sum::<u64>());
            }
            held.clear();
            prop_assert_eq!(shares.held(), 0);
            for address in 0..6 {
                prop_assert!(shares.counters(one(address)).all(|counter| counter.load(Ordering::Relaxed) == 0));
            }
        }
    }
}
