//! Settling what was touched ends where settling everything does, and where a replica begins that starts later.

use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Happening {
    Apply { source: u8, spec: u8 },
    Delete(u8),
    Secret { secret: u8, value: Option<u8> },
    Provider(u8),
    Streams(u8),
    Wait,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..4_u8, 0..9_u8).prop_map(|(source, spec)| Happening::Apply { source, spec }),
        1 => (0..4_u8).prop_map(Happening::Delete),
        3 => (0..3_u8, prop::option::of(0..3_u8)).prop_map(|(secret, value)| Happening::Secret { secret, value }),
        1 => (0..3_u8).prop_map(Happening::Provider),
        2 => (0..3_u8).prop_map(Happening::Streams),
        1 => Just(Happening::Wait),
    ]
}

fn spec(which: u8) -> Value {
    let refs = |refs: Value| json!({"provider": "generic", "verification": {"method": "token", "token": {"header": "X-Token"}, "secretRefs": refs}});
    let one = json!([{"name": "s0", "key": "k"}]);
    let two = json!([{"name": "s0", "key": "k"}, {"name": "s1", "key": "k", "notAfter": "2026-11-25T15:00:00Z"}]);
    match which {
        0 => refs(one),
        1 => refs(two),
        2 => with(refs(two), json!({"path": "/sales/shared"})),
        3 => with(refs(one), json!({"path": "/sales/shared", "hostnames": ["any.test"]})),
        4 => with(refs(two), json!({"events": {"filter": "data.("}})),
        5 => with(refs(one), json!({"later": 1, "suspend": true})),
        6 => with(refs(one), json!({"routing": {"stream": "OTHER"}})),
        7 => json!({"provider": "acme", "verification": {"secretRefs": [{"name": "s2", "key": "k"}]}}),
        _ => with(
            refs(json!([{"name": "s1", "key": "k"}])),
            json!({"path": "/sales/shared", "events": {"filter": "1 +"}}),
        ),
    }
}

fn provider(which: u8) -> Value {
    let header = if which == 0 { "X-Token" } else { "X-Other" };
    let good = json!({
        "displayName": "Acme", "methods": [{"name": "token", "anyOf": [{"allOf": [{"token": {"header": header}}]}]}],
    });
    if which == 2 { with(good, json!({"later": 1})) } else { good }
}

/// All that there is, as a cluster keeps it, and a replica that saw it happen.
struct Cluster {
    world: World,
    sources: BTreeMap<u8, (i64, u8)>,
    secrets: BTreeMap<u8, u8>,
    provider: Option<(i64, u8)>,
    streams: Option<u8>,
}

