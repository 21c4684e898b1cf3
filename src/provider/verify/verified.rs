//! What only this room makes: that a request is authentic, and a body joined with the proof that was made of it.
//!
//! Both are sealed, so that no other room can join a body with the proof of another, or with none.

use std::sync::Arc;

use bytes::Bytes;

use crate::provider::Coverage;

/// That a request is authentic.
#[derive(Clone, Debug)]
pub struct Proof {
    method: Arc<str>,
    coverage: Arc<Coverage>,
}

impl Proof {
    pub(super) fn new(method: Arc<str>, coverage: Arc<Coverage>) -> Self {
        Self { method, coverage }
    }

    /// The method, as in the spec.
    pub fn method(&self) -> &Arc<str> {
        &self.method
    }

    /// What it covers.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }
}

/// A body whose proof holds: the only input of extraction.
#[derive(Clone, Debug)]
pub struct Verified {
    body: Bytes,
    proof: Proof,
}

impl Verified {
    pub(super) fn new(body: Bytes, proof: Proof) -> Self {
        Self { body, proof }
    }

    /// A body that nobody sent, for the tests of what reads it.
    #[cfg(test)]
    pub(crate) fn made_up(body: Bytes, coverage: Coverage) -> Self {
        Self::new(body, Proof::new("signature".into(), Arc::new(coverage)))
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Its proof.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}
