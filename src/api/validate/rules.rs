//! The other half of validation: the schema's CEL rules, evaluated as the API server evaluates them.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, Env};
use serde_json::Value as Json;

use super::schema::{Rule, Schema};
use super::structure::{Found, child, shown};
use super::{Violation, kubernetes};

/// The parser recurses deeply in builds without optimization.
const STACK: usize = 16 << 20;

/// Runs `work` on a thread whose stack holds the CEL parser.
pub(super) fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("the schema's rules could not be compiled".to_owned()),
            Err(error) => Err(format!("no thread to compile the schema's rules: {error}")),
        }
    })
}

/// Reads one member of `x-kubernetes-validations`.
pub(super) fn compile(rule: &Json) -> Result<Rule, String> {
    let members = rule.as_object().ok_or("a rule is no object")?;
    if let Some(other) = members.keys().find(|key| !matches!(key.as_str(), "rule" | "message")) {
        return Err(format!("{other} in a rule is not one that validation knows"));
    }
    let text = |key: &str| rule[key].as_str().map(str::to_owned).ok_or_else(|| format!("a rule has no {key}"));
    let (source, message) = (text("rule")?, text("message")?);
    if source.contains("oldSelf") {
        return Err(format!("a rule over time cannot be judged offline: {source}"));
    }
    let program = Env::stdlib().compile(&source).map_err(|error| format!("{source}: {error}"))?;
    Ok(Rule { program, source, message })
}

/// Every rule that does not hold. A rule is left out where a blocking fault lies in what it reads.
pub(super) fn judge(object: &Json, schema: &Schema, found: &[Found]) -> Vec<Violation> {
    let context = kubernetes::context();
    let blocked: Vec<&str> =
        found.iter().filter(|one| one.blocks_rules).map(|one| one.violation.path.as_str()).collect();
    let mut judge = Judge { context: &context, blocked, failed: Vec::new() };
    judge.value(object, schema, "");
    judge.failed
}

struct Judge<'a> {
    context: &'a Context<'a, 'a>,
    blocked: Vec<&'a str>,
    failed: Vec<Violation>,
}

impl Judge<'_> {
    fn value(&mut self, value: &Json, schema: &Schema, path: &str) {
        if !schema.rules.is_empty() && !self.blocked.iter().any(|fault| lies_in(fault, path)) {
            self.rules(value, schema, path);
        }
        match value {
            Json::Object(members) => {
                for (name, member) in members {
                    if let Some(inner) = schema.properties.get(name).or(schema.additional.as_deref()) {
                        self.value(member, inner, &child(path, name));
                    }
                }
            }
            Json::Array(items) => {
                let Some(inner) = &schema.items else { return };
                for (index, item) in items.iter().enumerate() {
                    self.value(item, inner, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    fn rules(&mut self, value: &Json, schema: &Schema, path: &str) {
        let mut scope = self.context.new_inner_scope();
        scope.add_variable_from_value("self", converted(value, schema));
        for rule in &schema.rules {
            let failure = match rule.program.execute(&scope) {
                Ok(cel::Value::Bool(true)) => continue,
                Ok(cel::Value::Bool(false)) => rule.message.clone(),
                Ok(_) => format!("the rule gives no boolean: {}", rule.source),
                Err(error) => format!("{}: the rule ended in an error: {error}", rule.message),
            };
            let message = match value {
                Json::Object(_) | Json::Array(_) => failure,
                scalar => format!("{} is not allowed: {failure}", shown(scalar)),
            };
            self.failed.push(Violation { path: path.to_owned(), message });
        }
    }
}

/// Whether `fault` is `path` or stands below it.
fn lies_in(fault: &str, path: &str) -> bool {
    path.is_empty()
        || fault
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
}

/// A value as the server hands it to CEL: only what the schema names, integers signed, times as timestamps.
fn converted(value: &Json, schema: &Schema) -> cel::Value {
    match value {
        Json::Null => cel::Value::Null,
        Json::Bool(truth) => cel::Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => cel::Value::Int(integer),
            None => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => kubernetes::text(text, schema.format),
        Json::Array(items) => {
            let none = Schema::default();
            let inner = schema.items.as_deref().unwrap_or(&none);
            cel::Value::List(Arc::new(items.iter().map(|item| converted(item, inner)).collect()))
        }
        Json::Object(members) => {
            let mut map = HashMap::with_capacity(members.len());
            for (name, member) in members {
                let (key, inner) = match (schema.properties.get(name), schema.additional.as_deref()) {
                    (Some(inner), _) => (kubernetes::escaped(name), inner),
                    (None, Some(inner)) => (name.clone(), inner),
                    (None, None) => continue,
                };
                map.insert(Key::String(Arc::new(key)), converted(member, inner));
            }
            cel::Value::Map(Map { map: Arc::new(map) })
        }
    }
}
