//! What a request must say: one meaning, whether a scheme asks before the proof or extraction after it.
//!
//! A place that holds several values says none of them, because two readers could take two; it is there all the same.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::place::{Numbers, Place, PlaceError, Places, Standing};
use crate::api::scheme::Condition;
use crate::glob::Globs;
use crate::json::{self, compact_chunks};

/// A condition, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// Where.
    pub place: Place,
    /// What; `None`: anything.
    pub equals: Option<String>,
    /// Globs of which one must match; none: anything.
    pub matches: Globs,
    /// It must not be there.
    pub absent: bool,
}

impl Test {
    /// What it asks for, for people.
    pub(crate) fn shown(&self, pointers: &[String]) -> String {
        let place = self.place.shown(pointers);
        match (&self.equals, self.absent) {
            (None, false) if !self.matches.is_empty() => format!("{place} must match {}", self.matches),
            (None, false) => format!("{place} must be there"),
            (None, true) => format!("{place} must not be there"),
            (Some(wanted), false) => format!("{place} must be {wanted:?}"),
            (Some(wanted), true) => format!("{place} must not be {wanted:?}"),
        }
    }

    /// Compiles a condition.
    ///
    /// # Errors
    /// What is wrong with its place, or that it wants two things.
    pub(crate) fn compile(written: &Condition, numbers: &mut impl Numbers) -> Result<Self, PlaceError> {
        if [written.absent, written.equals.is_some(), !written.matches.is_empty()].iter().filter(|said| **said).count()
            > 1
        {
            return Err(PlaceError { field: None, reason: "write one of equals, matches and absent".to_owned() });
        }
        let place = Place::compile(written, numbers)?;
        let matches = Globs::new(&written.matches);
        Ok(Self { place, equals: written.equals.clone(), matches, absent: written.absent })
    }

    /// Whether the request is as the condition says. Null counts as absent, lists and objects do not.
    pub(crate) fn holds(&self, places: &(impl Places + ?Sized)) -> bool {
        let member = |value: Option<&RawValue>| value.filter(|v| v.get() != "null").map(|value| self.equal(value));
        let says = match &self.place {
            Place::Header(name) => self.say(places.at_header(name).map(Cow::Borrowed)),
            Place::Query(name) => self.say(places.at_query(name).map(bytes)),
            Place::Form(name) => self.say(places.at_form(name).map(|text| Cow::Borrowed(text.as_bytes()))),
            Place::Pointer(number) => member(places.at_pointer(*number)),
            Place::Envelope(number) => member(places.at_envelope(*number)),
            Place::Fixed(text) => self.say(Standing::Once(Cow::Borrowed(text.as_bytes()))),
        };
        says.map_or(self.absent, |says| says && !self.absent)
    }

    /// Whether what stands there is what is wanted; `None` where nothing does.
    fn say(&self, standing: Standing<Cow<'_, [u8]>>) -> Option<bool> {
        match (standing, &self.equals) {
            (Standing::Absent, _) => None,
            (Standing::Once(value), Some(wanted)) => Some(value.trim_ascii() == wanted.as_bytes()),
            (Standing::Once(value), None) if !self.matches.is_empty() => {
                Some(std::str::from_utf8(value.trim_ascii()).is_ok_and(|value| self.matches.matches(value)))
            }
            (Standing::Several(_), wanted) if wanted.is_some() || !self.matches.is_empty() => Some(false),
            (Standing::Once(_) | Standing::Several(_), _) => Some(true),
        }
    }

    /// Scalars as text, objects and lists as compact JSON.
    fn equal(&self, value: &RawValue) -> bool {
        if !self.matches.is_empty() {
            return json::as_text(value).is_some_and(|scalar| self.matches.matches(&scalar));
        }
        let Some(wanted) = &self.equals else { return true };
        match json::as_text(value) {
            Some(scalar) => scalar == *wanted,
            None => compact_chunks(value.get().as_bytes()).flatten().eq(wanted.as_bytes()),
        }
    }
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::provider::place::PointerList;
    use crate::provider::request::{Head, RequestView};
    use crate::provider::verify::view::View;

    #[test]
    fn a_member_that_must_be_absent_may_not_hide_as_a_list() {
        let mut list = PointerList::default();
        let written = Condition { pointer: Some("/items".to_owned()), absent: true, ..Condition::default() };
        let absent = Test::compile(&written, &mut list).unwrap();
        let (pointers, _) = list.compile().unwrap();
        let headers = HeaderMap::new();
        let received = jiff::Timestamp::UNIX_EPOCH;
        let head = Head { method: &Method::POST, path: "/", query: None, headers: &headers, received };
        let holds = |body: &str| absent.holds(&View::new(RequestView { head, body: body.as_bytes() }, None, &pointers));
        assert!(holds("{}") && holds(r#"{"items":null}"#));
        for there in [r#"{"items":[]}"#, r#"{"items":{}}"#, r#"{"items":0}"#, r#"{"items":""}"#] {
            assert!(!holds(there), "{there}");
        }
    }
}
