//! Kubernetes Events (events.k8s.io/v1) of what changed in statuses.
//!
//! A courtesy: one that cannot be written is not missed, and a source that changes without end gets few of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event as Note, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::time::Instant;
use tracing::debug;

use super::{Target, Transition, Write};
use crate::api::API_VERSION;
use crate::api::condition::types;
use crate::api::source::WebhookSource;

const TIMEOUT: Duration = Duration::from_secs(5);
/// The API server takes notes of at most 1 kB.
const NOTE: usize = 1000;
/// So many Events of one source at once, and one more each `REFILL`.
const BURST: u32 = 10;
const REFILL: Duration = Duration::from_secs(60);

/// Writes Events.
pub(super) struct Notes {
    recorder: Recorder,
    /// What sources used up of their bursts, by uid. Those that used nothing are not there.
    used: Mutex<BTreeMap<String, Allowance>>,
}

/// What one source may have.
#[derive(Clone, Copy)]
struct Allowance {
    left: u32,
    /// Until when that counts what was given back.
    at: Instant,
}

impl Notes {
    pub(super) fn new(client: Client) -> Self {
        let instance = std::env::var("HOSTNAME").ok();
        let reporter = Reporter { controller: "hookgate.dev/operator".to_owned(), instance };
        Self { recorder: Recorder::new(client, reporter), used: Mutex::default() }
    }

    /// Tells of a status that was written.
    pub(super) async fn tell(&self, write: &Write) {
        let Target::Source(key) = &write.target else { return };
        for transition in &write.transitions {
            if !self.may(&write.uid, Instant::now()) {
                debug!(source = %key, "an Event was left out: there were many");
                continue;
            }
            let note = note(transition);
            let regarding = ObjectReference {
                api_version: Some(API_VERSION.to_owned()),
                kind: Some(WebhookSource::kind(&()).into_owned()),
                namespace: Some(key.namespace.clone()),
                name: Some(key.name.clone()),
                uid: Some(write.uid.clone()),
                ..ObjectReference::default()
            };
            match tokio::time::timeout(TIMEOUT, self.recorder.publish(&note, &regarding)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(source = %key, %error, "an Event was not written"),
                Err(_) => debug!(source = %key, "an Event was not written within {TIMEOUT:?}"),
            }
        }
    }

    fn may(&self, uid: &str, now: Instant) -> bool {
        take(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner), uid, now)
    }
}

/// Takes one from what a source may have, where something is left.
fn take(used: &mut BTreeMap<String, Allowance>, uid: &str, now: Instant) -> bool {
    used.retain(|_, allowance| {
        while allowance.left < BURST && now.duration_since(allowance.at) >= REFILL {
            allowance.left += 1;
            allowance.at += REFILL;
        }
        allowance.left < BURST
    });
    let allowance = used.entry(uid.to_owned()).or_insert(Allowance { left: BURST, at: now });
    let may = allowance.left > 0;
    allowance.left = allowance.left.saturating_sub(1);
    may
}

fn note(transition: &Transition) -> Note {
    let action = match (transition.type_, transition.holds) {
        (types::READY, true) => "Serve",
        (types::READY, false) => "Withhold",
        (_, true) => "Accept",
        (_, false) => "Refuse",
    };
    Note {
        type_: if transition.holds { EventType::Normal } else { EventType::Warning },
        reason: transition.reason.clone(),
        note: Some(cut(&transition.message, NOTE).to_owned()),
        action: action.to_owned(),
        secondary: None,
    }
}

/// At most `length` bytes, whole characters.
fn cut(text: &str, length: usize) -> &str {
    let mut end = text.len().min(length);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_changes_without_end_gets_ten_events_and_one_a_minute() {
        let (mut used, start) = (BTreeMap::new(), Instant::now());
        let mut taken = |uid: &str, seconds: u64| take(&mut used, uid, start + Duration::from_secs(seconds));
        let first = (0..100).filter(|_| taken("one", 0)).count();
        assert_eq!(first, 10);
        assert!(taken("two", 0), "another one is not meant");
        let later: Vec<u64> = (1..=180).filter(|second| taken("one", *second)).collect();
        assert_eq!(later, [60, 120, 180]);
        assert!(taken("two", 3600));
        assert_eq!(used.keys().collect::<Vec<_>>(), ["two"], "who has all of it again is forgotten");
    }
}
