//! Who is beyond the quota of a namespace.

use proptest::prelude::*;

use super::*;
use crate::control::settings::Settings;

fn world(quota: &str) -> World {
    let settings = Settings { namespace_quota: quota.parse().unwrap(), ..Settings::default() };
    World { plan: Plan::new(Arc::new(settings)), table: RouteTable::default(), now: START.parse().unwrap() }
}

fn filtered(rules: usize) -> Value {
    let rules: Vec<Value> =
        (0..rules).map(|rule| json!({"filter": "type == 'a'", "subject": format!("webhooks.sales.r{rule}")})).collect();
    with(generic("s"), json!({"routing": {"rules": rules}}))
}

fn answers(world: &World) -> Vec<String> {
    ["a", "b", "c", "d"].iter().map(|name| world.answers(&format!("/sales/{name}"))).collect()
}

#[test]
fn the_younger_beyond_the_quota_are_refused_and_move_up_when_others_go() {
    let mut world = world("sources=2");
    world.read("s", "one");
    let object = |name: &str, age: u8| {
        let object = json!({
            "metadata": {
                "name": name, "namespace": "sales", "uid": name, "generation": 1,
                "creationTimestamp": format!("2026-01-01T00:00:{age:02}Z"),
            },
            "spec": generic("s"),
        });
        Object::read(serde_json::from_value(object).unwrap())
    };
    // All are seen at one time, as at a start: the older are served.
    let all = [("a", 4), ("b", 3), ("c", 2), ("d", 1)].map(|(name, age)| object(name, age));
    world.plan.observe_sources(Change::Reset(crate::control::index::Scope::All, all.to_vec()));
    world.settle();
    world.read("s", "two");
    assert_eq!(answers(&world), ["503", "503", "c@1", "d@1"]);
    assert_eq!(world.refused("a"), Some(Reason::QuotaExceeded));
    assert!(world.planned("a").accepted.clone().unwrap_err().to_string().contains("sources=2"));
    assert!(world.delete("d").changed.contains(&key("b")));
    assert_eq!(answers(&world), ["503", "b@1", "c@1", "404"]);
    // An older one that comes back later takes nothing away from what serves.
    world.apply("d", 1, 0, &generic("s"));
    assert_eq!(answers(&world), ["503", "b@1", "c@1", "503"]);
    // Other namespaces have their own.
    let mut other = object("x", 9);
    other.key = Key::new("hr", "x");
    world.plan.observe_sources(Change::Apply(other));
    world.settle();
    assert_eq!(world.plan.sources()[&Key::new("hr", "x")].accepted, Ok(()));
}

#[test]
fn an_edit_beyond_the_quota_keeps_what_served_and_one_below_it_makes_room() {
    let mut world = world("filters=3,bytes=1Mi");
    world.apply("a", 1, 0, &filtered(1));
    world.read("s", "one");
    world.apply("b", 1, 1, &filtered(2));
    world.apply("a", 2, 0, &filtered(2));
    assert_eq!((world.refused("a"), world.answers("/sales/a")), (Some(Reason::QuotaExceeded), "a@1".to_owned()));
    world.apply("c", 1, 2, &filtered(1));
    assert_eq!((world.refused("c"), world.answers("/sales/c")), (Some(Reason::QuotaExceeded), "503".to_owned()));
    world.apply("b", 2, 1, &filtered(1));
    assert_eq!((world.refused("a"), world.answers("/sales/a")), (None, "a@2".to_owned()), "the older is first");
    world.apply("b", 3, 1, &filtered(0));
    assert_eq!((world.refused("c"), world.answers("/sales/c")), (None, "c@1".to_owned()));
    let large = json!({"response": {"body": "x".repeat(4096)}, "hostnames": ["a.example"]});
    let huge: Vec<String> = (0..32).map(|n| format!("{n}{}", "y".repeat(4000))).collect();
    world.apply("d", 1, 3, &with(with(generic("s"), large), json!({"events": {"include": huge}})));
    assert_eq!(world.refused("d"), Some(Reason::QuotaExceeded));
}

proptest! {
    #[test]
    fn adding_never_takes_a_served_source_away(
        steps in prop::collection::vec((0..6_u8, 0..60_u8, 0..4_usize), 1..30),
    ) {
        let mut world = world("sources=4,filters=5");
        world.read("s", "one");
        let mut generations = BTreeMap::<u8, i64>::new();
        for (source, age, rules) in steps {
            let served = |world: &World| -> BTreeSet<String> {
                (0..6).map(|n| world.answers(&format!("/sales/c{n}"))).filter(|answer| answer.contains('@')).map(|answer| {
                    answer.split('@').next().unwrap_or_default().to_owned()
                }).collect()
            };
            let before = served(&world);
            let generation = generations.entry(source).or_insert(0);
            *generation += 1;
            let name = format!("c{source}");
            // An object keeps its age.
            let age = if *generation == 1 { age } else { world.planned(&name).entry.as_ref().map_or(age, |entry| {
                entry.claim().created.to_zoned(jiff::tz::TimeZone::UTC).second() as u8
            }) };
            world.apply_as(&name, &name, *generation, age, &filtered(rules));
            world.read("s", "one");
            let after = served(&world);
            prop_assert!(before.is_subset(&after), "{before:?}, then {after:?}");
            prop_assert!(after.len() <= 4);
            let filters: usize = world.plan.sources().values().filter_map(|planned| planned.route()).map(|route| {
                route.routing.rules.len()
            }).sum();
            prop_assert!(filters <= 5, "{filters}");
        }
    }
}
