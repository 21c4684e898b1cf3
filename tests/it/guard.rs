//! A server that forgets what it acknowledged is given it again, once; what was purged, consumed or aged out stays away.
#![allow(clippy::expect_used, reason = "a test without its server fails loudly")]

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
use crate::spool;
use crate::support::folder::Folder;
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
    if other {
        // So has this one, before it has looked.
        eventually("NATS is back", SOON, async || delivery.is_available()).await;
        ids.extend(publish(&delivery, &format!("{run}-live"), 20).await);
    }
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

#[tokio::test]
async fn what_a_stream_still_has_is_not_given_to_it_again_once_it_has_forgotten_the_ids() {
    let mut nats = Nats::start().await;
    let mut short = options(nats.url());
    short.stream.duplicate_window = Duration::from_secs(1);
    let delivery = start(&short).await;
    guard(&delivery);
    let ids = publish(&delivery, "all", 1_000).await;
    let forgets_ids = tokio::time::Instant::now() + Duration::from_secs(2);
    nats.kill();
    let block = fs::OpenOptions::new().write(true).open(last_block(&nats)).expect("the last block");
    let length = block.metadata().expect("its length").len();
    block.set_len(length.saturating_sub(200_000)).expect("cut");
    // It is away for longer than the stream would know what it has.
    tokio::time::sleep_until(forgets_ids).await;
    nats.start_again().await;
    let left = stored(&nats.jetstream().await, "WEBHOOKS").await;
    let forgotten = ids.iter().filter(|id| !left.contains_key(&format!("uid:{id}"))).count();
    assert!((1..1_000).contains(&forgotten), "{forgotten}");
    all_once(&nats, &ids, "after a long outage").await;
    let again = async || delivery.guard().is_some_and(|status| status.again == forgotten as u64);
    eventually("what was forgotten is counted, and nothing else", SOON, again).await;
    all_once(&nats, &ids, "and nothing comes twice").await;
}

/// How many messages a stream holds.
async fn counts(nats: &Nats, streams: &[&str]) -> Vec<u64> {
    let mut counts = Vec::new();
    for stream in streams {
        counts.push(nats.count(stream).await);
    }
    counts
}

/// Takes so many messages off a stream whose messages go when they are consumed.
async fn consume(context: &jetstream::Context, stream: &str, count: usize) {
    let stream = context.get_stream(stream).await.expect("the stream");
    let config =
        consumer::pull::Config { durable_name: Some("worker".to_owned()), ..consumer::pull::Config::default() };
    let consumer = stream.get_or_create_consumer("worker", config).await.expect("a consumer");
    let mut fetched = consumer.fetch().max_messages(count).messages().await.expect("messages");
    while let Some(message) = fetched.next().await {
        message.expect("a message").double_ack().await.expect("acknowledged");
    }
}

fn looks(delivery: &Delivery) -> u64 {
    delivery.guard().expect("a guard").looks
}

/// Waits for a look that began after there were so many.
async fn looked(delivery: &Delivery, looks: u64) {
    eventually("the guard looks", SOON, async || self::looks(delivery) > looks).await;
}

#[tokio::test]
async fn what_was_purged_consumed_aged_or_made_room_for_is_not_published_again() {
    let mut nats = Nats::start().await;
    let context = nats.jetstream().await;
    let stream = |name: &str, config: Config| Config {
        name: name.to_owned(),
        subjects: vec![format!("{}.>", name.to_lowercase())],
        ..config
    };
    let queue = |retention| Config { retention, ..Config::default() };
    for config in [
        stream("PURGED", Config::default()),
        stream("HALF", Config::default()),
        stream("CAPPED", Config { max_messages: 10, ..Config::default() }),
        stream(
            "AGED",
            Config {
                max_age: Duration::from_millis(500),
                duplicate_window: Duration::from_millis(500),
                ..Config::default()
            },
        ),
        stream("QUEUE", queue(RetentionPolicy::WorkQueue)),
        stream("INTEREST", queue(RetentionPolicy::Interest)),
    ] {
        context.create_stream(config).await.expect("a stream");
    }
    let names = ["PURGED", "HALF", "CAPPED", "AGED", "QUEUE", "INTEREST"];
    let delivery = start(&without_stream(nats.url())).await;
    guard(&delivery);
    // Interest: what nobody waits for is not kept.
    consume(&context, "INTEREST", 0).await;
    for name in names {
        publish_on(&delivery, &format!("{}.x", name.to_lowercase()), name, 100).await;
    }
    context.get_stream("PURGED").await.expect("it").purge().await.expect("purged");
    context.get_stream("HALF").await.expect("it").purge().sequence(60).await.expect("purged");
    consume(&context, "QUEUE", 100).await;
    consume(&context, "INTEREST", 70).await;
    eventually("all have aged", SOON, async || nats.count("AGED").await == 0).await;
    let left = [0, 41, 10, 0, 0, 30];
    assert_eq!(counts(&nats, &names).await, left);
    for kill in [false, true] {
        let looks = looks(&delivery);
        if kill {
            nats.kill();
            nats.start_again().await;
        } else {
            nats.restart().await;
        }
        looked(&delivery, looks).await;
        assert_eq!(counts(&nats, &names).await, left, "killed: {kill}");
        let status = delivery.guard().expect("a guard");
        assert_eq!((status.again, status.missed), (0, 0), "killed: {kill}");
    }
}

