//! Room for what becomes of a large body: its events, their headers and what is on its way to NATS take a few times its size. Who finds none
//! waits for it within the delivery's deadline; one namespace has half of it at most.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::reject::Reject;
use crate::deadline::Deadline;
use crate::route::bounds::{LARGE, ROOM, ROOM_OF_TENANT, SWELL};
use crate::route::tenant::Tenant;

/// What the process has.
#[derive(Debug)]
pub(super) struct Large {
    room: Semaphore,
}

/// Held until the delivery is answered.
#[derive(Debug)]
pub(super) struct Room<'a> {
    _of_tenant: SemaphorePermit<'a>,
    _of_all: SemaphorePermit<'a>,
}

impl Default for Large {
    fn default() -> Self {
        Self { room: Semaphore::new(ROOM as usize) }
    }
}

impl Large {
    /// Room for a body of so many bytes; small ones need none.
    ///
    /// # Errors
    /// `TooLate` where the deadline comes first.
    pub(super) async fn enter<'a>(
        &'a self,
        tenant: &'a Tenant,
        bytes: usize,
        deadline: Deadline,
    ) -> Result<Option<Room<'a>>, Reject> {
        if bytes < LARGE {
            return Ok(None);
        }
        let wanted = u32::try_from((bytes >> 10).saturating_mul(SWELL)).unwrap_or(u32::MAX).min(ROOM_OF_TENANT);
        let both = async {
            // The own namespace first: who waits for that keeps nothing from others.
            let of_tenant = tenant.room.acquire_many(wanted).await.ok()?;
            let of_all = self.room.acquire_many(wanted).await.ok()?;
            Some(Room { _of_tenant: of_tenant, _of_all: of_all })
        };
        deadline.bound(both).await.map_err(|_| Reject::TooLate)?.ok_or(Reject::Overloaded).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Metrics;
    use crate::route::Sources;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_millis(20))
    }

    #[tokio::test]
    async fn one_namespace_leaves_room_to_another_and_small_bodies_need_none() {
        let (large, sources) = (Large::default(), Sources::new(Metrics::new()));
        let state = |uid: &str, namespace: &str| sources.state(uid, namespace, "calls", "xosum");
        let (loud, also, quiet) = (state("1", "loud"), state("2", "loud"), state("3", "quiet"));
        let first = large.enter(&loud.tenant, 100 << 20, soon()).await.unwrap();
        assert!(first.is_some());
        assert!(matches!(large.enter(&also.tenant, LARGE, soon()).await, Err(Reject::TooLate)), "another source of it");
        assert!(large.enter(&also.tenant, LARGE - 1, soon()).await.unwrap().is_none());
        assert!(large.enter(&quiet.tenant, 100 << 20, soon()).await.unwrap().is_some());
        drop(first);
        assert!(large.enter(&also.tenant, LARGE, soon()).await.unwrap().is_some());
    }
}
