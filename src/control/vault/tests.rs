use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn key(name: &str) -> Key {
    Key::new("sales", name)
}

fn wanted(refs: &[(&str, &str)]) -> BTreeMap<Key, BTreeSet<String>> {
    let mut wanted = BTreeMap::<Key, BTreeSet<String>>::new();
    for (name, of) in refs {
        wanted.entry(key(name)).or_default().insert((*of).to_owned());
    }
    wanted
}

/// Says all that is wanted, and what is wanted no more. Returns the Secrets to read.
fn want(vault: &mut Vault, refs: &[(&str, &str)]) -> Vec<Key> {
    let mut wanted = wanted(refs);
    for key in vault.entries.keys() {
        wanted.entry(key.clone()).or_default();
    }
    wanted.into_iter().filter_map(|(key, keys)| vault.want(&key, keys).then_some(key)).collect()
}

fn found(version: &str, data: &[(&str, &str)]) -> Reading {
    let data = data.iter().map(|(k, v)| ((*k).to_owned(), SecretBytes::new(v.as_bytes().to_vec()))).collect();
    Reading::Found(version.to_owned(), SecretData { kind: "Opaque".to_owned(), labels: BTreeMap::new(), data })
}

fn seen(name: &str, version: &str) -> Change<Sighting> {
    Change::Apply(Sighting { key: key(name), version: version.to_owned() })
}

fn value(vault: &Vault, name: &str, of: &str) -> Option<Vec<u8>> {
    match vault.known(&key(name), of).0 {
        Known::Values(values) => values.get(of).map(|value| value.expose().to_vec()),
        _ => None,
    }
}

#[test]
fn only_referenced_keys_of_referenced_secrets_are_kept() {
    let mut vault = Vault::default();
    assert_eq!(want(&mut vault, &[("a", "k")]), [key("a")]);
    assert!(vault.observe(seen("stranger", "1")).0.is_empty());
    assert_eq!(vault.take(&key("a"), found("1", &[("k", "v"), ("root-password", "x")]), NOW), (false, true));
    assert_eq!(value(&vault, "a", "k").unwrap(), b"v");
    let Known::Values(values) = vault.known(&key("a"), "k").0 else { panic!() };
    assert_eq!(values.len(), 1);
    // A key that becomes referenced later is read, and is not known to be missing until then.
    assert_eq!(want(&mut vault, &[("a", "k"), ("a", "l")]), [key("a")]);
    assert!(matches!(vault.known(&key("a"), "l").0, Known::Pending) && value(&vault, "a", "k").is_some());
    vault.take(&key("a"), found("1", &[("k", "v"), ("l", "w")]), NOW);
    assert_eq!(value(&vault, "a", "l").unwrap(), b"w");
    want(&mut vault, &[("a", "l")]);
    assert_eq!(want(&mut vault, &[("a", "k"), ("a", "l")]), [key("a")], "what was forgotten is read again");
    assert!(matches!(vault.known(&key("a"), "k").0, Known::Pending));
    assert!(want(&mut vault, &[]).is_empty());
    assert!(matches!(vault.known(&key("a"), "k").0, Known::Pending));
}

#[test]
fn a_new_version_is_read_once_and_what_was_read_serves_meanwhile() {
    let mut vault = Vault::default();
    want(&mut vault, &[("a", "k")]);
    vault.take(&key("a"), found("1", &[("k", "old")]), NOW);
    let before = vault.known(&key("a"), "k").1;
    assert!(vault.observe(seen("a", "1")).0.is_empty(), "the version is known already");
    assert_eq!(vault.observe(seen("a", "2")).0, [key("a")]);
    assert!(vault.observe(seen("a", "3")).0.is_empty(), "one reading at a time");
    assert_eq!(value(&vault, "a", "k").unwrap(), b"old");
    // The reading was of version 2: what the watch saw meanwhile is read too.
    assert_eq!(vault.take(&key("a"), found("2", &[("k", "new")]), NOW), (true, true));
    // Nothing changed but a label.
    assert_eq!(vault.take(&key("a"), found("3", &[("k", "new")]), NOW), (false, false));
    assert_ne!(vault.known(&key("a"), "k").1, before);
}

