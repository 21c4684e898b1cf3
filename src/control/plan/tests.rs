use serde_json::{Value, json};

mod fresh;
mod quotas;

use super::*;
use crate::api::condition::Reason;
use crate::route::{Entry, Route};
use crate::secret::SecretBytes;
use crate::subject::Stream;

const START: &str = "2026-11-25T12:00:00Z";

/// A plan with a clock, fed as the cluster feeds it.
struct World {
    plan: Plan,
    table: RouteTable,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        Self { plan: Plan::new(Arc::default()), table: RouteTable::default(), now: START.parse().unwrap() }
    }

    fn settle(&mut self) -> Settled {
        let mut settled = self.plan.settle(self.now);
        if let Some(table) = settled.table.take() {
            self.table = table;
        }
        settled
    }

    /// Applies a source; `age`: the smaller, the older.
    fn apply(&mut self, name: &str, generation: i64, age: u8, spec: &Value) -> Settled {
        self.apply_as("u-1", name, generation, age, spec)
    }

    fn apply_as(&mut self, uid: &str, name: &str, generation: i64, age: u8, spec: &Value) -> Settled {
        let object = json!({
            "metadata": {
                "name": name, "namespace": "sales", "uid": uid, "generation": generation,
                "creationTimestamp": format!("2026-01-01T00:00:{age:02}Z"),
            },
            "spec": spec,
        });
        self.plan.observe_sources(Change::Apply(Object::read(serde_json::from_value(object).unwrap())));
        self.settle()
    }

    fn delete(&mut self, name: &str) -> Settled {
        self.plan.observe_sources(Change::Delete(key(name)));
        self.settle()
    }

    fn read(&mut self, secret: &str, value: &str) -> Settled {
        let data = BTreeMap::from([("k".to_owned(), SecretBytes::new(value.as_bytes().to_vec()))]);
        let found =
            Reading::Found(value.to_owned(), SecretData { kind: "Opaque".to_owned(), data, ..SecretData::default() });
        self.plan.take_reading(&key(secret), found, self.now);
        self.settle()
    }

    fn fail(&mut self, secret: &str) -> Settled {
        self.plan.take_reading(&key(secret), Reading::Failed, self.now);
        self.settle()
    }

    /// Streams with these subjects were read.
    fn streams(&mut self, subjects: &[&str]) -> Settled {
        let stream = Stream {
            name: "WEBHOOKS".to_owned(),
            subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            file_storage: true,
            duplicate_window: std::time::Duration::from_secs(3600),
            ..Stream::default()
        };
        self.plan.learn_streams(vec![Some(Arc::new(Streams { streams: vec![stream], ..Default::default() }))]);
        self.settle()
    }

    /// What answers a path, and how many of its keys live.
    fn keys(&self, path: &str) -> (String, usize) {
        let live = match self.table.find("any.test", path) {
            Some(Entry::Served(route)) => route.verifier.active_keys(self.now),
            _ => 0,
        };
        (self.answers(path), live)
    }

    fn see(&mut self, secret: &str, version: &str) {
        self.plan.observe_secrets(Change::Apply(Sighting { key: key(secret), version: version.to_owned() }));
    }

    fn provider(&mut self, spec: Option<&Value>) -> Settled {
        let change = match spec {
            None => Change::Delete(Key::new("", "acme")),
            Some(spec) => {
                let object = json!({"metadata": {"name": "acme", "uid": "p", "generation": 1}, "spec": spec});
                Change::Apply(Object::read(serde_json::from_value(object).unwrap()))
            }
        };
        self.plan.observe_providers(change);
        self.settle()
    }

    fn planned(&self, name: &str) -> &Planned {
        self.plan.sources().get(&key(name)).expect(name)
    }

    /// What answers a path: the name and generation of a source, 503 or 404.
    fn answers(&self, path: &str) -> String {
        match self.table.find("any.test", path) {
            Some(Entry::Served(route)) if route.suspended => "suspended".to_owned(),
            Some(Entry::Served(route)) => format!("{}@{}", route.claim.name, route.generation),
            Some(Entry::NotServed(_)) => "503".to_owned(),
            None => "404".to_owned(),
        }
    }

    fn refused(&self, name: &str) -> Option<Reason> {
        self.planned(name).accepted.as_ref().err().map(|problems| problems.reason())
    }
}

