//! CEL expressions over an event, compiled once per route.
//!
//! CEL has no bound on its cost, so what a payload could make expensive is refused: macros nest once, and no list
//! that a macro may walk has more than 1,000 elements. Nor may an expression nest so deep that judging it ends the stack
//! of all sources' requests. An expression sees the event, never the request's headers.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr};
use cel::objects::{Key, Map};
use cel::{Context, Env, ParseErrors, Program, Value};
use serde_json::Value as Json;

/// The variables of an expression.
pub const VARIABLES: [&str; 8] = ["type", "id", "subject", "time", "source", "namespace", "provider", "data"];
/// Names of types, as in `type(data) == map`.
const TYPES: [&str; 10] = ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];
/// The most macros of an expression: each may walk its list, or a list for each element of another.
const MAX_MACROS: usize = 8;
/// The most elements of a list that macros may walk.
const MAX_LIST: usize = 1000;
/// How deep an expression nests at most: judging one recurses, on the stack of the request.
const MAX_DEPTH: usize = 100;
const TOO_DEEP: &str = "is nested too deeply: at most 100 levels; a chain such as a + b + c nests once for each part";
/// The parser recurses: its thread gets this much stack, in bytes.
const STACK: usize = 16 << 20;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression.
#[derive(Debug)]
pub struct Filter {
    program: Program,
    walks: bool,
}

/// What an expression sees.
pub struct Variables {
    values: Vec<(&'static str, Value)>,
    long_lists: bool,
}

/// An expression failed, or was neither true nor false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expression failed or is no boolean")]
pub struct FilterError;

impl Filter {
    /// Compiles an expression.
    ///
    /// # Errors
    /// A sentence that says what is wrong and where.
    pub fn compile(source: &str) -> Result<Self, String> {
        let owned = source.to_owned();
        let parse = move || Self::parse(&owned);
        let thread = std::thread::Builder::new().name("cel-compile".into()).stack_size(STACK).spawn(parse);
        thread
            .map_err(|error| format!("cannot be compiled now: {error}"))?
            .join()
            .map_err(|_| "cannot be compiled".to_owned())?
    }

    /// Recurses as deep as the expression nests: needs a large stack, and drops there what it refuses.
    fn parse(source: &str) -> Result<Self, String> {
        let program = ENVIRONMENT.compile(source).map_err(|errors| told(&errors))?;
        let mut survey = Survey::default();
        let walks = survey.walks(program.expression());
        if survey.deepest > MAX_DEPTH {
            return Err(TOO_DEEP.to_owned());
        }
        if let Some(unknown) = survey.unknown {
            return Err(format!("{unknown:?} is no variable: they are {}", VARIABLES.join(", ")));
        }
        if survey.macros > MAX_MACROS {
            return Err(format!(
                "holds {} macros (all, exists, map, filter …), and at most {MAX_MACROS} are allowed",
                survey.macros
            ));
        }
        match walks {
            0 => Ok(Self { program, walks: false }),
            1 | 2 => Ok(Self { program, walks: true }),
            _ => Err("macros (all, exists, map, filter …) nest at most once".to_owned()),
        }
    }

    /// Judges an event.
    ///
    /// # Errors
    /// Where the expression fails or is no boolean.
    pub fn holds(&self, variables: &Variables) -> Result<bool, FilterError> {
        if self.walks && variables.long_lists {
            return Err(FilterError);
        }
        let mut context = Context::with_env(ENVIRONMENT.clone());
        for (name, value) in &variables.values {
            context.add_variable_from_value(*name, value.clone());
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(verdict)) => Ok(verdict),
            Ok(_) | Err(_) => Err(FilterError),
        }
    }
}

/// The first error in one line. What follows it is mostly of its making.
fn told(errors: &ParseErrors) -> String {
    let first = errors.errors.first().map(ToString::to_string).unwrap_or_default();
    if first.contains("Recursion limit") {
        return TOO_DEEP.to_owned();
    }
    let line = first.lines().next().unwrap_or_default();
    format!("is no CEL expression: {}", line.strip_prefix("ERROR: <input>:").unwrap_or(line))
}

