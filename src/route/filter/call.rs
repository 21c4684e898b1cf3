//! What functions and arithmetic give. Each charges what it reads and builds before it does.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::budget::{Budget, Failure, Judged, SCAN, SEARCH};
use super::functions::Function;
use super::parse::Operator;
use super::time;
use super::value::{Text, Value};

/// Longer texts are no number.
const LONGEST_NUMBER: usize = 400;

pub(super) fn call<'a>(function: Function, parts: &[Value<'a>], budget: &mut Budget) -> Judged<Value<'a>> {
    budget.call(function)?;
    match (function, parts) {
        (Function::Size, [of]) => size(of, budget),
        (Function::Contains, [Value::Text(text), Value::Text(part)]) => {
            let (text, part) = (text.as_str(), part.as_str());
            budget.text(text.len().saturating_add(part.len()), SEARCH)?;
            Ok(Value::Bool(memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some()))
        }
        (Function::StartsWith, [Value::Text(text), Value::Text(part)]) => {
            budget.text(part.as_str().len(), SCAN)?;
            Ok(Value::Bool(text.as_str().starts_with(part.as_str())))
        }
        (Function::EndsWith, [Value::Text(text), Value::Text(part)]) => {
            budget.text(part.as_str().len(), SCAN)?;
            Ok(Value::Bool(text.as_str().ends_with(part.as_str())))
        }
        (Function::Int, [of]) => int(of),
        (Function::UInt, [of]) => uint(of),
        (Function::Double, [of]) => double(of),
        (Function::Bool, [of]) => match of {
            Value::Bool(value) => Ok(Value::Bool(*value)),
            Value::Text(text) => match text.as_str() {
                "1" | "t" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
                _ => Err(Failure::Error),
            },
            _ => Err(Failure::Error),
        },
        (Function::Text, [of]) => string(of, budget),
        (Function::Bytes, [of]) => match of {
            Value::Text(text) => {
                budget.build(text.as_str().len())?;
                Ok(Value::Bytes(text.as_str().as_bytes().into()))
            }
            Value::Bytes(_) => Ok(of.clone()),
            _ => Err(Failure::Error),
        },
        (Function::Timestamp, [of]) => {
            let time = match of {
                Value::Timestamp(time) => Some(*time),
                Value::Text(text) => time::timestamp(text.as_str()),
                Value::Int(seconds) => Timestamp::from_second(*seconds).ok().and_then(time::within),
                _ => None,
            };
            time.map(Value::Timestamp).ok_or(Failure::Error)
        }
        (Function::Duration, [of]) => {
            let length = match of {
                Value::Duration(length) => Some(*length),
                Value::Text(text) => time::duration(text.as_str()),
                _ => None,
            };
            length.map(Value::Duration).ok_or(Failure::Error)
        }
        (Function::Dyn, [of]) => Ok(of.clone()),
        (Function::Type, [of]) => Ok(Value::Type(of.type_name())),
        (Function::HasValue, [Value::Optional(of)]) => Ok(Value::Bool(of.is_some())),
        (Function::ValueOf, [Value::Optional(Some(of))]) => Ok(of.as_ref().clone()),
        (Function::Or, [one @ Value::Optional(of), other @ Value::Optional(_)]) => {
            Ok(if of.is_some() { one.clone() } else { other.clone() })
        }
        (Function::OrValue, [Value::Optional(of), other]) => {
            Ok(of.as_ref().map_or_else(|| other.clone(), |of| of.as_ref().clone()))
        }
        (Function::OptionalOf, [of]) => Ok(Value::Optional(Some(Rc::new(of.clone())))),
        (Function::OptionalOfNonZero, [of]) => Ok(Value::Optional((!is_zero(of)).then(|| Rc::new(of.clone())))),
        (Function::OptionalNone, []) => Ok(Value::Optional(None)),
        (function, [Value::Timestamp(of)]) => {
            time::part(function, *of, &TimeZone::UTC).map(Value::Int).ok_or(Failure::Error)
        }
        (function, [Value::Duration(of)]) => time::length(function, *of).map(Value::Int).ok_or(Failure::Error),
        _ => Err(Failure::Error),
    }
}

fn size<'a>(of: &Value<'a>, budget: &mut Budget) -> Judged<Value<'a>> {
    let size = match of {
        Value::Text(text) => {
            budget.text(text.as_str().len(), SCAN)?;
            text.as_str().chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        _ => return Err(Failure::Error),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn parsed<T: std::str::FromStr>(text: &Text<'_>) -> Option<T> {
    Some(text.as_str()).filter(|text| text.len() <= LONGEST_NUMBER)?.parse().ok()
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as CEL converts, bounded before")]
fn int<'a>(of: &Value<'a>) -> Judged<Value<'a>> {
    let int = match of {
        Value::Int(value) => Some(*value),
        Value::UInt(value) => i64::try_from(*value).ok(),
        Value::Double(value) if *value > i64::MIN as f64 && *value < i64::MAX as f64 => Some(*value as i64),
        Value::Text(text) => parsed(text),
        Value::Timestamp(time) => Some(time.as_second()),
        _ => None,
    };
    int.map(Value::Int).ok_or(Failure::Error)
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as CEL converts, bounded before"
)]
fn uint<'a>(of: &Value<'a>) -> Judged<Value<'a>> {
    let uint = match of {
        Value::UInt(value) => Some(*value),
        Value::Int(value) => u64::try_from(*value).ok(),
        Value::Double(value) if *value >= 0.0 && *value < u64::MAX as f64 => Some(*value as u64),
        Value::Text(text) => parsed(text),
        _ => None,
    };
    uint.map(Value::UInt).ok_or(Failure::Error)
}

