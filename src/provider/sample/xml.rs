//! A JSON document as the XML that is read as it.

use std::fmt::Write as _;

use serde_json::Value;

use super::plain;

/// The document below a root; members that begin with `@` are attributes, `#text` is text.
pub(in crate::provider) fn write(document: &Value) -> String {
    let mut out = String::new();
    element(&mut out, "xml", document);
    out
}

fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| element(out, name, item)),
        Value::Object(members) => {
            let _ = write!(out, "<{name}");
            for (name, value) in members.iter().filter_map(|(name, value)| Some((name.strip_prefix('@')?, value))) {
                let _ = write!(out, " {name}=\"{}\"", escaped(&plain(value)));
            }
            out.push('>');
            for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('@')) {
                match name.as_str() {
                    "#text" => out.push_str(&escaped(&plain(value))),
                    name => element(out, name, value),
                }
            }
            let _ = write!(out, "</{name}>");
        }
        scalar => {
            let _ = write!(out, "<{name}>{}</{name}>", escaped(&plain(scalar)));
        }
    }
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
