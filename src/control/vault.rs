//! The Secrets that sources refer to, and nothing more of them than the keys that are referred to.
//!
//! Pure. Says which Secrets must be read and takes in what was read; whoever reads them lives elsewhere. A signal of the metadata watch
//! only ever asks for a new reading or reports a deletion. While a reading fails, what was read before stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::index::{Change, Scope};
use super::object::Key;
use crate::secret::{SecretBytes, SecretData};

/// Secrets of these types are of the platform; a source must not turn them into keys.
const REFUSED: [&str; 5] = [
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "kubernetes.io/dockercfg",
    "kubernetes.io/dockerconfigjson",
    "helm.sh/release.v1",
];

/// The first pause after a reading that failed; doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// A version of a Secret, as the metadata watch sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Namespace and name.
    pub key: Key,
    /// The resource version, compared for equality alone.
    pub version: String,
}

/// What a reading brought.
#[derive(Debug)]
pub enum Reading {
    /// The Secret, at this resource version.
    Found(String, SecretData),
    /// There is none of that name.
    NotFound,
    /// The operator may not read it.
    Forbidden,
    /// The API server did not answer, or not sensibly.
    Failed,
}

/// What is known of one Secret.
#[derive(Clone, Debug)]
pub enum Known {
    /// Not read yet.
    Pending,
    /// There is none of that name.
    Missing,
    /// The operator may not read it.
    Forbidden,
    /// Of a type that is refused.
    Refused(&'static str),
    /// The values of the keys that are referred to, as far as they are there.
    Values(BTreeMap<String, SecretBytes>),
}

/// The Secrets that sources refer to.
#[derive(Debug, Default)]
pub struct Vault {
    entries: BTreeMap<Key, Slot>,
    /// When a reading that failed is due again. May hold instants that hold no more: the slot decides.
    retries: BTreeSet<(Timestamp, Key)>,
    /// Grows with every change, so that no two states of one Secret ever share a number.
    revision: u64,
    /// The names that may be read. Empty: all.
    names: BTreeSet<String>,
}

#[derive(Debug)]
struct Slot {
    known: Known,
    /// The keys that are referred to.
    wanted: BTreeSet<String>,
    /// The keys that the last reading was told to look for.
    asked: BTreeSet<String>,
    /// The keys that were looked for in what is known.
    picked: BTreeSet<String>,
    /// Changes with what is known.
    revision: u64,
    /// The resource version of what is known.
    version: Option<String>,
    /// The resource version that the watch saw last.
    seen: Option<String>,
    reading: bool,
    /// Something happened during the reading that it may have missed.
    again: bool,
    failures: u32,
    retry: Option<Timestamp>,
}

impl Slot {
    fn new(wanted: BTreeSet<String>) -> Self {
        Self {
            known: Known::Pending,
            wanted,
            asked: BTreeSet::new(),
            picked: BTreeSet::new(),
            revision: 0,
            version: None,
            seen: None,
            reading: false,
            again: false,
            failures: 0,
            retry: None,
        }
    }

    /// Asks for a reading, unless one is on its way. Returns whether one must be started now.
    fn ask(&mut self) -> bool {
        if self.reading {
            self.again = true;
            return false;
        }
        self.retry = None;
        self.asked.clone_from(&self.wanted);
        self.reading = true;
        true
    }

