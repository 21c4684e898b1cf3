//! The `cel` crate says the same, over generated expressions and data: the same value, or an error in both.

use std::sync::{Arc, LazyLock};

use cel::{Context, Env, Program, Value as Theirs};
use proptest::prelude::*;

use super::super::budget::Failure;
use super::super::check::Checker;
use super::super::eval::Evaluation;
use super::super::value::Value;
use super::super::{Places, parse};
use super::event;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// What we say, whatever its type; `None` where the expression is refused at compile.
fn ours(expression: &str, data: &str) -> Option<Result<String, Failure>> {
    let mut places = Places::default();
    let parsed = parse::parse(expression).ok()?;
    let mut checker = Checker::new(expression, &mut places);
    let expr = checker.part(&parsed).ok()?;
    let named = checker.named;
    let event = event(&places, data);
    let mut evaluation = Evaluation::new(&event, &named, expr.names_data()).unwrap();
    Some(evaluation.value(&expr).map(|value| shown(&value)))
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => format!("int {value}"),
        Value::UInt(value) => format!("uint {value}"),
        Value::Double(value) => format!("double {value}"),
        Value::Text(text) => format!("{:?}", text.as_str()),
        Value::Bytes(bytes) => format!("bytes {bytes:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let mut entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Timestamp(time) => format!("time {}", time.as_nanosecond()),
        Value::Duration(length) => format!("length {}", length.as_nanos()),
        // The crate gives a type out as its name.
        Value::Type(name) => format!("{name:?}"),
        Value::Optional(of) => format!("optional {}", of.is_some()),
    }
}

fn theirs(expression: &str, data: &str) -> Result<String, String> {
    let program: Program = ENVIRONMENT.compile(expression).map_err(|error| format!("{error:?}"))?;
    let mut context = Context::with_env(ENVIRONMENT.clone());
    for (name, value) in
        [("type", "call.completed"), ("id", "1"), ("subject", "c1"), ("source", "calls"), ("provider", "acme")]
    {
        context.add_variable_from_value(name, value.to_owned());
    }
    let time = ENVIRONMENT
        .compile("timestamp('2026-01-31T12:00:00Z')")
        .unwrap()
        .execute(&Context::with_env(ENVIRONMENT.clone()));
    context.add_variable_from_value("time", time.unwrap());
    context.add_variable_from_value("data", their_json(serde_json::from_str(data).unwrap()));
    program.execute(&context).map(|value| their_shown(&value)).map_err(|error| error.to_string())
}

fn their_json(json: serde_json::Value) -> Theirs {
    use serde_json::Value as Json;
    match json {
        Json::Null => Theirs::Null,
        Json::Bool(value) => Theirs::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Theirs::Int(int),
            (None, Some(uint)) => Theirs::UInt(uint),
            _ => Theirs::Float(number.as_f64().unwrap()),
        },
        Json::String(text) => Theirs::String(Arc::new(text)),
        Json::Array(items) => Theirs::List(Arc::new(items.into_iter().map(their_json).collect())),
        Json::Object(members) => {
            let map: std::collections::HashMap<cel::objects::Key, Theirs> = members
                .into_iter()
                .map(|(name, value)| (cel::objects::Key::String(Arc::new(name)), their_json(value)))
                .collect();
            Theirs::Map(cel::objects::Map { map: Arc::new(map) })
        }
    }
}

