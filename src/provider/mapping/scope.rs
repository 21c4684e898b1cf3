//! Which elements of a vendor's list are read, and the places inside one.
//!
//! An object is a list of one element, a text too; a text that holds JSON is read as that.

use std::borrow::Cow;
use std::ops::ControlFlow;

use http::HeaderName;
use serde_json::value::RawValue;

use super::filled;
use crate::api::scheme::Condition;
use crate::json::{self, Captured, JsonError, Pointers};
use crate::provider::compiler::Compiler;
use crate::provider::condition::Test;
use crate::provider::place::{Places, Standing};

/// Most elements that are read of one list.
const MOST: usize = 100_000;

/// The elements of a list that are taken, compiled.
#[derive(Debug)]
pub(super) struct Selection {
    /// The place of the list in what is around it.
    from: usize,
    /// The places inside an element.
    element: Pointers,
    /// What an element must say.
    only: Vec<Test>,
}

/// One element of a list, with what is around it.
pub(super) struct Element<'p> {
    around: &'p dyn Places,
    captured: Captured<'p>,
}

impl Selection {
    /// Compiles a selection and what is read inside its elements; what is wrong goes to the compiler.
    pub(super) fn compile<T>(
        (from, only): (&str, &[Condition]),
        path: &str,
        compiler: &mut Compiler,
        inside: impl FnOnce(&mut Compiler) -> T,
    ) -> Option<(Self, T)> {
        let place = compiler.item(from, &format!("{path}.from"));
        let ((only, inside), element) = compiler.within(|compiler| {
            let tests = compiler.tests(only, &format!("{path}.where"));
            (tests, inside(compiler))
        });
        Some((Self { from: place?, element, only }, inside))
    }

    /// Hands over the elements that are taken, until told that it is enough.
    ///
    /// # Errors
    /// `Duplicate` for an element that could be read as two, and what the receiver says.
    pub(super) fn each(
        &self,
        around: &dyn Places,
        mut hand: impl FnMut(&Element<'_>) -> Result<ControlFlow<()>, JsonError>,
    ) -> Result<(), JsonError> {
        let Some(raw) = around.at_pointer(self.from).filter(|raw| filled(raw)) else { return Ok(()) };
        let text;
        let mut raw = raw;
        if raw.get().starts_with('"') {
            text = json::string_text(raw).unwrap_or(Cow::Borrowed(""));
            if text.trim_start().starts_with(['{', '[']) {
                raw = serde_json::from_str(&text).unwrap_or(raw);
            }
        }
        let elements = match json::elements(raw.get(), MOST)? {
            Some((elements, _)) => elements,
            None => vec![raw],
        };
        for element in elements {
            let element = Element { around, captured: self.element.capture_unique(element.get().as_bytes())? };
            if self.only.iter().all(|test| test.holds(&element)) && hand(&element)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Places for Element<'_> {
    fn at_header(&self, name: &HeaderName) -> Standing<&[u8]> {
        self.around.at_header(name)
    }

    fn at_query(&self, name: &str) -> Standing<Cow<'_, str>> {
        self.around.at_query(name)
    }

    fn at_form(&self, name: &str) -> Standing<&str> {
        self.around.at_form(name)
    }

    fn at_pointer(&self, number: usize) -> Option<&RawValue> {
        self.captured.get(number)
    }

    fn at_envelope(&self, number: usize) -> Option<&RawValue> {
        self.around.at_envelope(number)
    }
}
