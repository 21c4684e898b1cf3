//! A blob: bytes under their digest.

use oci_spec::image::{Descriptor, Digest, MediaType};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Bytes that an image refers to by their digest.
#[derive(Debug)]
pub struct Blob {
    /// What they are, and their digest.
    pub descriptor: Descriptor,
    /// Themselves.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// Names bytes by their digest.
    pub fn new(kind: MediaType, bytes: Vec<u8>) -> anyhow::Result<Self> {
        let digest: Digest = digest(&bytes).parse()?;
        Ok(Self { descriptor: Descriptor::new(kind, bytes.len() as u64, digest), bytes })
    }

    /// A document, with the members of its maps in order: equal documents are equal bytes.
    pub fn json(kind: MediaType, document: &impl Serialize) -> anyhow::Result<Self> {
        Self::new(kind, serde_json::to_vec(&serde_json::to_value(document)?)?)
    }
}

/// `sha256:` and the hash in hex.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
