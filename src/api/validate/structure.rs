//! The structural half of validation: types, bounds, enums, required and unknown fields, list keys.

use regex::Regex;
use serde_json::{Map, Number, Value};
use std::sync::LazyLock;

use super::Violation;
use crate::api::pattern;
use crate::spelling::{distance, is_near};

use super::schema::{Bounds, Format, List, Schema, Type};

/// A violation, and what it means for the rest of validation.
pub(super) struct Found {
    pub violation: Violation,
    /// The server evaluates no rule on an object with such a fault; here none on whatever holds it.
    pub blocks_rules: bool,
    /// A pattern that does not match: the server has a rule beside it that says the same as a sentence.
    pub from_pattern: bool,
}

/// What the server does before it validates: nulls of fields that may not be null count as absent, defaults are set.
pub(super) fn complete(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(members) => {
            if let Some(each) = &schema.additional {
                members.retain(|_, member| !member.is_null());
                members.values_mut().for_each(|member| complete(member, each));
            }
            members.retain(|name, member| !(member.is_null() && schema.properties.contains_key(name)));
            for (name, property) in &schema.properties {
                if let (None, Some(default)) = (members.get(name), &property.default) {
                    members.insert(name.clone(), default.clone());
                }
                if let Some(member) = members.get_mut(name) {
                    complete(member, property);
                }
            }
        }
        Value::Array(items) => {
            if let Some(each) = &schema.items {
                items.iter_mut().for_each(|item| complete(item, each));
            }
        }
        _ => {}
    }
}

/// Without the members that its schema does not know, as a server that is not strict stores it.
pub(super) fn prune(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(members) if schema.kind != Type::Any => {
            members.retain(|name, _| schema.additional.is_some() || schema.properties.contains_key(name));
            for (name, member) in members {
                if let Some(known) = schema.properties.get(name).or(schema.additional.as_deref()) {
                    prune(member, known);
                }
            }
        }
        Value::Array(items) => {
            if let Some(each) = &schema.items {
                items.iter_mut().for_each(|item| prune(item, each));
            }
        }
        _ => {}
    }
}

/// Everything in `object` that its schema refuses.
pub(super) fn judge(object: &Value, schema: &Schema) -> Vec<Found> {
    let mut judge = Judge { found: Vec::new() };
    judge.value(object, schema, "");
    judge.found
}

struct Judge {
    found: Vec<Found>,
}

