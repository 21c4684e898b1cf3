//! The worst that an expression can cost, known before any event: units of work and bytes built.
//!
//! As the Kubernetes API server does for its rules: sizes are bounded, loops multiply, and what is above the budget is
//! refused with the part that costs so much. Counts as `eval` charges, never less.

use super::budget::{
    BUILD, MAX_BYTES, MAX_LIST, MAX_NAMED_BYTES, MAX_NAMED_VALUES, MAX_STEPS, SCAN, SEARCH, SORT, STEP, weight,
};
use super::expr::{Expr, Op, Walk, WalkParts};
use super::form::{Form, Limits, Measure, Source};
use super::functions::Function;
use super::parse::{Literal, Operator, Span};
use super::pattern::Pattern;
use super::types::Type;
use super::value::Value;

/// The most bytes of a variable that is a text.
const ATTRIBUTE: u64 = 1024;
/// The most bytes of a number, a time or a truth as a text.
const SCALAR: u64 = 400;
/// Bytes of a value in a list.
const VALUE: u64 = size_of::<Value<'static>>() as u64;
/// The limits that hold for every event.
const LARGEST: Limits =
    Limits { bytes: MAX_NAMED_BYTES as u64, values: MAX_NAMED_VALUES as u64, list: MAX_LIST as u64 };
/// Numbers of values named for which the cost is known in advance.
const VALUES: [u64; 4] = [16, 128, 1000, MAX_NAMED_VALUES as u64];

/// What judging takes at most, by what an event holds at the places that are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Units in any case, for each byte and for each value; by the number of values.
    units: [[u64; 3]; VALUES.len()],
}

impl Cost {
    /// The most steps for so many bytes and values named.
    pub(super) fn steps(&self, bytes: usize, values: usize) -> u64 {
        let (bytes, values) = (bytes as u64, values as u64);
        let at = VALUES.iter().position(|most| values <= *most).unwrap_or(VALUES.len() - 1);
        let [fixed, each_byte, each_value] = self.units[at];
        let units =
            fixed.saturating_add(each_byte.saturating_mul(bytes)).saturating_add(each_value.saturating_mul(values));
        units.div_ceil(STEP)
    }
}

/// The cost of an expression that reads so many places.
///
/// # Errors
/// The part that costs too much, and what to write: above the budget with some event.
pub(super) fn cost(expr: &Expr, slots: usize) -> Result<Cost, (Span, String)> {
    let mut cost = Cost::default();
    for (at, values) in VALUES.into_iter().enumerate().rev() {
        let limits = Limits { values, list: LARGEST.list.min(values), ..LARGEST };
        let (units, culprit) = estimate(expr, slots, limits);
        // The largest comes first, and no other is above the budget where it is not.
        if let Some(culprit) = culprit {
            return Err(culprit);
        }
        let [each_byte, each_value] = units.rates();
        cost.units[at] = [units.fixed, each_byte, each_value];
    }
    Ok(cost)
}

fn estimate(expr: &Expr, slots: usize, limits: Limits) -> (Form, Option<(Span, String)>) {
    let sorting = SORT * u64::from((limits.values + 1).ilog2());
    let mut estimator = Estimator { limits, locals: Vec::new(), culprit: None };
    let mut whole = estimator.part(expr);
    let mut read = Form::default();
    for slot in 0..slots {
        let (bytes, values) =
            (Form::one(Source::Place(slot), Measure::Bytes), Form::one(Source::Place(slot), Measure::Values));
        // Members are twice a value wide, and sorted.
        read = read.plus(&bytes.times(BUILD)).plus(&values.times(2 * VALUE * BUILD + sorting));
        whole.built = whole.built.plus(&bytes).plus(&values.times(2 * VALUE));
    }
    // One pass over what is named is bounded by what may be named, and beside the budget.
    estimator.judge(expr, &whole);
    (whole.units.plus(&read), estimator.culprit)
}

/// How large a value is.
#[derive(Clone, Debug, Default)]
struct Size {
    /// Of texts, names included.
    bytes: Form,
    /// It and all within it.
    values: Form,
    /// Elements, where they are known.
    count: Option<u64>,
}

