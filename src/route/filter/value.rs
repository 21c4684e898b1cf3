//! Values of an expression while it is judged: mostly borrowed from the event or the filter, else shared.
//!
//! What is built here is charged to the budget before it is built. Equality and order are CEL's: numbers of any type
//! compare, other types are unequal and without order.

use std::cmp::Ordering;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};

use super::budget::{Budget, Failure, Judged, SCAN, SORT};
use super::parse::Literal;
use super::types::Type;
use crate::json::{Cursor, Form, lossy_text};

/// How deep data nests at most: reading it recurses.
const MAX_DEPTH: usize = 100;

#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(Text<'a>),
    Bytes(Rc<[u8]>),
    List(Rc<[Value<'a>]>),
    /// Sorted by key, no key twice.
    Map(Rc<[(Value<'a>, Value<'a>)]>),
    Timestamp(Timestamp),
    Duration(SignedDuration),
    Type(&'static str),
    Optional(Option<Rc<Value<'a>>>),
}

#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<String>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn borrowed(text: &'a str) -> Self {
        Self::Text(Text::Borrowed(text))
    }

    /// A constant of the filter.
    pub(super) fn literal(literal: &'a Literal, budget: &mut Budget) -> Judged<Self> {
        Ok(match literal {
            Literal::Null => Self::Null,
            Literal::Bool(value) => Self::Bool(*value),
            Literal::Int(value) => Self::Int(*value),
            Literal::UInt(value) => Self::UInt(*value),
            Literal::Double(value) => Self::Double(*value),
            Literal::Text(text) => Self::borrowed(text),
            Literal::Bytes(bytes) => {
                budget.build(bytes.len())?;
                Self::Bytes(bytes.as_ref().into())
            }
        })
    }

    /// The name of its type, as in `type(x) == string`.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::UInt(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
        }
    }

    /// A text that is built.
    pub(super) fn built(text: String, budget: &mut Budget) -> Judged<Self> {
        budget.build(text.len())?;
        Ok(Self::Text(Text::Shared(Rc::new(text))))
    }

    /// A list that is built.
    pub(super) fn list(items: Vec<Value<'a>>, budget: &mut Budget) -> Judged<Self> {
        budget.build(items.len() * size_of::<Self>())?;
        Ok(Self::List(items.into()))
    }

    /// A map of the filter: no key twice.
    pub(super) fn map(entries: Vec<(Value<'a>, Value<'a>)>, budget: &mut Budget) -> Judged<Self> {
        let written = entries.len();
        match Self::members(entries, budget)? {
            Self::Map(entries) if entries.len() < written => Err(Failure::Error),
            map => Ok(map),
        }
    }

    /// An object of the event: of two members of one name the last counts.
    fn members(mut entries: Vec<(Value<'a>, Value<'a>)>, budget: &mut Budget) -> Judged<Self> {
        budget.build(entries.len() * size_of::<(Self, Self)>())?;
        budget.text(entries.len() * (entries.len() + 1).ilog2() as usize, SORT)?;
        entries.sort_by(|(one, _), (other, _)| key_order(one, other));
        entries.reverse();
        entries.dedup_by(|(one, _), (other, _)| key_order(one, other).is_eq());
        entries.reverse();
        Ok(Self::Map(entries.into()))
    }

    /// Reads JSON: whole numbers are `int`, as users write them. `None` where it is none.
    pub(super) fn read(cursor: &mut Cursor<'a>, depth: usize, budget: &mut Budget) -> Judged<Self> {
        if depth > MAX_DEPTH {
            return Err(Failure::TooLarge);
        }
        let malformed = Failure::Error;
        match cursor.form().ok_or(malformed)? {
            Form::Object => {
                cursor.enter();
                let mut entries = Vec::new();
                while let Some(name) = cursor.member(entries.is_empty()).ok_or(malformed)? {
                    let name = text(name, budget)?;
                    entries.push((name, Self::read(cursor, depth + 1, budget)?));
                }
                Self::members(entries, budget)
            }
            Form::List => {
                cursor.enter();
                let mut items = Vec::new();
                while cursor.element(items.is_empty()).ok_or(malformed)? {
                    items.push(Self::read(cursor, depth + 1, budget)?);
                }
                Self::list(items, budget)
            }
            form => {
                let scalar = cursor.scalar().ok_or(malformed)?;
                match form {
                    Form::Text => text(scalar, budget),
                    Form::True => Ok(Self::Bool(true)),
                    Form::False => Ok(Self::Bool(false)),
                    Form::Null => Ok(Self::Null),
                    _ => Ok(number(scalar)),
                }
            }
        }
    }

    /// The member of a map.
    pub(super) fn member(&self, name: &str, budget: &mut Budget) -> Judged<Option<Value<'a>>> {
        let Self::Map(entries) = self else { return Err(Failure::Error) };
        budget.step()?;
        budget.text(name.len(), 4 * SCAN)?;
        let found = entries.binary_search_by(|(key, _)| key_order(key, &Value::borrowed(name)));
        Ok(found.ok().map(|at| entries[at].1.clone()))
    }

    /// What stands at an index or key.
    pub(super) fn at(&self, index: &Value<'a>, budget: &mut Budget) -> Judged<Option<Value<'a>>> {
        match (self, index) {
            (Self::List(items), index) => {
                let index = match index {
                    Self::Int(_) | Self::UInt(_) | Self::Double(_) => whole(index),
                    _ => return Err(Failure::Error),
                };
                Ok(index.and_then(|index| usize::try_from(index).ok()).and_then(|index| items.get(index).cloned()))
            }
            (Self::Map(_), Self::Text(name)) => self.member(name.as_str(), budget),
            (Self::Map(entries), key) => Ok(find(entries, key).map(|at| entries[at].1.clone())),
            _ => Err(Failure::Error),
        }
    }

    /// Whether a list holds a value, or a map a key.
    pub(super) fn holds(&self, value: &Value<'a>, budget: &mut Budget) -> Judged<bool> {
        match self {
            Self::List(items) => {
                for item in items.iter() {
                    if equal(item, value, budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Map(_) => match value {
                Self::Text(name) => Ok(self.member(name.as_str(), budget)?.is_some()),
                Self::Bool(_) | Self::Int(_) | Self::UInt(_) | Self::Double(_) => Ok(self.at(value, budget)?.is_some()),
                _ => Err(Failure::Error),
            },
            _ => Err(Failure::Error),
        }
    }
}

fn text<'a>(literal: &'a str, budget: &mut Budget) -> Judged<Value<'a>> {
    match lossy_text(literal) {
        std::borrow::Cow::Borrowed(text) => Ok(Value::borrowed(text)),
        std::borrow::Cow::Owned(text) => Value::built(text, budget),
    }
}

/// A number of JSON: too large a one is infinite.
fn number<'a>(text: &str) -> Value<'a> {
    if let Ok(int) = text.parse() {
        return Value::Int(int);
    }
    match text.parse() {
        Ok(uint) => Value::UInt(uint),
        Err(_) => Value::Double(text.parse().unwrap_or(f64::NAN)),
    }
}

/// The place of a key that is no text.
fn find(entries: &[(Value<'_>, Value<'_>)], key: &Value<'_>) -> Option<usize> {
    let whole = whole(key);
    let found = entries.binary_search_by(|(known, _)| match whole {
        Some(number) => key_rank(known).cmp(&2).then_with(|| self::whole(known).cmp(&Some(number))),
        None => key_order(known, key),
    });
    found.ok()
}

/// A number without a fraction.
fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(value) => Some((*value).into()),
        Value::UInt(value) => Some((*value).into()),
        #[allow(clippy::cast_possible_truncation, reason = "whole, and bounded just before")]
        Value::Double(value) if value.fract() == 0.0 && value.abs() < 1e19 => Some(*value as i128),
        _ => None,
    }
}