fn key(name: &str) -> Key {
    Key::new("sales", name)
}

fn generic(secret: &str) -> Value {
    let refs = json!([{"name": secret, "key": "k"}]);
    json!({"provider": "generic", "verification": {"method": "token", "token": {"header": "X-Token"}, "secretRefs": refs}})
}

fn with(mut spec: Value, more: Value) -> Value {
    let (Value::Object(spec_fields), Value::Object(more)) = (&mut spec, more) else { panic!("two objects") };
    spec_fields.extend(more);
    spec
}

#[test]
fn a_source_is_served_once_its_secrets_were_read() {
    let mut world = World::new();
    assert_eq!(world.apply("calls", 1, 0, &generic("s")).to_read, [key("s")]);
    assert!(world.planned("calls").pending && !world.plan.is_settled());
    assert_eq!(world.answers("/sales/calls"), "503");
    assert!(world.read("s", "one").changed.contains(&key("calls")));
    assert!(world.plan.is_settled());
    assert_eq!(world.answers("/sales/calls"), "calls@1", "{:?}", world.planned("calls").accepted);
    assert_eq!(world.answers("/sales/other"), "404");
}

#[test]
fn a_spec_that_stops_compiling_keeps_its_former_route_and_obeys_suspend() {
    let mut world = World::new();
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    world.apply("calls", 2, 0, &json!({"provider": "no-such-vendor", "path": "/sales/elsewhere"}));
    assert_eq!(world.refused("calls"), Some(Reason::UnknownProvider));
    assert_eq!(
        (world.answers("/sales/calls"), world.answers("/sales/elsewhere")),
        ("calls@1".to_owned(), "404".to_owned())
    );
    world.apply("calls", 3, 0, &json!({"provider": "no-such-vendor", "suspend": true}));
    assert_eq!(world.answers("/sales/calls"), "suspended");
    // Not even readable: a field of a later version.
    world.apply("calls", 4, 0, &json!({"provider": "generic", "later": 1}));
    assert_eq!(
        (world.refused("calls"), world.answers("/sales/calls").as_str()),
        (Some(Reason::Unsupported), "calls@1")
    );
    world.apply("calls", 5, 0, &json!({"provider": "generic", "later": 1, "suspend": true}));
    assert_eq!(world.answers("/sales/calls"), "suspended");
    world.apply("calls", 6, 0, &generic("s"));
    assert_eq!((world.refused("calls"), world.answers("/sales/calls").as_str()), (None, "calls@6"));
    world.delete("calls");
    assert_eq!(world.answers("/sales/calls"), "404");
}

#[test]
fn a_source_that_never_compiled_is_answered_503_where_it_may_be_and_nowhere_else() {
    let mut world = World::new();
    world.apply("a", 1, 0, &json!({"provider": "no-such-vendor"}));
    world.apply("b", 1, 0, &json!({"provider": "generic", "later": 1, "path": "/sales/b2"}));
    world.apply("c", 1, 0, &json!({"provider": "no-such-vendor", "path": "/hr/calls"}));
    let answers = ["/sales/a", "/sales/b2", "/sales/b", "/hr/calls"].map(|path| world.answers(path));
    assert_eq!(answers, ["503", "503", "404", "404"]);
    world.delete("a");
    assert_eq!(world.answers("/sales/a"), "404");
}

#[test]
fn a_status_that_tells_what_is_served_here_compiles_nothing_anew() {
    let mut world = World::new();
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    let mut served = world.plan.index().sources.get(&key("calls")).unwrap().clone();
    served.was_served = true;
    world.plan.observe_sources(Change::Apply(served));
    let settled = world.settle();
    assert!(settled.table.is_none() && settled.changed.is_empty(), "{settled:?}");
}

#[test]
fn a_recreated_source_has_no_past() {
    let mut world = World::new();
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    world.apply_as("u-2", "calls", 1, 9, &json!({"provider": "no-such-vendor"}));
    assert_eq!(world.answers("/sales/calls"), "503");
}

