//! What judging an event costs beside the `cel` crate over a JSON tree, both in turns in one run, and what the dearest
//! filters that are taken cost. Run with `cargo bench --bench filters`.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cel::objects::{Key, Map};
use cel::{Context, Env, Program, Value};
use hookgate::route::filter::{Data, Filter, Places, Variables};
use serde_json::Value as Json;

/// The longest that a filter which is taken may hold its thread, in milliseconds.
const TARGET: f64 = 10.0;
const ROUNDS: usize = 30;

/// The time of this thread on a core, in nanoseconds: waits for a core are no cost of a filter.
fn on_core() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// One round, in nanoseconds a turn. The cheapest of many counts: what others do to the machine makes rounds dearer,
/// never cheaper.
fn fastest(turns: u32, run: &mut dyn FnMut()) -> f64 {
    let (begun, core) = (Instant::now(), on_core());
    (0..turns).for_each(|_| run());
    let elapsed = begun.elapsed().as_secs_f64() * 1e9;
    core.and_then(|core| Some(on_core()? - core)).filter(|core| *core > 1e6).unwrap_or(elapsed) / f64::from(turns)
}

fn theirs(env: &Arc<Env>, program: &Program, data: &str) -> bool {
    let mut context = Context::with_env(env.clone());
    context.add_variable_from_value("type", "pull_request.opened".to_owned());
    context.add_variable_from_value("data", tree(serde_json::from_str(data).expect("JSON")));
    program.execute(&context) == Ok(Value::Bool(true))
}

