//! docs/api.md is what the CRDs say: `make reference` writes it anew.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hookgate::api::crd;
use serde_json::Value;

const HEAD: &str = "\
# API reference

<!-- Written by `make reference` from the CRDs: do not edit. -->

Every field of both kinds, `hookgate.dev/v1alpha1`. `[]` is a list, `*` a member of any name. What is not required is optional; what a default depends on is said where it does. `kubectl explain whs.spec --recursive` shows the same.
";

/// What was shown already, by its schema, so that the same shape is shown once.
type Shown = BTreeMap<String, String>;

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (_, definition) in crd::all() {
        let kind = definition["spec"]["names"]["kind"].as_str().expect("a kind");
        let schema = crd::schema(&definition);
        write!(page, "\n## {kind}\n\n{}\n", sentence(&schema["description"])).expect("a string");
        for part in ["spec", "status"] {
            let schema = &schema["properties"][part];
            write!(page, "\n### {kind} {part}\n\n").expect("a string");
            page.push_str("| field | type | meaning |\n|---|---|---|\n");
            table(schema, "", &mut Shown::new(), &mut page);
            let mut rules = Vec::new();
            collect_rules(schema, &mut rules);
            if !rules.is_empty() {
                page.push_str("\nRules over several fields, in the words in which they refuse:\n\n");
                rules.iter().for_each(|rule| writeln!(page, "- {rule}").expect("a string"));
            }
        }
    }
    page
}

/// Rows of the members of an object.
fn table(schema: &Value, path: &str, shown: &mut Shown, page: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        row(member, &path, required.contains(&name.as_str()), shown, page);
    }
}

fn row(schema: &Value, path: &str, required: bool, shown: &mut Shown, page: &mut String) {
    let (inner, suffix) = contents(schema);
    let nested = inner["properties"].is_object();
    let key = nested.then(|| inner["properties"].to_string());
    let same = key.as_ref().and_then(|key| shown.get(key)).cloned();
    let mut meaning = vec![sentence(&schema["description"])];
    if inner != schema && inner["description"].is_string() && inner["description"] != schema["description"] {
        meaning.push(sentence(&inner["description"]));
    }
    if required {
        meaning.insert(0, "**Required.**".to_owned());
    }
    meaning.extend(bounds(schema));
    if inner != schema {
        meaning.extend(bounds(inner).into_iter().map(|told| format!("Each: {}", lower(&told))));
    }
    if let Some(same) = &same {
        meaning.push(format!("Members as of `{same}`."));
    }
    let meaning = meaning.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
    writeln!(page, "| `{path}` | {} | {} |", type_of(schema), meaning.replace('|', "\\|")).expect("a string");
    if let (Some(key), None) = (key, same) {
        let path = format!("{path}{suffix}");
        shown.insert(key, path.clone());
        table(inner, &path, shown, page);
    }
}

/// What a list or a map holds, and how that is written behind its name.
fn contents(schema: &Value) -> (&Value, &'static str) {
    match (schema["items"].is_object(), schema["additionalProperties"].is_object()) {
        (true, _) => (&schema["items"], "[]"),
        (_, true) => (&schema["additionalProperties"], ".*"),
        _ => (schema, ""),
    }
}

fn type_of(schema: &Value) -> String {
    if schema["items"].is_object() {
        return format!("list of {}", type_of(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("map of {}", type_of(&schema["additionalProperties"]));
    }
    match (schema["x-kubernetes-int-or-string"] == true, schema["type"].as_str()) {
        (true, _) => "quantity".to_owned(),
        (_, Some("string")) if schema["format"] == "date-time" => "time".to_owned(),
        (_, Some(name)) => name.to_owned(),
        (_, None) => "any".to_owned(),
    }
}

/// Enumerations, defaults and limits, a sentence each.
fn bounds(schema: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut said = Vec::new();
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", text(word))).collect();
        said.push(format!("One of {}.", words.join(", ")));
    }
    // Where the description has it already, in words of its own.
    let said_so = schema["description"].as_str().is_some_and(|text| text.contains("Default:"));
    if schema.get("default").is_some() && !said_so {
        said.push(format!("Default: `{}`.", text(&schema["default"])));
    }
    let number = |name: &str| schema[name].as_i64();
    for (least, most, what) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minProperties", "maxProperties", " members"),
    ] {
        match (number(least).filter(|least| what.is_empty() || *least > 1), number(most)) {
            (Some(least), Some(most)) => said.push(format!("{least} to {most}{what}.")),
            (Some(least), None) => said.push(format!("At least {least}{what}.")),
            (None, Some(most)) => said.push(format!("At most {most}{what}.")),
            (None, None) => {}
        }
    }
    // What holds for one value; rules over several fields stand below the table.
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        if schema["type"] != "object"
            && let Some(message) = rule["message"].as_str()
        {
            said.push(sentence(&message.into()));
        }
    }
    said
}

/// Rules of objects, each once.
fn collect_rules(schema: &Value, rules: &mut Vec<String>) {
    if schema["type"] == "object" {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let told = sentence(&rule["message"]);
            if !rules.contains(&told) {
                rules.push(told);
            }
        }
    }
    for member in schema["properties"].as_object().into_iter().flat_map(|members| members.values()) {
        collect_rules(member, rules);
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            collect_rules(&schema[keyword], rules);
        }
    }
}

/// A text as one line that ends with a full stop.
fn sentence(text: &Value) -> String {
    let line = text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    // Rules say what to write; a field at the beginning stays as it is spelt.
    let line = match line.strip_prefix("write ") {
        Some(rest) => format!("Write {rest}"),
        None => line,
    };
    if line.is_empty() || line.ends_with(['.', ':']) { line } else { format!("{line}.") }
}

/// A sentence that goes on behind a colon.
fn lower(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map_or_else(String::new, |first| first.to_lowercase().chain(signs).collect())
}

#[test]
fn the_reference_is_what_the_crds_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let page = page();
    if std::env::var_os("HOOKGATE_WRITE_REFERENCE").is_some() {
        std::fs::write(&file, &page).expect("docs/api.md");
    }
    let written = std::fs::read_to_string(&file).expect("docs/api.md");
    assert!(written == page, "docs/api.md is not what the CRDs say: run `make reference`");
}

#[test]
fn every_field_of_the_crds_is_in_the_reference() {
    let page = page();
    let mut fields = 0;
    for (_, definition) in crd::all() {
        let mut schemas = vec![crd::schema(&definition)["properties"]["spec"].clone()];
        while let Some(schema) = schemas.pop() {
            for (name, member) in schema["properties"].as_object().into_iter().flatten() {
                fields += 1;
                let shown = [format!("`{name}`"), format!(".{name}`")].iter().any(|end| page.contains(end.as_str()));
                assert!(shown, "docs/api.md says nothing of {name}");
                schemas.push(member.clone());
            }
            let inner = ["items", "additionalProperties"].map(|keyword| schema[keyword].clone());
            schemas.extend(inner.into_iter().filter(Value::is_object));
        }
    }
    assert!(fields > 200, "{fields} fields were found");
}