#[test]
fn a_rotated_secret_compiles_its_sources_anew_and_no_other() {
    let mut world = World::new();
    world.apply("one", 1, 0, &generic("s"));
    world.apply("two", 1, 0, &generic("t"));
    world.read("s", "v1");
    world.read("t", "v1");
    let before = ["one", "two"].map(|name| world.planned(name).route().unwrap().clone());
    world.see("s", "v2");
    assert!(world.settle().changed.is_empty(), "nothing changes before it was read");
    assert_eq!(world.read("s", "v2").changed, BTreeSet::from([key("one")]));
    assert!(!Arc::ptr_eq(&before[0], world.planned("one").route().unwrap()));
    assert!(Arc::ptr_eq(&before[1], world.planned("two").route().unwrap()));
    // A deletion takes effect at once, whatever else is wrong with the source.
    world.apply("one", 2, 0, &json!({"provider": "no-such-vendor"}));
    world.plan.observe_secrets(Change::Delete(key("s")));
    let before = world.planned("one").route().unwrap().clone();
    assert!(world.settle().changed.contains(&key("one")));
    assert!(
        !world.planned("one").route().is_some_and(|route| Arc::ptr_eq(&before, route)),
        "the former keys still serve"
    );
}

#[test]
fn a_new_spec_waits_for_its_secret_while_the_former_serves() {
    let mut world = World::new();
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    let settled = world.apply("calls", 2, 0, &generic("t"));
    assert_eq!(settled.to_read, [key("t")]);
    assert_eq!((world.planned("calls").pending, world.answers("/sales/calls").as_str()), (true, "calls@1"));
    world.read("t", "two");
    assert_eq!((world.planned("calls").pending, world.answers("/sales/calls").as_str()), (false, "calls@2"));
    let known = world.plan.vault.known(&key("s"), "k").0;
    assert!(matches!(known, crate::control::vault::Known::Pending), "a Secret that nobody refers to is kept");
}

#[test]
fn a_replaced_secret_is_not_kept_alive_by_an_api_server_that_fails() {
    let mut world = World::new();
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    world.apply("calls", 2, 0, &generic("t"));
    let opens = |world: &World| match world.table.find("any.test", "/sales/calls") {
        Some(Entry::Served(route)) => route.verifier.open(world.now),
        Some(Entry::NotServed(_)) | None => false,
    };
    assert!(opens(&world), "for as long as a reading takes");
    world.fail("t");
    assert!(!opens(&world), "what the spec no longer holds counts no more");
    world.read("t", "two");
    assert!(opens(&world));
    assert_eq!(world.answers("/sales/calls"), "calls@2");
}

#[test]
fn a_ref_expires_at_its_instant_also_under_a_spec_that_does_not_compile() {
    let expiring = |at: &str| {
        let refs = json!([{"name": "s", "key": "k"}, {"name": "t", "key": "k", "notAfter": at}]);
        json!({"provider": "generic", "verification": {"method": "token", "token": {"header": "X-Token"}, "secretRefs": refs}})
    };
    let mut world = World::new();
    world.apply("calls", 1, 0, &expiring("2026-11-25T18:00:00Z"));
    world.read("s", "one");
    world.read("t", "two");
    assert_eq!(world.plan.next_wake().unwrap().to_string(), "2026-11-25T18:00:00Z");
    // The owner wants it to end earlier, and breaks the rest: the end counts.
    let broken = with(expiring("2026-11-25T13:00:00Z"), json!({"provider": "no-such-vendor"}));
    world.apply("calls", 2, 0, &broken);
    assert_eq!(world.answers("/sales/calls"), "calls@1", "{:?}", world.planned("calls").accepted);
    let end = world.plan.next_wake().unwrap();
    assert_eq!(end.to_string(), "2026-11-25T13:00:00Z");
    let before = world.planned("calls").route().unwrap().clone();
    world.now = end;
    assert!(world.settle().changed.contains(&key("calls")));
    assert!(!Arc::ptr_eq(&before, world.planned("calls").route().unwrap()));
    // Another of its purpose lives: that is a note, and no alert.
    assert_eq!((world.planned("calls").refs.clone(), world.planned("calls").ended.len()), (Some(Vec::new()), 1));
    assert_eq!(world.plan.next_wake(), None);
}