fn tree(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().expect("a number")), Value::Int)
        }
        Json::String(text) => Value::String(Arc::new(text)),
        Json::Array(items) => Value::List(Arc::new(items.into_iter().map(tree).collect())),
        Json::Object(members) => {
            let map: HashMap<Key, Value> =
                members.into_iter().map(|(name, value)| (Key::String(Arc::new(name)), tree(value))).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

fn ours(filter: &Filter, places: &Places, data: &str) -> bool {
    let event = Variables { event_type: "pull_request.opened", ..Variables::new(Data::new(places, data.as_bytes())) };
    filter.holds(&event) == Ok(true)
}

/// A body as vendors send them, of about so many bytes.
fn body(bytes: usize) -> String {
    let commit = |n: usize| {
        format!(
            r#"{{"id":"{n:040x}","message":"Mend what was broken in part {n}","author":{{"name":"A. N. Other","email":"a{n}@example.com"}},"modified":["src/a{n}.rs","docs/b{n}.md"]}}"#
        )
    };
    let commits: Vec<String> = (0..bytes / 170).map(commit).collect();
    format!(
        r#"{{"action":"opened","commits":[{}],"pull_request":{{"draft":false,"labels":[{{"name":"bug"}},{{"name":"vip"}}]}},"sender":{{"login":"octo"}}}}"#,
        commits.join(",")
    )
}

fn main() {
    let env = Arc::new(Env::stdlib());
    println!("{:<62} {:>8} {:>10} {:>10} {:>7}", "filter", "body", "ours ns", "crate ns", "ratio");
    for source in [
        "type == 'pull_request.opened'",
        "data.action == 'opened' && !data.sender.login.endsWith('[bot]')",
        "data.pull_request.labels.exists(l, l.name == 'vip')",
        "data.commits.exists(c, c.modified.exists(m, m.startsWith('x')))",
        "data.pull_request.draft == false && type.matches('^pull_.*d$')",
    ] {
        let mut places = Places::default();
        let filter = Filter::compile(source, &mut places).expect("a filter");
        let program = env.compile(source).expect("a program");
        for size in [1 << 10, 16 << 10, 128 << 10] {
            let data = body(size);
            let turns = u32::try_from((1 << 20) / size).unwrap_or(1).clamp(4, 200);
            assert_eq!(ours(&filter, &places, &data), theirs(&env, &program, &data), "{source}");
            let (mut mine, mut other) = (f64::MAX, f64::MAX);
            for _ in 0..ROUNDS {
                mine = mine.min(fastest(turns, &mut || _ = black_box(ours(&filter, &places, black_box(&data)))));
                other = other.min(fastest(turns, &mut || _ = black_box(theirs(&env, &program, black_box(&data)))));
            }
            println!("{source:<62} {:>8} {mine:>10.0} {other:>10.0} {:>7.1}", data.len(), other / mine);
        }
    }
    println!("\n{:<62} {:>10} {:>9} {:>10}", "the dearest that are taken", "steps", "ms", "ns a step");
    let mut worst: f64 = 0.0;
    for (source, data) in dearest() {
        let mut places = Places::default();
        let filter = match Filter::compile(&source, &mut places) {
            Ok(filter) => filter,
            Err(error) => {
                println!("refused: {error:.200}");
                continue;
            }
        };
        let event = Variables::new(Data::new(&places, data.as_bytes()));
        let steps = filter.steps(&event);
        let judged = filter.holds(&event);
        let nanos = (0..10).map(|_| fastest(1, &mut || _ = black_box(filter.holds(&event)))).fold(f64::MAX, f64::min);
        worst = worst.max(nanos / 1e6);
        #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = nanos / steps as f64;
        println!("{source:<62.62} {steps:>10} {:>9.2} {each:>10.1} {judged:?}", nanos / 1e6);
    }
    println!("\nthe dearest takes {worst:.1} ms; the target is {TARGET} ms");
}

/// Filters near the budget, each with the body that is dearest for it.
fn dearest() -> Vec<(String, String)> {
    let join = |part: &str, count: usize, sign: &str| vec![part; count].join(sign);
    let long = "a".repeat((1 << 20) - 20);
    let text = format!(r#"{{"s":"{long}"}}"#);
    let numbers = format!(r#"{{"l":[{}]}}"#, join("1", 1000, ","));
    let objects = format!(r#"{{"o":[{}]}}"#, join(r#"{"a":"x","b":2,"c":[]}"#, 900, ","));
    let many = format!(r#"{{"l":[{}]}}"#, join("[1,2,3,4,5,6,7,8,9]", 990, ","));
    let keys: Vec<String> = (0..9900).map(|n| format!("\"{}{:05}\":1", "k".repeat(90), (n * 7919) % 9900)).collect();
    let keys = format!(r#"{{"m":{{{}}}}}"#, keys.join(","));
    let escaped = format!(r#"{{"s":"{}"}}"#, "\\ud800".repeat(174_000));
    let pairs = format!(r#"{{"s":"{}"}}"#, "zq".repeat((1 << 19) - 20));
    let runs = format!(r#"{{"s":"{}"}}"#, "zzzzzzzzzzzzzzzzzzzq".repeat(52_000));
    vec![
        (join("data.s.contains('zqzqzqzqzqzqzqzqzqzqzqzqzqzqzzq')", 6, " || "), pairs.clone()),
        (join("data.s.contains('zqzzqz')", 6, " || "), pairs.clone()),
        (join(&format!("data.s.contains('{}zz')", "zq".repeat(30)), 6, " || "), pairs),
        (join("data.s.contains('zzzzzzzzzzzzzzzzqzzzzzzzzz')", 6, " || "), runs.clone()),
        (join(&format!("data.s.contains('q{}')", "z".repeat(40)), 6, " || "), runs),
        (join("data.s.contains('aaaaaaaaaab')", 6, " || "), text.clone()),
        (join("data.s.contains('baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", 6, " || "), text.clone()),
        (join("data.s.matches('a*b')", 7, " || "), text.clone()),
        (join("data.s.matches('(a|b|c){60}z')", 7, " || "), text.clone()),
        (join("data.s == data.s + 'x'", 5, " || "), text.clone()),
        (join("size(data.s) == 1", 15, " || "), text),
        (
            join(
                "data.l.exists(x, x == 2 || x == 3 || x == 4 || x == 5 || x == 6 || x == 7 || x == 8 || x == 9)",
                24,
                " || ",
            ),
            numbers.clone(),
        ),
        (join("data.l.map(x, x + 1).filter(x, x > 5).size() == 1", 30, " || "), numbers.clone()),
        (join("data.l.exists(x, string(x) == 'a')", 5, " || "), numbers.clone()),
        (join("data.l.exists(x, string(double(x) / 3.0) == 'a')", 6, " || "), numbers.clone()),
        (join("data.l.exists(x, timestamp(x) == time)", 22, " || "), numbers),
        (join("data.o.exists(x, x.a == 'y' || x.b == 3 || has(x.d))", 38, " || "), objects.clone()),
        (join("data.o.exists(x, {'a': x.b}['a'] == 7)", 1, " || "), objects.clone()),
        (join("data.o.exists(x, [x.a, x.a, x.a].exists(y, y == 'b'))", 20, " || "), objects),
        (join("data.l.exists(x, x.exists(y, y == 70))", 9, " || "), many.clone()),
        (join("data.l == data.l.map(x, x)", 16, " && "), many),
        ("size(data.m) == 1".to_owned(), keys),
        ("size(data.s) == 1".to_owned(), escaped),
    ]
}
