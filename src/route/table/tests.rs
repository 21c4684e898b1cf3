use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::metrics::Metrics;
use crate::route::Sources;

/// A claim of a source called `name`, created at second `created`.
fn claim(name: &str, created: i64, hosts: &[&str], path: &str) -> Entry {
    Entry::NotServed(Arc::new(Claim {
        namespace: "sales".into(),
        name: name.into(),
        uid: name.into(),
        provider: "generic".into(),
        hosts: Host::parse_all(hosts),
        path: path.to_owned(),
        created: jiff::Timestamp::from_second(created).unwrap(),
        state: Sources::new(Metrics::new()).state("uid", "sales", name, "generic"),
        held: true,
    }))
}

fn found<'a>(table: &'a RouteTable, host: &str, path: &str) -> Option<&'a str> {
    table.find(host, path).map(|entry| &*entry.claim().name)
}

#[test]
fn an_exact_host_beats_a_wildcard_beats_any() {
    let (table, conflicts) = RouteTable::build(vec![
        claim("any", 1, &[], "/in"),
        claim("wild", 2, &["*.example.com"], "/in"),
        claim("exact", 3, &["Hooks.Example.com"], "/in"),
    ]);
    assert_eq!(conflicts, []);
    assert_eq!(found(&table, "hooks.example.com", "/in"), Some("exact"));
    assert_eq!(found(&table, "other.example.com", "/in"), Some("wild"));
    assert_eq!(found(&table, "a.b.example.com", "/in"), Some("any"), "a wildcard is one label");
    assert_eq!(found(&table, "example.com", "/in"), Some("any"));
    assert_eq!(found(&table, ".example.com", "/in"), Some("any"), "an empty label is none");
}

#[test]
fn a_path_matches_byte_for_byte() {
    let (table, _) = RouteTable::build(vec![claim("calls", 1, &[], "/sales/calls")]);
    assert_eq!(found(&table, "h", "/sales/calls"), Some("calls"));
    for other in [
        "/sales/calls/",
        "/Sales/calls",
        "//sales/calls",
        "/sales//calls",
        "/sales/calls;x",
        "/sales/%63alls",
        "/sales/./calls",
        "sales/calls",
        "",
    ] {
        assert_eq!(found(&table, "h", other), None, "{other}");
    }
}

#[test]
fn a_source_without_the_host_answers_nothing_on_it() {
    let (table, _) = RouteTable::build(vec![claim("calls", 1, &["hooks.example.com"], "/in")]);
    assert_eq!(found(&table, "evil.example.com", "/in"), None);
}

#[test]
fn the_older_keeps_a_host_and_the_younger_keeps_what_is_left() {
    let (table, conflicts) = RouteTable::build(vec![
        claim("young", 9, &["a.example.com", "b.example.com"], "/in"),
        claim("old", 1, &["a.example.com"], "/in"),
        claim("lost", 10, &["a.example.com", "b.example.com"], "/in"),
    ]);
    assert_eq!(found(&table, "a.example.com", "/in"), Some("old"));
    assert_eq!(found(&table, "b.example.com", "/in"), Some("young"));
    let seen: Vec<_> = conflicts.iter().map(|c| (&*c.loser.1, &*c.keeper.1, c.host.to_string(), c.none_left)).collect();
    assert_eq!(
        seen,
        [
            ("young", "old", "a.example.com".to_owned(), false),
            ("lost", "old", "a.example.com".to_owned(), true),
            ("lost", "young", "b.example.com".to_owned(), true),
        ]
    );
}

#[test]
fn the_same_age_is_decided_by_namespace_and_name() {
    let (table, conflicts) = RouteTable::build(vec![claim("b", 1, &[], "/in"), claim("a", 1, &[], "/in")]);
    assert_eq!(found(&table, "h", "/in"), Some("a"));
    assert_eq!(conflicts.len(), 1);
}

#[test]
fn what_was_never_served_holds_nothing_against_what_is() {
    let mut never = claim("never", 1, &[], "/in");
    if let Entry::NotServed(claim) = &mut never {
        Arc::make_mut(claim).held = false;
    }
    let (table, conflicts) = RouteTable::build(vec![never.clone(), claim("young", 9, &[], "/in")]);
    assert_eq!(found(&table, "h", "/in"), Some("young"));
    assert_eq!(&*conflicts[0].loser.1, "never");
    let (table, _) = RouteTable::build(vec![never]);
    assert_eq!(found(&table, "h", "/in"), Some("never"), "alone it is answered 503, not 404");
}

