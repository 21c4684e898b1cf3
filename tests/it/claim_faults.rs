//! Whatever happens while data is stored beside its event: nothing acknowledged is lost, nothing is mixed, and it is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use async_nats::jetstream::stream::{Config, DiscardPolicy};

use crate::claim_check::{bucket, data, header, held, large, manifests, send, spooling};
use crate::receive_wire::SOON;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

#[tokio::test]
async fn killed_between_object_and_event_nothing_was_acknowledged_and_the_redelivery_uses_the_object() {
    let (manifests, mut nats) = (manifests(), Nats::start().await);
    // A stream that is full: the object is stored, its event is not.
    let config = Config {
        name: "WEBHOOKS".to_owned(),
        subjects: vec!["webhooks.*.>".to_owned()],
        max_messages: 1,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    nats.jetstream().await.create_stream(config.clone()).await.unwrap();
    let operator = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    assert_eq!(send(&operator, "/sales/calls", "d-0", "{}").await, 200);
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 503);
    let before = held(&nats, "sales").await;
    assert_eq!((before.0, nats.count("WEBHOOKS").await), (1, 1));
    nats.kill();
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 503);
    nats.start_again().await;
    nats.jetstream().await.update_stream(Config { max_messages: 10, ..config }).await.unwrap();
    eventually("it is accepted", SOON, async || send(&operator, "/sales/calls", "d-1", large("one")).await == 200)
        .await;
    assert_eq!((held(&nats, "sales").await, nats.count("WEBHOOKS").await), (before, 2));
    let event = nats.collect("webhooks.sales.calls.>", 2, SOON).await.remove(1);
    assert!(data(&nats, &header(&event, "ce-dataref")).await.1 == large("one").as_bytes());
}

#[tokio::test]
async fn killed_while_objects_are_stored_every_acknowledged_event_has_its_data() {
    let (manifests, mut nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    let sending = async {
        for id in 0..30 {
            eventually("it is acknowledged", SOON, async || {
                send(&operator, "/sales/calls", &format!("d-{id}"), large(&id.to_string())).await == 200
            })
            .await;
        }
    };
    let killing = async {
        for _ in 0..3 {
            let seen = nats_size(&nats).await;
            eventually("more is stored", SOON, async || nats_size(&nats).await > seen).await;
            nats.kill();
            nats.start_again().await;
        }
    };
    tokio::join!(sending, killing);
    assert_eq!(nats.count("WEBHOOKS").await, 30, "each once");
    for event in nats.collect("webhooks.sales.calls.>", 30, SOON).await {
        let id = header(&event, "ce-id").trim_start_matches("d-").to_owned();
        assert!(data(&nats, &header(&event, "ce-dataref")).await.1 == large(&id).as_bytes(), "{id}");
    }
}

/// Messages in the bucket, 0 where it is not there or cannot be asked.
async fn nats_size(nats: &Nats) -> u64 {
    let stream = nats.jetstream().await.get_stream("OBJ_hookgate-sales").await;
    stream.map_or(0, |stream| stream.cached_info().state.messages)
}

#[tokio::test]
async fn two_replicas_that_store_one_object_at_a_time_leave_one() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let one = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    let two = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    let pieces = large("0").len().div_ceil(128 << 10) as u64;
    for id in 0..5 {
        let (body, id) = (large(&id.to_string()), format!("d-{id}"));
        let send = |operator| send(operator, "/sales/calls", &id, body.clone());
        assert_eq!(tokio::join!(send(&one), send(&two)), (200, 200));
    }
    assert_eq!(nats.count("WEBHOOKS").await, 5);
    for event in nats.collect("webhooks.sales.calls.>", 5, SOON).await {
        let id = header(&event, "ce-id").trim_start_matches("d-").to_owned();
        assert!(data(&nats, &header(&event, "ce-dataref")).await.1 == large(&id).as_bytes(), "{id}");
    }
    // What the slower one had written is gone.
    eventually("no piece is left over", SOON, async || held(&nats, "sales").await == (5, 5 * (pieces + 1))).await;
}

#[tokio::test]
async fn an_object_that_somebody_deleted_is_stored_again() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 200);
    let event = nats.collect("webhooks.sales.calls.>", 1, SOON).await.remove(0);
    let reference = header(&event, "ce-dataref");
    bucket(&nats, "sales").await.delete(reference.rsplit('/').next().unwrap()).await.unwrap();
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 200);
    assert!(data(&nats, &reference).await.1 == large("one").as_bytes());
}