fn key_rank(key: &Value<'_>) -> u8 {
    match key {
        Value::Text(_) => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::UInt(_) => 2,
        _ => 3,
    }
}

fn key_order(one: &Value<'_>, other: &Value<'_>) -> Ordering {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.as_str().cmp(other.as_str()),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => key_rank(one).cmp(&key_rank(other)).then_with(|| whole(one).cmp(&whole(other))),
    }
}

/// Whether two values are equal.
pub(super) fn equal(one: &Value<'_>, other: &Value<'_>, budget: &mut Budget) -> Judged<bool> {
    budget.step()?;
    Ok(match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Text(one), Value::Text(other)) => {
            let (one, other) = (one.as_str(), other.as_str());
            one.len() == other.len() && {
                budget.text(one.len(), SCAN)?;
                one == other
            }
        }
        (Value::Bytes(one), Value::Bytes(other)) => {
            budget.text(one.len().min(other.len()), SCAN)?;
            one == other
        }
        (Value::List(one), Value::List(other)) => one.len() == other.len() && all_equal(one, other, budget)?,
        (Value::Map(one), Value::Map(other)) => {
            if one.len() != other.len() {
                return Ok(false);
            }
            for ((key, value), (key_too, value_too)) in one.iter().zip(other.iter()) {
                if !equal(key, key_too, budget)? || !equal(value, value_too, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Type(one), Value::Type(other)) => one == other,
        (Value::Optional(one), Value::Optional(other)) => match (one, other) {
            (Some(one), Some(other)) => equal(one, other, budget)?,
            (one, other) => one.is_none() && other.is_none(),
        },
        _ => order_of_scalars(one, other) == Some(Ordering::Equal),
    })
}

fn all_equal(one: &[Value<'_>], other: &[Value<'_>], budget: &mut Budget) -> Judged<bool> {
    for (one, other) in one.iter().zip(other) {
        if !equal(one, other, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which of two values is less; an error where they have no order.
pub(super) fn order(one: &Value<'_>, other: &Value<'_>, budget: &mut Budget) -> Judged<Ordering> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => {
            budget.text(one.as_str().len().min(other.as_str().len()), SCAN)?;
            Ok(one.as_str().cmp(other.as_str()))
        }
        (Value::Bytes(one), Value::Bytes(other)) => {
            budget.text(one.len().min(other.len()), SCAN)?;
            Ok(one.cmp(other))
        }
        _ => order_of_scalars(one, other).ok_or(Failure::Error),
    }
}

fn order_of_scalars(one: &Value<'_>, other: &Value<'_>) -> Option<Ordering> {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::Timestamp(one), Value::Timestamp(other)) => Some(one.cmp(other)),
        (Value::Duration(one), Value::Duration(other)) => Some(one.cmp(other)),
        (Value::Double(one), other) => one.partial_cmp(&as_double(other)?),
        (one, Value::Double(other)) => as_double(one)?.partial_cmp(other),
        (Value::Int(_) | Value::UInt(_), Value::Int(_) | Value::UInt(_)) => Some(whole(one).cmp(&whole(other))),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "as CEL compares numbers")]
fn as_double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::UInt(value) => Some(*value as f64),
        Value::Double(value) => Some(*value),
        _ => None,
    }
}

/// The name of a type as a value, where a name is one.
pub(super) fn named_type(name: &str) -> Option<&'static str> {
    Type::NAMES.iter().find(|known| **known == name).copied()
}
