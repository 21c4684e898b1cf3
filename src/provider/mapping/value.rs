//! A member's value: the first of its places that gives something which the member can be.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::filled;
use super::scope::Selection;
use super::shape::Shape;
use crate::api::provider::{MapChoice, MapUnit, MapValue};
use crate::api::scheme::Condition;
use crate::json::{self, JsonError, ObjectWriter};
use crate::provider::compiler::Compiler;
use crate::provider::condition::Test;
use crate::provider::place::{Place, Places};

/// What stands at a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'v> {
    /// A member as sent.
    Raw(&'v RawValue),
    /// A text: of a header, a parameter or a field, joined, or a word of the definition.
    Text(&'v str),
    /// The texts of several places.
    Texts(&'v [String]),
}

impl<'v> Found<'v> {
    /// A scalar as text.
    pub(super) fn scalar(self) -> Option<Cow<'v, str>> {
        match self {
            Self::Raw(raw) => json::as_text(raw),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Texts(_) => None,
        }
    }
}

/// How a value is written.
#[derive(Debug)]
pub(super) struct Manner {
    /// The vendor's word to the member's.
    pub words: BTreeMap<String, String>,
    pub unit: Option<MapUnit>,
}

/// A member's value, compiled.
#[derive(Debug)]
pub(super) struct Value {
    shape: Shape,
    choices: Vec<Choice>,
}

/// One place of a value and what is taken of it.
#[derive(Debug)]
struct Choice {
    when: Vec<Test>,
    selection: Option<Selection>,
    /// Of one element, the last.
    last: bool,
    place: Place,
    /// Places of texts that follow.
    and: Vec<usize>,
    join: Option<String>,
    attach: Vec<Test>,
    manner: Manner,
    /// The member is a list: what several places and elements say are its elements.
    gathers: bool,
}

/// A value or a further choice of one, as it is written.
struct Written<'w> {
    place: crate::provider::place::Written<'w>,
    fixed: Option<&'w str>,
    and: &'w [String],
    when: &'w [Condition],
    from: Option<&'w str>,
    only: &'w [Condition],
    last: bool,
    join: Option<&'w String>,
    attach: &'w [Condition],
    words: &'w BTreeMap<String, String>,
    unit: Option<MapUnit>,
}

macro_rules! written {
    ($($kind:ty),*) => {
        $(impl<'w> From<&'w $kind> for Written<'w> {
            fn from(written: &'w $kind) -> Self {
                Self {
                    place: written.into(),
                    fixed: written.value.as_deref(),
                    and: &written.and,
                    when: &written.when,
                    from: written.from.as_deref(),
                    only: &written.only,
                    last: written.last,
                    join: written.join.as_ref(),
                    attach: &written.attach,
                    words: &written.words,
                    unit: written.unit,
                }
            }
        })*
    };
}

written!(MapValue, MapChoice);

impl Value {
    /// Compiles a value of a member of that shape; what is wrong goes to the compiler.
    pub(super) fn compile(value: &MapValue, shape: Shape, path: &str, compiler: &mut Compiler) -> Self {
        let first = Written::from(value);
        let mut choices: Vec<Choice> = Choice::compile(&first, shape, path, compiler).into_iter().collect();
        for (n, otherwise) in value.otherwise.iter().enumerate() {
            let mut written = Written::from(otherwise);
            if written.words.is_empty() {
                written.words = first.words;
            }
            written.unit = written.unit.or(first.unit);
            choices.extend(Choice::compile(&written, shape, &format!("{path}.else[{n}]"), compiler));
        }
        Self { shape, choices }
    }

    /// Writes the member, if a choice gives something that it can be; says whether.
    ///
    /// # Errors
    /// `Duplicate` for an element that could be read as two.
    pub(super) fn write(
        &self,
        name: &str,
        scope: &dyn Places,
        object: &mut ObjectWriter<'_>,
    ) -> Result<bool, JsonError> {
        self.take(scope, |found, manner| self.shape.write(name, found, manner, object))
    }

