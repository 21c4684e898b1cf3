//! A server that forgets what it acknowledged is given it again, once; what was purged, consumed or aged out stays away.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use async_nats::jetstream::{self, consumer};
use futures::StreamExt;
use futures::future::join_all;
use hookgate::deliver::{Delivery, GuardOptions};

use crate::deliver_parts::{late, message, options, start, without_stream};
use crate::support::nats::Nats;
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait::eventually;

/// What the issue promises.
const SOON: Duration = Duration::from_secs(30);
const PAYLOAD: usize = 600;

fn guard(delivery: &Delivery) {
    let options = GuardOptions { window: Duration::from_secs(180), max_bytes: 64 << 20 };
    delivery.use_guard(options, None, Box::new(move |_| options.max_bytes));
}

async fn guarded(url: String) -> Delivery {
    let delivery = start(&options(url)).await;
    guard(&delivery);
    delivery
}

/// Publishes so many messages and returns their ids.
async fn publish(delivery: &Delivery, name: &str, count: usize) -> Vec<String> {
    publish_on(delivery, "webhooks.a.x", name, count).await
}

async fn publish_on(delivery: &Delivery, subject: &str, name: &str, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|n| format!("{name}-{n}")).collect();
    for some in ids.chunks(500) {
        let sent = some.iter().map(|id| {
            let message = message(subject, id, vec![b'x'; PAYLOAD]);
            async move { delivery.publish(&message, None, late()).await.map(|_| ()) }
        });
        let failed = join_all(sent).await.into_iter().find_map(Result::err);
        assert_eq!(failed, None, "{name}");
    }
    ids
}

/// How often each id is in a stream.
async fn stored(context: &jetstream::Context, stream: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let Ok(mut stream) = context.get_stream(stream).await else { return counts };
    let Ok(info) = stream.info().await else { return counts };
    let messages = usize::try_from(info.state.messages).expect("few messages");
    if messages == 0 {
        return counts;
    }
    let config = consumer::pull::Config {
        ack_policy: consumer::AckPolicy::None,
        headers_only: true,
        inactive_threshold: Duration::from_secs(60),
        ..consumer::pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let fetched = consumer.fetch().max_messages(messages).messages().await.expect("messages");
    let all: Vec<_> = fetched.collect().await;
    for message in all {
        let message = message.expect("a message");
        let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).map(ToString::to_string);
        *counts.entry(id.unwrap_or_default()).or_default() += 1;
    }
    counts
}

/// Waits until all of these are in the stream, and says that each is there once.
async fn all_once(nats: &Nats, ids: &[String], what: &str) {
    let context = nats.jetstream().await;
    let begun = Instant::now();
    loop {
        let counts = stored(&context, "WEBHOOKS").await;
        let missing = ids.iter().filter(|id| !counts.contains_key(&format!("uid:{id}"))).count();
        if missing == 0 {
            let double = counts.iter().find(|(_, count)| **count > 1);
            assert_eq!(double, None, "{what}");
            return;
        }
        assert!(begun.elapsed() < SOON, "{what}: {missing} of {} are missing", ids.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// Ways in which a server forgets.
#[derive(Clone, Copy, Debug)]
enum Hurt {
    OldCopy,
    Cut(u64),
}

/// The last block of the stream.
fn last_block(nats: &Nats) -> PathBuf {
    let folder = nats.folder().join("store/jetstream/$G/streams/WEBHOOKS/msgs");
    let blocks = fs::read_dir(folder).expect("its blocks").map(|entry| entry.expect("an entry").path());
    let number = |path: &PathBuf| path.file_stem().and_then(|name| name.to_str()?.parse::<u64>().ok());
    let blocks = blocks.filter(|path| path.extension().is_some_and(|end| end == "blk"));
    blocks.max_by_key(number).expect("a block")
}

async fn survives(hurt: Hurt, run: usize, nats: &mut Nats, other: bool) {
    let what = format!("{hurt:?}, another replica: {other}");
    let proxy = Proxy::before(nats.port()).await;
    let delivery = guarded(proxy.url()).await;
    let mut ids = publish(&delivery, &format!("{run}-before"), 1_000).await;
    let (store, kept) = (nats.folder().join("store"), nats.folder().join("kept"));
    if matches!(hurt, Hurt::OldCopy) {
        nats.stop().await;
        copy(&store, &kept);
        nats.start_again().await;
        eventually("NATS is back", SOON, async || delivery.is_available()).await;
    }
    ids.extend(publish(&delivery, &format!("{run}-after"), 2_000).await);
    proxy.set(Weather::Hole);
    nats.kill();
    match hurt {
        Hurt::OldCopy => {
            fs::remove_dir_all(&store).expect("no store");
            fs::rename(&kept, &store).expect("the old one");
        }
        Hurt::Cut(bytes) => {
            let block = fs::OpenOptions::new().write(true).open(last_block(nats)).expect("the last block");
            let length = block.metadata().expect("its length").len();
            block.set_len(length.saturating_sub(bytes)).expect("cut");
        }
    }
    nats.start_again().await;
    let context = nats.jetstream().await;
    let left = stored(&context, "WEBHOOKS").await;
    let forgotten = ids.iter().filter(|id| !left.contains_key(&format!("uid:{id}"))).count();
    assert!(forgotten > 0, "{what}: the server forgot nothing");
    if other {
        // More than were forgotten: the last sequence is beyond the newest that is remembered.
        let another = start(&options(nats.url())).await;
        publish(&another, &format!("{run}-other"), forgotten + 10).await;
    }
    proxy.set(Weather::Fair);
    all_once(nats, &ids, &what).await;
    eventually("it is counted", SOON, async || {
        delivery.guard().is_some_and(|status| status.again >= forgotten as u64 && status.missed == 0)
    })
    .await;
}

const HURTS: [Hurt; 5] = [Hurt::OldCopy, Hurt::Cut(1), Hurt::Cut(1_000), Hurt::Cut(200_000), Hurt::Cut(1_000_000)];

#[tokio::test]
async fn a_server_that_forgets_its_end_gets_it_again_once() {
    let mut nats = Nats::start().await;
    for (run, hurt) in HURTS.into_iter().enumerate() {
        survives(hurt, run, &mut nats, false).await;
    }
}

#[tokio::test]
async fn a_server_that_forgets_and_goes_on_for_another_replica_gets_it_again_once() {
    let mut nats = Nats::start().await;
    for (run, hurt) in HURTS.into_iter().enumerate() {
        survives(hurt, run, &mut nats, true).await;
    }
}
