//! The functions of the CEL standard library: what each takes and gives.
//!
//! One table, from which calls are checked and resolved, and names that are nearly right are told.

use super::types::Type;
use crate::spelling::distance;

/// A function, or the overloads of a name that differ in what they take alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Int,
    UInt,
    Double,
    Bool,
    Text,
    Bytes,
    Timestamp,
    Duration,
    Dyn,
    Type,
    FullYear,
    Month,
    DayOfYear,
    DayOfMonth,
    Date,
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
    HasValue,
    ValueOf,
    Or,
    OrValue,
    OptionalOf,
    OptionalOfNonZero,
    OptionalNone,
}

impl Function {
    /// Whether it gives a part of a time.
    pub(super) fn is_part_of_time(self) -> bool {
        matches!(
            self,
            Self::FullYear
                | Self::Month
                | Self::DayOfYear
                | Self::DayOfMonth
                | Self::Date
                | Self::DayOfWeek
                | Self::Hours
                | Self::Minutes
                | Self::Seconds
                | Self::Milliseconds
        )
    }
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Any,
    Text,
    Bytes,
    Int,
    UInt,
    Double,
    Bool,
    Timestamp,
    Duration,
    List,
    Map,
    Optional,
}

impl Takes {
    fn fits(self, given: &Type) -> bool {
        given.is_any()
            || match self {
                Self::Any => true,
                Self::Text => *given == Type::Text,
                Self::Bytes => *given == Type::Bytes,
                Self::Int => *given == Type::Int,
                Self::UInt => *given == Type::UInt,
                Self::Double => *given == Type::Double,
                Self::Bool => *given == Type::Bool,
                Self::Timestamp => *given == Type::Timestamp,
                Self::Duration => *given == Type::Duration,
                Self::List => matches!(given, Type::List(_)),
                Self::Map => matches!(given, Type::Map(_)),
                Self::Optional => matches!(given, Type::Optional(_)),
            }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text => "a string",
            Self::Bytes => "bytes",
            Self::Int => "an int",
            Self::UInt => "a uint",
            Self::Double => "a double",
            Self::Bool => "a bool",
            Self::Timestamp => "a timestamp",
            Self::Duration => "a duration",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Optional => "an optional",
        }
    }
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Called {
    /// `f(x)`
    Global,
    /// `x.f()`
    Member,
    Both,
}

/// One row: parameters in order, the target first.
struct Row {
    name: &'static str,
    called: Called,
    function: Function,
    takes: &'static [&'static [Takes]],
    gives: Type,
}

const fn row(
    name: &'static str,
    called: Called,
    function: Function,
    takes: &'static [&'static [Takes]],
    gives: Type,
) -> Row {
    Row { name, called, function, takes, gives }
}

const TEXTS: &[&[Takes]] = &[&[Takes::Text], &[Takes::Text]];
const TIME: &[&[Takes]] = &[&[Takes::Timestamp]];
const TIME_OR_LENGTH: &[&[Takes]] = &[&[Takes::Timestamp, Takes::Duration]];
const OPTIONAL: &[&[Takes]] = &[&[Takes::Optional]];

