//! What of an item no place of a definition reads: for people who write a mapping. Never on the request line.

use serde_json::Value;

use crate::api::provider::{MapSet, MapValue, Mapping, WebhookProviderSpec};
use crate::glob::Globs;
use crate::json::{join_pointer, parse_pointer};

/// Names of a pointer; `None` is every element of a list.
type Path = Vec<Option<String>>;

/// The pointers of the scalars in an item of that type that nothing reads. What says nothing, null and what is empty, is left out.
pub(crate) fn unplaced(spec: &WebhookProviderSpec, event_type: &str, item: &Value) -> Vec<String> {
    let mut read: Vec<Path> = Vec::new();
    if let Some(extract) = &spec.extract {
        let fields = extract.event_type.iter().chain(&extract.id).chain(&extract.subject);
        let others = fields.clone().filter_map(|field| field.otherwise.as_ref()?.pointer.as_deref());
        let rules = extract
            .id_rules
            .iter()
            .flat_map(|rule| &rule.id)
            .chain(extract.type_rules.iter().flat_map(|rule| &rule.event_type));
        let pointers = fields.chain(rules).filter_map(|field| field.pointer.as_deref()).chain(others);
        let times = extract.time.iter().filter_map(|field| field.pointer.as_deref());
        read.extend(pointers.chain(times).map(|pointer| path(&[], pointer)));
    }
    let takes = |map: &&Mapping| map.types.is_empty() || Globs::new(&map.types).matches(event_type);
    // A mapping with conditions may have been passed over: what the next one reads has a place, too.
    let mut last = false;
    for map in spec.map.iter().filter(takes).take_while(|map| !std::mem::replace(&mut last, map.when.is_empty())) {
        set(&map.set, &[], &mut read);
        for entry in &map.participants {
            entries(entry.from.as_deref(), &entry.set, &mut read);
        }
        for entry in &map.recordings {
            entries(entry.from.as_deref(), &entry.set, &mut read);
        }
        for entry in &map.segments {
            entries(entry.from.as_deref(), &entry.set, &mut read);
        }
    }
    let mut found = Vec::new();
    walk(item, &mut Vec::new(), &read, &mut found);
    found
}

fn entries(from: Option<&str>, set_of: &MapSet, read: &mut Vec<Path>) {
    let within = from.map_or_else(Vec::new, |from| elements(&[], from));
    set(set_of, &within, read);
}

fn set(values: &MapSet, within: &[Option<String>], read: &mut Vec<Path>) {
    for value in values.values() {
        let MapValue { pointer, and, from, .. } = value;
        place(pointer.as_deref(), and, from.as_deref(), within, read);
        for choice in &value.otherwise {
            place(choice.pointer.as_deref(), &choice.and, choice.from.as_deref(), within, read);
        }
    }
}

fn place(pointer: Option<&str>, and: &[String], from: Option<&str>, within: &[Option<String>], read: &mut Vec<Path>) {
    let within = from.map_or_else(|| within.to_vec(), |from| elements(within, from));
    read.extend(pointer.into_iter().chain(and.iter().map(String::as_str)).map(|pointer| path(&within, pointer)));
}

fn path(within: &[Option<String>], pointer: &str) -> Path {
    let names = parse_pointer(pointer).unwrap_or_default();
    within.iter().cloned().chain(names.into_iter().map(Some)).collect()
}

/// Every element of a list; an object is a list of one, so that the step may be missing.
fn elements(within: &[Option<String>], from: &str) -> Path {
    path(within, from).into_iter().chain([None]).collect()
}

/// Whether a place is read that a path leads to, or something around it as a whole.
fn covers(read: &[Option<String>], at: &[String]) -> bool {
    match (read.split_first(), at.split_first()) {
        (None, _) => true,
        (Some((None, rest)), Some((name, below))) => {
            name.parse::<usize>().is_ok() && covers(rest, below) || covers(rest, at)
        }
        (Some((None, rest)), None) => covers(rest, at),
        (Some((Some(wanted), rest)), Some((name, below))) => wanted == name && covers(rest, below),
        (Some((Some(_), _)), None) => false,
    }
}

fn walk(value: &Value, at: &mut Vec<String>, read: &[Path], found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                at.push(name.clone());
                walk(member, at, read, found);
                at.pop();
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                at.push(n.to_string());
                walk(item, at, read, found);
                at.pop();
            }
        }
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        _ if read.iter().any(|path| covers(path, at)) => {}
        _ => found.push(join_pointer(at.iter().map(String::as_str))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_place_reads_is_named_and_what_is_read_whole_is_not() {
        let yaml = r#"
displayName: Test
methods: []
extract: {type: [{pointer: /type}], time: [{pointer: /at, unit: Seconds}]}
map:
  - types: [call]
    kind: call
    set: {id: {pointer: /id}, metadata: {pointer: /meta}, tags: {from: /tags, pointer: /name}}
    participants: [{from: /people, set: {name: {pointer: /name}}}, {from: /host, set: {name: {pointer: /name}}}]
  - {types: [other], kind: call, set: {title: {pointer: /title}}}
"#;
        let spec: WebhookProviderSpec = serde_saphyr::from_str(yaml).unwrap();
        let item = json!({
            "type": "call", "at": 1, "id": 7, "meta": {"a": {"b": 1}}, "title": "T", "none": null, "empty": "",
            "tags": [{"name": "x", "id": 3}], "people": [{"name": "A", "x/y": 1}], "host": {"name": "B", "age": 9},
        });
        assert_eq!(unplaced(&spec, "call", &item), ["/host/age", "/people/0/x~1y", "/tags/0/id", "/title"]);
    }
}
