//! What extraction and mapping share while a definition is compiled: the numbers of its places, and its errors.

use super::condition::Test;
use super::definition_error::DefinitionError;
use super::place::{Numbers, Place, Written};
use crate::api::scheme::Condition;
use crate::json::{PointerError, Pointers};

/// Numbers the places of a definition and collects its errors.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    /// The places inside an item.
    pub item: Pointers,
    /// The places inside the whole body.
    pub envelope: Pointers,
    /// What is wrong so far.
    pub errors: Vec<DefinitionError>,
}

impl Compiler {
    /// Notes what is wrong, and where.
    pub(super) fn error(&mut self, path: &str, reason: impl Into<String>) {
        self.errors.push(DefinitionError { path: path.to_owned(), reason: reason.into() });
    }

    /// The number of a place inside the item.
    pub(super) fn item(&mut self, pointer: &str, path: &str) -> Option<usize> {
        self.item.add(pointer).map_err(|e| self.error(path, e.to_string())).ok()
    }

    /// Compiles what stands inside an element of a list, and says the places inside such an element.
    pub(super) fn within<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> (T, Pointers) {
        let around = std::mem::take(&mut self.item);
        let compiled = compile(self);
        (compiled, std::mem::replace(&mut self.item, around))
    }

    /// Compiles a place.
    pub(super) fn place<'a>(&mut self, written: impl Into<Written<'a>>, path: &str) -> Option<Place> {
        Place::compile(written, self).map_err(|error| self.error(&error.path(path), error.reason)).ok()
    }

    /// Compiles conditions.
    pub(super) fn tests(&mut self, conditions: &[Condition], path: &str) -> Vec<Test> {
        let mut tests = Vec::with_capacity(conditions.len());
        for (n, condition) in conditions.iter().enumerate() {
            match Test::compile(condition, self) {
                Ok(test) => tests.push(test),
                Err(error) => self.error(&error.path(&format!("{path}[{n}]")), error.reason),
            }
        }
        tests
    }
}

impl Numbers for Compiler {
    fn pointer(&mut self, pointer: &str) -> Result<usize, PointerError> {
        self.item.add(pointer)
    }

    fn envelope(&mut self, pointer: &str) -> Result<usize, PointerError> {
        self.envelope.add(pointer)
    }
}
