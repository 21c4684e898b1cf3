//! A tree becomes an expression: names resolved, types judged, constants made, places of `data` numbered.
//!
//! Refuses what cannot be right with any event, in a sentence that names the part and says what to write.

use super::expr::{Attribute, Expr, Op, OptionalPlace};
use super::parse::{Kind, Literal, Node, Operator, Span};
use super::places::{Places, Step};
use super::types::Type;
use super::value::named_type;
use crate::spelling::distance;

/// The variables of an expression.
pub const VARIABLES: [&str; 8] = ["type", "id", "subject", "time", "source", "namespace", "provider", "data"];
/// The most bytes of a part that a sentence shows.
const SHOWN: usize = 80;

pub(super) struct Checker<'s> {
    source: &'s str,
    pub(super) places: &'s mut Places,
    /// Places whose content is read.
    pub(super) named: Vec<usize>,
    pub(super) locals: Vec<(String, Type)>,
    pub(super) walks: usize,
}

impl<'s> Checker<'s> {
    pub(super) fn new(source: &'s str, places: &'s mut Places) -> Self {
        Self { source, places, named: Vec::new(), locals: Vec::new(), walks: 0 }
    }

    /// A part as written, shortened.
    pub(super) fn shown(source: &str, span: Span) -> String {
        let part = source.get(span.start..span.end).unwrap_or_default();
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        match part.char_indices().find(|(at, _)| *at >= SHOWN) {
            Some((at, _)) => format!("{} …", &part[..at]),
            None => part,
        }
    }

    pub(super) fn wrong(&self, span: Span, what: impl AsRef<str>) -> String {
        format!("in {}: {}", Self::shown(self.source, span), what.as_ref())
    }

    /// Checks a whole filter.
    pub(super) fn filter(&mut self, node: &Node) -> Result<Expr, String> {
        let whole = self.part(node)?;
        if !whole.of.may_be_bool() {
            return Err(format!(
                "{} is {}, neither true nor false: write a condition, such as {} == …",
                Self::shown(self.source, whole.span),
                whole.of,
                Self::shown(self.source, whole.span),
            ));
        }
        let constant = whole.constant();
        if constant.is_some() || !whole.names_event() {
            let always = constant.map_or("is the same", |value| if value { "is true" } else { "is false" });
            return Err(format!(
                "{always} for every event: name a variable of the event, such as type or data, or leave the filter out"
            ));
        }
        Ok(whole)
    }

    pub(super) fn part(&mut self, node: &Node) -> Result<Expr, String> {
        let span = node.span;
        if let Some(place) = self.place(node) {
            let slot = self.slot(place);
            return Ok(Expr { op: Op::Place(slot), of: Type::Any, span });
        }
        if let Some((base, steps)) = self.optional_place(node) {
            let slot = self.slot(steps.last().map_or(base, |(place, _)| *place));
            let op = Op::OptionalPlace(Box::new(OptionalPlace { base, steps, slot }));
            return Ok(Expr { op, of: Type::Optional(Box::new(Type::Any)), span });
        }
        let (op, of) = match &node.kind {
            Kind::Literal(literal) => (Op::Literal(literal.clone()), literal_type(literal)),
            Kind::Name(name) => self.name(name, span)?,
            Kind::Select { of, field, optional } => {
                let of = Box::new(self.part(of)?);
                let gives = self.member(&of, *optional)?;
                (Op::Select { of, field: field.as_str().into(), optional: *optional }, gives)
            }
            Kind::Index { of, at, optional } => {
                let (of, at) = (Box::new(self.part(of)?), Box::new(self.part(at)?));
                let gives = self.index(&of, &at, *optional)?;
                (Op::Index { of, at, optional: *optional }, gives)
            }
            Kind::Call { target, name, args } => self.call(target.as_deref(), name, args, span)?,
            Kind::List(parts) => {
                let parts = self.all(parts)?;
                let of = parts.iter().map(|part| part.of.clone()).reduce(Type::or).unwrap_or(Type::Any);
                (Op::List(parts), Type::list(of))
            }
            Kind::Map(entries) => self.map(entries)?,
            Kind::Not(of) => (Op::Not(Box::new(self.condition(of, "!")?)), Type::Bool),
            Kind::Negate(of) => {
                let of = self.part(of)?;
                let gives = match &of.of {
                    Type::Any | Type::AnyButBool => Type::AnyButBool,
                    known @ (Type::Int | Type::Double) => known.clone(),
                    other => return Err(self.wrong(span, format!("{other} has no negative"))),
                };
                (Op::Negate(Box::new(of)), gives)
            }
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, span)?,
            Kind::Any(parts) => (Op::Any(self.conditions(parts, "||")?), Type::Bool),
            Kind::All(parts) => (Op::All(self.conditions(parts, "&&")?), Type::Bool),
            Kind::If(parts) => {
                let [condition, yes, no] = &**parts;
                let parts = [self.condition(condition, "?")?, self.part(yes)?, self.part(no)?];
                let of = parts[1].of.clone().or(parts[2].of.clone());
                (Op::If(Box::new(parts)), of)
            }
        };
        Ok(Expr { op, of, span })
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Vec<Expr>, String> {
        nodes.iter().map(|node| self.part(node)).collect()
    }