/// Looks through an expression once.
#[derive(Default)]
struct Survey<'e> {
    /// How deep the place is, and the deepest.
    depth: usize,
    deepest: usize,
    /// The variables that macros around the place bind.
    bound: Vec<&'e str>,
    /// The first name that is no variable.
    unknown: Option<&'e str>,
    /// How many macros there are.
    macros: usize,
}

impl<'e> Survey<'e> {
    /// How deep macros nest.
    fn walks(&mut self, expression: &'e IdedExpr) -> usize {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let walks = self.walks_within(expression);
        self.depth -= 1;
        walks
    }

    fn walks_within(&mut self, expression: &'e IdedExpr) -> usize {
        match &expression.expr {
            Expr::Comprehension(walk) => {
                self.macros += 1;
                let outside = self.walks(&walk.iter_range);
                let before = self.bound.len();
                self.bound.extend([walk.iter_var.as_str(), walk.accu_var.as_str()]);
                self.bound.extend(walk.iter_var2.as_deref());
                let inside = self.most([&walk.accu_init, &walk.loop_cond, &walk.loop_step, &walk.result]);
                self.bound.truncate(before);
                outside.max(inside + 1)
            }
            Expr::Ident(name) => {
                let known = VARIABLES.contains(&name.as_str()) || TYPES.contains(&name.as_str());
                if !known && !self.bound.contains(&name.as_str()) {
                    self.unknown.get_or_insert(name);
                }
                0
            }
            Expr::Call(call) => {
                let target = call.target.as_deref().map_or(0, |target| self.walks(target));
                self.most(&call.args).max(target)
            }
            Expr::List(list) => self.most(&list.elements),
            Expr::Select(select) => self.walks(&select.operand),
            Expr::Map(map) => self.entries(&map.entries),
            Expr::Struct(message) => self.entries(&message.entries),
            Expr::Unspecified | Expr::Literal(_) => 0,
        }
    }

    fn most(&mut self, parts: impl IntoIterator<Item = &'e IdedExpr>) -> usize {
        parts.into_iter().map(|part| self.walks(part)).max().unwrap_or(0)
    }

    fn entries(&mut self, entries: &'e [IdedEntryExpr]) -> usize {
        let depth = |entry: &'e IdedEntryExpr| match &entry.expr {
            EntryExpr::StructField(field) => self.walks(&field.value),
            EntryExpr::MapEntry(entry) => self.most([&entry.key, &entry.value]),
        };
        entries.iter().map(depth).max().unwrap_or(0)
    }
}

