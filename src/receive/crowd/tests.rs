//! Who gives way to whom, where there are too many.

use super::*;

fn crowd(connections: usize) -> Arc<Crowd> {
    let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
    Crowd::new(&Settings { connections, proxies, ..Settings::default() })
}

fn enter(crowd: &Arc<Crowd>, address: &str, count: usize) -> Vec<Member> {
    (0..count).filter_map(|_| crowd.enter(address.parse().unwrap(), false)).collect()
}

/// How many of them are still in.
fn left(crowd: &Crowd, members: &[Member]) -> usize {
    let table = crowd.table();
    let known = |one: &&Member| table.groups.get(&one.group).is_some_and(|group| group.members.contains_key(&one.id));
    members.iter().filter(known).count()
}

#[test]
fn one_address_has_half_and_of_ipv6_its_network_counts() {
    let crowd = crowd(1000);
    let few = enter(&crowd, "203.0.113.1", 300);
    let many: Vec<_> = (0..2000).flat_map(|n| enter(&crowd, &format!("2001:db8::{n:x}"), 1)).collect();
    assert_eq!(many.len(), 2000, "each was let in");
    assert!(left(&crowd, &many) <= 500, "{}", left(&crowd, &many));
    assert_eq!(left(&crowd, &few), 300);
    drop((few, many));
    let table = crowd.table();
    assert_eq!((table.total, table.groups.len()), (0, 0));
}

#[test]
fn at_the_bound_whoever_holds_most_gives_way_and_proxies_come_last() {
    let crowd = crowd(1000);
    let proxy = enter(&crowd, "10.0.0.1", 600);
    let others: Vec<_> = (1..=100).flat_map(|n| enter(&crowd, &format!("203.0.113.{n}"), 1 + n % 7)).collect();
    let more = enter(&crowd, "198.51.100.1", 200);
    assert_eq!(more.len(), 200);
    assert_eq!(left(&crowd, &proxy), 600);
    assert!(left(&crowd, &others) >= 250, "{}", left(&crowd, &others));
    assert!(crowd.table().total <= 1000);
    let alone = Crowd::new(&Settings { connections: 10, proxies: crowd.proxies.clone(), ..Settings::default() });
    let proxy = enter(&alone, "10.0.0.1", 30);
    assert_eq!((proxy.len(), left(&alone, &proxy)), (30, 10), "the proxy's own oldest where there is nobody else");
}

#[test]
fn who_was_proven_goes_after_who_was_not_and_who_is_answered_not_at_all() {
    let crowd = crowd(8);
    let members = enter(&crowd, "10.0.0.1", 8);
    let _answered = members[0].activity.begin();
    members[1].activity.prove();
    let next = enter(&crowd, "10.0.0.1", 6);
    assert_eq!((left(&crowd, &members[..2]), left(&crowd, &members[2..]), next.len()), (2, 0, 6));
    assert_eq!((enter(&crowd, "10.0.0.1", 1).len(), left(&crowd, &members)), (1, 2));
}

#[test]
fn one_address_cannot_use_up_what_there_is_for_handshakes() {
    let crowd = crowd(1_000_000);
    let shake = |address: &str, count: usize| {
        (0..count).filter_map(|_| crowd.enter(address.parse().unwrap(), true)).collect::<Vec<_>>().len()
    };
    let all = usize::try_from(crowd.hellos).unwrap();
    let many = shake("203.0.113.1", all * 4);
    assert!(many < all * 2, "{many} of {all}, in at most two seconds");
    assert_eq!(shake("198.51.100.1", 10), 10);
    assert_eq!(shake("10.0.0.1", all), all, "a proxy");
}

#[test]
fn handshakes_of_whoever_proved_something_wait_for_no_strangers_however_many_they_are() {
    let crowd = crowd(1_000_000);
    let shake = |address: &str, count: usize| -> Vec<Member> {
        (0..count).filter_map(|_| crowd.enter(address.parse().unwrap(), true)).collect()
    };
    for member in shake("198.51.100.1", 1) {
        member.activity().prove();
    }
    let begun = crowd.begun.elapsed().as_secs();
    // Each stranger has one, however many they are.
    let strangers: Vec<_> =
        (0..crowd.hellos * 2).flat_map(|n| shake(&format!("2001:db8:{:x}:{:x}::1", n >> 16, n & 0xffff), 1)).collect();
    let (known, unknown) = (shake("198.51.100.1", 50).len(), shake("198.51.100.2", 50).len());
    assert_eq!(known, 50, "of a connection that is gone");
    // Where a second passed meanwhile it has been counted anew.
    assert!(unknown == 1 || crowd.begun.elapsed().as_secs() > begun, "{unknown}");
    drop(strangers);
}

#[test]
fn when_memory_is_short_some_give_way_and_a_few_stay() {
    let crowd = crowd(4000);
    let members = enter(&crowd, "10.0.0.1", 2000);
    for _ in 0..100 {
        crowd.shed(0, false);
    }
    let stay = left(&crowd, &members);
    assert!(stay <= FEW && stay > FEW / 2, "{stay}");
}
