//! Secrets as manifests write them: `data` in base64, `stringData` as it stands, the latter winning.

use std::collections::BTreeMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::tree::{Content, Node};
use crate::secret::{SecretBytes, SecretData};

/// A fault of a Secret: the field, and a sentence that quotes no value.
pub(super) type Fault = (String, String);

/// `encoding/base64.StdEncoding`, in which Kubernetes writes and reads `data`.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The members of a Secret (Kubernetes 1.33).
const MEMBERS: [&str; 7] = ["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"];

/// Reads a Secret. The key whose value cannot be read is left out and told.
pub(super) fn read(node: &Node) -> (SecretData, Vec<Fault>) {
    let mut faults = Vec::new();
    let kind = node.get("type").and_then(Node::text).unwrap_or("Opaque").to_owned();
    if let Content::Map(members) = &node.content {
        for (name, _) in members.iter().filter(|(name, _)| !MEMBERS.contains(&name.as_str())) {
            faults.push((name.clone(), "is no field of a Secret: write data or stringData".to_owned()));
        }
    }
    let mut secret = SecretData { kind, labels: labels(node), data: BTreeMap::new() };
    for (field, decode) in [("data", decoded as Decode), ("stringData", plain)] {
        for (key, value) in members(node.get(field), field, &mut faults) {
            let at = format!("{field}.{key}");
            if key.is_empty()
                || key.len() > 253
                || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            {
                faults.push((at, "is no key of a Secret: write letters, digits, '-', '_' and '.'".to_owned()));
                continue;
            }
            match &value.content {
                Content::Null if field == "data" => {
                    secret.data.insert(key.clone(), SecretBytes::new(Vec::new()));
                }
                Content::Text(text) => match decode(text) {
                    Some(bytes) => {
                        secret.data.insert(key.clone(), SecretBytes::from_secret_value(bytes));
                    }
                    None => faults.push((at, "is no base64: write the value itself under stringData".to_owned())),
                },
                _ => faults.push((at, "is no text: put the value in quotes".to_owned())),
            }
        }
    }
    (secret, faults)
}

type Decode = fn(&str) -> Option<Vec<u8>>;

/// Go's decoder passes over line breaks.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let joined = Zeroizing::new(text.replace(['\n', '\r'], ""));
    BASE64.decode(joined.as_bytes()).ok()
}

fn plain(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn labels(node: &Node) -> BTreeMap<String, String> {
    let labels = node.get("metadata").and_then(|metadata| metadata.get("labels"));
    let Some(Content::Map(members)) = labels.map(|labels| &labels.content) else { return BTreeMap::new() };
    members.iter().filter_map(|(name, value)| Some((name.clone(), value.text()?.to_owned()))).collect()
}

fn members<'n>(node: Option<&'n Node>, field: &str, faults: &mut Vec<Fault>) -> &'n [(String, Node)] {
    match node.map(|node| &node.content) {
        None | Some(Content::Null) => &[],
        Some(Content::Map(members)) => members,
        Some(_) => {
            faults.push((field.to_owned(), "is no object of keys and values".to_owned()));
            &[]
        }
    }
}
