//! How long the secrets of sources last, told at the moment when somebody asks.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use super::source::SourceLabels;

/// When the secrets of sources end. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretEnds(Arc<Mutex<Vec<(SourceLabels, Timestamp)>>>);

impl SecretEnds {
    /// In place of what was known.
    pub(super) fn replace(&self, ends: Vec<(SourceLabels, Timestamp)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }
}

impl Collector for SecretEnds {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if ends.is_empty() {
            return Ok(());
        }
        let (name, help) =
            ("secret_expires_seconds", "Until a source has no live secret of a purpose any more; negative since");
        let now = Timestamp::now().as_second();
        let mut family = to.encode_descriptor(name, help, None, ConstGauge::new(0_i64).metric_type())?;
        for (labels, end) in &ends {
            ConstGauge::new(end.as_second() - now).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }
}
