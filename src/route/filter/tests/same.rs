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
    for expression in [
        "data.n + 1",
        "data.n / 2",
        "data.n % 2",
        "data.neg / 2",
        "data.neg % 4",
        "data.n / 0",
        "data.f / 0.0",
        "data.f + 1.0",
        "data.n + data.f",
        "data.s.size()",
        "size(data.l)",
        "size(data.m)",
        "data.s.contains('wör')",
        "data.s.startsWith(data.e)",
        "data.s.endsWith('ld')",
        "data.s.matches('h.llo')",
        "data.s.matches(r'^\\w+ \\w+$')",
        "data.s.matches(r'\\bwörld\\b')",
        "matches(data.s, 'x')",
        "data.l[0]",
        "data.l[3]",
        "data.l[-1]",
        "data.l[1u]",
        "data.l[data.n - 1]",
        "data.m['a']",
        "data.m.b.c",
        "data.m['q']",
        "data['0']",
        "data.l['0']",
        "data.m[0]",
        "data[0]",
        "has(data.m.a)",
        "has(data.m.q)",
        "has(data.q.a)",
        "has(data.n.a)",
        "has(data.l.a)",
        "has(data.z.a)",
        "data.z == null",
        "data.q == null",
        "data.?m.?b.?c",
        "data.?q.?b",
        "data.?n.?b",
        "data.?n.b",
        "data.?m.q",
        "data.?m.b.c",
        "data.m.?q.orValue(3)",
        "data.?m[?'a'].orValue(2)",
        "data.q.?a",
        "data[?'m'].b",
        "data.l[?7].hasValue()",
        "data.l[?0]",
        "optional.of(data.n).value()",
        "optional.none().hasValue()",
        "optional.ofNonZeroValue(data.e).hasValue()",
        "optional.ofNonZeroValue(data.z).hasValue()",
        "data.?q.or(data.?n).value()",
        "data.?q.value()",
        "data.?m.optMap(x, x.a + 1).orValue(0)",
        "data.?m.optFlatMap(x, x.?q).hasValue()",
        "data.t.exists(x, x == 'bb')",
        "data.t.all(x, x.size() < 3)",
        "data.t.exists_one(x, x == 'bb')",
        "data.t.exists_one(x, x == 'a')",
        "data.l.map(x, x * 2)",
        "data.l.filter(x, x > 1)",
        "data.l.map(x, x > 1, x + 10)",
        "data.o.exists(x, x.v == 2)",
        "data.o.all(x, x.v > 0)",
        "data.o.exists(x, x.w == 0)",
        "data.o.all(x, x.v == 1)",
        "data.o.map(x, x.v)",
        "data.o.filter(x, has(x.v)).map(x, x.v)",
        "data.o.exists_one(x, x.k == 'a')",
        "data.o.filter(x, x.k == 'a').size()",
        "data.m.exists(k, k == 'a')",
        "data.m.all(k, k.size() == 1)",
        "data.n.exists(x, x == 1)",
        "data.s.all(x, true)",
        "data.l.exists(x, x)",
        "data.l.all(x, 'a')",
        "1 in data.l",
        "'a' in data.m",
        "'q' in data.m",
        "'a' in data.t",
        "1.0 in data.l",
        "1 in data.s",
        "data.n in data.m",
        "data.l in data.m",
        "data.z in data.m",
        "data.b in data.m",
        "1 in {1u: 'a'}",
        "{1: 'a'}[1.0]",
        "{1: 'a'}[1u]",
        "{'a': 1, 'a': 2}['a']",
        "{1.5: 1}",
        "{data.n: 'x'}",
        "[1, 2] == data.l",
        "[1, 2, 3] == data.l",
        "[1.0, 2.0, 3.0] == data.l",
        "{'a': 1, 'b': {'c': 'x'}} == data.m",
        "data.n == 3.0",
        "data.n == data.f",
        "data.big > data.n",
        "data.neg < data.big",
        "data.big == 18446744073709551615u",
        "data.n == 'a'",
        "data.n < data.s",
        "data.b < true",
        "data.z < data.z",
        "data.l < data.l",
        "data.s < 'i'",
        "b'a' < b'b'",
        "b'a' + b'b'",
        "data.l + data.t",
        "data.s + data.e",
        "data.s + data.n",
        "-data.n",
        "-data.s",
        "-data.f",
        "!data.b",
        "!data.n",
        "data.q || data.b",
        "data.b || data.q",
        "data.q && false",
        "data.q && data.b",
        "data.n && data.b",
        "data.n || data.b",
        "false || data.n",
        "data.b ? 1 : 2",
        "data.n ? 1 : 2",
        "data.q ? 1 : 2",
        "true && data.q.x == 1 && false",
        "int(data.f)",
        "int('12')",
        "int('x')",
        "int(data.big)",
        "uint(data.n)",
        "uint(data.neg)",
        "double(data.n)",
        "double('1e3')",
        "double('x')",
        "string(data.n)",
        "string(data.f)",
        "string(1e300)",
        "string(1.0)",
        "string(data.b)",
        "string(data.z)",
        "string(b'abc')",
        "string(b'\\xff')",
        "bytes('abc')",
        "bool('true')",
        "bool('x')",
        "dyn(data.n)",
        "type(data.n)",
        "type(data.f)",
        "type(data.l)",
        "type(data.m)",
        "type(data.z)",
        "type(data.b)",
        "type(data.s)",
        "type(type(data.n))",
        "type(time)",
        "type(duration('1s'))",
        "type(b'')",
        "type(data.n) == int",
        "type(data.s) == string",
        "type(data.l) == list",
        "type(data.?n)",
        "timestamp(data.d)",
        "timestamp(data.s)",
        "timestamp(0)",
        "int(timestamp(data.d))",
        "string(timestamp('2026-01-31T11:00:00.120Z'))",
        "time - timestamp(data.d)",
        "timestamp(data.d) + duration('1h')",
        "duration('1h') + duration('30m')",
        "time > timestamp(data.d)",
        "time - duration('1.5s')",
        "duration('90m').getHours()",
        "duration('90m').getMinutes()",
        "duration('90m').getSeconds()",
        "duration('1500ms').getMilliseconds()",
        "string(duration('1h30m'))",
        "string(duration('-1.5s'))",
        "duration(data.s)",
        "duration('0')",
        "duration(string(data.n) + 's')",
        "time.getFullYear()",
        "time.getMonth()",
        "time.getDate()",
        "time.getDayOfMonth()",
        "time.getDayOfWeek()",
        "time.getDayOfYear()",
        "time.getHours()",
        "time.getMinutes()",
        "time.getSeconds()",
        "time.getMilliseconds()",
        "time.getHours('+02:00')",
        "time.getHours('-03:30')",
        "time.getMinutes('-03:30')",
        "time.getHours('02:00')",
        "time.getDate('+12:00')",
        "9223372036854775807 + data.n",
        "data.n * 9223372036854775807",
        "-9223372036854775808 - data.n",
        "5u - 6u",
        "1u + 1u",
        "7 % -2",
        "-7 % 2",
        "0x1F",
        "0xFFu",
        "1e3",
        ".5",
        "1.5e-2",
        "'a\\u00e9\\U0001f600\\x41\\101\\n'",
        "r'a\\n'",
        "b'\\xff\\101\\u0041'",
        "'''a'b'''",
        "\"a'b\"",
        "b\"\\377\"",
        "R'\\d'",
        "'a' // comment",
        "data . n",
        "data.l.map(data, data + 1)",
        "[[1, 2], [3]].map(x, x.map(y, y + 1))",
        "type",
        "id + subject",
        "data.m == data.m",
        "data.o == data.o",
        "[1, 'a', null, true, 1.5, b'x']",
        "{'a': [1, {'b': 2}]}",
        "[data.q]",
        "{'a': data.q}",
        "1 < 2 == true",
        "1 + 2 * 3 - 4 / 2",
        "2 - 1 - 1",
        "!true || true",
        "-1 + 2",
        "1 - -1",
        "true ? false ? 1 : 2 : 3",
        "data.b == true",
        "data.t == ['a', 'bb', 'a']",
        "data.f > 1",
        "data.f >= data.n",
        "data.n <= 3",
        "data.n != 3",
    ] {
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
