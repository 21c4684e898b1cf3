//! Regexes of `matches`, compiled with the filter.
//!
//! Most become a table that passes each byte once, whatever the text. One that is too large for a table is judged by
//! states, and pays for all of them with each byte.

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::budget::MATCH;

/// The most bytes of a table.
const TABLE: usize = 256 << 10;
/// The most bytes while a table is made.
const MAKING: usize = 2 << 20;
/// The most bytes of a regex without table.
const STATES: usize = 64 << 10;
/// Bytes of a regex without table for which each byte of a text pays one unit.
const BYTES_PER_UNIT: usize = 8;

/// A regex.
#[derive(Debug)]
pub(super) enum Pattern {
    Table(Box<dense::DFA<Vec<u32>>>),
    States(Box<regex::Regex>, u64),
}

impl Pattern {
    /// Compiles a regex.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let config = dense::Config::new()
            .dfa_size_limit(Some(TABLE))
            .determinize_size_limit(Some(MAKING))
            .start_kind(regex_automata::dfa::StartKind::Unanchored);
        let nfa = regex_automata::nfa::thompson::Config::new().nfa_size_limit(Some(MAKING));
        let table = dense::Builder::new().configure(config).thompson(nfa).syntax(syntax::Config::new()).build(text);
        if let Ok(table) = table {
            return Ok(Self::Table(Box::new(table)));
        }
        let regex = regex::RegexBuilder::new(text).size_limit(STATES).dfa_size_limit(STATES).build();
        match regex {
            Ok(regex) => {
                let units = MATCH + u64::try_from(STATES / BYTES_PER_UNIT).unwrap_or(u64::MAX);
                Ok(Self::States(Box::new(regex), units))
            }
            Err(regex::Error::CompiledTooBig(_)) => {
                Err("the regex is too large: write smaller counts, or [0-9] for \\d and [A-Za-z0-9_] for \\w"
                    .to_owned())
            }
            Err(error) => {
                let told = error.to_string();
                let what = told.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
                Err(format!("the regex is wrong: {}", what.unwrap_or("it cannot be read")))
            }
        }
    }

    /// What a byte of a text costs, in units.
    pub(super) fn units(&self) -> u64 {
        match self {
            Self::Table(_) => MATCH,
            Self::States(_, units) => *units,
        }
    }

    /// Whether it is found anywhere in a text.
    pub(super) fn found(&self, text: &str) -> bool {
        match self {
            Self::Table(table) => {
                let input = Input::new(text).anchored(Anchored::No).earliest(true);
                matches!(table.try_search_fwd(&input), Ok(Some(_)))
            }
            Self::States(regex, _) => regex.is_match(text),
        }
    }
}