#[test]
fn a_deletion_counts_at_once_and_an_incomplete_list_only_asks() {
    let mut vault = Vault::default();
    want(&mut vault, &[("a", "k"), ("b", "k")]);
    vault.take(&key("a"), found("1", &[("k", "v")]), NOW);
    vault.take(&key("b"), found("2", &[("k", "v")]), NOW);
    let (read, changed) = vault.observe(Change::Delete(key("a")));
    assert!(read.is_empty() && changed.contains(&key("a")));
    assert!(matches!(vault.known(&key("a"), "k").0, Known::Missing));
    // A list may be older than the reading: the Secret is read again, and serves until then.
    let (read, changed) = vault.observe(Change::Reset(Scope::All, vec![]));
    assert_eq!((read, changed.len()), (vec![key("b")], 0));
    assert!(value(&vault, "b", "k").is_some());
    assert_eq!(vault.take(&key("b"), Reading::NotFound, NOW), (false, true));
    assert!(matches!(vault.known(&key("b"), "k").0, Known::Missing));
    // It appears again.
    assert_eq!(vault.observe(seen("b", "9")).0, [key("b")]);
}

#[test]
fn a_secret_that_is_deleted_during_a_reading_is_not_revived_by_it() {
    let mut vault = Vault::default();
    want(&mut vault, &[("a", "k")]);
    vault.observe(Change::Delete(key("a")));
    assert!(vault.take(&key("a"), found("1", &[("k", "v")]), NOW).0, "it must be read once more");
    assert_eq!(vault.take(&key("a"), Reading::NotFound, NOW), (false, true));
}

#[test]
fn an_unreadable_secret_is_tried_again_ever_more_rarely_and_takes_nothing_away() {
    let mut vault = Vault::default();
    want(&mut vault, &[("a", "k"), ("b", "k")]);
    vault.take(&key("a"), found("1", &[("k", "v")]), NOW);
    vault.observe(seen("a", "2"));
    assert_eq!(vault.take(&key("a"), Reading::Forbidden, NOW), (false, false));
    assert!(value(&vault, "a", "k").is_some());
    assert_eq!(vault.take(&key("b"), Reading::Failed, NOW), (false, true), "who waits for it is told once");
    assert!(vault.is_failing(&key("b"), "k") && !vault.is_failing(&key("a"), "k"));
    assert!(matches!(vault.known(&key("b"), "k").0, Known::Pending));
    let first = vault.next_due().unwrap();
    assert_eq!(first.as_second(), 1);
    assert!(vault.due(NOW).is_empty());
    assert_eq!(vault.due(first), [key("a"), key("b")]);
    assert_eq!(vault.take(&key("b"), Reading::Forbidden, first), (false, true));
    assert_eq!(vault.next_due().unwrap().as_second(), 3);
    assert!(matches!(vault.known(&key("b"), "k").0, Known::Forbidden));
}

#[test]
fn secrets_of_the_platform_are_refused_whatever_they_hold() {
    for kind in [
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
        "kubernetes.io/dockercfg",
        "kubernetes.io/dockerconfigjson",
        "helm.sh/release.v1",
    ] {
        let mut vault = Vault::default();
        want(&mut vault, &[("a", "k")]);
        let Reading::Found(version, secret) = found("1", &[("k", "v")]) else { unreachable!() };
        vault.take(&key("a"), Reading::Found(version, SecretData { kind: kind.to_owned(), ..secret }), NOW);
        assert!(matches!(vault.known(&key("a"), "k").0, Known::Refused(refused) if *refused == kind), "{kind}");
    }
}

#[test]
fn a_folder_supplies_everything_at_once() {
    let mut vault = Vault::default();
    want(&mut vault, &[("a", "k"), ("b", "k")]);
    let Reading::Found(_, secret) = found("", &[("k", "v"), ("x", "y")]) else { panic!() };
    let folder = BTreeMap::from([(key("a"), secret)]);
    assert_eq!(vault.supply(&folder).len(), 2);
    assert!(value(&vault, "a", "k").is_some() && matches!(vault.known(&key("b"), "k").0, Known::Missing));
    assert!(vault.supply(&folder).is_empty());
    assert_eq!(vault.supply(&BTreeMap::new()), BTreeSet::from([key("a")]));
}
