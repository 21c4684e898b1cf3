//! Sizes as manifests write them: a number of bytes, or a Kubernetes quantity such as `1Mi`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::pattern;

/// A number of bytes, written as an integer or as a quantity (`512Ki`, `1Mi`, `10M`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// Bytes.
    Bytes(i64),
    /// A quantity with a binary or decimal suffix.
    Text(String),
}

impl Size {
    /// Bytes; `None` where the text is no positive quantity.
    pub fn bytes(&self) -> Option<u64> {
        let text = match self {
            Size::Bytes(n) => return u64::try_from(*n).ok().filter(|n| *n > 0),
            Size::Text(text) => text,
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = text[..digits].parse().ok()?;
        let unit: u64 = match &text[digits..] {
            "" => 1,
            "k" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(unit).filter(|n| *n > 0)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "minimum": 1,
            "maxLength": 16,
            "pattern": pattern::SIZE.signs
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bytes_and_quantities() {
        let text = |t: &str| Size::Text(t.to_owned()).bytes();
        assert_eq!(Size::Bytes(1_048_576).bytes(), Some(1 << 20));
        assert_eq!(text("1Mi"), Some(1 << 20));
        assert_eq!(text("10M"), Some(10_000_000));
        assert_eq!(text("512"), Some(512));
        for wrong in ["", "0", "1.5Mi", "-1", "1MiB", "Mi"] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
        assert_eq!(Size::Bytes(0).bytes(), None);
    }
}
