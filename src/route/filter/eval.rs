//! Judges an expression with an event.
//!
//! Every step and every byte is charged first. CEL's own errors are absorbed by `||`, `&&`, `all` and `exists`, as CEL
//! says; a spent budget and a time that is over are not.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Variables;
use super::budget::{Budget, Failure, Judged, MAX_LIST, MAX_NAMED_BYTES, MAX_NAMED_VALUES};
use super::call::{call, computed};
use super::expr::{Attribute, Expr, Op, OptionalPlace, Walk, WalkParts};
use super::parse::Operator;
use super::places::Found;
use super::time;
use super::value::{Value, equal, order};
use crate::json::{Cursor, Form};

pub(super) struct Evaluation<'a> {
    texts: [&'a str; 6],
    time: Timestamp,
    found: &'a [Found<'a>],
    /// The places that the filter reads.
    named: &'a [usize],
    read: Vec<Option<Value<'a>>>,
    locals: Vec<Value<'a>>,
    pub(super) budget: Budget,
    /// For one pass over what is named, which is bounded by its size: never spent.
    reading: Budget,
}

/// The bytes and values at places, together.
pub(super) fn named(found: &[Found<'_>], places: &[usize]) -> (usize, usize) {
    places.iter().fold((0, 0), |(bytes, values), place| {
        let found = &found[*place];
        (bytes.saturating_add(found.text.len()), values.saturating_add(found.values))
    })
}

impl<'a> Evaluation<'a> {
    /// `reads`: whether anything of `data` is named.
    ///
    /// # Errors
    /// Where the places named are too large.
    pub(super) fn new(event: &'a Variables<'_>, named: &'a [usize], reads: bool) -> Judged<Self> {
        let budget = Budget::new(event.deadline);
        let found = if reads { event.data.found() } else { &[] };
        let (bytes, values) = self::named(found, named);
        if bytes > MAX_NAMED_BYTES || values > MAX_NAMED_VALUES {
            return Err(Failure::TooLarge);
        }
        let texts = [event.event_type, event.id, event.subject, event.source, event.namespace, event.provider];
        Ok(Self {
            texts,
            time: event.time,
            found,
            named,
            read: vec![None; named.len()],
            locals: Vec::new(),
            budget,
            reading: Budget::new(event.deadline),
        })
    }

    pub(super) fn value(&mut self, expr: &'a Expr) -> Judged<Value<'a>> {
        self.budget.step()?;
        match &expr.op {
            Op::Literal(literal) => Value::literal(literal, &mut self.budget),
            Op::Instant(time) => Ok(Value::Timestamp(*time)),
            Op::Length(length) => Ok(Value::Duration(*length)),
            Op::TypeName(name) => Ok(Value::Type(name)),
            Op::Attribute(attribute) => Ok(self.attribute(*attribute)),
            Op::Place(slot) => self.place(*slot)?.ok_or(Failure::Error),
            Op::OptionalPlace(chain) => Ok(Value::Optional(self.optional(chain)?.map(Rc::new))),
            Op::HasPlace { place, parent } => match self.found[*parent].form {
                Some(Form::Object) => Ok(Value::Bool(self.found[*place].form.is_some())),
                _ => Err(Failure::Error),
            },
            Op::Local(at) => self.locals.get(*at).cloned().ok_or(Failure::Error),
            // A variable is looked into where it is.
            Op::Select { of, field, optional: false } if self.local_map(of).is_some() => {
                self.budget.step()?;
                let at = self.local_map(of).ok_or(Failure::Error)?;
                self.locals[at].member(field, &mut self.budget)?.ok_or(Failure::Error)
            }
            Op::Select { of, field, optional } => {
                let of = self.value(of)?;
                self.select(of, field, *optional)
            }
            Op::Has { of, field } => {
                let of = self.value(of)?;
                let held = match &of {
                    Value::Optional(None) => false,
                    Value::Optional(Some(of)) => of.member(field, &mut self.budget)?.is_some(),
                    of => of.member(field, &mut self.budget)?.is_some(),
                };
                Ok(Value::Bool(held))
            }
            Op::Index { of, at, optional } => {
                let of = self.value(of)?;
                if matches!(of, Value::Optional(None)) {
                    return Ok(of);
                }
                let at = self.value(at)?;
                self.index(of, &at, *optional)
            }
            Op::Call(function, parts) => {
                let parts = parts.iter().map(|part| self.value(part)).collect::<Judged<Vec<_>>>()?;
                call(*function, &parts, &mut self.budget)
            }
            Op::TimePart(function, of, zone) => self.time_part(*function, of, zone),
            Op::Matches(of, pattern) => {
                let Value::Text(text) = self.value(of)? else { return Err(Failure::Error) };
                self.budget.text(text.as_str().len(), pattern.units())?;
                Ok(Value::Bool(pattern.found(text.as_str())))
            }
            Op::List(parts) => {
                let items = parts.iter().map(|part| self.value(part)).collect::<Judged<Vec<_>>>()?;
                Value::list(items, &mut self.budget)
            }
            Op::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((self.key(key)?, self.value(value)?)));
                let entries = entries.collect::<Judged<Vec<_>>>()?;
                Value::map(entries, &mut self.budget)
            }
            Op::Not(of) => Ok(Value::Bool(!self.truth(of)?)),
            Op::Negate(of) => match self.value(of)? {
                Value::Int(value) => value.checked_neg().map(Value::Int).ok_or(Failure::Error),
                Value::Double(value) => Ok(Value::Double(-value)),
                _ => Err(Failure::Error),
            },
            Op::Binary(operator, parts) => self.binary(*operator, parts),
            Op::Any(parts) => self.absorbing(parts, true),
            Op::All(parts) => self.absorbing(parts, false),
            Op::If(parts) => {
                let [condition, yes, no] = &**parts;
                if self.truth(condition)? { self.value(yes) } else { self.value(no) }
            }
            Op::Walk(walk, parts) => self.walk(*walk, parts),
            Op::OptionalMap { of, body, wrap } => match self.value(of)? {
                Value::Optional(Some(value)) => {
                    self.locals.push(value.as_ref().clone());
                    let mapped = self.value(body);
                    self.locals.pop();
                    Ok(if *wrap { Value::Optional(Some(Rc::new(mapped?))) } else { mapped? })
                }
                Value::Optional(None) => Ok(Value::Optional(None)),
                _ => Err(Failure::Error),
            },
        }
    }

    /// The place of a macro's variable that is a map.
    fn local_map(&self, of: &Expr) -> Option<usize> {
        let Op::Local(at) = of.op else { return None };
        matches!(self.locals.get(at), Some(Value::Map(_))).then_some(at)
    }

    fn truth(&mut self, expr: &'a Expr) -> Judged<bool> {
        match self.value(expr)? {
            Value::Bool(value) => Ok(value),
            _ => Err(Failure::Error),
        }
    }

    fn attribute(&self, attribute: Attribute) -> Value<'a> {
        let [event_type, id, subject, source, namespace, provider] = self.texts;
        Value::borrowed(match attribute {
            Attribute::Type => event_type,
            Attribute::Id => id,
            Attribute::Subject => subject,
            Attribute::Source => source,
            Attribute::Namespace => namespace,
            Attribute::Provider => provider,
            Attribute::Time => return Value::Timestamp(self.time),
        })
    }

    /// What stands at a place, read when it is first asked for.
    fn place(&mut self, slot: usize) -> Judged<Option<Value<'a>>> {
        if let Some(value) = &self.read[slot] {
            return Ok(Some(value.clone()));
        }
        let found = self.found[self.named[slot]];
        if found.form.is_none() {
            return Ok(None);
        }
        let mut cursor = Cursor::new(found.text.as_bytes()).ok_or(Failure::Error)?;
        let value = Value::read(&mut cursor, 0, &mut self.reading)?;
        self.read[slot] = Some(value.clone());
        Ok(Some(value))
    }

    fn optional(&mut self, chain: &OptionalPlace) -> Judged<Option<Value<'a>>> {
        let mut at = chain.base;
        self.found[at].form.ok_or(Failure::Error)?;
        for (next, optional) in &chain.steps {
            let missing = self.found[*next].form.is_none();
            let container = matches!(self.found[at].form, Some(Form::Object | Form::List));
            match (missing, *optional || container) {
                (false, _) => at = *next,
                (true, true) => return Ok(None),
                (true, false) => return Err(Failure::Error),
            }
        }
        self.place(chain.slot)
    }

    fn select(&mut self, of: Value<'a>, field: &str, optional: bool) -> Judged<Value<'a>> {
        match (of, optional) {
            (Value::Optional(None), _) => Ok(Value::Optional(None)),
            (Value::Optional(Some(of)), true) => self.tried(|budget| of.member(field, budget)),
            (Value::Optional(Some(of)), false) => Ok(Value::Optional(of.member(field, &mut self.budget)?.map(Rc::new))),
            (of, true) => self.tried(|budget| of.member(field, budget)),
            (of, false) => of.member(field, &mut self.budget)?.ok_or(Failure::Error),
        }
    }

    fn index(&mut self, of: Value<'a>, at: &Value<'a>, optional: bool) -> Judged<Value<'a>> {
        match (of, optional) {
            (Value::Optional(None), _) => Ok(Value::Optional(None)),
            (Value::Optional(Some(of)), _) => self.tried(|budget| of.at(at, budget)),
            (of, true) => self.tried(|budget| of.at(at, budget)),
            (of, false) => of.at(at, &mut self.budget)?.ok_or(Failure::Error),
        }
    }

    /// What is there, or none: also where nothing could be.
    fn tried(&mut self, get: impl FnOnce(&mut Budget) -> Judged<Option<Value<'a>>>) -> Judged<Value<'a>> {
        match get(&mut self.budget) {
            Ok(value) => Ok(Value::Optional(value.map(Rc::new))),
            Err(Failure::Error) => Ok(Value::Optional(None)),
            Err(failure) => Err(failure),
        }
    }

    fn key(&mut self, expr: &'a Expr) -> Judged<Value<'a>> {
        match self.value(expr)? {
            key @ (Value::Text(_) | Value::Int(_) | Value::UInt(_) | Value::Bool(_)) => Ok(key),
            _ => Err(Failure::Error),
        }
    }

    fn time_part(&mut self, function: super::functions::Function, of: &'a Expr, zone: &TimeZone) -> Judged<Value<'a>> {
        let Value::Timestamp(of) = self.value(of)? else { return Err(Failure::Error) };
        self.budget.call(function)?;
        time::part(function, of, zone).map(Value::Int).ok_or(Failure::Error)
    }

    fn binary(&mut self, operator: Operator, parts: &'a [Expr; 2]) -> Judged<Value<'a>> {
        let [one, other] = parts;
        let (one, other) = (self.value(one)?, self.value(other)?);
        let budget = &mut self.budget;
        Ok(Value::Bool(match operator {
            Operator::Equal => equal(&one, &other, budget)?,
            Operator::NotEqual => !equal(&one, &other, budget)?,
            Operator::Less => order(&one, &other, budget)?.is_lt(),
            Operator::LessEqual => order(&one, &other, budget)?.is_le(),
            Operator::Greater => order(&one, &other, budget)?.is_gt(),
            Operator::GreaterEqual => order(&one, &other, budget)?.is_ge(),
            Operator::In => other.holds(&one, budget)?,
            _ => return computed(operator, &one, &other, budget),
        }))
    }

    /// `||` and `&&`: one part that is `by` decides, whatever errors the others are.
    fn absorbing(&mut self, parts: &'a [Expr], by: bool) -> Judged<Value<'a>> {
        let mut failed = false;
        for part in parts {
            match self.truth(part) {
                Ok(value) if value == by => return Ok(Value::Bool(by)),
                Ok(_) => {}
                Err(Failure::Error) => failed = true,
                Err(failure) => return Err(failure),
            }
        }
        if failed { Err(Failure::Error) } else { Ok(Value::Bool(!by)) }
    }

    fn walk(&mut self, walk: Walk, parts: &'a WalkParts) -> Judged<Value<'a>> {
        let range = self.value(&parts.range)?;
        let place = self.locals.len();
        let walked = match &range {
            Value::List(items) if items.len() > MAX_LIST => Err(Failure::TooLarge),
            Value::Map(entries) if entries.len() > MAX_LIST => Err(Failure::TooLarge),
            Value::List(items) => self.elements(walk, parts, items.iter()),
            Value::Map(entries) => self.elements(walk, parts, entries.iter().map(|(key, _)| key)),
            _ => Err(Failure::Error),
        };
        self.locals.truncate(place);
        walked
    }

    fn elements<'v>(
        &mut self,
        walk: Walk,
        parts: &'a WalkParts,
        elements: impl Iterator<Item = &'v Value<'a>>,
    ) -> Judged<Value<'a>>
    where
        'a: 'v,
    {
        let place = self.locals.len();
        self.locals.push(Value::Null);
        let mut failed = false;
        let mut held = 0_usize;
        let mut items = Vec::new();
        for element in elements {
            self.budget.step()?;
            self.locals[place] = element.clone();
            match walk {
                Walk::All | Walk::Exists => {
                    let by = walk == Walk::Exists;
                    match self.truth(&parts.body) {
                        Ok(value) if value == by => return Ok(Value::Bool(by)),
                        Ok(_) => {}
                        Err(Failure::Error) => failed = true,
                        Err(failure) => return Err(failure),
                    }
                }
                Walk::ExistsOne => held += usize::from(self.truth(&parts.body)?),
                Walk::Filter => {
                    if self.truth(&parts.body)? {
                        items.push(element.clone());
                    }
                }
                Walk::Map => {
                    let only = match &parts.only {
                        Some(only) => self.truth(only)?,
                        None => true,
                    };
                    if only {
                        items.push(self.value(&parts.body)?);
                    }
                }
            }
        }
        match walk {
            Walk::All | Walk::Exists if failed => Err(Failure::Error),
            Walk::All => Ok(Value::Bool(true)),
            Walk::Exists => Ok(Value::Bool(false)),
            Walk::ExistsOne => Ok(Value::Bool(held == 1)),
            Walk::Filter | Walk::Map => Value::list(items, &mut self.budget),
        }
    }
}
