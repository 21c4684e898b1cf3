//! Types of parts, as far as they are known before an event comes.
//!
//! `data` is anything. What is known to be wrong is refused at compile; what may be right is judged with the event.

use std::fmt;

/// The type of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Known with the event.
    Any,
    /// As `Any`, but a sum or a product: never true or false.
    AnyButBool,
    Null,
    Bool,
    Int,
    UInt,
    Double,
    Text,
    Bytes,
    Timestamp,
    Duration,
    Kind,
    List(Box<Type>),
    Map(Box<Type>),
    Optional(Box<Type>),
}

impl Type {
    /// Names that stand for types, as in `type(data.x) == string`.
    pub(super) const NAMES: [&'static str; 10] =
        ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];

    pub(super) fn is_any(&self) -> bool {
        matches!(self, Self::Any | Self::AnyButBool)
    }

    pub(super) fn may_be_bool(&self) -> bool {
        matches!(self, Self::Any | Self::Bool)
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::UInt | Self::Double)
    }

    /// Whether values of two types can be equal.
    pub(super) fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (one, other) if one.is_any() || other.is_any() => true,
            (one, other) if one.is_number() && other.is_number() => true,
            (Self::List(one), Self::List(other)) | (Self::Map(one), Self::Map(other)) => one.may_equal(other),
            (Self::Optional(one), Self::Optional(other)) => one.may_equal(other),
            (one, other) => one == other,
        }
    }

    /// The type of what may be of either.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (one, other) if one.may_be_bool() || other.may_be_bool() => Self::Any,
            _ => Self::AnyButBool,
        }
    }

    /// The type of the elements that a macro walks: of a list its elements, of a map its keys.
    pub(super) fn walked(&self) -> Option<Self> {
        match self {
            Self::List(of) => Some(of.as_ref().clone()),
            Self::Map(_) | Self::Any | Self::AnyButBool => Some(Self::Any),
            _ => None,
        }
    }

    pub(super) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "a value",
            Self::AnyButBool => "a number or text",
            Self::Null => "null",
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::UInt => "a uint",
            Self::Double => "a double",
            Self::Text => "a string",
            Self::Bytes => "bytes",
            Self::Timestamp => "a timestamp",
            Self::Duration => "a duration",
            Self::Kind => "a type",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Optional(_) => "an optional",
        })
    }
}
