//! Whoever withholds bytes pays for it, and everything is given back.

use proptest::prelude::*;

use super::*;
use crate::metrics::Metrics;
use crate::route::Sources;
use crate::route::share::Standing;

const MIB: u64 = 1 << 20;

fn limits() -> Limits {
    Limits { max_body: 8 * MIB, allowed: Vec::new(), in_flight: 256, in_flight_of_tenant: None, rate: None }
}

fn one(address: u64) -> Holder {
    Holder { key: (address + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), standing: Standing::One }
}

fn sources(count: usize) -> Vec<Arc<SourceState>> {
    let sources = Sources::new(Metrics::new());
    (0..count).map(|n| sources.state(&format!("uid-{n}"), "sales", &format!("calls-{n}"), "xosum")).collect()
}

#[test]
fn bodies_that_are_withheld_give_way_to_one_that_comes() {
    let (bodies, states, limits) = (Bodies::new(64 * MIB), sources(9), limits());
    let hold = |source: usize, address| bodies.hold((&states[source], &limits), Class::Stranger, one(address));
    // One address fills what it may, another one the rest.
    let mut withheld = Vec::new();
    for n in 0..64 {
        let mut body = hold(n % 8, u64::from(n >= 16));
        if body.grow(MIB).is_ok() {
            withheld.push(body);
        }
    }
    assert!(bodies.unproven(Class::Stranger) <= 32 * MIB);
    for source in 0..9 {
        for size in [1, 100_000, 4 * MIB] {
            let mut honest = hold(source, 7);
            assert!(honest.grow(size).is_ok() && honest.whole().is_ok(), "{source} {size}");
        }
    }
    drop(withheld);
    assert_eq!(bodies.unproven(Class::Stranger), 0);
    assert!(states.iter().all(|state| state.unproven(Class::Stranger).bytes.held() == 0));
    assert_eq!(bodies.all.held(), 0);
}

#[test]
fn the_largest_body_that_a_source_takes_fits_whoever_sends_it() {
    let (bodies, states) = (Bodies::new(64 * MIB), sources(1));
    let limits = Limits { max_body: 31 * MIB, ..limits() };
    for class in [Class::Stranger, Class::Known] {
        let hold = |address| bodies.hold((&states[0], &limits), class, one(address));
        let mut whole = hold(1);
        for part in 1..=31 {
            assert!(whole.grow(part * MIB).is_ok(), "{class:?}: {part} MiB");
        }
        assert!(whole.whole().is_ok());
        drop(whole);
        let mut withheld = hold(1);
        assert!(withheld.grow(31 * MIB).is_ok());
        withheld.enter();
        let mut other = hold(2);
        assert!(other.grow(4 * MIB).is_ok(), "and gives way to others while it does not come");
    }
}

#[test]
fn strangers_leave_half_of_the_bytes_to_whoever_has_proven_itself() {
    let (bodies, states, limits) = (Bodies::new(64 * MIB), sources(16), limits());
    let mut withheld = Vec::new();
    for n in 0..160 {
        let state = &states[usize::try_from(n % 16).unwrap_or(0)];
        let mut body = bodies.hold((state, &limits), Class::Stranger, one(n));
        body.grow(MIB).unwrap();
        withheld.push(body);
    }
    let mut known = bodies.hold((&states[0], &limits), Class::Known, one(1));
    assert!(known.grow(8 * MIB).is_ok() && known.whole().is_ok());
    known.proven();
    assert_eq!(bodies.unproven(Class::Known), 0);
    assert_eq!(states[0].unproven(Class::Known).bytes.held(), 0);
    assert!(states[0].bytes.held() >= 8 * MIB, "held until the answer");
}

#[tokio::test]
async fn who_gave_way_hears_of_it() {
    let (bodies, states, limits) = (Bodies::new(4 * MIB), sources(1), limits());
    let mut slow = bodies.hold((&states[0], &limits), Class::Stranger, one(1));
    slow.grow(MIB - 1).unwrap();
    slow.enter();
    let mut more = bodies.hold((&states[0], &limits), Class::Stranger, one(2));
    more.grow(MIB / 2).unwrap();
    let mut last = bodies.hold((&states[0], &limits), Class::Stranger, one(3));
    last.grow(MIB).unwrap();
    slow.gave_way().await;
    assert!(matches!(slow.grow(MIB), Err(Reject::GaveWay)));
    assert!(matches!(slow.whole(), Err(Reject::GaveWay)));
    assert!(more.whole().is_ok() && last.whole().is_ok());
}

proptest! {
    #[test]
    fn everything_is_given_back_whatever_gives_way(
        steps in proptest::collection::vec((0_u64..4, 0_usize..3, 1_u64..3_000_000, 0_u8..4), 1..120)
    ) {
        let (bodies, states, limits) = (Bodies::new(16 * MIB), sources(3), limits());
        let (mut held, mut proven): (Vec<(Hold<'_>, u64)>, Vec<Hold<'_>>) = Default::default();
        for (address, source, bytes, what) in steps {
            match what {
                0 if !held.is_empty() => drop(held.swap_remove(source % held.len())),
                1 if !held.is_empty() => {
                    let at = source % held.len();
                    let (hold, size) = &mut held[at];
                    if hold.grow(*size + bytes).is_ok() {
                        *size += bytes;
                    } else {
                        held.swap_remove(at);
                    }
                }
                2 if !held.is_empty() => {
                    let at = source % held.len();
                    let (mut hold, _) = held.swap_remove(at);
                    if hold.whole().is_ok() {
                        hold.proven();
                        proven.push(hold);
                    }
                }
                _ => {
                    let mut hold = bodies.hold((&states[source], &limits), Class::Stranger, one(address));
                    if hold.grow(bytes).is_ok() {
                        held.push((hold, bytes));
                    }
                }
            }
            prop_assert!(bodies.unproven(Class::Stranger) <= 8 * MIB);
        }
        held.clear();
        prop_assert_eq!(bodies.unproven(Class::Stranger), 0);
        proven.clear();
        prop_assert_eq!(bodies.unproven(Class::Stranger), 0);
        prop_assert_eq!(bodies.all.held(), 0);
        prop_assert!(bodies.pool(Class::Stranger).is_empty());
        for state in &states {
            prop_assert_eq!(state.unproven(Class::Stranger).bytes.held() + state.bytes.held(), 0);
        }
    }
}