/// A user that may do what docs/operating.md lists, but for these.
fn permissions(without: &[&str]) -> String {
    let all = [
        "webhooks.>",
        "_INBOX.>",
        "_hookgate.>",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.CREATE.*",
        "$JS.API.STREAM.INFO.*",
        "$JS.API.STREAM.UPDATE.*",
        "$JS.API.STREAM.PURGE.*",
        "$JS.API.STREAM.MSG.GET.*",
        "$O.>",
    ];
    let may: Vec<String> =
        all.iter().filter(|subject| !without.contains(subject)).map(|subject| format!("{subject:?}")).collect();
    format!(
        "authorization {{ users: [\n{{user: hook, password: gate, permissions: {{publish: [{}], subscribe: [\"_INBOX.>\", \"_hookgate.>\"]}}}}\n\
         {{user: test, password: test}}\n] }}",
        may.join(", ")
    )
}

#[tokio::test]
async fn the_permissions_of_the_documents_suffice_and_a_missing_one_is_said() {
    let nats = Nats::start_with_users(&permissions(&[]), "test", "test").await;
    let manifests = manifests();
    let login = |nats: &Nats| nats.url().replace("nats://", "nats://hook:gate@");
    let operator = Operator::in_folder(manifests.path(), &login(&nats), &[]).await;
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 200, "{}", operator.process.log());
    assert!(!operator.process.log().to_lowercase().contains("permissions violation"), "{}", operator.process.log());
    drop(operator);

    let nats = Nats::start_with_users(&permissions(&["$O.>"]), "test", "test").await;
    let operator = Operator::in_folder(manifests.path(), &login(&nats), &[]).await;
    for id in 0..3 {
        let headers = [("x-token", "s3cr3t"), ("x-delivery", &*format!("d-{id}")), ("x-event", "call.ended")];
        let headers = [headers.as_slice(), &[("content-type", "application/json")]].concat();
        let answer = operator.post("/sales/hasty", &headers, large("one")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.headers.contains_key("retry-after")), (503, true));
    }
    let log = operator.process.log();
    assert_eq!(log.matches("or write --claim-check off").count(), 1, "{log}");
    assert!(log.contains("the object store \"hookgate-sales\" does not take its data"), "{log}");
    // What fits goes on.
    assert_eq!(send(&operator, "/sales/calls", "small", "{}").await, 200);
}

#[tokio::test]
async fn without_room_for_objects_large_events_are_answered_503_and_small_ones_go_on() {
    let (manifests, nats) = (manifests(), Nats::start_with("jetstream { max_file_store: 1MB }").await);
    let operator = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 503);
    // As soon as the pieces that were stored are removed.
    eventually("there is room", SOON, async || send(&operator, "/sales/calls", "small", "{}").await == 200).await;
    assert!(operator.process.log().contains("Has JetStream room"), "{}", operator.process.log());
}

#[tokio::test]
async fn a_bucket_that_takes_nothing_holds_up_no_other_event_of_the_spool() {
    let (manifests, spool, mut nats) = (spooling(), Folder::new("spool"), Nats::start().await);
    let folder = spool.path().join("spool");
    let flags = ["--spool-dir", folder.to_str().unwrap(), "--spool-volatile"];
    // A bucket that is full.
    let bucket = Config {
        name: "OBJ_hookgate-sales".to_owned(),
        subjects: vec!["$O.hookgate-sales.C.>".to_owned(), "$O.hookgate-sales.M.>".to_owned()],
        max_bytes: 100_000,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    nats.jetstream().await.create_stream(bucket.clone()).await.unwrap();
    let operator = Operator::in_folder(manifests.path(), &nats.url(), &flags).await;
    nats.kill();
    for id in 0..40 {
        let body = if id % 10 == 0 { large("late") } else { "{}".to_owned() };
        assert_eq!(send(&operator, "/sales/calls", &format!("d-{id}"), body).await, 200);
    }
    nats.start_again().await;
    eventually("what fits arrives", SOON, async || nats.count("WEBHOOKS").await == 36).await;
    // One that comes now waits in the spool as well.
    assert_eq!(send(&operator, "/sales/calls", "d-40", large("later")).await, 200);
    assert_eq!(send(&operator, "/sales/calls", "d-41", "{}").await, 200);
    assert_eq!(nats.count("WEBHOOKS").await, 37);
    nats.jetstream().await.update_stream(Config { max_bytes: -1, ..bucket }).await.unwrap();
    eventually("all arrive", SOON, async || nats.count("WEBHOOKS").await == 42).await;
}