#[test]
fn a_copy_stays_as_it_is_while_another_changes() {
    let (mut table, _) = RouteTable::build(vec![claim("a", 1, &[], "/a"), claim("b", 1, &[], "/b")]);
    let before = table.clone();
    table.assign("/a", vec![claim("c", 1, &[], "/a")]);
    table.assign("/b", Vec::new());
    assert_eq!((found(&table, "h", "/a"), found(&table, "h", "/b")), (Some("c"), None));
    assert_eq!((found(&before, "h", "/a"), found(&before, "h", "/b")), (Some("a"), Some("b")));
    assert_eq!(before.entries().len(), 2);
}

fn claims() -> impl Strategy<Value = Vec<(String, i64, Vec<String>, String)>> {
    let host = prop::sample::select(vec!["a.x", "b.x", "*.x", "c.a.x", "*.a.x"]);
    let one =
        (0..4_i64, prop::collection::vec(host.prop_map(str::to_owned), 0..4), prop::sample::select(vec!["/p", "/q"]));
    prop::collection::vec(one, 0..12).prop_map(|claims| {
        claims
            .into_iter()
            .enumerate()
            .map(|(n, (created, hosts, path))| (format!("s{n:02}"), created, hosts, path.to_owned()))
            .collect()
    })
}

fn entries(claims: &[(String, i64, Vec<String>, String)]) -> Vec<Entry> {
    claims
        .iter()
        .map(|(name, created, hosts, path)| {
            claim(name, *created, &hosts.iter().map(String::as_str).collect::<Vec<_>>(), path)
        })
        .collect()
}

proptest! {
    /// The winner of each host is the oldest that claims it, whatever the order in which sources arrive.
    #[test]
    fn the_oldest_claim_answers_in_whatever_order_sources_arrive(claims in claims(), seed in any::<u64>()) {
        let mut shuffled = claims.clone();
        shuffled.sort_by_key(|(name, ..)| seed.wrapping_mul(name.bytes().map(u64::from).sum::<u64>() | 1).rotate_left(17));
        let (table, conflicts) = RouteTable::build(entries(&claims));
        let (other, other_conflicts) = RouteTable::build(entries(&shuffled));
        prop_assert_eq!(&conflicts, &other_conflicts);
        let oldest = |path: &str, claimed: &dyn Fn(&[String]) -> bool| {
            claims
                .iter()
                .filter(|(_, _, hosts, p)| p == path && claimed(hosts))
                .map(|(name, created, ..)| (*created, name.as_str()))
                .min()
                .map(|(_, name)| name)
        };
        for path in ["/p", "/q"] {
            for host in ["a.x", "b.x", "d.x", "c.a.x", "d.a.x", "z"] {
                let wild = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
                let expected = oldest(path, &|hosts| hosts.iter().any(|h| h == host))
                    .or_else(|| oldest(path, &|hosts| hosts.iter().any(|h| Some(h) == wild.as_ref())))
                    .or_else(|| oldest(path, &|hosts| hosts.is_empty()));
                prop_assert_eq!(found(&table, host, path), expected);
                prop_assert_eq!(found(&other, host, path), expected);
            }
        }
    }

    /// A source is told `PathConflict` exactly when no host answers with it.
    #[test]
    fn none_left_means_that_nothing_answers(claims in claims()) {
        let (table, conflicts) = RouteTable::build(entries(&claims));
        let mut lost: BTreeMap<&str, bool> = BTreeMap::new();
        for conflict in &conflicts {
            lost.insert(&conflict.loser.1, conflict.none_left);
        }
        for hosts in table.paths.values() {
            let positions: Vec<usize> =
                hosts.exact.values().chain(hosts.wildcard.values()).copied().chain(hosts.any).collect();
            for (position, entry) in hosts.claims.iter().enumerate() {
                let name = &*entry.claim().name;
                prop_assert_eq!(positions.contains(&position), !lost.get(name).copied().unwrap_or(false), "{}", name);
            }
        }
    }
}
