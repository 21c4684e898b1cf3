//! Secret bytes in memory: wiped when dropped, compared in constant time, and never shown.
//!
//! Whatever reads Secrets, from the cluster or from files, hands out these types and no others. Neither `Debug` nor any
//! other output of them tells a value, its length or its key.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Whether a secretRef with this `notAfter` counts no more: it ends at that very instant.
pub fn has_ended(not_after: Option<Timestamp>, now: Timestamp) -> bool {
    not_after.is_some_and(|end| end <= now)
}

/// One value of a Secret, as proofs use it.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Exactly these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The value of a Secret's key: these bytes less one final line break (LF or CRLF), which editors and `echo` add.
    pub fn from_secret_value(mut bytes: Vec<u8>) -> Self {
        let kept = match bytes.as_slice() {
            [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] => rest.len(),
            all => all.len(),
        };
        bytes.truncate(kept);
        Self::new(bytes)
    }

    /// The bytes themselves, for computing a proof and nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// An empty value proves nothing: whoever resolves a reference refuses it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// In constant time for values of one length.
impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

/// A Secret object: what kind it is and what it holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretData {
    /// `type`, `Opaque` where the manifest says none.
    pub kind: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its keys and their values.
    pub data: BTreeMap<String, SecretBytes>,
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretData").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_final_line_break_is_not_part_of_a_secret() {
        let value = |text: &str| SecretBytes::from_secret_value(text.as_bytes().to_vec()).expose().to_vec();
        assert_eq!(value("key"), b"key");
        assert_eq!(value("key\n"), b"key");
        assert_eq!(value("key\r\n"), b"key");
        assert_eq!(value("key\n\n"), b"key\n");
        assert_eq!(value("key\r"), b"key\r");
        assert_eq!(value(" key "), b" key ");
        assert_eq!(value("\n"), b"");
    }

    #[test]
    fn debug_output_tells_nothing_of_a_secret() {
        let value = SecretBytes::new(b"hunter2".to_vec());
        let secret = SecretData {
            kind: "Opaque".to_owned(),
            labels: BTreeMap::new(),
            data: BTreeMap::from([("passphrase".to_owned(), value.clone())]),
        };
        for shown in [format!("{value:?}"), format!("{secret:?}")] {
            for told in ["hunter2", "passphrase", "7", "104"] {
                assert!(!shown.contains(told), "{shown}");
            }
        }
    }
}
