//! A CRD's schema, compiled: patterns and rules ready, unknown keywords refused so that none is silently ignored.

use std::collections::BTreeMap;

use cel::Program;
use regex::Regex;
use serde_json::{Map, Value};

use super::rules;

/// One node of a schema.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// The first sentence of the description.
    pub summary: String,
    pub kind: Type,
    pub properties: BTreeMap<String, Schema>,
    pub required: Vec<String>,
    pub additional: Option<Box<Schema>>,
    pub items: Option<Box<Schema>>,
    pub allowed: Vec<Value>,
    pub pattern: Option<Regex>,
    pub format: Option<Format>,
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
    pub length: Bounds,
    pub item_count: Bounds,
    pub property_count: Bounds,
    pub list: List,
    pub default: Option<Value>,
    pub rules: Vec<Rule>,
}

/// `type`, or `x-kubernetes-int-or-string`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Type {
    #[default]
    Any,
    Object,
    Array,
    String,
    Boolean,
    Integer,
    Number,
    IntOrString,
}

/// The formats that the API server checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Int32,
    Int64,
    DateTime,
}

/// The least and the most, both allowed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    pub min: Option<u64>,
    pub max: Option<u64>,
}

/// `x-kubernetes-list-type` with its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum List {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// One of `x-kubernetes-validations`.
#[derive(Debug)]
pub(super) struct Rule {
    pub program: Program,
    pub source: String,
    pub message: String,
}

/// Reads the schema of a CRD. Fails on whatever the judges would not honour.
pub(super) fn compile(schema: &Value) -> Result<Schema, String> {
    let mut root = node(schema, "the schema")?;
    let text = || Schema { kind: Type::String, ..Schema::default() };
    // What every object has and no CRD describes; of metadata, rules see the names alone.
    let metadata = Schema {
        kind: Type::Object,
        properties: BTreeMap::from([("name".to_owned(), text()), ("generateName".to_owned(), text())]),
        additional: Some(Box::default()),
        ..Schema::default()
    };
    for (name, schema) in [("apiVersion", text()), ("kind", text()), ("metadata", metadata)] {
        root.properties.insert(name.to_owned(), schema);
    }
    Ok(root)
}

fn node(schema: &Value, place: &str) -> Result<Schema, String> {
    let members = schema.as_object().ok_or_else(|| format!("{place} is no object"))?;
    let mut out = Schema::default();
    for (keyword, value) in members {
        let wrong = || format!("{place}: {keyword} has the unexpected value {value}");
        match keyword.as_str() {
            "title" => {}
            "description" => out.summary = first_sentence(value.as_str().ok_or_else(wrong)?),
            "type" => out.kind = kind(value).ok_or_else(wrong)?,
            "x-kubernetes-int-or-string" => out.kind = Type::IntOrString,
            "properties" => {
                for (name, property) in value.as_object().ok_or_else(wrong)? {
                    out.properties.insert(name.clone(), node(property, &format!("{place}.{name}"))?);
                }
            }
            "required" => out.required = texts(value).ok_or_else(wrong)?,
            "additionalProperties" => out.additional = Some(Box::new(node(value, &format!("{place}.*"))?)),
            "items" => out.items = Some(Box::new(node(value, &format!("{place}[]"))?)),
            "enum" => out.allowed = value.as_array().ok_or_else(wrong)?.clone(),
            "pattern" => out.pattern = Some(pattern(value.as_str().ok_or_else(wrong)?, place)?),
            "format" => out.format = Some(format(value).ok_or_else(wrong)?),
            "minimum" => out.minimum = Some(value.as_i64().ok_or_else(wrong)?),
            "maximum" => out.maximum = Some(value.as_i64().ok_or_else(wrong)?),
            "minLength" => out.length.min = Some(value.as_u64().ok_or_else(wrong)?),
            "maxLength" => out.length.max = Some(value.as_u64().ok_or_else(wrong)?),
            "minItems" => out.item_count.min = Some(value.as_u64().ok_or_else(wrong)?),
            "maxItems" => out.item_count.max = Some(value.as_u64().ok_or_else(wrong)?),
            "minProperties" => out.property_count.min = Some(value.as_u64().ok_or_else(wrong)?),
            "maxProperties" => out.property_count.max = Some(value.as_u64().ok_or_else(wrong)?),
            "default" => out.default = Some(value.clone()),
            // How writers share it is nothing that is judged.
            "x-kubernetes-list-map-keys" | "x-kubernetes-map-type" => {}
            "x-kubernetes-preserve-unknown-fields" => out.additional = Some(Box::default()),
            "x-kubernetes-list-type" => out.list = list(value, members).ok_or_else(wrong)?,
            "x-kubernetes-validations" => {
                for rule in value.as_array().ok_or_else(wrong)? {
                    out.rules.push(rules::compile(rule).map_err(|why| format!("{place}: {why}"))?);
                }
            }
            _ => return Err(format!("{place}: the keyword {keyword} is not one that validation knows")),
        }
    }
    Ok(out)
}

fn kind(value: &Value) -> Option<Type> {
    Some(match value.as_str()? {
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "boolean" => Type::Boolean,
        "integer" => Type::Integer,
        "number" => Type::Number,
        _ => return None,
    })
}

fn format(value: &Value) -> Option<Format> {
    Some(match value.as_str()? {
        "int32" => Format::Int32,
        "int64" => Format::Int64,
        "date-time" => Format::DateTime,
        _ => return None,
    })
}

fn list(value: &Value, members: &Map<String, Value>) -> Option<List> {
    Some(match value.as_str()? {
        "atomic" => List::Atomic,
        "set" => List::Set,
        "map" => List::Map(texts(members.get("x-kubernetes-list-map-keys")?)?),
        _ => return None,
    })
}

/// The server matches with RE2: the same language but for the classes, which are ASCII there and Unicode here.
fn pattern(text: &str, place: &str) -> Result<Regex, String> {
    if ["\\s", "\\S", "\\d", "\\D", "\\w", "\\W", "\\b", "\\B"].iter().any(|class| text.contains(class)) {
        return Err(format!("{place}: write out the characters of the class in {text}"));
    }
    Regex::new(text).map_err(|error| format!("{place}: {error}"))
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn first_sentence(text: &str) -> String {
    let line = text.split("\n\n").next().unwrap_or(text).replace('\n', " ");
    let end = line.find(". ").unwrap_or(line.len());
    line[..end].trim_end_matches('.').to_owned()
}
