//! Tasks that end with the process, wherever they are.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Spawns a task that may end anywhere.
pub(super) fn until(
    stop: &CancellationToken,
    task: impl Future<Output = ()> + Send + 'static,
    tasks: &mut JoinSet<()>,
) {
    let stop = stop.clone();
    tasks.spawn(async move {
        let _ = stop.run_until_cancelled(task).await;
    });
}