impl Variables {
    /// The variables of an event; `data` is its normalized content as JSON.
    pub fn new(texts: [(&'static str, &str); 6], time: &str, data: &[u8]) -> Self {
        static TIMESTAMP: LazyLock<Option<Program>> = LazyLock::new(|| ENVIRONMENT.compile("timestamp(text)").ok());
        let mut values: Vec<(&'static str, Value)> =
            texts.into_iter().map(|(name, text)| (name, Value::String(Arc::new(text.to_owned())))).collect();
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.add_variable_from_value("text", time.to_owned());
        let time = TIMESTAMP.as_ref().and_then(|program| program.execute(&context).ok()).unwrap_or(Value::Null);
        values.push(("time", time));
        let mut long_lists = false;
        let data = serde_json::from_slice(data).map_or(Value::Null, |json| value(json, &mut long_lists));
        values.push(("data", data));
        Self { values, long_lists }
    }
}

/// JSON as CEL sees it: whole numbers are `int`, as users write them.
fn value(json: Json, long: &mut bool) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(uint)) => Value::UInt(uint),
            _ => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::new(text)),
        Json::Array(items) => {
            *long |= items.len() > MAX_LIST;
            Value::List(Arc::new(items.into_iter().map(|item| value(item, long)).collect()))
        }
        Json::Object(members) => {
            *long |= members.len() > MAX_LIST;
            let map: HashMap<Key, Value> =
                members.into_iter().map(|(name, member)| (Key::String(Arc::new(name)), value(member, long))).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(data: &str) -> Variables {
        let texts = [
            ("type", "call.completed"),
            ("id", "1"),
            ("subject", "c1"),
            ("source", "calls"),
            ("namespace", "sales"),
            ("provider", "acme"),
        ];
        Variables::new(texts, "2026-01-31T12:00:00Z", data.as_bytes())
    }

    fn judge(expression: &str, data: &str) -> Result<bool, FilterError> {
        Filter::compile(expression).unwrap().holds(&variables(data))
    }

    #[test]
    fn an_expression_sees_the_event() {
        assert_eq!(judge("data.score > 80 && type == 'call.completed'", r#"{"score": 85}"#), Ok(true));
        assert_eq!(judge("data.score == 85", r#"{"score": 85}"#), Ok(true));
        assert_eq!(judge("data.tags.exists(t, t == 'vip')", r#"{"tags": ["a", "vip"]}"#), Ok(true));
        assert_eq!(judge("time < timestamp('2027-01-01T00:00:00Z')", "{}"), Ok(true));
        assert_eq!(judge("has(data.metadata) && data.metadata.agent != 'test'", "{}"), Ok(false));
    }

    #[test]
    fn a_failure_or_another_type_is_an_error() {
        assert_eq!(judge("data.missing == 1", "{}"), Err(FilterError));
        assert_eq!(judge("data.score", r#"{"score": 85}"#), Err(FilterError));
    }

    #[test]
    fn what_a_payload_could_make_expensive_is_refused() {
        assert!(Filter::compile("data.a.all(x, data.b.all(y, x == y))").is_ok());
        assert!(Filter::compile("data.a.all(x, data.b.all(y, data.c.all(z, x == z)))").is_err());
        let many = |count: usize| vec!["data.a.all(x, x == 1)"; count].join(" || ");
        assert!(Filter::compile(&many(MAX_MACROS)).is_ok());
        assert!(Filter::compile(&many(MAX_MACROS + 1)).unwrap_err().contains("macros"));
        let long = format!(r#"{{"a": [{}1]}}"#, "1,".repeat(1000));
        assert_eq!(judge("data.a.all(x, x == 1)", &long), Err(FilterError));
        assert_eq!(judge("type == 'x'", &long), Ok(false));
    }

    #[test]
    fn no_expression_ends_the_stack() {
        for deep in [
            format!("data{} == 1", "[0]".repeat(1300)),
            format!("data{} == 1", ".a".repeat(2000)),
            format!("{}1 == 1", "1 + ".repeat(1000)),
            format!("{}true{}", "(".repeat(500), ")".repeat(500)),
            format!("data{} == 1", ".a".repeat(99)),
        ] {
            let error = Filter::compile(&deep).unwrap_err();
            assert!(error.starts_with("is nested too deeply") && error.len() < 200, "{error}");
        }
        let at_most = format!("data{} == 1", ".a".repeat(97));
        let judged = std::thread::Builder::new().stack_size(1 << 20).spawn(move || judge(&at_most, "{}"));
        assert_eq!(judged.unwrap().join().unwrap(), Err(FilterError));
        let alternatives = vec!["type == 'call.completed'"; 100].join(" || ");
        assert_eq!(judge(&alternatives, "{}"), Ok(true), "chains of && and || are balanced");
    }

    #[test]
    fn a_mistake_is_told_in_one_line() {
        let error = Filter::compile("data.a =").unwrap_err();
        assert_eq!(error, "is no CEL expression: 1:8: Syntax error: token recognition error at: '='");
    }

    #[test]
    fn a_typo_names_the_variables() {
        let error = Filter::compile("datta.x == 1").unwrap_err();
        assert!(error.contains("datta") && error.contains("namespace"), "{error}");
        assert!(Filter::compile("data.x ==").is_err());
    }
}
