//! Bodies that take their time, and which of them gives way where bytes are used up.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Bodies;
use crate::route::share::{Holder, Standing};
use crate::route::state::{Class, SourceState};

/// Bodies that may give way.
#[derive(Debug, Default)]
pub(super) struct Slow {
    next: u64,
    bodies: HashMap<u64, Body>,
}

#[derive(Debug)]
pub(super) struct Body {
    pub(super) holder: Holder,
    pub(super) class: Class,
    pub(super) source: Arc<SourceState>,
    pub(super) bytes: u64,
    pub(super) begun: Instant,
    pub(super) end: Arc<Notify>,
}

impl Slow {
    /// From now on it may give way. Says by which number it is known.
    pub(super) fn enter(&mut self, body: Body) -> u64 {
        let id = self.next;
        self.next += 1;
        self.bodies.insert(id, body);
        id
    }

    /// It has not given way.
    pub(super) fn holds(&self, id: u64) -> bool {
        self.bodies.contains_key(&id)
    }

    /// It holds so many bytes more.
    pub(super) fn grow(&mut self, id: u64, more: u64) {
        if let Some(body) = self.bodies.get_mut(&id) {
            body.bytes += more;
        }
    }

    /// It may give way no more. False where it did before.
    pub(super) fn leave(&mut self, id: u64) -> bool {
        self.bodies.remove(&id).is_some()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// Frees what is needed: of those addresses the one that holds most loses its slowest body, again and again. Trusted
    /// proxies, who stand for many, come last. Says what was freed.
    pub(super) fn give_way(&mut self, bodies: &Bodies, need: u64, among: impl Fn(&Body) -> bool) -> u64 {
        let mut held: HashMap<u64, (bool, u64)> = HashMap::new();
        for body in self.bodies.values().filter(|body| among(body)) {
            let of = held.entry(body.holder.key).or_insert((body.holder.standing != Standing::Many, 0));
            of.1 += body.bytes;
        }
        let mut freed = 0;
        while freed < need
            && let Some((key, _)) = held.iter().filter(|(_, (_, bytes))| *bytes > 0).max_by_key(|(_, weight)| **weight)
        {
            let key = *key;
            let of = self.bodies.iter().filter(|(_, body)| body.holder.key == key && body.bytes > 0 && among(body));
            let Some(id) = of.min_by(|(_, one), (_, other)| one.pace().total_cmp(&other.pace())).map(|(id, _)| *id)
            else {
                break;
            };
            let Some(body) = self.bodies.remove(&id) else { break };
            if let Some((_, bytes)) = held.get_mut(&key) {
                *bytes -= body.bytes;
            }
            freed += body.bytes;
            bodies.give_back(body.class, body.holder, &body.source, body.bytes);
            body.end.notify_one();
        }
        freed
    }
}

impl Body {
    /// Bytes a second.
    fn pace(&self) -> f64 {
        // Sizes of bodies are far below what a float holds exactly.
        self.bytes as f64 / self.begun.elapsed().as_secs_f64().max(0.001)
    }
}