#[tokio::test]
async fn of_a_queue_only_what_nobody_can_have_consumed_is_published_again() {
    let mut nats = Nats::start().await;
    let context = nats.jetstream().await;
    let config = Config {
        name: "WEBHOOKS".to_owned(),
        subjects: vec!["webhooks.>".to_owned()],
        retention: RetentionPolicy::WorkQueue,
        ..Config::default()
    };
    context.create_stream(config).await.expect("a stream");
    let delivery = guarded(nats.url()).await;
    publish(&delivery, "consumed", 100).await;
    consume(&context, "WEBHOOKS", 100).await;
    let ids = publish(&delivery, "waiting", 100).await;
    let looks = looks(&delivery);
    nats.kill();
    let block = fs::OpenOptions::new().write(true).open(last_block(&nats)).expect("the last block");
    block.set_len(block.metadata().expect("its length").len() - 30_000).expect("cut");
    nats.start_again().await;
    eventually("they are there", SOON, async || nats.count("WEBHOOKS").await >= 100).await;
    looked(&delivery, looks).await;
    let waiting = counts(&nats, &["WEBHOOKS"]).await;
    consume(&context, "WEBHOOKS", ids.len()).await;
    assert_eq!((waiting, counts(&nats, &["WEBHOOKS"]).await), (vec![100], vec![0]), "each once, and none twice");
}

#[tokio::test]
async fn a_stream_that_is_deleted_gets_what_is_remembered_when_it_is_there_again() {
    let nats = Nats::start().await;
    let context = nats.jetstream().await;
    let delivery = guarded(nats.url()).await;
    let mut ids = publish(&delivery, "before", 300).await;
    context.delete_stream("WEBHOOKS").await.expect("deleted");
    // The operator makes it anew, at once where somebody publishes.
    ids.extend(publish(&delivery, "during", 10).await);
    all_once(&nats, &ids, "made by the operator").await;
    // Others are made anew by their owners, and may have grown beyond what is remembered.
    context.delete_stream("WEBHOOKS").await.expect("deleted");
    nats.create_stream("WEBHOOKS", &["webhooks.*.>"]).await;
    let another = start(&without_stream(nats.url())).await;
    publish(&another, "other", 400).await;
    ids.extend(publish(&delivery, "after", 100).await);
    delivery.refresh_streams();
    all_once(&nats, &ids, "made by its owner").await;
}

#[tokio::test]
async fn what_lies_beside_the_spool_survives_a_kill() {
    let (manifests, folder, mut nats) = (spool::manifests(), Folder::new("guard"), Nats::start().await);
    let flags = ["--spool-volatile"];
    let operator = spool::start(manifests.path(), &nats, &folder, &flags).await;
    let send = async |operator, ids: std::ops::Range<u32>| {
        for id in ids {
            assert_eq!(spool::send(operator, "github", &format!("id-{id}")).await, 200);
        }
    };
    send(&operator, 0..20).await;
    let (store, kept) = (nats.folder().join("store"), nats.folder().join("kept"));
    nats.stop().await;
    copy(&store, &kept);
    nats.start_again().await;
    eventually("NATS is back", SOON, async || spool::send(&operator, "github", "id-20").await == 200).await;
    send(&operator, 21..150).await;
    operator.process.signal("KILL");
    drop(operator);
    nats.kill();
    fs::remove_dir_all(&store).expect("no store");
    fs::rename(&kept, &store).expect("the old one");
    nats.start_again().await;
    assert_eq!(nats.count("WEBHOOKS").await, 20, "the server forgot the rest");
    let operator = spool::start(manifests.path(), &nats, &folder, &flags).await;
    spool::arrived(&nats, 150).await;
    eventually("it is counted", SOON, async || {
        let metrics = operator.get("/metrics").await.expect("metrics");
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        // What was spooled while NATS was away may be drained once more before the guard has looked.
        let again = metrics.lines().find_map(|line| line.strip_prefix("hookgate_guard_republished_total "));
        again.is_some_and(|again| (1..=130).contains(&again.parse::<u32>().expect("a number")))
            && metrics.contains("hookgate_guard_missed_total 0")
    })
    .await;
    let log = operator.process.log();
    assert!(log.contains("the stream has forgotten events") && log.contains("published again"), "{log}");
    // Of one file each of messages and of nothing else.
    let lies = fs::read_dir(folder.path().join("spool/guard")).expect("its folder").count();
    assert!((1..10).contains(&lies), "{lies} files");
}

#[tokio::test]
async fn without_the_permission_that_is_said_once_and_the_guard_is_off() {
    let users = r#"authorization { users: [
        {user: admin, password: admin},
        {user: hookgate, password: secret, permissions: {
            publish: ["webhooks.>", "_INBOX.>", "$JS.API.STREAM.LIST", "$JS.API.STREAM.CREATE.*"], subscribe: ["_INBOX.>"]}}
    ] }"#;
    let mut nats = Nats::start_with(users).await;
    let manifests = spool::manifests();
    let url = nats.url().replace("nats://", "nats://hookgate:secret@");
    let operator = crate::support::operator::Operator::in_folder(manifests.path(), &url, &[]).await;
    let off = async || {
        let metrics = operator.get("/metrics").await.expect("metrics");
        String::from_utf8_lossy(&metrics.body).contains("hookgate_guard_seconds 0.0")
    };
    assert_eq!(spool::send(&operator, "github", "one").await, 200);
    let said = || operator.process.log().matches("until then the guard is off").count();
    eventually("it is said", SOON, async || said() == 1 && off().await).await;
    nats.restart().await;
    eventually("requests are served", SOON, async || spool::send(&operator, "github", "two").await == 200).await;
    eventually("it is off again", SOON, off).await;
    assert_eq!(spool::send(&operator, "github", "three").await, 200);
    assert_eq!(said(), 1, "{}", operator.process.log());
}
