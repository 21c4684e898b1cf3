//! The identity of events: what two deliveries must share to be one event, and what their `ce-id` is.
//!
//! The vendor's id where it is whole; else what the definition says of a missing one: the content's hash, a new id for
//! each request, or a rejected item. A source may decide otherwise. Must never call two events one for want of an id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::compiler::Compiler;
use super::super::condition::Test;
use super::super::decode::Document;
use super::super::event::{Data, Event, MediaType};
use super::limits::{bounded_id, hash_id};
use super::source::{Found, Item, Source};
use crate::api::extract::{Extract, WithoutId};
use crate::api::source::Deduplicate;
use crate::json::compact_chunks;

/// How a provider's events are told apart, compiled.
#[derive(Debug)]
pub(super) struct Identity {
    id: Vec<Source>,
    /// Ids of items that say more than a part can, the first that holds wins.
    rules: Vec<(Vec<Test>, Vec<Source>)>,
    /// The place of an item is part of its id, whatever else is.
    numbered: bool,
    without: WithoutId,
}

/// An event's id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Id {
    /// Within the limits of the contract.
    pub text: String,
    /// The proof covers what it was made of; what we made needs no proof.
    pub signed: bool,
}

/// Where an item stands in its delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// Its place in the list received, from 0; `None` where the body is one item.
    pub index: Option<usize>,
    /// The delivery holds more than one.
    pub several: bool,
}

impl Position {
    /// An id that several items share is told apart by their places.
    fn number(self, id: String) -> String {
        match self.index {
            Some(index) if self.several => format!("{id}#{index}"),
            _ => id,
        }
    }
}

impl Identity {
    /// Compiles it; what is wrong goes to the compiler.
    pub(super) fn compile(extract: &Extract, compiler: &mut Compiler) -> Self {
        let rules = extract.id_rules.iter().enumerate();
        Self {
            id: Source::compile_all(&extract.id, "spec.extract.id", compiler),
            rules: rules
                .map(|(n, rule)| {
                    let path = format!("spec.extract.idRules[{n}]");
                    let tests = compiler.tests(&rule.when, &format!("{path}.when"));
                    (tests, Source::compile_all(&rule.id, &format!("{path}.id"), compiler))
                })
                .collect(),
            numbered: extract.id_numbered,
            without: extract.without_id,
        }
    }

    /// Whether the vendor's events have ids at all.
    pub(super) fn has_id(&self) -> bool {
        !self.id.is_empty() || !self.rules.is_empty()
    }

    /// The id of an item; `None` where it is rejected for want of one.
    pub(super) fn of(&self, item: &Item<'_>, document: &Document, position: Position) -> Option<Id> {
        let delivery = item.delivery;
        let vendors = self.vendors(item, position);
        match (delivery.deduplicate, vendors, self.without) {
            (_, None, WithoutId::Reject) => None,
            (None | Some(Deduplicate::Id), Some(id), _) => Some(id),
            (Some(Deduplicate::Content), ..) | (None | Some(Deduplicate::Id), None, WithoutId::Content) => {
                let text = hash_id(&document.original, document.media_type == MediaType::Json);
                Some(Id { text, signed: item.document_signed() })
            }
            (Some(Deduplicate::None), ..) | (None | Some(Deduplicate::Id), None, WithoutId::None) => {
                Some(Id { text: position.number(delivery.once.id(delivery.head.received)), signed: true })
            }
        }
    }

    /// The id that the vendor sent, whole.
    fn vendors(&self, item: &Item<'_>, position: Position) -> Option<Id> {
        let (mut sources, mut signed) = (&self.id, true);
        for (tests, replacing) in &self.rules {
            signed &= tests.iter().all(|test| item.signed(&test.place));
            if tests.iter().all(|test| test.holds(item)) {
                sources = replacing;
                break;
            }
        }
        let (first, others) = sources.split_first()?;
        let Found { text, signed: covered, mut shared } = first.find(item)?;
        signed &= covered;
        let mut joined = text.into_owned();
        for source in others {
            let part = source.find(item)?;
            (signed, shared) = (signed & part.signed, shared & part.shared);
            joined.push(':');
            joined.push_str(&part.text);
        }
        let text = bounded_id(if shared || self.numbered { position.number(joined) } else { joined });
        Some(Id { text, signed })
    }
}

/// What an item is beside those of its batch that came before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Another event.
    New,
    /// The same event, sent twice.
    Same,
    /// Other bytes under an id that is taken: the first stands.
    SameId,
}

/// The events of a batch by their ids.
#[derive(Debug, Default)]
pub(super) struct Met(HashMap<String, Data>);

impl Met {
    /// Judges the next event of the batch.
    pub(super) fn judge(&mut self, event: &Event) -> Beside {
        match self.0.entry(event.id.clone()) {
            Entry::Vacant(free) => {
                free.insert(event.data.clone());
                Beside::New
            }
            Entry::Occupied(first) if same(first.get(), &event.data) => Beside::Same,
            Entry::Occupied(_) => Beside::SameId,
        }
    }
}

/// Whether two items say the same: their bytes, JSON without its white space.
fn same(one: &Data, other: &Data) -> bool {
    let both_json = one.media_type == MediaType::Json && other.media_type == MediaType::Json;
    one.original == other.original
        || both_json && compact_chunks(&one.original).flatten().eq(compact_chunks(&other.original).flatten())
}
