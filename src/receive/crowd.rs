//! Who is connected: every open connection by the address it came from (of IPv6 the /64), and who gives way to whom.
//!
//! A new connection is never kept waiting: where a bound is reached, the address that holds most loses what has rested
//! longest there, so that whoever takes much pays for it and nobody else does. A request in work is never cut for
//! another connection, and trusted proxies, who stand for many, come last.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::activity::Activity;
use super::client::{TrustedProxies, network};
use super::settings::Settings;
use crate::route::known::Known;

/// Of a bound, so much is freed at once: the search for who gives way costs next to nothing then.
const BATCH: usize = 64;
/// Half-open handshakes, as a part of all connections.
const HANDSHAKES: usize = 8;
/// New handshakes a second for each core; a core does some 1,500 and has other work.
const HELLOS: u32 = 256;
/// Between two searches for heads that give way while the bound is not reached.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two lines about connections that were closed.
const LINES: Duration = Duration::from_secs(10);
/// So many connections are served however short memory is.
const FEW: usize = 256;
/// About what a connection holds beside its head, in bytes.
const HELD: u64 = 2 << 10;

/// Everybody who is connected to one port.
#[derive(Debug)]
pub(super) struct Crowd {
    connections: usize,
    hellos: u32,
    heads: u64,
    proxies: TrustedProxies,
    begun: Instant,
    /// Addresses that proved something lately: their handshakes never wait behind those of strangers.
    known: Known,
    hasher: RandomState,
    table: Mutex<Table>,
    /// Bytes of unfinished heads.
    head_bytes: AtomicU64,
    /// When heads were searched last, in milliseconds since `begun`.
    searched: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    total: usize,
    shaking: usize,
    /// Whoever comes now is told at once that it is the end.
    stopped: bool,
    /// The second that is counted, since the begin, and the handshakes that began in it.
    second: u64,
    hellos: u32,
    groups: HashMap<IpAddr, Group>,
    /// Closed or refused, and when that was said last.
    closed: u64,
    said: Option<Instant>,
}

/// Those of one address.
#[derive(Debug, Default)]
struct Group {
    trusted: bool,
    members: BTreeMap<u64, Arc<Activity>>,
    shaking: usize,
    second: u64,
    hellos: u32,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Arc<Crowd>,
    group: IpAddr,
    id: u64,
    shaking: bool,
    activity: Arc<Activity>,
}