#[allow(clippy::cast_precision_loss, reason = "as CEL converts")]
fn double<'a>(of: &Value<'a>) -> Judged<Value<'a>> {
    let double = match of {
        Value::Double(value) => Some(*value),
        Value::Int(value) => Some(*value as f64),
        Value::UInt(value) => Some(*value as f64),
        Value::Text(text) => parsed(text),
        _ => None,
    };
    double.map(Value::Double).ok_or(Failure::Error)
}

fn string<'a>(of: &Value<'a>, budget: &mut Budget) -> Judged<Value<'a>> {
    let text = match of {
        Value::Text(_) => return Ok(of.clone()),
        Value::Bytes(bytes) => {
            budget.build(bytes.len())?;
            std::str::from_utf8(bytes).map_err(|_| Failure::Error)?.to_owned()
        }
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Timestamp(time) => time.to_string(),
        Value::Duration(length) => time::written(*length),
        _ => return Err(Failure::Error),
    };
    Value::built(text, budget)
}

fn is_zero(of: &Value<'_>) -> bool {
    match of {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Int(value) => *value == 0,
        Value::UInt(value) => *value == 0,
        Value::Double(value) => *value == 0.0,
        Value::Text(text) => text.as_str().is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Duration(length) => length.is_zero(),
        Value::Timestamp(_) | Value::Type(_) => false,
        Value::Optional(of) => of.is_none(),
    }
}

/// Whole numbers, signed or not: what overflows is an error.
macro_rules! whole {
    ($operator:expr, $one:expr, $other:expr) => {
        match $operator {
            Operator::Add => $one.checked_add($other),
            Operator::Subtract => $one.checked_sub($other),
            Operator::Multiply => $one.checked_mul($other),
            Operator::Divide => $one.checked_div($other),
            Operator::Remainder => $one.checked_rem($other),
            _ => None,
        }
    };
}

/// `+ - * / %`
pub(super) fn computed<'a>(
    operator: Operator,
    one: &Value<'a>,
    other: &Value<'a>,
    budget: &mut Budget,
) -> Judged<Value<'a>> {
    let value = match (one, other) {
        (Value::Int(one), Value::Int(other)) => whole!(operator, one, *other).map(Value::Int),
        (Value::UInt(one), Value::UInt(other)) => whole!(operator, one, *other).map(Value::UInt),
        (Value::Double(one), Value::Double(other)) => match operator {
            Operator::Add => Some(one + other),
            Operator::Subtract => Some(one - other),
            Operator::Multiply => Some(one * other),
            Operator::Divide => Some(one / other),
            _ => None,
        }
        .map(Value::Double),
        (one, other) if operator == Operator::Add => return joined(one, other, budget),
        (Value::Timestamp(one), Value::Timestamp(other)) if operator == Operator::Subtract => {
            Some(Value::Duration(one.duration_since(*other)))
        }
        (Value::Timestamp(one), Value::Duration(other)) if operator == Operator::Subtract => {
            one.checked_sub(*other).ok().and_then(time::within).map(Value::Timestamp)
        }
        (Value::Duration(one), Value::Duration(other)) if operator == Operator::Subtract => {
            one.checked_sub(*other).map(Value::Duration)
        }
        _ => None,
    };
    value.ok_or(Failure::Error)
}

fn joined<'a>(one: &Value<'a>, other: &Value<'a>, budget: &mut Budget) -> Judged<Value<'a>> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => {
            let (one, other) = (one.as_str(), other.as_str());
            budget.build(one.len() + other.len())?;
            let mut text = String::with_capacity(one.len() + other.len());
            text.push_str(one);
            text.push_str(other);
            Ok(Value::Text(Text::Shared(Rc::new(text))))
        }
        (Value::Bytes(one), Value::Bytes(other)) => {
            budget.build(one.len() + other.len())?;
            Ok(Value::Bytes(one.iter().chain(other.iter()).copied().collect()))
        }
        (Value::List(one), Value::List(other)) => {
            budget.build((one.len() + other.len()) * size_of::<Value<'_>>())?;
            Ok(Value::List(one.iter().chain(other.iter()).cloned().collect()))
        }
        (Value::Timestamp(time), Value::Duration(length)) | (Value::Duration(length), Value::Timestamp(time)) => {
            time.checked_add(*length).ok().and_then(time::within).map(Value::Timestamp).ok_or(Failure::Error)
        }
        (Value::Duration(one), Value::Duration(other)) => {
            one.checked_add(*other).map(Value::Duration).ok_or(Failure::Error)
        }
        _ => Err(Failure::Error),
    }
}
