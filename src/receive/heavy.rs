//! Work that takes longer than a request may hold its worker: done beside the workers, few at a time.
//!
//! Who waits for a turn waits no longer than its deadline; the work itself looks at the clock. One namespace has half of the turns at most,
//! and waits for its own before it waits for one of all.

use std::sync::LazyLock;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

use crate::deadline::Deadline;
use crate::route::tenant::Tenant;

/// As many as there are cores, so that what waits is not slowed by what works.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// A body of this size is read by those who read requests: some 50 microseconds.
const LIGHT: usize = 64 << 10;

/// Works on a body: at once, where it is small, else beside the workers. `None` where the deadline comes first.
pub(super) async fn on_body<T>(
    tenant: &Tenant,
    bytes: usize,
    deadline: Deadline,
    work: impl FnOnce() -> T,
) -> Option<T> {
    if bytes < LIGHT {
        return Some(work());
    }
    beside_workers(tenant, deadline, work).await
}

/// Does the work when its turn comes; `None` where the deadline comes first.
pub(super) async fn beside_workers<T>(tenant: &Tenant, deadline: Deadline, work: impl FnOnce() -> T) -> Option<T> {
    let turns = async { (tenant.turns.acquire().await.ok(), TURNS.acquire().await.ok()) };
    let turns = deadline.bound(turns).await.ok()?;
    // A runtime of one thread has no other worker to hand its tasks to.
    let done = match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    };
    drop(turns);
    Some(done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_namespace_leaves_turns_to_another() {
        let (loud, quiet) = (Tenant::default(), Tenant::default());
        let soon = || Deadline::after(Duration::from_millis(50));
        let all = u32::try_from(loud.turns.available_permits()).unwrap();
        let held = loud.turns.acquire_many(all).await.unwrap();
        assert_eq!(beside_workers(&loud, soon(), || 1).await, None, "it has all its turns");
        assert_eq!(beside_workers(&quiet, soon(), || 1).await, Some(1));
        assert_eq!(on_body(&loud, LIGHT - 1, soon(), || 1).await, Some(1), "what is light needs none");
        drop(held);
        assert_eq!(beside_workers(&loud, soon(), || 1).await, Some(1));
    }
}
