//! An expression, checked: names resolved, constants made, ready to be judged. Immutable and shared by all requests.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::functions::Function;
use super::parse::{Literal, Operator, Span};
use super::pattern::Pattern;
use super::types::Type;

/// A part.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) op: Op,
    pub(super) of: Type,
    pub(super) span: Span,
}

/// The variables of an event but `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Type,
    Id,
    Subject,
    Source,
    Namespace,
    Provider,
    Time,
}

#[derive(Debug)]
pub(super) enum Op {
    Literal(Literal),
    Instant(Timestamp),
    Length(SignedDuration),
    TypeName(&'static str),
    Attribute(Attribute),
    /// A place of `data`, by its number among those that the filter reads.
    Place(usize),
    /// A place behind `.?` or `[?…]`.
    OptionalPlace(Box<OptionalPlace>),
    /// Whether a place is there; its parent must be.
    HasPlace {
        place: usize,
        parent: usize,
    },
    /// A variable of a macro, by the depth at which it stands.
    Local(usize),
    Select {
        of: Box<Expr>,
        field: Box<str>,
        optional: bool,
    },
    Has {
        of: Box<Expr>,
        field: Box<str>,
    },
    Index {
        of: Box<Expr>,
        at: Box<Expr>,
        optional: bool,
    },
    Call(Function, Vec<Expr>),
    /// A part of a time, in a zone.
    TimePart(Function, Box<Expr>, TimeZone),
    Matches(Box<Expr>, Pattern),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(Operator, Box<[Expr; 2]>),
    Any(Vec<Expr>),
    All(Vec<Expr>),
    If(Box<[Expr; 3]>),
    Walk(Walk, Box<WalkParts>),
    /// `optMap` and `optFlatMap`: the body with the optional's value as its variable.
    OptionalMap {
        of: Box<Expr>,
        body: Box<Expr>,
        wrap: bool,
    },
}

/// A chain such as `data.a.?b.c`, whose places are known before the event.
#[derive(Debug)]
pub(super) struct OptionalPlace {
    /// What stands before the first `?`: must be there.
    pub(super) base: usize,
    /// The places below it, and whether the step to each is optional.
    pub(super) steps: Vec<(usize, bool)>,
    /// The last place, among those that the filter reads.
    pub(super) slot: usize,
}

/// A macro over a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

#[derive(Debug)]
pub(super) struct WalkParts {
    pub(super) range: Expr,
    /// What holds for an element, or what it becomes.
    pub(super) body: Expr,
    /// Of `map` with three arguments: which elements are taken.
    pub(super) only: Option<Expr>,
}

impl Expr {
    /// The parts of a part, in the order of the text.
    pub(super) fn parts(&self) -> Vec<&Expr> {
        match &self.op {
            Op::Literal(_)
            | Op::Instant(_)
            | Op::Length(_)
            | Op::TypeName(_)
            | Op::Attribute(_)
            | Op::Place(_)
            | Op::OptionalPlace(_)
            | Op::HasPlace { .. }
            | Op::Local(_) => Vec::new(),
            Op::Select { of, .. } | Op::Has { of, .. } | Op::TimePart(_, of, _) | Op::Matches(of, _) => vec![of],
            Op::Not(of) | Op::Negate(of) => vec![of],
            Op::Index { of, at, .. } => vec![of, at],
            Op::Call(_, parts) | Op::List(parts) | Op::Any(parts) | Op::All(parts) => parts.iter().collect(),
            Op::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Op::Binary(_, parts) => parts.iter().collect(),
            Op::If(parts) => parts.iter().collect(),
            Op::Walk(_, parts) => [&parts.range].into_iter().chain(&parts.only).chain([&parts.body]).collect(),
            Op::OptionalMap { of, body, .. } => vec![of, body],
        }
    }

    /// Whether the value depends on the event.
    pub(super) fn names_event(&self) -> bool {
        self.holds(&|op| matches!(op, Op::Attribute(_) | Op::Place(_) | Op::OptionalPlace(_) | Op::HasPlace { .. }))
    }

    /// Whether anything of `data` is named.
    pub(super) fn names_data(&self) -> bool {
        self.holds(&|op| matches!(op, Op::Place(_) | Op::OptionalPlace(_) | Op::HasPlace { .. }))
    }

    fn holds(&self, of: &impl Fn(&Op) -> bool) -> bool {
        of(&self.op) || self.parts().into_iter().any(|part| part.holds(of))
    }

    /// The value, where it is true or false whatever the event.
    pub(super) fn constant(&self) -> Option<bool> {
        match &self.op {
            Op::Literal(Literal::Bool(value)) => Some(*value),
            Op::Not(of) => of.constant().map(|value| !value),
            Op::Any(parts) => absorbed(parts, true),
            Op::All(parts) => absorbed(parts, false),
            _ => None,
        }
    }
}

fn absorbed(parts: &[Expr], by: bool) -> Option<bool> {
    let constants: Vec<Option<bool>> = parts.iter().map(Expr::constant).collect();
    if constants.contains(&Some(by)) {
        return Some(by);
    }
    constants.iter().all(Option::is_some).then_some(!by)
}
