//! Whether this replica should get traffic: named gates, each opened by the part that knows.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GateState {
    /// Not ready: `/readyz` is 503.
    Closed,
    /// Told on `/readyz`, which stays 200: the replica still does its work, such as spooling while NATS is away.
    Degraded,
    /// Ready.
    Open,
}

impl GateState {
    /// As `/readyz` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Degraded => "degraded",
            Self::Open => "open",
        }
    }
}

/// Looks at a gate.
type Look = Box<dyn Fn() -> GateState + Send>;

/// Every gate of the process. Cloning shares them.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<Vec<(&'static str, Look)>>>);

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&self.gates()).finish()
    }
}

/// One condition of readiness.
#[derive(Clone, Debug)]
pub struct Gate(Arc<AtomicU8>);

impl Readiness {
    /// Adds a gate, closed. All gates are added before the admin port opens: one that is missing holds nothing up.
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate(Arc::new(AtomicU8::new(GateState::Closed as u8)));
        let seen = gate.clone();
        self.read_with(name, move || seen.state());
        gate
    }

    /// Adds a gate that is looked at when somebody asks.
    pub fn read_with(&self, name: &'static str, look: impl Fn() -> GateState + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, Box::new(look)));
    }

    /// Every gate with its state, in the order in which they were added.
    pub fn gates(&self) -> Vec<(&'static str, GateState)> {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().map(|(name, look)| (*name, look())).collect()
    }

    /// Whether no gate is closed.
    pub fn is_ready(&self) -> bool {
        self.gates().iter().all(|(_, state)| *state != GateState::Closed)
    }
}

impl Gate {
    /// Sets its state.
    pub fn set(&self, state: GateState) {
        self.0.store(state as u8, Ordering::Relaxed);
    }

    /// Its state.
    pub fn state(&self) -> GateState {
        match self.0.load(Ordering::Relaxed) {
            0 => GateState::Closed,
            1 => GateState::Degraded,
            _ => GateState::Open,
        }
    }
}