impl Judge {
    fn value(&mut self, value: &Value, schema: &Schema, path: &str) {
        if !has_type(value, schema.kind) {
            return self.blocking(path, wrong_type(value, schema.kind));
        }
        if !schema.allowed.is_empty() && !schema.allowed.contains(value) {
            let allowed: Vec<String> = schema.allowed.iter().map(plain).collect();
            self.plain(path, format!("{} is not allowed: write {}", shown(value), one_of(&allowed)));
        }
        match value {
            Value::Object(members) => self.object(members, schema, path),
            Value::Array(items) => self.list(items, schema, path),
            Value::String(text) => self.text(text, schema, path),
            Value::Number(number) => self.number(number, schema, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(&mut self, members: &Map<String, Value>, schema: &Schema, path: &str) {
        if schema.kind == Type::Any {
            return;
        }
        let count = members.len() as u64;
        if let Some(max) = schema.property_count.max.filter(|max| count > *max) {
            self.blocking(path, format!("has {count} members: at most {max}"));
        }
        if let Some(min) = schema.property_count.min.filter(|min| count < *min) {
            self.plain(path, format!("has {count} members: at least {min}"));
        }
        for name in schema.required.iter().filter(|name| !members.contains_key(*name)) {
            let summary = schema.properties.get(name).map_or("", |property| &property.summary);
            self.blocking(&child(path, name), format!("is required: {summary}"));
        }
        for (name, member) in members {
            let at = child(path, name);
            if let Some(property) = schema.properties.get(name) {
                self.value(member, property, &at);
            } else if let Some(each) = &schema.additional {
                self.value(member, each, &at);
            } else {
                self.plain(&at, unknown(name, schema));
            }
        }
    }

    fn list(&mut self, items: &[Value], schema: &Schema, path: &str) {
        let count = items.len() as u64;
        let Bounds { min, max } = schema.item_count;
        if let Some(max) = max.filter(|max| count > *max) {
            self.blocking(path, format!("has {count} items: at most {max}"));
        }
        if let Some(min) = min.filter(|min| count < *min) {
            self.plain(path, format!("has {count} items: at least {min}"));
        }
        if let Some(each) = &schema.items {
            for (index, item) in items.iter().enumerate() {
                self.value(item, each, &format!("{path}[{index}]"));
            }
        }
        let key = |item: &Value| match &schema.list {
            List::Atomic => None,
            List::Set => Some(vec![Some(item.clone())]),
            List::Map(keys) => Some(keys.iter().map(|key| item.get(key).cloned()).collect()),
        };
        let keys: Vec<_> = items.iter().map(key).collect();
        for (index, item) in items.iter().enumerate() {
            let earlier = keys[..index].iter().position(|other| *other == keys[index]);
            let Some(first) = earlier.filter(|_| keys[index].is_some()) else { continue };
            let message = match &schema.list {
                List::Map(keys) => format!("has the same {} as {path}[{first}]: write it once", keys.join(" and ")),
                _ => format!("{} stands already in {path}[{first}]: write it once", shown(item)),
            };
            self.plain(&format!("{path}[{index}]"), message);
        }
    }

    fn text(&mut self, text: &str, schema: &Schema, path: &str) {
        let length = text.chars().count() as u64;
        if let Some(max) = schema.length.max.filter(|max| length > *max) {
            self.blocking(path, format!("has {length} characters: at most {max}"));
        }
        if let Some(min) = schema.length.min.filter(|min| length < *min) {
            let wanted =
                if min == 1 { "it must not be empty".to_owned() } else { format!("at least {min} characters") };
            self.plain(path, format!("{} is not allowed: {wanted}", quoted(text)));
        }
        if let Some(pattern) = schema.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            self.found.push(Found {
                violation: violation(path, format!("{} is not allowed: {}", quoted(text), meaning(pattern))),
                blocks_rules: false,
                from_pattern: true,
            });
        }
        if schema.format == Some(Format::DateTime) && !is_date_time(text) {
            self.blocking(path, format!("{} is not allowed: {}", quoted(text), pattern::INSTANT.sentence));
        }
    }

    fn number(&mut self, number: &Number, schema: &Schema, path: &str) {
        // Beyond 64 bits the type has already refused it.
        let Some(value) = integer(number) else { return };
        let ranged = match schema.format {
            Some(Format::Int32) => i32::try_from(value).is_ok(),
            _ => true,
        };
        if !ranged {
            self.plain(path, format!("{value} is not allowed: at most {}", i32::MAX));
        }
        if let Some(min) = schema.minimum.filter(|min| value < *min) {
            self.plain(path, format!("{value} is not allowed: at least {min}"));
        }
        if let Some(max) = schema.maximum.filter(|max| value > *max) {
            self.plain(path, format!("{value} is not allowed: at most {max}"));
        }
    }

    fn plain(&mut self, path: &str, message: String) {
        self.found.push(Found { violation: violation(path, message), blocks_rules: false, from_pattern: false });
    }

    fn blocking(&mut self, path: &str, message: String) {
        self.found.push(Found { violation: violation(path, message), blocks_rules: true, from_pattern: false });
    }
}

fn meaning(pattern: &Regex) -> String {
    match pattern::ALL.iter().find(|known| known.signs == pattern.as_str()) {
        Some(known) => known.sentence.to_owned(),
        None => format!("it must match {pattern}"),
    }
}

fn violation(path: &str, message: String) -> Violation {
    Violation { path: path.to_owned(), message }
}

/// The path of a member.
pub(super) fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A value as messages show it: short, on one line.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => shortened(&other.to_string()),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(&text.escape_debug().to_string().replace("\\'", "'")))
}

fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn one_of(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn unknown(name: &str, schema: &Schema) -> String {
    let near = schema.properties.keys().filter(|known| is_near(known, name)).min_by_key(|known| distance(known, name));
    let known: Vec<String> = schema.properties.keys().cloned().collect();
    match near {
        Some(near) => format!("is no field: did you mean {near}?"),
        None if known.is_empty() => "is no field: nothing may stand here".to_owned(),
        None => format!("is no field: here stand {}", one_of(&known)),
    }
}

fn has_type(value: &Value, kind: Type) -> bool {
    match kind {
        Type::Any => true,
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Boolean => value.is_boolean(),
        Type::Number => value.is_number(),
        Type::Integer => value.as_number().is_some_and(|number| integer(number).is_some()),
        // Here the server takes no 1.0.
        Type::IntOrString => value.is_string() || value.is_i64(),
    }
}

/// A whole number of 64 bits, also where it is written `1.0`.
fn integer(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT).map(|float| float as i64)
    })
}

fn wrong_type(value: &Value, kind: Type) -> String {
    let wanted = match kind {
        Type::Any => "any value",
        Type::Object => "an object",
        Type::Array => "a list",
        Type::String => "a text: put it in quotes",
        Type::Boolean => "true or false",
        Type::Integer => "a whole number",
        Type::Number => "a number",
        Type::IntOrString => "a whole number or a text",
    };
    let wanted = if kind == Type::String && (value.is_object() || value.is_array() || value.is_null()) {
        "a text"
    } else {
        wanted
    };
    match value {
        Value::Object(_) => format!("an object is not allowed: write {wanted}"),
        Value::Array(_) => format!("a list is not allowed: write {wanted}"),
        other => format!("{} is not allowed: write {wanted}", shown(other)),
    }
}

/// `strfmt.IsDateTime` of kube-openapi.
fn is_date_time(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$").ok());
    let text = text.to_lowercase();
    let mut halves = text.split('t');
    let (Some(date), Some(time), Some(pattern)) = (halves.next(), halves.next(), TIME.as_ref()) else { return false };
    let calendar = date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok();
    calendar && pattern.captures(time).is_some_and(|part| &part[1] <= "23" && &part[2] <= "59" && &part[3] <= "59")
}
