//! Hostile bytes for a moment: every reader of strangers' bytes, the same inputs at every run.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, Instant};

#[allow(dead_code)]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// How long each reader is tried.
const TIME: Duration = Duration::from_millis(800);
/// No input may hold a reader up, in a build without optimisation and beside other tests.
const HANG: Duration = Duration::from_secs(5);

/// A small generator (xorshift), so that a failure is found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("fits")
    }
}

/// Letters that parsers split at, and bytes that are no text.
const LETTERS: &[u8] = b"{}[]\",:=;.%&+-\\\r\n\t 0aZ\x00\x7f\xff\xc3\xa9";

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut input = targets::SEEDS[random.below(targets::SEEDS.len())].to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        match random.below(8) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => drop(input.remove(at)),
            2 => input.insert(at, LETTERS[random.below(LETTERS.len())]),
            3 => input.truncate(at),
            4 => {
                let end = at + random.below(input.len() - at + 1);
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            5 => {
                let other = targets::SEEDS[random.below(targets::SEEDS.len())];
                input.splice(at..at, other[..random.below(other.len() + 1)].iter().copied());
            }
            6 => {
                let letter = LETTERS[random.below(LETTERS.len())];
                input.splice(at..at, std::iter::repeat_n(letter, random.below(3000)));
            }
            _ if at < input.len() => input[at] = LETTERS[random.below(LETTERS.len())],
            _ => {}
        }
    }
    input
}

#[test]
fn no_reader_of_strangers_bytes_panics_or_hangs() {
    assert!(targets::TARGETS.len() >= 12);
    std::thread::scope(|scope| {
        for (name, target) in targets::TARGETS {
            scope.spawn(move || {
                let mut random = Random(0x9e37_79b9_7f4a_7c15);
                let mut slowest = Duration::ZERO;
                targets::SEEDS.iter().for_each(|seed| target(seed));
                let begun = Instant::now();
                while begun.elapsed() < TIME {
                    let input = mutated(&mut random);
                    let one = Instant::now();
                    let outcome = std::panic::catch_unwind(|| target(&input));
                    assert!(outcome.is_ok(), "{name} panics at {:?}", input.escape_ascii().to_string());
                    slowest = slowest.max(one.elapsed());
                }
                assert!(slowest < HANG, "{name} took {slowest:?} for one input");
            });
        }
    });
}

#[test]
fn what_is_nested_deeply_is_refused_and_not_recursed_into() {
    for open in ["[", "{\"a\":", "[{\"list\":", "{\"data\":{\"object\":"] {
        let deep = open.repeat(3_000).into_bytes();
        targets::TARGETS.iter().filter(|(name, _)| *name != "manifests").for_each(|(_, target)| target(&deep));
    }
}