    fn conditions(&mut self, nodes: &[Node], sign: &str) -> Result<Vec<Expr>, String> {
        nodes.iter().map(|node| self.condition(node, sign)).collect()
    }

    pub(super) fn condition(&mut self, node: &Node, sign: &str) -> Result<Expr, String> {
        let part = self.part(node)?;
        if part.of.may_be_bool() {
            return Ok(part);
        }
        Err(self.wrong(part.span, format!("{sign} takes a condition, not {}: write a comparison", part.of)))
    }

    /// The place of `data` that a part is, known before the event: names and indexes alone.
    pub(super) fn place(&mut self, node: &Node) -> Option<usize> {
        let (of, step) = match &node.kind {
            Kind::Name(name) => {
                let data = name == "data" && !self.locals.iter().any(|(local, _)| local == name);
                return data.then_some(0);
            }
            Kind::Select { of, field, optional: false } => (of, Step::Name(field.as_str().into())),
            Kind::Index { of, at, optional: false } => match &at.kind {
                Kind::Literal(Literal::Text(name)) => (of, Step::Name(name.clone())),
                Kind::Literal(Literal::Int(index)) => (of, Step::At(usize::try_from(*index).ok()?)),
                _ => return None,
            },
            _ => return None,
        };
        let of = self.place(of)?;
        Some(self.places.below(of, &step))
    }

    /// A chain of names and indexes of which one or more are optional: what stands before the first of them, and the
    /// places from there.
    fn optional_place(&mut self, node: &Node) -> Option<(usize, Vec<(usize, bool)>)> {
        let (of, step, optional) = match &node.kind {
            Kind::Select { of, field, optional } => (of, Step::Name(field.as_str().into()), *optional),
            Kind::Index { of, at, optional } => match &at.kind {
                Kind::Literal(Literal::Text(name)) => (of, Step::Name(name.clone()), *optional),
                Kind::Literal(Literal::Int(index)) => (of, Step::At(usize::try_from(*index).ok()?), *optional),
                _ => return None,
            },
            _ => return None,
        };
        let (base, mut steps) = match self.place(of) {
            Some(base) if optional => (base, Vec::new()),
            Some(_) => return None,
            None => self.optional_place(of)?,
        };
        let parent = steps.last().map_or(base, |(place, _)| *place);
        steps.push((self.places.below(parent, &step), optional));
        Some((base, steps))
    }

    /// The number of a place among those that the filter reads.
    fn slot(&mut self, place: usize) -> usize {
        self.named.iter().position(|known| *known == place).unwrap_or_else(|| {
            self.named.push(place);
            self.named.len() - 1
        })
    }

    fn name(&self, name: &str, span: Span) -> Result<(Op, Type), String> {
        if let Some(at) = self.locals.iter().rposition(|(local, _)| local == name) {
            return Ok((Op::Local(at), self.locals[at].1.clone()));
        }
        let attribute = match name {
            "type" => Attribute::Type,
            "id" => Attribute::Id,
            "subject" => Attribute::Subject,
            "source" => Attribute::Source,
            "namespace" => Attribute::Namespace,
            "provider" => Attribute::Provider,
            "time" => return Ok((Op::Attribute(Attribute::Time), Type::Timestamp)),
            _ => {
                if let Some(name) = named_type(name) {
                    return Ok((Op::TypeName(name), Type::Kind));
                }
                let near = VARIABLES.iter().find(|known| distance(known, name) == 1);
                let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                let whole = Self::shown(self.source, span);
                return Err(format!("{whole:?} is no variable: they are {}{hint}", VARIABLES.join(", ")));
            }
        };
        Ok((Op::Attribute(attribute), Type::Text))
    }

    pub(super) fn member(&self, of: &Expr, optional: bool) -> Result<Type, String> {
        match &of.of {
            Type::Optional(_) => Ok(Type::Optional(Box::new(Type::Any))),
            Type::Any | Type::AnyButBool | Type::Map(_) if optional => Ok(Type::Optional(Box::new(Type::Any))),
            Type::Any | Type::AnyButBool => Ok(Type::Any),
            Type::Map(of) => Ok(of.as_ref().clone()),
            other => Err(self.wrong(of.span, format!("{other} has no members"))),
        }
    }

