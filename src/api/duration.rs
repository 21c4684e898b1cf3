//! Durations as manifests write them: GEP-2257 strings such as `5m`, `1h30m` or `500ms`.

use std::borrow::Cow;
use std::time::Duration;

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::pattern;

/// A duration string of Gateway API's GEP-2257: one to four groups of up to five digits and `h`, `m`, `s` or `ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationString(pub String);

impl DurationString {
    /// The length in time; `None` where the text is no GEP-2257 duration.
    pub fn get(&self) -> Option<Duration> {
        let mut rest = self.0.as_str();
        let mut total = Duration::ZERO;
        let mut groups = 0;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits == 0 || digits > 5 || groups == 4 {
                return None;
            }
            let value: u64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let (unit, step) = match rest {
                r if r.starts_with("ms") => (Duration::from_millis(1), 2),
                r if r.starts_with('h') => (Duration::from_secs(3600), 1),
                r if r.starts_with('m') => (Duration::from_secs(60), 1),
                r if r.starts_with('s') => (Duration::from_secs(1), 1),
                _ => return None,
            };
            total += unit * u32::try_from(value).ok()?;
            rest = &rest[step..];
            groups += 1;
        }
        (groups > 0).then_some(total)
    }
}

/// The rule that a duration lies between two others, both allowed. A text that is none is left to its pattern.
pub fn within(least: &str, most: &str, sentence: &str) -> Rule {
    let signs = pattern::DURATION.signs;
    Rule::new(format!(
        "!self.matches('{signs}') || duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
    ))
    .message(sentence)
}

impl From<&str> for DurationString {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for DurationString {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 32, "pattern": pattern::DURATION.signs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_gep_2257_allows_and_nothing_else() {
        let read = |text: &str| DurationString::from(text).get();
        assert_eq!(read("5m"), Some(Duration::from_secs(300)));
        assert_eq!(read("1h30m5s10ms"), Some(Duration::from_millis(5_405_010)));
        assert_eq!(read("0s"), Some(Duration::ZERO));
        for wrong in ["", "5", "1.5h", "1 day", "-1s", "100000s", "1h1h1h1h1h", "5us"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
