//! Where one value stands in a request, whoever looks: schemes, handshakes, answers, extraction.
//!
//! A place is compiled once; whoever holds the request tells what stands there, and whether once. Must never decide
//! what a value means: that is its reader's.

use std::borrow::Cow;

use http::HeaderName;
use serde_json::value::RawValue;

use crate::api::extract::{Field, Otherwise, TimeField};
use crate::api::provider::{MapChoice, MapValue};
use crate::api::scheme::{Condition, Signature, Timestamp, Token};
use crate::json::{PointerError, Pointers, parse_pointer};

/// Where one value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header.
    Header(HeaderName),
    /// A query parameter.
    Query(String),
    /// A form field.
    Form(String),
    /// A member of the document that is read, the body or one item of it: the number of its pointer.
    Pointer(usize),
    /// A member of the whole body: the number of its pointer.
    Envelope(usize),
    /// A fixed text.
    Fixed(String),
}

impl Place {
    /// The place in the words of a definition; `pointers` are those that it was compiled with.
    pub fn shown(&self, pointers: &[String]) -> String {
        let pointer = |at: &usize| pointers.get(*at).map_or_else(String::new, |pointer| format!("pointer {pointer}"));
        match self {
            Self::Header(name) => format!("header {name}"),
            Self::Query(name) => format!("query {name}"),
            Self::Form(name) => format!("form {name}"),
            Self::Pointer(at) | Self::Envelope(at) => pointer(at),
            Self::Fixed(text) => format!("{text:?}"),
        }
    }
}

/// What stands at a place that may be written more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<T> {
    /// Nothing.
    Absent,
    /// One value.
    Once(T),
    /// Several values, of which this is the first; or more than are read.
    Several(T),
}

impl<T> Standing<T> {
    /// What an iterator of values says.
    pub(crate) fn of(mut values: impl Iterator<Item = T>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::Once(value),
            (Some(first), Some(_)) => Self::Several(first),
        }
    }

    /// The same of other values.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Standing<U> {
        match self {
            Self::Absent => Standing::Absent,
            Self::Once(value) => Standing::Once(map(value)),
            Self::Several(first) => Standing::Several(map(first)),
        }
    }

    /// The one value; none where there are several, because two readers could take two.
    pub(crate) fn once(self) -> Option<T> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Several(_) => None,
        }
    }

    /// The first value.
    pub(crate) fn first(self) -> Option<T> {
        match self {
            Self::Once(value) | Self::Several(value) => Some(value),
            Self::Absent => None,
        }
    }
}

/// A request, or one item of it, of which places are read.
pub(crate) trait Places {
    /// The values of a header.
    fn at_header(&self, name: &HeaderName) -> Standing<&[u8]>;
    /// The values of a query parameter, percent-decoded.
    fn at_query(&self, name: &str) -> Standing<Cow<'_, str>>;
    /// The values of a form field.
    fn at_form(&self, name: &str) -> Standing<&str>;
    /// The member at a pointer's number.
    fn at_pointer(&self, number: usize) -> Option<&RawValue>;
    /// The member of the whole body at a pointer's number.
    fn at_envelope(&self, number: usize) -> Option<&RawValue>;
}

/// Whatever numbers the pointers of what it compiles.
pub trait Numbers {
    /// The number of a pointer into the document.
    ///
    /// # Errors
    /// Where the text is no pointer.
    fn pointer(&mut self, pointer: &str) -> Result<usize, PointerError>;

    /// The number of a pointer into the whole body.
    ///
    /// # Errors
    /// Where the text is no pointer.
    fn envelope(&mut self, pointer: &str) -> Result<usize, PointerError>;
}

/// What is wrong with a written place, and in which of its fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PlaceError {
    /// `None` where it is the choice of fields.
    pub field: Option<&'static str>,
    /// What to write instead.
    pub reason: String,
}

impl PlaceError {
    /// The path of what is wrong, below that of the place.
    pub fn path(&self, of: &str) -> String {
        self.field.map_or_else(|| of.to_owned(), |field| format!("{of}.{field}"))
    }
}

/// A place as any kind of field writes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written<'a> {
    header: Option<&'a str>,
    query: Option<&'a str>,
    form: Option<&'a str>,
    pointer: Option<&'a str>,
    envelope: Option<&'a str>,
    value: Option<&'a str>,
}

macro_rules! written {
    ($($kind:ty { $($field:ident),* }),* $(,)?) => {
        $(impl<'a> From<&'a $kind> for Written<'a> {
            fn from(written: &'a $kind) -> Self {
                let mut places = Self::default();
                $(places.$field = written.$field.as_deref();)*
                places
            }
        })*
    };
}

written! {
    Field { header, query, form, pointer, envelope, value },
    Otherwise { header, query, form, pointer, envelope, value },
    MapValue { header, query, form, pointer, envelope, value },
    MapChoice { header, query, form, pointer, envelope, value },
    TimeField { header, query, form, pointer, envelope },
    Condition { header, query, form, pointer },
    Signature { header, query, form, pointer },
    Timestamp { header, query, form, pointer },
    Token { header, query, form, pointer },
}

impl Place {
    /// Compiles a place.
    ///
    /// # Errors
    /// Where it is not written in exactly one field, or not as that field is.
    pub fn compile<'a>(written: impl Into<Written<'a>>, numbers: &mut impl Numbers) -> Result<Self, PlaceError> {
        let pointer = |field: &'static str| {
            move |error: PointerError| PlaceError { field: Some(field), reason: error.to_string() }
        };
        match written.into() {
            Written { header: Some(name), query: None, form: None, pointer: None, envelope: None, value: None } => {
                Self::header(name).map_err(|reason| PlaceError { field: Some("header"), reason })
            }
            Written { header: None, query: Some(name), form: None, pointer: None, envelope: None, value: None } => {
                Ok(Self::Query(name.to_owned()))
            }
            Written { header: None, query: None, form: Some(name), pointer: None, envelope: None, value: None } => {
                Ok(Self::Form(name.to_owned()))
            }
            Written { header: None, query: None, form: None, pointer: Some(at), envelope: None, value: None } => {
                numbers.pointer(at).map(Self::Pointer).map_err(pointer("pointer"))
            }
            Written { header: None, query: None, form: None, pointer: None, envelope: Some(at), value: None } => {
                numbers.envelope(at).map(Self::Envelope).map_err(pointer("envelope"))
            }
            Written { header: None, query: None, form: None, pointer: None, envelope: None, value: Some(text) } => {
                Ok(Self::Fixed(text.to_owned()))
            }
            _ => Err(PlaceError {
                field: None,
                reason: "write exactly one of header, pointer, value, query, form or envelope".to_owned(),
            }),
        }
    }

    /// A header.
    ///
    /// # Errors
    /// Where the name is none.
    pub fn header(name: &str) -> Result<Self, String> {
        HeaderName::try_from(name).map(Self::Header).map_err(|_| format!("{name:?} is no header name"))
    }
}

/// Collects the pointers of a scheme or a handshake, each once.
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
    ///
    /// # Errors
    /// The first text that is no pointer.
    pub fn compile(self) -> Result<(Pointers, Vec<String>), String> {
        Ok((Pointers::compile(&self.0).map_err(|error| error.to_string())?, self.0))
    }
}

impl Numbers for PointerList {
    fn pointer(&mut self, pointer: &str) -> Result<usize, PointerError> {
        parse_pointer(pointer).map(|_| self.index(pointer))
    }

    /// A scheme reads the body or one item of it, and nothing around that.
    fn envelope(&mut self, pointer: &str) -> Result<usize, PointerError> {
        self.pointer(pointer)
    }
}
