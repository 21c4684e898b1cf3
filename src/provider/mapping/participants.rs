//! The people of a conversation: known members by our names, all others under `attributes` by the vendor's.

use serde_json::value::RawValue;

use super::filled;
use super::target::{Value, Written, text};
use crate::api::provider::MapParticipant;
use crate::json::{self, Captured, JsonError, ListWriter, ObjectWriter, PointerError, Pointers, parse_pointer};
use crate::provider::compiler::Compiler;

/// Most people that one mapping reads.
const MOST: usize = 1000;

/// One mapping of people, compiled.
#[derive(Debug)]
pub(super) struct Participants {
    role: Option<String>,
    /// The person, or the list of them, or the item.
    from: usize,
    /// Places inside a person: role, name, telephone number and mail address.
    person: Pointers,
    places: [Option<usize>; 4],
    /// Members of a person that are no attributes; `None` where no attributes are wanted.
    known: Option<Vec<String>>,
}

type Members<'a> = Vec<(&'a RawValue, &'a RawValue)>;

const NAMES: [&str; 4] = ["role", "name", "phoneNumber", "email"];

impl Participants {
    /// Compiles a mapping of people; what is wrong goes to the compiler.
    pub(super) fn compile(mapping: &MapParticipant, path: &str, compiler: &mut Compiler) -> Option<Self> {
        let from = compiler.item(mapping.from.as_deref().unwrap_or_default(), &format!("{path}.from"))?;
        let written = [
            ("roleFrom", &mapping.role_from),
            ("name", &mapping.name),
            ("phoneNumber", &mapping.phone_number),
            ("email", &mapping.email),
        ];
        let mut person = Pointers::default();
        let mut known = Vec::new();
        let mut places = [None; 4];
        for (place, (field, pointer)) in places.iter_mut().zip(written) {
            let Some(pointer) = pointer else { continue };
            let added: Result<usize, PointerError> = parse_pointer(pointer).and_then(|mut names| {
                if names.len() == 1 {
                    known.append(&mut names);
                }
                person.add(pointer)
            });
            match added {
                Ok(slot) => *place = Some(slot),
                Err(error) => compiler.error(&format!("{path}.{field}"), error.to_string()),
            }
        }
        if mapping.from.is_none() && mapping.attributes {
            compiler.error(&format!("{path}.attributes"), "the person needs from: the whole item is no person");
        }
        Some(Self { role: mapping.role.clone(), from, person, places, known: mapping.attributes.then_some(known) })
    }

    /// Writes the people that the item names.
    ///
    /// # Errors
    /// `Duplicate` for a person who could be read as two.
    pub(super) fn write(&self, item: &Captured<'_>, list: &mut ListWriter<'_>) -> Result<(), JsonError> {
        let Some(from) = item.get(self.from).filter(|raw| filled(raw)) else { return Ok(()) };
        match json::elements(from.get(), MOST)? {
            Some((people, _)) => people.into_iter().try_for_each(|person| self.person(person, list)),
            None => self.person(from, list),
        }
    }

    fn person(&self, person: &RawValue, list: &mut ListWriter<'_>) -> Result<(), JsonError> {
        let captured = self.person.capture_unique(person.get().as_bytes())?;
        let values = self.places.map(|place| captured.get(place?).filter(|raw| filled(raw)).map(Value::Raw));
        let attributes = self.attributes(person)?;
        if values.iter().all(|value| value.and_then(text).is_none()) && attributes.is_empty() {
            return Ok(());
        }
        list.object(|object| {
            for (at, (name, value)) in NAMES.iter().zip(values).enumerate() {
                match (value.and_then(text), &self.role) {
                    (Some(Written::Raw(raw)), _) => object.raw(name, raw),
                    (Some(Written::Text(text)), _) => object.text(name, &text),
                    (None, Some(role)) if at == 0 => object.text(name, role),
                    (None, _) => {}
                }
            }
            object.object("attributes", |object: &mut ObjectWriter<'_>| {
                attributes.iter().for_each(|(name, value)| object.raw_member(name.get(), value.get()));
            });
        });
        Ok(())
    }

    /// The members that have no place of ours, as sent.
    fn attributes<'a>(&self, person: &'a RawValue) -> Result<Members<'a>, JsonError> {
        let Some(known) = &self.known else { return Ok(Vec::new()) };
        let other = |name: &RawValue| json::string_text(name).is_none_or(|name| !known.iter().any(|k| *k == name));
        let members = json::members(person.get())?.unwrap_or_default();
        Ok(members.into_iter().filter(|(name, _)| other(name)).collect())
    }
}