static TABLE: [Row; 32] = [
    row("size", Called::Both, Function::Size, &[&[Takes::Text, Takes::Bytes, Takes::List, Takes::Map]], Type::Int),
    row("contains", Called::Member, Function::Contains, TEXTS, Type::Bool),
    row("startsWith", Called::Member, Function::StartsWith, TEXTS, Type::Bool),
    row("endsWith", Called::Member, Function::EndsWith, TEXTS, Type::Bool),
    row("matches", Called::Both, Function::Matches, TEXTS, Type::Bool),
    row(
        "int",
        Called::Global,
        Function::Int,
        &[&[Takes::Int, Takes::UInt, Takes::Double, Takes::Text, Takes::Timestamp]],
        Type::Int,
    ),
    row("uint", Called::Global, Function::UInt, &[&[Takes::UInt, Takes::Int, Takes::Double, Takes::Text]], Type::UInt),
    row(
        "double",
        Called::Global,
        Function::Double,
        &[&[Takes::Double, Takes::Int, Takes::UInt, Takes::Text]],
        Type::Double,
    ),
    row("bool", Called::Global, Function::Bool, &[&[Takes::Bool, Takes::Text]], Type::Bool),
    row(
        "string",
        Called::Global,
        Function::Text,
        &[&[
            Takes::Text,
            Takes::Bool,
            Takes::Int,
            Takes::UInt,
            Takes::Double,
            Takes::Bytes,
            Takes::Timestamp,
            Takes::Duration,
        ]],
        Type::Text,
    ),
    row("bytes", Called::Global, Function::Bytes, &[&[Takes::Text, Takes::Bytes]], Type::Bytes),
    row(
        "timestamp",
        Called::Global,
        Function::Timestamp,
        &[&[Takes::Text, Takes::Timestamp, Takes::Int]],
        Type::Timestamp,
    ),
    row("duration", Called::Global, Function::Duration, &[&[Takes::Text, Takes::Duration]], Type::Duration),
    row("dyn", Called::Global, Function::Dyn, &[&[Takes::Any]], Type::Any),
    row("type", Called::Global, Function::Type, &[&[Takes::Any]], Type::Kind),
    row("getFullYear", Called::Member, Function::FullYear, TIME, Type::Int),
    row("getMonth", Called::Member, Function::Month, TIME, Type::Int),
    row("getDayOfYear", Called::Member, Function::DayOfYear, TIME, Type::Int),
    row("getDayOfMonth", Called::Member, Function::DayOfMonth, TIME, Type::Int),
    row("getDate", Called::Member, Function::Date, TIME, Type::Int),
    row("getDayOfWeek", Called::Member, Function::DayOfWeek, TIME, Type::Int),
    row("getHours", Called::Member, Function::Hours, TIME_OR_LENGTH, Type::Int),
    row("getMinutes", Called::Member, Function::Minutes, TIME_OR_LENGTH, Type::Int),
    row("getSeconds", Called::Member, Function::Seconds, TIME_OR_LENGTH, Type::Int),
    row("getMilliseconds", Called::Member, Function::Milliseconds, TIME_OR_LENGTH, Type::Int),
    row("hasValue", Called::Member, Function::HasValue, OPTIONAL, Type::Bool),
    row("value", Called::Member, Function::ValueOf, OPTIONAL, Type::Any),
    row("or", Called::Member, Function::Or, &[&[Takes::Optional], &[Takes::Optional]], Type::Any),
    row("orValue", Called::Member, Function::OrValue, &[&[Takes::Optional], &[Takes::Any]], Type::Any),
    row("optional.of", Called::Global, Function::OptionalOf, &[&[Takes::Any]], Type::Any),
    row("optional.ofNonZeroValue", Called::Global, Function::OptionalOfNonZero, &[&[Takes::Any]], Type::Any),
    row("optional.none", Called::Global, Function::OptionalNone, &[], Type::Any),
];

/// Macros over lists: a name and a body.
pub(super) const MACROS: [&str; 8] =
    ["all", "exists", "exists_one", "existsOne", "map", "filter", "optMap", "optFlatMap"];

/// Resolves a call; `types` has the target first where there is one.
///
/// # Errors
/// What is wrong with the call, to be put behind its text.
pub(super) fn resolve(name: &str, member: bool, types: &[&Type]) -> Result<(Function, Type), String> {
    let Some(row) = TABLE.iter().find(|row| row.name == name) else { return Err(unknown(name)) };
    match (row.called, member) {
        (Called::Global, true) => return Err(format!("{name} is called with its value: write {name}(…)")),
        (Called::Member, false) => return Err(format!("{name} is called on a value: write x.{name}(…)")),
        _ => {}
    }
    // A zone may follow.
    let most = row.takes.len() + usize::from(row.function.is_part_of_time());
    if types.len() < row.takes.len() || types.len() > most {
        let own = row.takes.len() - usize::from(member);
        return Err(format!("{name} takes {own} {}", if own == 1 { "value" } else { "values" }));
    }
    let zone: &[Takes] = &[Takes::Text];
    for (takes, given) in row.takes.iter().copied().chain([zone]).zip(types) {
        if !takes.iter().any(|takes| takes.fits(given)) {
            let wanted: Vec<&str> = takes.iter().map(|takes| takes.name()).collect();
            return Err(format!("{name} takes {}, not {given}", wanted.join(" or ")));
        }
    }
    let gives = match (row.function, types) {
        (Function::OptionalOf | Function::OptionalOfNonZero, [of]) => Type::Optional(Box::new((*of).clone())),
        (Function::OptionalNone, _) => Type::Optional(Box::new(Type::Any)),
        (Function::ValueOf, [Type::Optional(of)]) => of.as_ref().clone(),
        (Function::OrValue, [Type::Optional(of), other]) => of.as_ref().clone().or((*other).clone()),
        (Function::Or, _) => Type::Optional(Box::new(Type::Any)),
        (Function::Dyn, [Type::AnyButBool]) => Type::AnyButBool,
        _ => row.gives.clone(),
    };
    Ok((row.function, gives))
}

fn unknown(name: &str) -> String {
    let known = TABLE.iter().map(|row| row.name).chain(MACROS).chain(["has"]);
    let near =
        known.map(|known| (distance(name, known), known)).min().filter(|(far, known)| *far <= 1 + known.len() / 4);
    match near {
        Some((_, near)) => format!("{name} is no function: did you mean {near}?"),
        None => format!(
            "{name} is no function: there are size, contains, startsWith, endsWith, matches, has, in, all, exists, exists_one, map, filter, int, double, string, timestamp, duration and the others of CEL's standard library"
        ),
    }
}