    fn learn(&mut self, known: Known, next: &mut u64) -> bool {
        let same = match (&self.known, &known) {
            (Known::Missing, Known::Missing) | (Known::Forbidden, Known::Forbidden) => true,
            (Known::Refused(one), Known::Refused(two)) => one == two,
            (Known::Values(one), Known::Values(two)) => one == two,
            _ => false,
        };
        if same {
            return false;
        }
        *next += 1;
        self.revision = *next;
        self.known = known;
        true
    }
}

impl Vault {
    /// Nothing read yet; only Secrets of these names may be, where there are any.
    pub fn new(names: BTreeSet<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Says which keys of a Secret are referred to. The rest is forgotten at once. Returns whether the Secret must be read.
    pub fn want(&mut self, key: &Key, keys: BTreeSet<String>) -> bool {
        if keys.is_empty() {
            self.entries.remove(key);
            return false;
        }
        let slot = self.entries.entry(key.clone()).or_insert_with(|| Slot::new(BTreeSet::new()));
        if let Known::Values(values) = &mut slot.known {
            values.retain(|name, _| keys.contains(name));
        }
        // What is forgotten was never asked for: whoever refers to it again has it read again.
        slot.asked.retain(|name| keys.contains(name));
        slot.picked.retain(|name| keys.contains(name));
        if !self.names.is_empty() && !self.names.contains(&key.name) {
            slot.wanted = keys;
            slot.learn(Known::Forbidden, &mut self.revision);
            return false;
        }
        let new = matches!(slot.known, Known::Pending) && slot.asked.is_empty() || !keys.is_subset(&slot.asked);
        slot.wanted = keys;
        new && slot.ask()
    }

    /// Takes in what the metadata watch saw. Returns the Secrets to read, and those of which something else is known now.
    pub fn observe(&mut self, change: Change<Sighting>) -> (Vec<Key>, BTreeSet<Key>) {
        let mut to_read = Vec::new();
        let mut changed = BTreeSet::new();
        match change {
            Change::Apply(sighting) => self.sighted(sighting, &mut to_read),
            Change::Delete(key) => {
                if let Some(slot) = self.entries.get_mut(&key) {
                    slot.seen = None;
                    slot.version = None;
                    // A reading under way may have found what is gone now.
                    slot.again |= slot.reading;
                    if slot.learn(Known::Missing, &mut self.revision) {
                        changed.insert(key);
                    }
                }
            }
            Change::Reset(scope, all) => self.listed(&scope, all, &mut to_read),
        }
        (to_read, changed)
    }

    fn sighted(&mut self, sighting: Sighting, to_read: &mut Vec<Key>) {
        if let Some(slot) = self.entries.get_mut(&sighting.key) {
            let news = slot.version.as_ref() != Some(&sighting.version);
            slot.seen = Some(sighting.version);
            if news && slot.ask() {
                to_read.push(sighting.key);
            }
        }
    }

    fn listed(&mut self, scope: &Scope, all: Vec<Sighting>, to_read: &mut Vec<Key>) {
        let listed: BTreeSet<Key> = all.iter().map(|sighting| sighting.key.clone()).collect();
        for sighting in all {
            self.sighted(sighting, to_read);
        }
        for (key, slot) in self.entries.iter_mut().filter(|(key, _)| scope.holds(key) && !listed.contains(key)) {
            slot.seen = None;
            // The list may be older than what was read, so the reading decides whether it is gone.
            if !matches!(slot.known, Known::Missing) && slot.ask() {
                to_read.push(key.clone());
            }
        }
    }

    /// Takes in a reading. Returns whether the Secret must be read once more, and whether something else is known now.
    pub fn take(&mut self, key: &Key, reading: Reading, now: Timestamp) -> (bool, bool) {
        let Some(slot) = self.entries.get_mut(key) else { return (false, false) };
        slot.reading = false;
        let known = match reading {
            Reading::Found(version, secret) => {
                slot.version = Some(version);
                slot.picked.clone_from(&slot.asked);
                Some(pick(secret, &slot.asked))
            }
            Reading::NotFound => {
                slot.version = None;
                Some(Known::Missing)
            }
            // What was read before stays: rights that are taken away say nothing of the Secret.
            Reading::Forbidden if matches!(slot.known, Known::Pending) => Some(Known::Forbidden),
            Reading::Forbidden | Reading::Failed => None,
        };
        let failed = known.is_none() || matches!(known, Some(Known::Forbidden));
        // Whoever waits for it waits no longer than for the first try.
        let gave_up = failed && slot.failures == 0 && !slot.asked.is_subset(&slot.picked);
        let changed = known.is_some_and(|known| slot.learn(known, &mut self.revision)) || gave_up;
        if failed {
            let pause = FIRST_PAUSE.saturating_mul(1 << slot.failures.min(5)).min(LAST_PAUSE);
            slot.failures = slot.failures.saturating_add(1);
            slot.again = false;
            slot.retry = now.checked_add(pause).ok();
            self.retries.extend(slot.retry.map(|at| (at, key.clone())));
            return (false, changed);
        }
        slot.failures = 0;
        let missed = std::mem::take(&mut slot.again) && (slot.seen.is_none() || slot.seen != slot.version);
        let again = (missed || !slot.wanted.is_subset(&slot.asked)) && slot.ask();
        (again, changed)
    }

    /// Takes in every Secret there is, from a folder. Returns those of which something else is known now.
    pub fn supply(&mut self, secrets: &BTreeMap<Key, SecretData>) -> BTreeSet<Key> {
        let mut changed = BTreeSet::new();
        let allowed = |key: &Key| self.names.is_empty() || self.names.contains(&key.name);
        for (key, slot) in self.entries.iter_mut().filter(|(key, _)| allowed(key)) {
            slot.reading = false;
            slot.asked.clone_from(&slot.wanted);
            slot.picked.clone_from(&slot.wanted);
            let known = secrets.get(key).map_or(Known::Missing, |secret| pick(secret.clone(), &slot.wanted));
            if slot.learn(known, &mut self.revision) {
                changed.insert(key.clone());
            }
        }
        changed
    }

    /// The Secrets whose reading failed and is due again.
    pub fn due(&mut self, now: Timestamp) -> Vec<Key> {
        let mut due = Vec::new();
        while self.retries.first().is_some_and(|(at, _)| *at <= now)
            && let Some((at, key)) = self.retries.pop_first()
        {
            if self.entries.get_mut(&key).is_some_and(|slot| slot.retry == Some(at) && slot.ask()) {
                due.push(key);
            }
        }
        due
    }

    /// When the next reading is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Whether this key of a Secret was tried to be read, and could not be.
    pub fn is_failing(&self, key: &Key, of: &str) -> bool {
        matches!(self.known(key, of).0, Known::Pending) && self.entries.get(key).is_some_and(|slot| slot.failures > 0)
    }

    /// What is known of a Secret, and a number that changes with it. Pending also while a key was not asked for yet.
    pub fn known(&self, key: &Key, of: &str) -> (&Known, u64) {
        match self.entries.get(key) {
            Some(slot) if matches!(slot.known, Known::Values(_)) && !slot.picked.contains(of) => {
                (&Known::Pending, slot.revision)
            }
            Some(slot) => (&slot.known, slot.revision),
            None => (&Known::Pending, 0),
        }
    }
}

/// The type of a Secret that is never used to prove webhooks, where it is one.
pub(crate) fn refused(secret: &SecretData) -> Option<&'static str> {
    REFUSED.into_iter().find(|refused| *refused == secret.kind)
}

/// The values that are referred to; everything else is wiped here.
fn pick(secret: SecretData, asked: &BTreeSet<String>) -> Known {
    if let Some(refused) = refused(&secret) {
        return Known::Refused(refused);
    }
    Known::Values(secret.data.into_iter().filter(|(key, _)| asked.contains(key)).collect())
}

#[cfg(test)]
mod tests;
