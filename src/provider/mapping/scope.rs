//! Which elements of a vendor's list are read, and the places inside one.
//!
//! An object is a list of one element, a text too; a text that holds JSON is read as that.

use std::borrow::Cow;

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

    /// Hands over the elements that are taken.
    ///
    /// # Errors
    /// `Duplicate` for an element that could be read as two, and what the receiver says.
    pub(super) fn each(
        &self,
        around: &dyn Places,
        mut hand: impl FnMut(&Element<'_>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.within(around, |elements, _| {
            elements.iter().try_for_each(|raw| self.taken(around, raw)?.map_or(Ok(()), |element| hand(&element)))
        })
    }

    /// Hands over the first element that is taken, or the last; of a list that is longer than what is read, no last is known.
    ///
    /// # Errors
    /// `Duplicate` for an element that could be read as two.
    pub(super) fn one(
        &self,
        around: &dyn Places,
        last: bool,
        hand: impl FnOnce(&Element<'_>),
    ) -> Result<(), JsonError> {
        self.within(around, |elements, all| {
            if last && elements.len() < all {
                return Ok(());
            }
            for n in 0..elements.len() {
                let raw = elements[if last { elements.len() - 1 - n } else { n }];
                if let Some(element) = self.taken(around, raw)? {
                    hand(&element);
                    return Ok(());
                }
            }
            Ok(())
        })
    }

    /// An element with its places, if it is taken.
    fn taken<'p>(&'p self, around: &'p dyn Places, raw: &'p RawValue) -> Result<Option<Element<'p>>, JsonError> {
        let element = Element { around, captured: self.element.capture_unique(raw.get().as_bytes())? };
        Ok(self.only.iter().all(|test| test.holds(&element)).then_some(element))
    }

    /// The elements of the list, taken or not, and how many there are.
    fn within(
        &self,
        around: &dyn Places,
        read: impl FnOnce(&[&RawValue], usize) -> Result<(), JsonError>,
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
        match json::elements(raw.get(), MOST)? {
            Some((elements, all)) => read(&elements, all),
            None => read(&[raw], 1),
        }
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