impl Size {
    fn scalar() -> Self {
        Self { bytes: Form::default(), values: Form::fixed(1), count: None }
    }

    fn text(bytes: Form) -> Self {
        Self { bytes, ..Self::scalar() }
    }

    fn of(source: Source) -> Self {
        Self { bytes: Form::one(source, Measure::Bytes), values: Form::one(source, Measure::Values), count: None }
    }

    fn max(&self, other: &Self) -> Self {
        let count = self.count.zip(other.count).map(|(one, other)| one.max(other));
        Self { bytes: self.bytes.max(&other.bytes), values: self.values.max(&other.values), count }
    }

    fn plus(&self, other: &Self) -> Self {
        let count = self.count.zip(other.count).map(|(one, other)| one + other);
        Self { bytes: self.bytes.plus(&other.bytes), values: self.values.plus(&other.values), count }
    }

    /// Units of comparing all of it.
    fn compared(&self) -> Form {
        self.bytes.times(SCAN).plus(&self.values.times(STEP))
    }
}

/// What a part costs, and what it gives.
#[derive(Debug, Default)]
struct Estimate {
    units: Form,
    built: Form,
    size: Size,
}

struct Estimator {
    limits: Limits,
    locals: Vec<Size>,
    /// The innermost part above the budget.
    culprit: Option<(Span, String)>,
}

impl Estimator {
    fn part(&mut self, expr: &Expr) -> Estimate {
        let parts = expr.parts();
        let mut whole = match &expr.op {
            Op::Walk(walk, parts) => self.walk(*walk, parts),
            Op::OptionalMap { of, body, .. } => {
                let of = self.part(of);
                self.locals.push(of.size);
                let body = self.part(body);
                self.locals.pop();
                Estimate { units: of.units.plus(&body.units), built: of.built.plus(&body.built), size: body.size }
            }
            Op::If(parts) => {
                let [condition, yes, no] = &**parts;
                let (condition, yes, no) = (self.part(condition), self.part(yes), self.part(no));
                Estimate {
                    units: condition.units.plus(&yes.units.max(&no.units)),
                    built: condition.built.plus(&yes.built.max(&no.built)),
                    size: yes.size.max(&no.size),
                }
            }
            _ => {
                let estimates: Vec<Estimate> = parts.into_iter().map(|part| self.part(part)).collect();
                let mut whole = Estimate::default();
                for estimate in &estimates {
                    whole.units = whole.units.plus(&estimate.units);
                    whole.built = whole.built.plus(&estimate.built);
                }
                let sizes: Vec<&Size> = estimates.iter().map(|estimate| &estimate.size).collect();
                let (units, built, size) = self.own(expr, &sizes);
                whole.units = whole.units.plus(&units).plus(&built.times(BUILD));
                whole.built = whole.built.plus(&built);
                whole.size = size;
                whole
            }
        };
        whole.units = whole.units.plus(&Form::fixed(STEP));
        self.judge(expr, &whole);
        whole
    }

    fn judge(&mut self, expr: &Expr, whole: &Estimate) {
        if self.culprit.is_some() {
            return;
        }
        let steps = whole.units.worst(&self.limits).div_ceil(STEP);
        if steps > MAX_STEPS {
            let times = if steps > 1000 * MAX_STEPS {
                "more than 1000".to_owned()
            } else {
                (steps / MAX_STEPS + 1).to_string()
            };
            let hint = match &expr.op {
                Op::Matches(_, Pattern::States(..)) => {
                    "write (?-u:\\b) for \\b, [0-9] for \\d, [A-Za-z0-9_] for \\w, or smaller counts, so that each letter is looked at once"
                }
                _ => {
                    "name less of data, search a text once (matches('a|b') instead of many contains), or walk lists that lie in each other instead of two side by side"
                }
            };
            let what = format!("may take up to {times} times the steps that are allowed for one event: {hint}");
            self.culprit = Some((expr.span, what));
            return;
        }
        let built = whole.built.worst(&self.limits);
        if built > MAX_BYTES {
            let what = format!(
                "may build up to {} MiB for one event, and {} MiB are allowed: compare texts instead of joining them",
                if built > 1 << 40 { "more than 1000000".to_owned() } else { built.div_ceil(1 << 20).to_string() },
                MAX_BYTES >> 20
            );
            self.culprit = Some((expr.span, what));
        }
    }