    fn index(&self, of: &Expr, at: &Expr, optional: bool) -> Result<Type, String> {
        if let Type::List(element) = &of.of {
            if !at.of.is_any() && !at.of.is_number() {
                return Err(self.wrong(at.span, format!("a list is indexed by an int, not by {}", at.of)));
            }
            return Ok(if optional { Type::Optional(element.clone()) } else { element.as_ref().clone() });
        }
        self.member(of, optional)
    }

    fn map(&mut self, nodes: &[(Node, Node)]) -> Result<(Op, Type), String> {
        let mut entries = Vec::with_capacity(nodes.len());
        for (key, value) in nodes {
            let key = self.part(key)?;
            if !key.of.is_any() && !matches!(key.of, Type::Text | Type::Int | Type::UInt | Type::Bool) {
                return Err(self.wrong(key.span, format!("{} is no key of a map: write a string", key.of)));
            }
            entries.push((key, self.part(value)?));
        }
        let of = entries.iter().map(|(_, value)| value.of.clone()).reduce(Type::or).unwrap_or(Type::Any);
        Ok((Op::Map(entries), Type::Map(Box::new(of))))
    }

    fn binary(&mut self, operator: Operator, left: &Node, right: &Node, span: Span) -> Result<(Op, Type), String> {
        let (left, right) = (self.part(left)?, self.part(right)?);
        let (one, other) = (&left.of, &right.of);
        let sign = operator.sign();
        let gives = match operator {
            Operator::Equal | Operator::NotEqual => {
                if !one.may_equal(other) {
                    let hint = if matches!((one, other), (Type::Timestamp, Type::Text) | (Type::Text, Type::Timestamp))
                    {
                        "write timestamp('2026-01-31T12:00:00Z')"
                    } else {
                        "convert one with int(…), string(…) or the like"
                    };
                    return Err(self.wrong(span, format!("{one} never equals {other}: {hint}")));
                }
                Some(Type::Bool)
            }
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                let ordered = |of: &Type| {
                    of.is_any()
                        || of.is_number()
                        || matches!(of, Type::Bool | Type::Text | Type::Bytes | Type::Timestamp | Type::Duration)
                };
                (ordered(one) && ordered(other) && one.may_equal(other)).then_some(Type::Bool)
            }
            Operator::In => match other {
                Type::List(of) => one.may_equal(of).then_some(Type::Bool),
                Type::Map(_) | Type::Any | Type::AnyButBool => Some(Type::Bool),
                _ => return Err(self.wrong(span, format!("in looks into a list or a map, not into {other}"))),
            },
            _ => computed(operator, one, other),
        };
        match gives {
            Some(gives) => Ok((Op::Binary(operator, Box::new([left, right])), gives)),
            None => Err(self.wrong(
                span,
                format!(
                    "{sign} takes no {} with {}: convert one with int(…), double(…), string(…) or timestamp(…)",
                    one.to_string().trim_start_matches("a ").trim_start_matches("an "),
                    other
                ),
            )),
        }
    }
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::UInt(_) => Type::UInt,
        Literal::Double(_) => Type::Double,
        Literal::Text(_) => Type::Text,
        Literal::Bytes(_) => Type::Bytes,
    }
}

/// What an operation gives; `None` where it cannot be done.
fn computed(operator: Operator, one: &Type, other: &Type) -> Option<Type> {
    let takes = |of: &Type| match operator {
        Operator::Add => {
            of.is_number() || matches!(of, Type::Text | Type::Bytes | Type::List(_) | Type::Timestamp | Type::Duration)
        }
        Operator::Subtract => of.is_number() || matches!(of, Type::Timestamp | Type::Duration),
        Operator::Remainder => matches!(of, Type::Int | Type::UInt),
        _ => of.is_number(),
    };
    match (one, other) {
        (one, other) if one.is_any() && other.is_any() => Some(Type::AnyButBool),
        (one, known) | (known, one) if one.is_any() => takes(known).then(|| match known {
            Type::Timestamp | Type::Duration => Type::AnyButBool,
            Type::List(_) => Type::list(Type::Any),
            known => known.clone(),
        }),
        (Type::List(one), Type::List(other)) if operator == Operator::Add => {
            Some(Type::list(one.as_ref().clone().or(other.as_ref().clone())))
        }
        (Type::Timestamp, Type::Timestamp) => (operator == Operator::Subtract).then_some(Type::Duration),
        (Type::Timestamp, Type::Duration) if takes(one) => Some(Type::Timestamp),
        (Type::Duration, Type::Timestamp) => (operator == Operator::Add).then_some(Type::Timestamp),
        (one, other) => (one == other && takes(one)).then(|| one.clone()),
    }
}
