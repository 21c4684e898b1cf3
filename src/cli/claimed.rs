//! The data of an event that was too large for a message: read from where the event says that it lies.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use tokio::io::AsyncReadExt;

/// What a reference begins with.
const SCHEME: &str = "nats-object://";
/// How long an object may take.
const WAIT: Duration = Duration::from_secs(30);

/// Reads the object of a reference, whole and of its digest.
///
/// # Errors
/// Where it is not there, or this user may not read it.
pub(super) async fn fetch(context: &jetstream::Context, reference: &str) -> anyhow::Result<Vec<u8>> {
    let place = reference.strip_prefix(SCHEME).and_then(|place| place.split_once('/'));
    let (bucket, name) = place.with_context(|| format!("{reference:?} refers to no object of NATS"))?;
    let read = async {
        let store = context.get_object_store(bucket).await?;
        let mut object = store.get(name).await?;
        let mut bytes = Vec::new();
        object.read_to_end(&mut bytes).await?;
        anyhow::Ok(bytes)
    };
    let read = tokio::time::timeout(WAIT, read).await.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer")));
    read.with_context(|| format!("{reference} cannot be read"))
}
