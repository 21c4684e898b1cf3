//! A YAML document as a tree in which every value knows its line.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

/// A value and the line it stands on.
pub(super) struct Node {
    pub line: usize,
    pub content: Content,
}

pub(super) enum Content {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(super) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// A member of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(members) => members.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What YAML made of a word that was meant as text, as it does of `n`, `off` and `007` without quotes.
    pub(super) fn misread(&self) -> Option<String> {
        match &self.content {
            Content::Boolean(truth) => Some(format!("y, yes, on, n, no, off and the like as {truth}")),
            Content::Number(number) => Some(format!("it as the number {number}")),
            _ => None,
        }
    }

    /// The document begins this many lines further down in its file.
    pub(super) fn move_down(&mut self, lines: usize) {
        self.line += lines;
        match &mut self.content {
            Content::List(items) => items.iter_mut().for_each(|item| item.move_down(lines)),
            Content::Map(members) => members.iter_mut().for_each(|(_, member)| member.move_down(lines)),
            _ => {}
        }
    }

    /// The line of every path, such as `spec.hostnames[0]`.
    pub(super) fn lines(&self, path: &str, lines: &mut BTreeMap<String, usize>) {
        lines.insert(path.to_owned(), self.line);
        match &self.content {
            Content::List(items) => {
                items.iter().enumerate().for_each(|(index, item)| item.lines(&format!("{path}[{index}]"), lines));
            }
            Content::Map(members) => {
                for (name, member) in members {
                    let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    member.lines(&at, lines);
                }
            }
            _ => {}
        }
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(truth) => Value::Bool(*truth),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            Content::Map(members) => {
                Value::Object(members.iter().map(|(name, member)| (name.clone(), member.json())).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Node { line: line(spanned.referenced), content: spanned.value })
    }
}

fn line(place: serde_saphyr::Location) -> usize {
    usize::try_from(place.line()).unwrap_or(usize::MAX).max(1)
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has too")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Content, E> {
        Ok(Content::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
        Ok(Content::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
        Ok(Content::Number(number.into()))
    }

    /// A whole number that is written `1.0` or `1e3` is a whole number in JSON.
    fn visit_f64<E>(self, number: f64) -> Result<Content, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && number.abs() < EXACT {
            return Ok(Content::Number((number as i64).into()));
        }
        Ok(Number::from_f64(number).map_or(Content::Null, Content::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Content, E> {
        Ok(Content::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let mut member: Node = access.next_value()?;
            // A block begins a line after its key; the key is where people look.
            member.line = line(key.referenced);
            members.push((key.value, member));
        }
        Ok(Content::Map(members))
    }
}