impl Crowd {
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        Arc::new(Self {
            connections: settings.connections.max(1),
            hellos: HELLOS.saturating_mul(cores),
            heads: settings.heads.max(1),
            proxies: settings.proxies.clone(),
            begun: Instant::now(),
            known: Known::default(),
            hasher: RandomState::new(),
            table: Mutex::default(),
            head_bytes: AtomicU64::new(0),
            searched: AtomicU64::new(0),
        })
    }

    /// A place for a new connection. `None` where all that its address holds is in work, or where it shakes hands too often.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr, tls: bool) -> Option<Member> {
        let address = network(peer);
        let activity = Activity::new(tls);
        let mut table = self.table();
        let trusted = self.proxies.contains(peer.to_canonical());
        if tls && !self.may_shake(&mut table, address, trusted) || !self.make_room(&mut table, address, trusted, tls) {
            table.close(1);
            return None;
        }
        if table.stopped {
            activity.stop();
        }
        let id = table.next;
        table.next += 1;
        table.total += 1;
        table.shaking += usize::from(tls);
        let group = table.groups.entry(address).or_default();
        group.trusted = trusted;
        group.shaking += usize::from(tls);
        group.members.insert(id, activity.clone());
        drop(table);
        if tls {
            // Timed as a head is: something has begun and is not complete.
            activity.head(1);
        }
        Some(Member { crowd: self.clone(), group: address, id, shaking: tls, activity })
    }

    /// Counts a handshake. One address has an eighth of what there is in a second, once half of that is used, and one when all
    /// is; one that proved something lately has half of it whatever strangers do.
    fn may_shake(&self, table: &mut Table, address: IpAddr, trusted: bool) -> bool {
        let second = self.begun.elapsed().as_secs();
        if table.second != second {
            (table.second, table.hellos) = (second, 0);
            table.groups.retain(|_, group| !group.is_forgotten(second));
        }
        let all = table.hellos;
        let group = table.groups.entry(address).or_default();
        if group.second != second {
            (group.second, group.hellos) = (second, 0);
        }
        let over = all >= self.hellos / 2 && group.hellos >= self.hellos / 8 || all >= self.hellos && group.hellos > 0;
        if over && !trusted && (group.hellos >= self.hellos / 2 || !(self.knows(address) || group.is_proven())) {
            return false;
        }
        group.hellos += 1;
        table.hellos += 1;
        true
    }

    fn knows(&self, address: IpAddr) -> bool {
        self.known.contains(self.hasher.hash_one(address), Instant::now())
    }

    fn make_room(&self, table: &mut Table, address: IpAddr, trusted: bool, tls: bool) -> bool {
        let (held, shaking) = table.groups.get(&address).map_or((0, 0), |group| (group.members.len(), group.shaking));
        let handshakes = (self.connections / HANDSHAKES).max(1);
        if tls {
            let share = !trusted && table.shaking >= handshakes / 2 && shaking >= (handshakes / 2).max(1);
            if share || table.shaking >= handshakes {
                let whose = share.then_some(address);
                let shaking = |activity: &Activity| u64::from(activity.is_shaking());
                if table.relieve(whose, batch(handshakes), &shaking, false) == 0 {
                    return false;
                }
            }
        }
        let share = !trusted && table.total >= self.connections / 2 && held >= (self.connections / 2).max(1);
        let full = table.total >= self.connections;
        !(share || full) || table.relieve(share.then_some(address), batch(self.connections), &|_| 1, false) > 0
    }

    /// About so many bytes of memory are to be given back: unfinished heads, answers that are not taken and idle connections
    /// give way, and `urgently` also requests in work of connections on which nothing was proven.
    pub(super) fn shed(&self, bytes: u64, urgently: bool) {
        let mut table = self.table();
        let some = u64::try_from((table.total / 8).max(BATCH)).unwrap_or(u64::MAX);
        if table.total > FEW || urgently {
            let weigh = |activity: &Activity| 1 + activity.head_bytes() / HELD;
            // At most half: who weighs little stays while others weigh much.
            let held: u64 = table.groups.values().map(|group| group.weight(&weigh)).sum();
            table.relieve(None, some.max((bytes / HELD).min(held / 2)), &weigh, urgently);
        }
    }

    /// Every connection ends as soon as it can without a loss, also those that come from now on.
    pub(super) fn stop(&self) {
        let mut table = self.table();
        table.stopped = true;
        table.members().for_each(|activity| activity.stop());
    }

    /// Ends every connection at once.
    pub(super) fn cut(&self) {
        self.table().members().for_each(|activity| activity.cut());
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A head grew or was completed. One address may hold half of the bytes that all may.
    fn count_head(&self, before: u32, now: u32) {
        let (before, now) = (u64::from(before), u64::from(now));
        if now <= before {
            self.head_bytes.fetch_sub(before - now, Ordering::Relaxed);
            return;
        }
        let sum = self.head_bytes.fetch_add(now - before, Ordering::Relaxed) + now - before;
        if sum <= self.heads / 2 {
            return;
        }
        let time = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.searched.load(Ordering::Relaxed);
        let pause = if sum > self.heads { Duration::ZERO } else { PAUSE };
        if u128::from(time.saturating_sub(last)) < pause.as_millis() {
            return;
        }
        self.searched.store(time, Ordering::Relaxed);
        let Ok(mut table) = self.table.try_lock() else { return };
        let weigh = |activity: &Activity| activity.head_bytes();
        if sum > self.heads {
            table.relieve(None, (sum - self.heads).max(self.heads / BATCH as u64), &weigh, false);
        } else if let Some((address, held)) = table.largest(&weigh).filter(|(_, held)| *held > self.heads / 2) {
            table.relieve(Some(address), held - self.heads / 2, &weigh, false);
        }
    }
}

fn batch(bound: usize) -> u64 {
    u64::try_from((bound / BATCH).max(1)).unwrap_or(1)
}

type Weigh<'a> = &'a dyn Fn(&Activity) -> u64;

impl Table {
    fn members(&self) -> impl Iterator<Item = &Arc<Activity>> {
        self.groups.values().flat_map(|group| group.members.values())
    }

    /// The address that weighs most, but for proxies.
    fn largest(&self, weigh: Weigh<'_>) -> Option<(IpAddr, u64)> {
        let untrusted = self.groups.iter().filter(|(_, group)| !group.trusted);
        untrusted.map(|(address, group)| (*address, group.weight(weigh))).max_by_key(|(_, weight)| *weight)
    }