#[test]
fn sources_follow_their_provider_and_outlive_it() {
    let acme = |name: &str| {
        json!({
            "displayName": name,
            "methods": [{"name": "token", "anyOf": [{"allOf": [{"token": {"header": "X-Token"}}]}]}],
        })
    };
    let spec = json!({"provider": "acme", "verification": {"secretRefs": [{"name": "s", "key": "k"}]}});
    let mut world = World::new();
    world.apply("calls", 1, 0, &spec);
    world.read("s", "one");
    assert_eq!(
        (world.refused("calls"), world.answers("/sales/calls").as_str()),
        (Some(Reason::UnknownProvider), "503")
    );
    world.provider(Some(&acme("Acme")));
    assert_eq!((world.refused("calls"), world.answers("/sales/calls").as_str()), (None, "calls@1"));
    world.provider(None);
    assert_eq!(
        (world.refused("calls"), world.answers("/sales/calls").as_str()),
        (Some(Reason::UnknownProvider), "calls@1")
    );
    let before = world.planned("calls").route().unwrap().clone();
    assert!(world.read("s", "one").changed.is_empty());
    world.see("s", "two");
    assert!(world.read("s", "two").changed.contains(&key("calls")), "a secret rotates also then");
    assert!(!Arc::ptr_eq(&before, world.planned("calls").route().unwrap()));
}

#[test]
fn the_older_keeps_a_path_until_it_is_gone() {
    let spec = with(generic("s"), json!({"path": "/sales/shared"}));
    let mut world = World::new();
    world.apply("young", 1, 9, &spec);
    world.read("s", "one");
    assert_eq!(world.answers("/sales/shared"), "young@1");
    let settled = world.apply("old", 1, 1, &spec);
    assert_eq!(settled.changed.len(), 2, "both have news: {:?}", settled.changed);
    assert_eq!(world.answers("/sales/shared"), "old@1");
    assert!(world.planned("young").is_displaced() && world.planned("young").route().is_none());
    let settled = world.delete("old");
    assert!(settled.changed.contains(&key("young")));
    assert_eq!(world.answers("/sales/shared"), "young@1");
}

#[test]
fn nothing_is_rebuilt_for_a_status_or_for_a_list_that_says_the_same() {
    let mut world = World::new();
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    let mut again = world.plan.index().sources.get(&key("calls")).unwrap().clone();
    again.status = Some(crate::api::source::WebhookSourceStatus::default());
    world.plan.observe_sources(Change::Reset(crate::control::index::Scope::All, vec![again]));
    let settled = world.plan.settle(world.now);
    assert!(settled.table.is_none() && settled.changed.is_empty() && settled.to_read.is_empty());
}

#[test]
fn a_ref_that_the_current_spec_holds_no_more_counts_no_more_although_that_does_not_compile() {
    let two = json!([{"name": "s", "key": "k"}, {"name": "t", "key": "k"}]);
    let spec = |refs: Value| json!({"provider": "generic", "verification": {"method": "token", "token": {"header": "X-Token"}, "secretRefs": refs}});
    let mut world = World::new();
    world.apply("calls", 1, 0, &spec(two));
    world.read("s", "one");
    world.read("t", "two");
    assert_eq!(world.keys("/sales/calls"), ("calls@1".to_owned(), 2));
    let broken = |refs: Value| with(spec(refs), json!({"events": {"filter": "data.("}}));
    world.apply("calls", 2, 0, &broken(json!([{"name": "t", "key": "k"}])));
    assert_eq!(world.keys("/sales/calls"), ("calls@1".to_owned(), 1), "the removed secret is still valid");
    let forgotten = |world: &World, secret| {
        matches!(world.plan.vault.known(&key(secret), "k").0, crate::control::vault::Known::Pending)
    };
    assert!(forgotten(&world, "s"), "a Secret that nobody refers to is kept");
    // Not even readable, and without any: nothing is live, and still a token is required.
    world.apply("calls", 3, 0, &json!({"provider": "generic", "later": 1}));
    assert_eq!(world.keys("/sales/calls"), ("calls@1".to_owned(), 0));
    let Some(Entry::Served(route)) = world.table.find("any.test", "/sales/calls").cloned() else { panic!("no route") };
    assert!(!route.verifier.open(world.now));
    world.apply("calls", 4, 0, &broken(json!([{"name": "u", "key": "k"}])));
    world.read("u", "three");
    assert_eq!(world.keys("/sales/calls"), ("calls@1".to_owned(), 1), "a rotation counts although the rest is wrong");
}

