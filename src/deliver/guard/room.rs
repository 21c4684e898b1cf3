//! How many bytes the guard may hold beside a spool: it gives way before the spool needs what it holds.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::spool::Spool;
use super::clerk::Room;

/// What stays free for the spool beyond what it holds, in bytes, where it may grow by so many: more than it writes before the
/// guard looks again.
const RESERVE: u64 = 256 << 20;

/// The room in this folder beside a spool that may grow to `spool_bytes`.
pub(crate) fn beside_spool(folder: PathBuf, spool: Arc<Spool>, spool_bytes: u64, max_bytes: u64) -> Room {
    Box::new(move |held| {
        // Where that is not known, nobody knows what the spool needs either.
        let Ok(disk) = rustix::fs::statvfs(&folder) else { return 0 };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        room(held, free, spool_bytes.saturating_sub(spool.stock().bytes), max_bytes)
    })
}

fn room(held: u64, free: u64, wanted: u64, max_bytes: u64) -> u64 {
    max_bytes.min(held.saturating_add(free).saturating_sub(wanted.min(RESERVE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_gives_way_before_the_spool_needs_its_space() {
        let mib = |count: u64| count << 20;
        assert_eq!(room(0, mib(10_000), mib(1024), mib(256)), mib(256), "a large disk");
        assert_eq!(room(mib(200), mib(300), mib(1024), mib(1000)), mib(244), "what it holds counts as free");
        assert_eq!(room(mib(200), mib(100), mib(1024), mib(1000)), mib(44), "it must let go");
        assert_eq!(room(mib(10), mib(100), mib(1024), mib(1000)), 0);
        assert_eq!(room(mib(10), mib(100), mib(5), mib(1000)), mib(105), "a spool that is nearly full wants little");
    }
}