fn their_shown(value: &Theirs) -> String {
    match value {
        Theirs::Null => "null".to_owned(),
        Theirs::Bool(value) => value.to_string(),
        Theirs::Int(value) => format!("int {value}"),
        Theirs::UInt(value) => format!("uint {value}"),
        Theirs::Float(value) => format!("double {value}"),
        Theirs::String(text) => format!("{text:?}"),
        Theirs::Bytes(bytes) => format!("bytes {bytes:?}"),
        Theirs::List(items) => format!("[{}]", items.iter().map(their_shown).collect::<Vec<_>>().join(", ")),
        Theirs::Map(map) => {
            let key = |key: &cel::objects::Key| match key {
                cel::objects::Key::Int(value) => format!("int {value}"),
                cel::objects::Key::Uint(value) => format!("uint {value}"),
                cel::objects::Key::Bool(value) => value.to_string(),
                cel::objects::Key::String(text) => format!("{text:?}"),
            };
            let mut entries: Vec<_> =
                map.map.iter().map(|(name, value)| format!("{}: {}", key(name), their_shown(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Theirs::Timestamp(time) => {
            format!("time {}", i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos()))
        }
        Theirs::Duration(length) => {
            format!("length {}", i128::from(length.num_seconds()) * 1_000_000_000 + i128::from(length.subsec_nanos()))
        }
        // An optional, which the crate shows to nobody.
        other => format!("optional {}", format!("{other:?}").contains("value: Some")),
    }
}

/// Both answers. CEL leaves the order of a map's members open, and the crate takes another each time, which can also turn a
/// value into an error and back: one of its answers must be ours.
fn both(expression: &str, data: &str) -> Option<(Result<String, Failure>, Result<String, String>)> {
    let ours = ours(expression, data)?;
    let mut theirs = self::theirs(expression, data);
    for _ in 0..200 {
        if theirs.as_ref().ok() == ours.as_ref().ok() {
            break;
        }
        theirs = self::theirs(expression, data);
    }
    Some((ours, theirs))
}

/// Where the crate goes on and CEL knows no overload: it finds nothing in a number that stands in an optional, and adds the keys of a
/// map to a list. Anything may stand around it that hides the difference.
const BEYOND_CEL: [&str; 2] = [".?", " + "];

fn same(expression: &str, data: &str) {
    match both(expression, data) {
        None | Some((Err(_), Err(_))) => {}
        Some((Ok(ours), Ok(theirs))) => assert_eq!(ours, theirs, "{expression} over {data}"),
        Some((Err(Failure::Error), Ok(_))) if BEYOND_CEL.iter().any(|sign| expression.contains(sign)) => {}
        Some((ours, theirs)) => panic!("{expression} over {data}: {ours:?}, and the crate {theirs:?}"),
    }
}

#[test]
fn the_crate_leaves_cel_in_two_places() {
    for expression in ["data.?m.?a[1]", "data.l + data.m"] {
        let both = both(expression, DATA);
        assert!(matches!(both, Some((Err(Failure::Error), Ok(_)))), "{expression}: {both:?}");
    }
}

const DATA: &str = r#"{"n": 3, "f": 1.5, "neg": -7, "big": 18446744073709551615, "s": "héllo wörld", "e": "", "b": true, "z": null,
 "l": [1, 2, 3], "t": ["a", "bb", "a"], "m": {"a": 1, "b": {"c": "x"}}, "o": [{"k": "a", "v": 1}, {"k": "b", "v": 2}, {"w": 0}], "d": "2026-01-31T11:00:00Z", "0": "zero"}"#;

#[test]
fn known_expressions() {
    for expression in include_str!("same.txt").lines() {
        same(expression, DATA);
    }
}

/// Parts of expressions, put together at random.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "data.n",
        "data.f",
        "data.neg",
        "data.s",
        "data.e",
        "data.b",
        "data.z",
        "data.l",
        "data.t",
        "data.m",
        "data.o",
        "data.q",
        "data.m.a",
        "data.m.b.c",
        "data.l[0]",
        "data.o[1].k",
        "data.?q",
        "data.?m.?a",
        "type",
        "id",
        "time",
        "1",
        "2",
        "0",
        "-1",
        "1.5",
        "3u",
        "'a'",
        "'bb'",
        "''",
        "true",
        "false",
        "null",
        "[]",
        "[1, 2]",
        "['a', 'b']",
        "{'a': 1}",
        "has(data.m.a)",
        "has(data.q.a)",
        "has(data.m.q)",
        "timestamp('2026-01-31T11:00:00Z')",
        "duration('1h')",
        "x",
        "data.t[0]",
        "int",
        "b'a'",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        let binary =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||"]);
        let walk = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        let function = prop::sample::select(vec![
            "size",
            "int",
            "uint",
            "double",
            "string",
            "bytes",
            "bool",
            "type",
            "dyn",
            "timestamp",
            "duration",
        ]);
        let member = prop::sample::select(vec!["contains", "startsWith", "endsWith"]);
        prop_oneof![
            (pair.clone(), binary).prop_map(|((one, other), sign)| format!("({one} {sign} {other})")),
            (pair.clone(), walk).prop_map(|((one, other), walk)| format!("{one}.{walk}(x, {other})")),
            (inner.clone(), function).prop_map(|(one, function)| format!("{function}({one})")),
            (pair.clone(), member).prop_map(|((one, other), member)| format!("{one}.{member}({other})")),
            pair.clone().prop_map(|(one, other)| format!("{one}[{other}]")),
            pair.clone().prop_map(|(one, other)| format!("[{one}, {other}]")),
            pair.clone().prop_map(|(one, other)| format!("{{'a': {one}, 'b': {other}}}")),
            (inner.clone(), pair).prop_map(|(one, (two, three))| format!("({one} ? {two} : {three})")),
            inner.clone().prop_map(|one| format!("!{one}")),
            inner.clone().prop_map(|one| format!("(-{one})")),
            inner.clone().prop_map(|one| format!("{one}.a")),
            inner.clone().prop_map(|one| format!("{one}.?a.orValue(1)")),
            inner.prop_map(|one| format!("[{one}].exists(x, x == 'a')")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn generated_expressions(expression in expression()) {
        same(&expression, DATA);
    }
}