#[test]
fn a_generation_whose_subjects_no_stream_takes_is_held_back_until_one_does() {
    let named = |stream: &str| with(generic("s"), json!({"routing": {"stream": stream}}));
    let mut world = World::new();
    world.streams(&["webhooks.>"]);
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    world.apply("calls", 2, 0, &named("NOPE"));
    let planned = world.planned("calls");
    assert_eq!(planned.held.as_ref().map(|held| held.reason), Some(Reason::NoStream));
    assert_eq!((world.refused("calls"), world.answers("/sales/calls").as_str()), (None, "calls@1"));
    // Suspension takes effect whatever else is wrong.
    world.apply("calls", 3, 0, &with(named("NOPE"), json!({"suspend": true})));
    assert_eq!(world.answers("/sales/calls"), "suspended");
    world.apply("calls", 4, 0, &named("NOPE"));
    assert!(world.streams(&["webhooks.>", "other.>"]).changed.contains(&key("calls")), "judged at each reading");
    assert_eq!(world.answers("/sales/calls"), "calls@1");
    world.apply("calls", 5, 0, &named("WEBHOOKS"));
    assert_eq!((world.planned("calls").held.clone(), world.answers("/sales/calls").as_str()), (None, "calls@5"));
    // A stream that is lost under the current generation holds nothing back.
    assert!(world.streams(&["other.>"]).changed.is_empty());
    assert_eq!(world.answers("/sales/calls"), "calls@5");
    // Where the former has none either, nothing is won by holding back.
    world.apply("calls", 6, 0, &generic("s"));
    assert_eq!(world.answers("/sales/calls"), "calls@6");
}

#[test]
fn while_nats_was_never_seen_nothing_is_held_back_that_was_not() {
    let mut world = World::new();
    world.apply("calls", 1, 0, &generic("s"));
    world.read("s", "one");
    world.apply("calls", 2, 0, &with(generic("s"), json!({"routing": {"stream": "NOPE"}})));
    assert_eq!(world.answers("/sales/calls"), "calls@2");
    world.streams(&["webhooks.>"]);
    assert_eq!(world.answers("/sales/calls"), "calls@2", "its own stream is lost, it is not held back");
}

#[test]
fn what_was_never_served_anywhere_holds_no_path() {
    let shared = |spec: Value| with(spec, json!({"path": "/sales/shared"}));
    let mut world = World::new();
    world.apply("old", 1, 0, &shared(json!({"provider": "no-such-vendor"})));
    assert_eq!(world.answers("/sales/shared"), "503");
    world.apply("young", 1, 9, &shared(generic("s")));
    world.read("s", "one");
    assert_eq!(world.answers("/sales/shared"), "young@1");
    assert!(world.planned("old").is_displaced());
    // Once it compiles it is what it always was: the older.
    world.apply("old", 2, 0, &shared(generic("s")));
    assert_eq!(world.answers("/sales/shared"), "old@2");
    // And what was served before holds it although it compiles no more.
    world.apply("old", 3, 0, &shared(json!({"provider": "no-such-vendor"})));
    assert_eq!(world.answers("/sales/shared"), "old@2");
}

#[test]
fn sources_of_a_provider_that_does_not_compile_say_so() {
    let mut world = World::new();
    world.apply(
        "calls",
        1,
        0,
        &json!({"provider": "acme", "verification": {"secretRefs": [{"name": "s", "key": "k"}]}}),
    );
    world.read("s", "one");
    world.provider(Some(&json!({"displayName": "Acme", "methods": [], "later": 1})));
    let said = world.planned("calls").accepted.as_ref().unwrap_err().to_string();
    assert!(said.contains("WebhookProvider acme cannot be used as it stands") && said.contains("later"), "{said}");
}

#[test]
fn a_change_costs_what_it_touches() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.apply(name, 1, 0, &generic("s"));
    }
    world.apply("d", 1, 0, &generic("t"));
    world.read("s", "one");
    world.read("t", "one");
    let before =
        |world: &World, name: &str| world.planned(name).route().cloned().map(|route: Arc<Route>| Arc::as_ptr(&route));
    let (a, d) = (before(&world, "a"), before(&world, "d"));
    let settled = world.apply("d", 2, 0, &with(generic("t"), json!({"path": "/sales/other"})));
    assert_eq!(settled.changed, BTreeSet::from([key("d")]));
    assert_eq!(before(&world, "a"), a);
    assert_ne!(before(&world, "d"), d);
    world.see("s", "two");
    assert_eq!(world.read("s", "two").changed.len(), 3);
}