impl Cluster {
    fn new() -> Self {
        let (sources, secrets) = Default::default();
        Self { world: World::new(), sources, secrets, provider: None, streams: None }
    }

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::Apply { source, spec } => {
                let generation = self.sources.get(&source).map_or(1, |(generation, _)| generation + 1);
                self.sources.insert(source, (generation, spec));
                self.observe(source);
            }
            Happening::Delete(source) => {
                if self.sources.remove(&source).is_some() {
                    self.world.plan.observe_sources(Change::Delete(key(&format!("c{source}"))));
                }
            }
            Happening::Secret { secret, value } => {
                match value {
                    Some(value) => drop(self.secrets.insert(secret, value)),
                    None => drop(self.secrets.remove(&secret)),
                }
                self.answer(&key(&format!("s{secret}")));
            }
            Happening::Provider(which) => {
                let generation = self.provider.map_or(1, |(generation, _)| generation + 1);
                self.provider = Some((generation, which));
                let object = self.provider_object(None);
                self.world.plan.observe_providers(Change::Apply(object));
            }
            Happening::Streams(which) => {
                self.streams = Some(which);
                self.world.plan.learn_streams(vec![Some(streams(which))]);
            }
            Happening::Wait => {
                self.world.now = self.world.now.checked_add(std::time::Duration::from_secs(3600)).unwrap()
            }
        }
    }

    fn observe(&mut self, source: u8) {
        let object = self.object(source, None);
        self.world.plan.observe_sources(Change::Apply(object));
    }

    fn object(&self, source: u8, status: Option<&Value>) -> Object<WebhookSource> {
        let (generation, which) = self.sources[&source];
        let object = json!({
            "metadata": {
                "name": format!("c{source}"), "namespace": "sales", "uid": format!("u{source}"), "generation": generation,
                "creationTimestamp": format!("2026-01-01T00:00:{:02}Z", 9 - source),
            },
            "spec": spec(which), "status": status,
        });
        Object::read(serde_json::from_value(object).unwrap())
    }

    fn provider_object(&self, status: Option<&Value>) -> Object<WebhookProvider> {
        let (generation, which) = self.provider.unwrap();
        let object = json!({
            "metadata": {"name": "acme", "uid": "p", "generation": generation}, "spec": provider(which), "status": status,
        });
        Object::read(serde_json::from_value(object).unwrap())
    }

    /// Reads a Secret, as the API server would answer.
    fn answer(&mut self, secret: &Key) {
        let which: u8 = secret.name[1..].parse().unwrap();
        let reading = match self.secrets.get(&which) {
            None => Reading::NotFound,
            Some(value) => {
                let data = BTreeMap::from([("k".to_owned(), SecretBytes::new(format!("v{value}").into_bytes()))]);
                let data = SecretData { kind: "Opaque".to_owned(), data, ..SecretData::default() };
                Reading::Found(value.to_string(), data)
            }
        };
        self.world.plan.take_reading(secret, reading, self.world.now);
    }

    /// Settles, and reads what is to be read, until nothing is.
    fn settle(&mut self) -> BTreeSet<Key> {
        let mut changed = BTreeSet::new();
        loop {
            let settled = self.world.settle();
            changed.extend(settled.changed);
            if settled.to_read.is_empty() {
                return changed;
            }
            settled.to_read.into_iter().for_each(|secret| self.answer(&secret));
        }
    }

    /// What answers each path, with how many live keys, and what is said of each source.
    fn said(&self) -> Vec<String> {
        let paths = (0..4).map(|n| format!("/sales/c{n}")).chain(["/sales/shared".to_owned()]);
        let answers = paths.map(|path| format!("{path}: {:?}", self.world.keys(&path)));
        let sources = self.world.plan.sources().iter().map(|(key, planned)| {
            let accepted = planned.accepted.as_ref().map_err(|problems| problems.reason());
            let held = planned.held.as_ref().map(|held| held.reason);
            format!("{key}: {accepted:?} {held:?} {:?} {:?} {:?}", planned.refs, planned.ended, planned.conflicts)
        });
        answers.chain(sources).collect()
    }

    /// A replica that starts now, with what the statuses keep.
    fn another(&self) -> Cluster {
        let mut other = Cluster::new();
        other.world.now = self.world.now;
        (other.sources, other.secrets) = (self.sources.clone(), self.secrets.clone());
        (other.provider, other.streams) = (self.provider, self.streams);
        if self.provider.is_some() {
            let good = self.world.plan.definitions().last_good("acme");
            let status = good.map(|good| json!({"lastGood": {"generation": good.generation, "spec": good.value.spec}}));
            let object = other.provider_object(status.as_ref());
            other.world.plan.observe_providers(Change::Apply(object));
        }
        if let Some(which) = self.streams {
            other.world.plan.learn_streams(vec![Some(streams(which))]);
        }
        for source in self.sources.keys() {
            let planned = self.world.planned(&format!("c{source}"));
            let good = planned.last_good();
            let good = good.map(|good| json!({"generation": good.metadata.generation, "spec": good.spec}));
            let served = planned.route().map(|route| route.generation);
            let status = json!({"servedGeneration": served, "lastGood": good});
            let object = other.object(*source, Some(&status));
            other.world.plan.observe_sources(Change::Apply(object));
        }
        other.settle();
        other
    }
}

fn streams(which: u8) -> Arc<Streams> {
    let stream = |name: &str, subject: &str| Stream {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        file_storage: true,
        duplicate_window: std::time::Duration::from_secs(3600),
        ..Stream::default()
    };
    let streams = match which {
        0 => Vec::new(),
        1 => vec![stream("WEBHOOKS", "webhooks.>")],
        _ => vec![stream("OTHER", "webhooks.>")],
    };
    Arc::new(Streams { streams, ..Streams::default() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever was touched, looking at everything again changes nothing.
    #[test]
    fn settling_what_was_touched_ends_where_settling_everything_does(happenings in prop::collection::vec(happening(), 1..24)) {
        let mut cluster = Cluster::new();
        for happening in &happenings {
            cluster.happen(happening);
            cluster.settle();
            let before = cluster.said();
            cluster.world.plan.touched = cluster.world.plan.index.sources.iter().map(|object| object.key.clone()).collect();
            prop_assert_eq!(cluster.settle(), BTreeSet::new(), "after {:?}", happening);
            prop_assert_eq!(cluster.said(), before);
        }
    }

    /// A replica that starts later serves what this one serves, and says the same.
    #[test]
    fn a_replica_that_starts_later_serves_the_same(happenings in prop::collection::vec(happening(), 1..24)) {
        let mut cluster = Cluster::new();
        for happening in &happenings {
            cluster.happen(happening);
            cluster.settle();
        }
        prop_assert_eq!(cluster.another().said(), cluster.said());
    }
}
