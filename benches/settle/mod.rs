//! The control task in this process: how long an edit takes to settle, and a start over many sources, up to the table in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hookgate::control::event::{Event, Folder, QUEUE};
use hookgate::control::index::Change;
use hookgate::control::object::{Key, Object};
use hookgate::control::overview::Overview;
use hookgate::control::run::{Inputs, Outputs, run};
use hookgate::control::settings::Settings;
use hookgate::metrics::Metrics;
use hookgate::receive::routes::Routes;
use hookgate::secret::{SecretBytes, SecretData};
use hookgate::subject::{Readings, Stream, Streams};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Milliseconds.
pub struct Settled {
    pub start: f64,
    pub edits: Vec<f64>,
    /// Every source judged anew: the streams of NATS are others.
    pub streams: f64,
    /// kB a source, in memory.
    pub memory: f64,
}

fn source(number: usize, generation: i64) -> Object<hookgate::api::source::WebhookSource> {
    let object = json!({
        "apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookSource",
        "metadata": {
            "name": format!("source-{number}"), "namespace": format!("team-{}", number % 50), "uid": format!("uid-{number}"),
            "generation": generation, "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "provider": "github",
            "path": format!("/team-{}/source-{number}-{generation}", number % 50),
            "verification": {"secretRefs": [{"name": format!("s-{number}"), "key": "k"}]},
            "events": {"include": ["issues.*"], "filter": "data.action == 'opened'"},
        },
    });
    Object::read(serde_json::from_value(object).unwrap_or_else(|_| unreachable!("an object")))
}

fn secret(number: usize, version: usize) -> (Key, SecretData) {
    let data = BTreeMap::from([("k".to_owned(), SecretBytes::new(format!("secret-{version}").into_bytes()))]);
    let data = SecretData { kind: "Opaque".to_owned(), data, ..SecretData::default() };
    (Key::new(format!("team-{}", number % 50), format!("s-{number}")), data)
}

fn streams(name: &str, subject: &str) -> Readings {
    let stream = Stream {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        file_storage: true,
        duplicate_window: std::time::Duration::from_secs(3600),
        ..Stream::default()
    };
    vec![Some(Arc::new(Streams { streams: vec![stream], ..Streams::default() }))]
}

fn since(begun: Instant, ended: Instant) -> f64 {
    ended.saturating_duration_since(begun).as_secs_f64() * 1000.0
}

pub async fn settle(sources: usize, edits: usize) -> anyhow::Result<Settled> {
    let before = crate::measure::memory(std::process::id())?;
    let metrics = Metrics::new();
    let settings = Settings { sources: hookgate::route::Sources::new(metrics.clone()), ..Settings::default() };
    let (events, received) = mpsc::channel(QUEUE);
    let (streams_sender, streams_known) = watch::channel(streams("WEBHOOKS", "webhooks.>"));
    let (overview, mut shown) = watch::channel(Arc::<Overview>::default());
    let (published, mut tables) = mpsc::unbounded_channel();
    let routes = Routes::new(metrics);
    let publish = Box::new(move |table| {
        routes.swap(Arc::new(table));
        let _ = published.send(Instant::now());
    });
    let stop = CancellationToken::new();
    let (_leads, leader) = watch::channel(false);
    let (_payload, max_payload) = watch::channel(1 << 20);
    let inputs = Inputs { events: received, streams: streams_known, max_payload, leader, stop: stop.clone() };
    let outputs = Outputs { publish, overview, reader: None, writer: None, teller: None };

    let folder = Folder {
        sources: (0..sources).map(|number| source(number, 1)).collect(),
        providers: Vec::new(),
        secrets: (0..sources).map(|number| secret(number, 0)).collect(),
    };
    let task = tokio::spawn(run(Arc::new(settings), inputs, outputs));
    let begun = Instant::now();
    events.send(Event::Folder(Box::new(folder))).await?;
    let ended = tables.recv().await;
    let start = ended.map_or(f64::NAN, |ended| since(begun, ended));
    shown.wait_for(|shown| shown.sources().count() == sources).await?;
    let memory = (crate::measure::memory(std::process::id())? - before) * 1000.0 / sources as f64;

    let mut edited = Vec::new();
    for edit in 0..edits {
        let object = source(edit * 7 % sources, 2 + i64::try_from(edit)?);
        shown.borrow_and_update();
        let begun = Instant::now();
        events.send(Event::Sources(Change::Apply(object))).await?;
        edited.push(tables.recv().await.map_or(f64::NAN, |ended| since(begun, ended)));
        shown.changed().await?;
    }
    shown.borrow_and_update();
    let begun = Instant::now();
    streams_sender.send_replace(streams("OTHER", "other.>"));
    shown.changed().await?;
    let streams = since(begun, Instant::now());
    stop.cancel();
    task.await?;
    Ok(Settled { start, edits: edited, streams, memory })
}
