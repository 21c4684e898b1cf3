//! Whether this replica should get traffic: named gates, each opened by the part that knows.

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

/// Every gate of the process. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Vec<Gate>>>);

/// One condition of readiness.
#[derive(Clone, Debug)]
pub struct Gate {
    name: &'static str,
    state: Arc<AtomicU8>,
}

impl Readiness {
    /// Adds a gate, closed. All gates are added before the admin port opens: one that is missing holds nothing up.
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate { name, state: Arc::new(AtomicU8::new(GateState::Closed as u8)) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(gate.clone());
        gate
    }

    /// Every gate with its state, in the order in which they were added.
    pub fn gates(&self) -> Vec<(&'static str, GateState)> {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().map(|gate| (gate.name, gate.state())).collect()
    }

    /// Whether no gate is closed.
    pub fn is_ready(&self) -> bool {
        self.gates().iter().all(|(_, state)| *state != GateState::Closed)
    }
}

impl Gate {
    /// Sets its state.
    pub fn set(&self, state: GateState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Its state.
    pub fn state(&self) -> GateState {
        match self.state.load(Ordering::Relaxed) {
            0 => GateState::Closed,
            1 => GateState::Degraded,
            _ => GateState::Open,
        }
    }
}