    /// Closes what has rested longest of whoever weighs most, again and again, until `need` is freed. Says what was.
    fn relieve(&mut self, whose: Option<IpAddr>, need: u64, weigh: Weigh<'_>, busy: bool) -> u64 {
        let groups = self.groups.iter().filter(|(address, _)| whose.is_none_or(|whose| whose == **address));
        let mut heaviest: BinaryHeap<(bool, u64, IpAddr)> = groups
            .map(|(address, group)| (!group.trusted, group.weight(weigh), *address))
            .filter(|(_, weight, _)| *weight > 0)
            .collect();
        let mut ranked: HashMap<IpAddr, Vec<(u64, u64)>> = HashMap::new();
        let (mut freed, mut closed) = (0, 0);
        while freed < need
            && let Some((untrusted, weight, address)) = heaviest.pop()
        {
            let Some(group) = self.groups.get_mut(&address) else { continue };
            let Some((id, part)) = ranked.entry(address).or_insert_with(|| group.ranked(weigh, busy)).pop() else {
                continue;
            };
            heaviest.push((untrusted, weight.saturating_sub(part), address));
            let Some(activity) = group.members.remove(&id) else { continue };
            self.total -= 1;
            if activity.is_shaking() {
                group.shaking -= 1;
                self.shaking -= 1;
            }
            if group.is_forgotten(self.second) {
                self.groups.remove(&address);
            }
            activity.cut();
            freed += part;
            closed += 1;
        }
        self.close(closed);
        freed
    }

    /// So many connections were closed or refused. Said at most every ten seconds: strangers can cause it.
    fn close(&mut self, connections: u64) {
        self.closed += connections;
        if self.closed > 0 && self.said.is_none_or(|said| said.elapsed() >= LINES) {
            tracing::warn!(
                closed = self.closed,
                open = self.total,
                addresses = self.groups.len(),
                "connections gave way to others: see --max-connections and --memory-limit"
            );
            (self.closed, self.said) = (0, Some(Instant::now()));
        }
    }
}

impl Group {
    /// Nobody is here, and no handshake of this second is to be remembered.
    fn is_forgotten(&self, second: u64) -> bool {
        self.members.is_empty() && (self.hellos == 0 || self.second != second)
    }

    /// Something was proven on one of its connections.
    fn is_proven(&self) -> bool {
        self.members.values().any(|activity| activity.is_proven())
    }

    fn weight(&self, weigh: Weigh<'_>) -> u64 {
        self.members.values().map(|activity| weigh(activity)).sum()
    }

    /// Who may give way, with what each weighs: who goes first stands last.
    fn ranked(&self, weigh: Weigh<'_>, busy: bool) -> Vec<(u64, u64)> {
        let candidates = self.members.iter().filter_map(|(id, activity)| {
            let rests = activity.rests().or((busy && !activity.is_proven()).then_some(Duration::ZERO))?;
            let weight = weigh(activity);
            (weight > 0).then_some((!activity.is_proven(), rests, Reverse(*id), weight))
        });
        let mut candidates: Vec<_> = candidates.collect();
        candidates.sort_unstable();
        candidates.into_iter().map(|(_, _, Reverse(id), weight)| (id, weight)).collect()
    }
}

impl Member {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// The handshake is done.
    pub(super) fn shaken(&mut self) {
        if !std::mem::take(&mut self.shaking) {
            return;
        }
        self.activity.head(0);
        let mut table = self.crowd.table();
        if let Some(group) = table.groups.get_mut(&self.group)
            && group.members.contains_key(&self.id)
        {
            self.activity.shook();
            group.shaking -= 1;
            table.shaking -= 1;
        }
    }

    /// So many bytes of an unfinished head are here.
    pub(super) fn head(&self, bytes: u32) {
        let before = self.activity.head(bytes);
        if before != bytes {
            self.crowd.count_head(before, bytes);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !self.shaking {
            self.head(0);
        }
        if self.activity.is_proven() {
            self.crowd.known.add(self.crowd.hasher.hash_one(self.group), Instant::now());
        }
        let mut table = self.crowd.table();
        let second = table.second;
        let Some(group) = table.groups.get_mut(&self.group) else { return };
        // Who gave way has left already.
        if group.members.remove(&self.id).is_none() {
            return;
        }
        group.shaking -= usize::from(self.shaking);
        if group.is_forgotten(second) {
            table.groups.remove(&self.group);
        }
        table.total -= 1;
        table.shaking -= usize::from(self.shaking);
    }
}
