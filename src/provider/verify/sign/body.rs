//! What a signer writes into a body: a token, a time, a signature, for the whole or for each item of a list.

use serde_json::Value;

use super::{SignError, Signer, cannot};
use crate::provider::sample::set;
use crate::provider::verify::scheme::{Each, Scheme};

impl Signer<'_> {
    /// Proves every item of the list by itself.
    pub(super) fn each(&mut self, each: &Each, scheme: &Scheme) -> Result<(), SignError> {
        let Some(mut document) = self.document() else { return cannot("the data must be JSON: its items are proven") };
        let items = document.pointer_mut(&each.list_text).and_then(Value::as_array_mut);
        let Some(items) = items.filter(|items| !items.is_empty()) else {
            return cannot(format!("{} holds no item to prove: give data that does", each.list_text));
        };
        for item in items {
            let Some(proven) = item.pointer_mut(&each.item_text) else {
                return cannot(format!("an item has no {}: give data that has it", each.item_text));
            };
            self.item = Some(proven.to_string().into_bytes());
            let made = self.prove(scheme);
            let item = self.item.take().unwrap_or_default();
            made?;
            *proven = serde_json::from_slice(&item).unwrap_or_default();
        }
        self.write(&document)
    }

    /// Sets a member of the body, or of the item that is proven.
    pub(super) fn member(&mut self, pointer: &str, value: &str) -> Result<(), SignError> {
        let Some(mut document) = self.document() else {
            return cannot(format!("the data must be a JSON object: {pointer} goes into it"));
        };
        set(&mut document, pointer, Value::String(value.to_owned()));
        self.write(&document)
    }

    /// The object that pointers lead into.
    fn document(&self) -> Option<Value> {
        let document: Option<Value> = match &self.item {
            Some(item) => serde_json::from_slice(item).ok(),
            None => {
                let parts = super::RequestParts::of(self.draft, self.now);
                serde_json::from_slice(&self.carrier.document(&parts.request(), &|_| true)).ok()
            }
        };
        document.filter(|document| document.is_object() || document.is_array())
    }

    fn write(&mut self, document: &Value) -> Result<(), SignError> {
        if let Some(item) = &mut self.item {
            *item = document.to_string().into_bytes();
            return Ok(());
        }
        match self.carrier.with(document, &self.draft.body, &self.draft.headers) {
            Some(body) => {
                self.draft.body = body.into();
                Ok(())
            }
            None => cannot("this method proves something inside a body that send cannot write: give a signed body"),
        }
    }
}