    /// Units and bytes of the part itself, and the size of its value.
    fn own(&self, expr: &Expr, sizes: &[&Size]) -> (Form, Form, Size) {
        let nothing = Form::default;
        let first = || sizes.first().map_or_else(Size::scalar, |size| (*size).clone());
        match &expr.op {
            Op::Literal(Literal::Text(text)) => (nothing(), nothing(), Size::text(Form::fixed(text.len() as u64))),
            Op::Literal(Literal::Bytes(bytes)) => {
                let bytes = Form::fixed(bytes.len() as u64);
                (nothing(), bytes.clone(), Size::text(bytes))
            }
            Op::Attribute(_) => (nothing(), nothing(), Size::text(Form::fixed(ATTRIBUTE))),
            Op::Place(slot) => (nothing(), nothing(), Size::of(Source::Place(*slot))),
            Op::OptionalPlace(chain) => (nothing(), nothing(), Size::of(Source::Place(chain.slot))),
            Op::Local(at) => (nothing(), nothing(), self.locals.get(*at).cloned().unwrap_or_default()),
            Op::Select { field, .. } | Op::Has { field, .. } => {
                let size = Size { count: None, ..first() };
                (Form::fixed(2 * STEP + 4 * SCAN * field.len() as u64), nothing(), size)
            }
            Op::Index { .. } => {
                let key = sizes.get(1).map_or_else(Form::default, |size| size.bytes.times(4 * SCAN));
                (key.plus(&Form::fixed(2 * STEP)), nothing(), Size { count: None, ..first() })
            }
            Op::Call(function, _) => called(*function, sizes),
            Op::TimePart(function, ..) => (Form::fixed(weight(*function)), nothing(), Size::scalar()),
            Op::Matches(_, pattern) => (first().bytes.times(pattern.units()), nothing(), Size::scalar()),
            Op::List(parts) => {
                let size =
                    sizes.iter().fold(Size::scalar(), |sum, size| sum.plus(&Size { count: None, ..(*size).clone() }));
                let count = parts.len() as u64;
                (nothing(), Form::fixed(count * VALUE), Size { count: Some(count), ..size })
            }
            Op::Map(entries) => {
                let size = sizes.iter().fold(Size::scalar(), |sum, size| sum.plus(size));
                let count = entries.len() as u64;
                let keys = sizes.iter().fold(Form::default(), |sum, size| sum.plus(&size.bytes.times(16 * SCAN)));
                (
                    keys.plus(&Form::fixed(count * SORT * 14)),
                    Form::fixed(count * 2 * VALUE),
                    Size { count: Some(count), ..size },
                )
            }
            Op::Binary(operator, parts) => binary(*operator, &parts[0].of, &parts[1].of, sizes),
            _ => (nothing(), nothing(), Size::scalar()),
        }
    }

    fn walk(&mut self, walk: Walk, parts: &WalkParts) -> Estimate {
        let range = self.part(&parts.range);
        let element = self.locals.len();
        self.locals.push(Size::of(Source::Element(element)));
        let only = parts.only.as_ref().map(|only| self.part(only)).unwrap_or_default();
        let body = self.part(&parts.body);
        self.locals.pop();
        let most = range.size.count.unwrap_or(self.limits.list).min(self.limits.list);
        // The elements of a list within an element of another are all in the list that the other macro walks.
        let count = if range.size.count.is_none() && range.size.values.innermost().is_some() {
            range.size.values.clone()
        } else if range.size.values.is_fixed() {
            Form::fixed(most.min(range.size.values.fixed))
        } else {
            Form::fixed(most)
        };
        let (bytes, values) = (&range.size.bytes, &range.size.values);
        let over = |form: &Form| form.over(element, &count, most, bytes, values);
        let each = only.units.plus(&body.units).plus(&Form::fixed(STEP));
        let mut built = range.built.plus(&over(&only.built.plus(&body.built)));
        let mut units = range.units.plus(&over(&each));
        let size = match walk {
            Walk::All | Walk::Exists | Walk::ExistsOne => Size::scalar(),
            Walk::Filter => Size { count: range.size.count, ..range.size.clone() },
            Walk::Map => Size {
                bytes: over(&body.size.bytes),
                values: over(&body.size.values).plus(&Form::fixed(1)),
                count: Some(most),
            },
        };
        if matches!(walk, Walk::Map | Walk::Filter) {
            let list = count.times(VALUE);
            units = units.plus(&list.times(BUILD));
            built = built.plus(&list);
        }
        Estimate { units, built, size }
    }
}

