//! CEL expressions over an event, compiled once per route: parsed, checked, and refused where they cannot be right or
//! could cost too much.
//!
//! An expression sees the event, never the request's headers, and reads of `data` what it names alone. No event makes one
//! cost more than its budget, which `budget` states; ours and not a crate's, since none has a type check and a bound.

mod budget;
mod call;
mod calls;
mod check;
mod cost;
mod eval;
mod expr;
mod form;
mod functions;
mod lex;
mod parse;
mod pattern;
mod places;
mod time;
mod types;
mod value;

use std::time::Instant;

use jiff::Timestamp;

use self::budget::Failure;
use self::check::Checker;
use self::cost::Cost;
use self::eval::Evaluation;
use self::expr::Expr;
use self::value::Value;

pub use self::check::VARIABLES;
pub use self::places::{Data, Places};

/// The most bytes of an expression.
const LONGEST: usize = 4096;

/// A compiled expression.
#[derive(Debug)]
pub struct Filter {
    expr: Expr,
    /// The places that it reads.
    named: Vec<usize>,
    /// Whether anything of `data` is named.
    reads: bool,
    cost: Cost,
}

/// What an expression sees of one event.
#[derive(Debug)]
pub struct Variables<'a> {
    /// `type`, without the provider.
    pub event_type: &'a str,
    /// `id`
    pub id: &'a str,
    /// `subject`, empty where there is none.
    pub subject: &'a str,
    /// `time`
    pub time: Timestamp,
    /// `source`: the name of the WebhookSource.
    pub source: &'a str,
    /// `namespace`
    pub namespace: &'a str,
    /// `provider`
    pub provider: &'a str,
    /// `data`
    pub data: Data<'a>,
    /// When the request's time is over.
    pub deadline: Option<Instant>,
}

/// Why an expression did not judge an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It failed, such as at a member that is not there, or is neither true nor false.
    #[error("the filter failed, such as at a member that is not there, or is no boolean")]
    Failed,
    /// The event is larger than filters may read.
    #[error(
        "what the filter names is above 1 MiB, 10,000 values, 1,000 elements of a list that a macro walks, or 100 levels"
    )]
    TooLarge,
    /// The request's time is over; says nothing about the event.
    #[error("the request's deadline passed before the filter had judged")]
    Late,
}

impl<'a> Variables<'a> {
    /// An event of which nothing but its data is known.
    pub fn new(data: Data<'a>) -> Self {
        Self {
            event_type: "",
            id: "",
            subject: "",
            time: Timestamp::UNIX_EPOCH,
            source: "",
            namespace: "",
            provider: "",
            data,
            deadline: None,
        }
    }
}

impl Filter {
    /// Compiles an expression. `places` gathers what the filters of one source read.
    ///
    /// # Errors
    /// A sentence that says what is wrong, where, and what to write.
    pub fn compile(source: &str, places: &mut Places) -> Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("has {} bytes, and at most {LONGEST} are allowed", source.len()));
        }
        let parsed = parse::parse(source)?;
        let mut checker = Checker::new(source, places);
        let expr = checker.filter(&parsed)?;
        let named = checker.named;
        let cost = cost::cost(&expr, named.len())
            .map_err(|(span, what)| format!("costs too much: {} {what}", Checker::shown(source, span)))?;
        let reads = expr.names_data();
        Ok(Self { expr, named, reads, cost })
    }

    /// Judges an event.
    ///
    /// # Errors
    /// As `FilterError` says.
    pub fn holds(&self, variables: &Variables<'_>) -> Result<bool, FilterError> {
        let judged =
            Evaluation::new(variables, &self.named, self.reads).and_then(|mut evaluation| evaluation.value(&self.expr));
        match judged {
            Ok(Value::Bool(verdict)) => Ok(verdict),
            Ok(_) | Err(Failure::Error) => Err(FilterError::Failed),
            Err(Failure::TooLarge | Failure::Exhausted) => Err(FilterError::TooLarge),
            Err(Failure::Late) => Err(FilterError::Late),
        }
    }

    /// The most steps that judging this event takes; a step takes at most some 10 ns. Looks through its data.
    pub fn steps(&self, variables: &Variables<'_>) -> u64 {
        let (bytes, values) = if self.reads { eval::named(variables.data.found(), &self.named) } else { (0, 0) };
        self.cost.steps(bytes, values)
    }

    /// Whether it reads anything of `data`.
    pub fn reads_data(&self) -> bool {
        self.reads
    }
}

#[cfg(test)]
mod tests;
