//! What schemes are made of: places, conditions, times of signing; the pointers that they collect.

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderName;

use super::content::Content;
use super::signature::Signature;
use super::view::{Place, View};
use crate::api::scheme::{Condition, TimeUnit};
use crate::api::{duration::DurationString, scheme};
use crate::json::Pointers;

/// How far a time of signing may lie away; `None`: not judged.
pub type Tolerance = Option<Duration>;

/// What `hmac`, `digest` and `publicKey` share.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Where the signature stands.
    pub signature: Signature,
    /// What it covers.
    pub content: Content,
    /// When it was made.
    pub timestamp: Option<Time>,
}

/// Where the time of signing stands.
#[derive(Clone, Debug)]
pub struct Time {
    /// The place; `None`: inside the signature's value.
    pub place: Option<Place>,
    /// The pair of the signature's value.
    pub key: Option<String>,
    /// The position in the signature's value.
    pub index: Option<usize>,
    /// How it is written.
    pub unit: TimeUnit,
    /// How far it may lie away.
    pub tolerance: Tolerance,
}

impl Time {
    /// The time as written.
    pub fn find(&self, view: &View<'_>, signature: &Signature) -> Option<String> {
        match &self.place {
            Some(place) => String::from_utf8(view.value(place)?.into_owned()).ok(),
            None => signature.part(view, self.key.as_deref(), self.index),
        }
    }
}

/// What a request must say.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Where.
    pub place: Place,
    /// What; `None`: anything.
    pub equals: Option<String>,
    /// It must not be there.
    pub absent: bool,
}

impl Requirement {
    /// Whether the request says it.
    pub fn holds(&self, view: &View<'_>) -> bool {
        let found = view.value(&self.place);
        match (&self.equals, self.absent) {
            // Lists and objects are there too; null counts as absent.
            (None, false) => found.is_some() || matches!(self.place, Place::Pointer(_)) && view.holds_any(&self.place),
            (Some(wanted), false) => found.is_some_and(|value| *value == *wanted.as_bytes()),
            // A doubled header has no value, and is there all the same.
            (_, true) if !view.holds_any(&self.place) => true,
            (None, true) => false,
            (Some(wanted), true) => found.is_some_and(|value| *value != *wanted.as_bytes()),
        }
    }
}

/// Collects the JSON pointers of a scheme.
#[derive(Default)]
pub struct PointerList(Vec<String>);

impl PointerList {
    /// The index of a pointer, added where it is new.
    pub fn index(&mut self, pointer: &str) -> usize {
        self.0.iter().position(|known| known == pointer).unwrap_or_else(|| {
            self.0.push(pointer.to_owned());
            self.0.len() - 1
        })
    }

    /// Compiles them.
    pub fn compile(self) -> Result<(Pointers, Vec<String>), String> {
        Ok((Pointers::compile(&self.0).map_err(|error| error.to_string())?, self.0))
    }
}

/// One of header, query, pointer and form.
pub(super) fn place(written: [&Option<String>; 4], list: &mut PointerList) -> Result<Place, String> {
    let [header, query, pointer, form] = written;
    match (header, query, pointer, form) {
        (Some(name), None, None, None) => header_place(name),
        (None, Some(name), None, None) => Ok(Place::Query(name.clone())),
        (None, None, Some(pointer), None) => Ok(Place::Pointer(list.index(pointer))),
        (None, None, None, Some(name)) => Ok(Place::Form(name.clone())),
        _ => Err("write exactly one of header, query, pointer or form".to_owned()),
    }
}

fn header_place(name: &str) -> Result<Place, String> {
    HeaderName::try_from(name).map(Place::Header).map_err(|_| format!("{name:?} is no header name"))
}

/// Compiles a condition.
pub fn requirement(written: &Condition, list: &mut PointerList) -> Result<Requirement, String> {
    let place = place([&written.header, &written.query, &written.pointer, &written.form], list)?;
    Ok(Requirement { place, equals: written.equals.clone(), absent: written.absent })
}

pub(super) fn signed(
    signature: &scheme::Signature,
    content: &str,
    timestamp: Option<&scheme::Timestamp>,
    list: &mut PointerList,
    parameters: &mut BTreeSet<String>,
) -> Result<Signed, (String, String)> {
    let at = |field: &'static str| move |reason: String| (field.to_owned(), reason);
    let mut places = vec![
        place([&signature.header, &signature.query, &signature.pointer, &signature.form], list)
            .map_err(at("signature"))?,
    ];
    for name in &signature.other_headers {
        places.push(header_place(name).map_err(at("signature.otherHeaders"))?);
    }
    let separated = signature.key.is_some() || timestamp.is_some_and(|time| time.key.is_some());
    let compiled = Signature {
        places,
        encoding: signature.encoding,
        prefix: signature.prefix.clone(),
        separator: signature.separator.clone().or_else(|| separated.then(|| ",".to_owned())),
        key: signature.key.clone(),
        index: signature.index.and_then(|index| usize::try_from(index).ok()),
    };
    let timestamp = timestamp.map(|time| self::time(time, list)).transpose().map_err(at("timestamp"))?;
    let (content, names) = Content::compile(content, &mut |pointer| list.index(pointer)).map_err(at("content"))?;
    parameters.extend(names);
    Ok(Signed { signature: compiled, content, timestamp })
}

pub(super) fn time(written: &scheme::Timestamp, list: &mut PointerList) -> Result<Time, String> {
    let inside = written.key.is_some() || written.index.is_some();
    let place = if inside {
        None
    } else {
        Some(place([&written.header, &written.query, &written.pointer, &written.form], list)?)
    };
    Ok(Time {
        place,
        key: written.key.clone(),
        index: written.index.and_then(|index| usize::try_from(index).ok()),
        unit: written.unit,
        tolerance: written.tolerance.as_ref().and_then(DurationString::get),
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::provider::request::{Head, RequestView};

    #[test]
    fn a_member_that_must_be_absent_may_not_hide_as_a_list() {
        let mut list = PointerList::default();
        let written = Condition { pointer: Some("/items".to_owned()), absent: true, ..Condition::default() };
        let absent = requirement(&written, &mut list).unwrap();
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