fn called(function: Function, sizes: &[&Size]) -> (Form, Form, Size) {
    let bytes = |at: usize| sizes.get(at).map_or_else(Form::default, |size| size.bytes.clone());
    let own = Form::fixed(weight(function));
    let scalar = Size::scalar();
    match function {
        Function::Size => (own.plus(&bytes(0).times(SCAN)), Form::default(), scalar),
        Function::Contains => (own.plus(&bytes(0).plus(&bytes(1)).times(SEARCH)), Form::default(), scalar),
        Function::StartsWith | Function::EndsWith => (own.plus(&bytes(1).times(SCAN)), Form::default(), scalar),
        Function::Text | Function::Bytes => {
            let text = bytes(0).plus(&Form::fixed(SCALAR));
            (own, text.clone(), Size::text(text))
        }
        Function::Dyn | Function::ValueOf | Function::OptionalOf | Function::OptionalOfNonZero => {
            (own, Form::default(), sizes.first().map_or(scalar, |size| (*size).clone()))
        }
        Function::Or | Function::OrValue => match sizes {
            [one, other] => (own, Form::default(), one.max(other)),
            _ => (own, Form::default(), scalar),
        },
        _ => (own, Form::default(), scalar),
    }
}

fn binary(operator: Operator, one: &Type, other: &Type, sizes: &[&Size]) -> (Form, Form, Size) {
    let [left, right] = sizes else { return (Form::default(), Form::default(), Size::scalar()) };
    match operator {
        Operator::Add => {
            let size = left.plus(right);
            let mut built = Form::default();
            let may = |of: &Type, known: fn(&Type) -> bool| of.is_any() || known(of);
            let text = |of: &Type| matches!(of, Type::Text | Type::Bytes);
            if may(one, text) && may(other, text) {
                built = built.plus(&size.bytes);
            }
            let list = |of: &Type| matches!(of, Type::List(_));
            if may(one, list) && may(other, list) {
                built = built.plus(&size.values.times(VALUE));
            }
            (Form::default(), built, size)
        }
        Operator::Equal | Operator::NotEqual => (smaller(left, right).compared(), Form::default(), Size::scalar()),
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            (smaller(left, right).bytes.times(SCAN), Form::default(), Size::scalar())
        }
        // A key of a map, or an element of a list.
        Operator::In => {
            let key = left.bytes.times(4 * SCAN).plus(&Form::fixed(2 * STEP));
            let units = match other {
                Type::Map(_) => key,
                Type::List(_) => right.compared(),
                _ => right.compared().plus(&key),
            };
            (units, Form::default(), Size::scalar())
        }
        _ => (Form::default(), Form::default(), Size::scalar()),
    }
}

/// Of two sizes the one that is known to be small: comparing ends with the smaller.
fn smaller<'s>(one: &'s Size, other: &'s Size) -> &'s Size {
    let rank = |size: &Size| {
        if size.bytes.is_fixed() && size.values.is_fixed() {
            return (0, 0);
        }
        match size.values.innermost().max(size.bytes.innermost()) {
            Some(element) => (1, usize::MAX - element),
            None => (2, 0),
        }
    };
    if rank(other) < rank(one) { other } else { one }
}
