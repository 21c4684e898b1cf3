//! Every bound on what strangers may take of one replica. A stranger is whoever has proven nothing yet.
//!
//! What each is for and how it is raised says docs/security.md, "Strangers": a change here changes that table.

use std::time::Duration;

/// Requests without proof of strangers: a quarter of `maxInFlight`.
pub(crate) const STRANGERS: u64 = 4;
/// Requests without proof of addresses that proved something lately: half of `maxInFlight`, strangers' places apart.
pub(crate) const KNOWN: u64 = 2;
/// One address has an eighth of either, once more than half of them are taken.
pub(crate) const PLACES_OF_ADDRESS: u64 = 8;
/// How long a request waits for such a place: heads and bodies of a burst often come in packets of their own.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// The most requests that wait so at one source.
pub(crate) const WAITING: u64 = 256;

/// Bytes of bodies without proof: half of what the process has for bodies are strangers', as many those of addresses that
/// proved something lately. One address has half of either.
pub(crate) const UNPROVEN_BYTES: u64 = 2;
/// Bytes of bodies without proof of one source and either kind, or one body where that is larger.
pub(crate) const SOURCE_BYTES: u64 = 8 << 20;
/// Bytes of bodies of one namespace, with and without proof: so many quarters of what the process has.
pub(crate) const TENANT_QUARTERS: u64 = 3;
/// A proven body of this size needs room for what becomes of it,
pub(crate) const LARGE: usize = 64 << 10;
/// so many times its size,
pub(crate) const SWELL: usize = 4;
/// of this in all, in KiB,
pub(crate) const ROOM: u32 = 64 << 10;
/// and of this in one namespace.
pub(crate) const ROOM_OF_TENANT: u32 = ROOM / 2;
/// Events that wait for their acknowledgement at one time; those of one namespace are half of them at most.
pub(crate) const PUBLISHES: usize = 12_000;
/// Steps of filters that are done in one turn beside the workers: some 10 ms.
pub(crate) const SLICE: u64 = 1_000_000;
/// A body that is not here at once brings so much a second,
pub(crate) const BODY_RATE: u64 = 1 << 10;
/// looked at so often.
pub(crate) const BODY_LOOK: Duration = Duration::from_secs(5);

/// A failed proof is forgiven after this time: 20 a second.
pub(crate) const FAILURE: Duration = Duration::from_millis(50);
/// The failed proofs of one address and source that are forgiven at once.
pub(crate) const FAILURES: u32 = 100;
/// Above that so many proofs of one address and source are judged at one time,
pub(crate) const TRIALS: usize = 2;
/// so many wait for it,
pub(crate) const TRIALS_WAITING: usize = 64;
/// and no longer than this.
pub(crate) const TRIAL_PATIENCE: Duration = Duration::from_secs(1);
/// What a request to a key server costs an address that proved nothing, in failed proofs.
pub(crate) const FETCH: u32 = 10;

/// How long an address counts as known after a proof that held.
pub(crate) const KNOWN_FOR: Duration = Duration::from_secs(15 * 60);

/// Lines about requests without proof: so many a second and at once, of all sources together,
pub(crate) const LINES: (u32, u32) = (10, 200);
/// and of one address.
pub(crate) const LINES_OF_ADDRESS: (u32, u32) = (1, 20);
