//! How a verified body becomes events.

use super::definition_error::DefinitionError;
use crate::api::provider::WebhookProviderSpec;

/// A definition's decoding, splitting and extraction, compiled.
#[derive(Debug)]
pub struct Extraction {}

impl Extraction {
    /// Compiles that part of a definition.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(_: &WebhookProviderSpec) -> Result<Self, Vec<DefinitionError>> {
        Ok(Self {})
    }
}