    /// Hands over what the choices give, until something is taken; says whether.
    ///
    /// # Errors
    /// As [`Value::write`].
    pub(super) fn take(
        &self,
        scope: &dyn Places,
        mut take: impl FnMut(Found<'_>, &Manner) -> bool,
    ) -> Result<bool, JsonError> {
        for choice in &self.choices {
            if choice.give(scope, &mut |found| take(found, &choice.manner))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Choice {
    fn compile(written: &Written<'_>, shape: Shape, path: &str, compiler: &mut Compiler) -> Option<Self> {
        if let Err((field, reason)) = shape.takes(written.fixed, written.words, written.unit) {
            compiler.error(&format!("{path}.{field}"), reason);
        }
        let gathers = shape == Shape::Texts;
        if written.from.is_none() {
            for (field, lone) in [
                ("where", !written.only.is_empty()),
                ("last", written.last),
                ("join", written.join.is_some()),
                ("attach", !written.attach.is_empty()),
            ] {
                if lone {
                    compiler.error(&format!("{path}.{field}"), "it says something of elements: write from");
                }
            }
        } else if written.join.is_none() && !written.attach.is_empty() {
            compiler.error(&format!("{path}.attach"), "it is an exception from join: write join");
        }
        if written.last && (gathers || written.join.is_some()) {
            compiler.error(&format!("{path}.last"), "every element is taken here: leave it out");
        }
        let when = compiler.tests(written.when, &format!("{path}.when"));
        let inside = |compiler: &mut Compiler| {
            let place = compiler.place(written.place, path);
            let and = written.and.iter().enumerate();
            let and = and.filter_map(|(n, pointer)| compiler.item(pointer, &format!("{path}.and[{n}]"))).collect();
            let attach = compiler.tests(written.attach, &format!("{path}.attach"));
            Some((place?, and, attach))
        };
        let (selection, inside) = match written.from {
            None => (None, inside(compiler)),
            Some(from) => {
                let (selection, inside) = Selection::compile((from, written.only), path, compiler, inside)?;
                (Some(selection), inside)
            }
        };
        let (place, and, attach) = inside?;
        Some(Self {
            when,
            selection,
            last: written.last,
            place,
            and,
            join: written.join.cloned(),
            attach,
            manner: Manner { words: written.words.clone(), unit: written.unit },
            gathers,
        })
    }

    fn give(&self, scope: &dyn Places, take: &mut dyn FnMut(Found<'_>) -> bool) -> Result<bool, JsonError> {
        if !self.when.iter().all(|test| test.holds(scope)) {
            return Ok(false);
        }
        let Some(selection) = &self.selection else { return Ok(self.here(scope, take)) };
        let mut taken = false;
        if let Some(join) = &self.join {
            let mut joined = String::new();
            selection.each(scope, |element| {
                let piece = self.texts(element).join(" ");
                if !piece.is_empty() {
                    let attached = !self.attach.is_empty() && self.attach.iter().all(|test| test.holds(element));
                    if !joined.is_empty() && !attached {
                        joined.push_str(join);
                    }
                    joined.push_str(&piece);
                }
                Ok(())
            })?;
            return Ok(!joined.is_empty() && take(Found::Text(&joined)));
        }
        if self.gathers {
            let mut texts = Vec::new();
            selection.each(scope, |element| {
                texts.append(&mut self.texts(element));
                Ok(())
            })?;
            return Ok(!texts.is_empty() && take(Found::Texts(&texts)));
        }
        selection.one(scope, self.last, |element| taken = self.here(element, take))?;
        Ok(taken)
    }

    /// Hands over what stands in one scope.
    fn here(&self, scope: &dyn Places, take: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        if self.and.is_empty() {
            return self.stands(scope, take);
        }
        let texts = self.texts(scope);
        if texts.is_empty() {
            false
        } else if self.gathers {
            take(Found::Texts(&texts))
        } else {
            take(Found::Text(&texts.join(" ")))
        }
    }

    /// The texts of the place and of those that follow, without empty ones.
    fn texts(&self, scope: &dyn Places) -> Vec<String> {
        let mut texts = Vec::with_capacity(1 + self.and.len());
        let mut add = |text: Option<Cow<'_, str>>| texts.extend(text.filter(|t| !t.is_empty()).map(Cow::into_owned));
        self.stands(scope, &mut |found| {
            add(found.scalar());
            true
        });
        for place in &self.and {
            add(scope.at_pointer(*place).and_then(json::as_text));
        }
        texts
    }

    /// Hands over what stands at the place, unless it is null, empty or nothing.
    fn stands(&self, scope: &dyn Places, take: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let mut text = |text: Option<&str>| text.is_some_and(|text| !text.is_empty() && take(Found::Text(text)));
        match &self.place {
            Place::Header(name) => {
                text(scope.at_header(name).first().and_then(|value| std::str::from_utf8(value).ok()))
            }
            Place::Query(name) => text(scope.at_query(name).first().as_deref()),
            Place::Form(name) => text(scope.at_form(name).first()),
            Place::Fixed(word) => text(Some(word)),
            Place::Pointer(number) => scope.at_pointer(*number).is_some_and(|raw| filled(raw) && take(Found::Raw(raw))),
            Place::Envelope(number) => {
                scope.at_envelope(*number).is_some_and(|raw| filled(raw) && take(Found::Raw(raw)))
            }
        }
    }
}
