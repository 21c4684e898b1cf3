//! A search for the worst: filters that `check` takes, over bodies made to hurt. No budget is ever spent, and none costs
//! more than was foreseen.

use proptest::prelude::*;

use super::super::budget::{Failure, MAX_BYTES, MAX_STEPS};
use super::super::eval::Evaluation;
use super::super::{Filter, Places};
use super::{event, refused};

/// Steps and bytes that judging took.
fn spent(filter: &Filter, places: &Places, body: &str) -> Option<(u64, u64)> {
    let event = event(places, body);
    let mut evaluation = match Evaluation::new(&event, &filter.named, filter.reads) {
        Ok(evaluation) => evaluation,
        Err(failure) => {
            assert_eq!(failure, Failure::TooLarge);
            return None;
        }
    };
    let judged = evaluation.value(&filter.expr);
    assert_ne!(judged.err(), Some(Failure::Exhausted), "the budget was spent");
    Some(evaluation.budget.spent())
}

/// Bodies at the edges of what filters may read.
fn bodies() -> Vec<String> {
    let numbers = |count: usize| vec!["1"; count].join(",");
    let same = "x".repeat(999);
    let texts = |count: usize| vec![format!("\"{same}\""); count].join(",");
    let objects = |count: usize| vec![r#"{"a": "aa", "l": [1, "b"], "s": "aaaaaaaa"}"#; count].join(",");
    let nested: Vec<String> = (0..90).map(|_| format!("[{}]", numbers(100))).collect();
    let long = "a".repeat((1 << 20) - 2);
    let escaped = "\\ud800".repeat(170_000);
    let keys: Vec<String> = (0..4900).map(|n| format!("\"{}{n:05}\": {n}", "k".repeat(180))).collect();
    vec![
        format!(r#"{{"l": [{}], "t": [{}], "s": "a", "o": []}}"#, numbers(1000), numbers(1000)),
        format!(r#"{{"l": [{}], "t": [{}], "s": "{same}", "o": [{}]}}"#, texts(500), texts(500), objects(10)),
        format!(r#"{{"l": [{}], "t": [{same:?}], "s": "{same}", "o": [{}]}}"#, texts(1000), objects(1)),
        format!(r#"{{"l": [], "t": [], "s": "{long}", "o": []}}"#),
        format!(r#"{{"l": ["{long}"], "t": ["a"], "s": "a", "o": []}}"#),
        format!(r#"{{"l": ["a"], "t": ["a"], "s": "{escaped}", "o": []}}"#),
        format!(r#"{{"l": [{}], "t": [1], "s": "ab", "o": [{}]}}"#, nested.join(","), objects(100)),
        format!(r#"{{"l": [1], "t": [1], "s": "ab", "o": [{}]}}"#, objects(1000)),
        format!(r#"{{"l": {{{}}}, "t": ["a"], "s": "k", "o": [1]}}"#, keys.join(",")),
        format!(
            r#"{{"l": [{}], "t": [{}], "s": "a", "o": [{}]}}"#,
            numbers(900),
            vec!["[]"; 1000].join(","),
            objects(900)
        ),
    ]
}

/// Filters that would hurt if they could.
fn expression() -> impl Strategy<Value = String> {
    let list = prop::sample::select(vec![
        "data.l",
        "data.t",
        "data.o",
        "['a', 'aa', 'b']",
        "[data.s]",
        "[data.s, data.s, data.s]",
        "data.l.map(x, x)",
        "data.l + data.t",
        "data",
    ]);
    let text = prop::sample::select(vec![
        "data.s",
        "x",
        "y",
        "x.a",
        "x.s",
        "x.l",
        "y.a",
        "type",
        "'a'",
        "string(x)",
        "(data.s + data.s)",
        "(x + x)",
        "(x + data.s)",
        "data.l",
        "data.t",
        "[x, x]",
        "{'a': x}",
        "{x: data.s}",
        "string(1.5)",
    ]);
    let condition = (
        text.clone(),
        text,
        prop::sample::select(vec![
            "{} == {}",
            "{} != {}",
            "{} < {}",
            "{}.contains({})",
            "{}.startsWith({})",
            "{} in {}",
            "size({}) > size({})",
            "{}.matches('(a|b|x)*c') || {} == 1",
            "{}.matches(r'(?i)\\w+\\s') || {} == 1",
            "{}.matches('(a{1,20}b){1,20}') || {} == 1",
            "string(timestamp({})) == {}",
            "int({}) == {}",
            "bytes({}) == {}",
            "type({}) == type({})",
            "has({}.a) || {} == 2",
        ]),
    )
        .prop_map(|(one, other, shape)| shape.replacen("{}", one, 1).replacen("{}", other, 1));
    let conditions = prop::collection::vec(condition, 1..6).prop_map(|parts| parts.join(" || "));
    let walk = prop::sample::select(vec!["all", "exists", "exists_one"]);
    let inner = (
        prop_oneof![
            list.clone().prop_map(str::to_owned),
            Just("x".to_owned()),
            Just("x.l".to_owned()),
            Just("[x, x]".to_owned())
        ],
        walk.clone(),
        conditions.clone(),
    )
        .prop_map(|(list, walk, body)| format!("{list}.{walk}(y, {body})"));
    let outer = (list.clone(), walk.clone(), prop_oneof![conditions.clone(), inner])
        .prop_map(|(list, walk, body)| format!("{list}.{walk}(x, {body})"));
    let chained = (list, walk, conditions.clone())
        .prop_map(|(list, walk, body)| format!("{list}.map(x, [x, x + x]).filter(x, {body}).{walk}(x, {body})"));
    let plain = conditions.prop_map(|body| {
        body.replace("x.", "data.o[0].")
            .replace("y.", "data.")
            .replace('x', "data.s")
            .replace("edata.sists", "exists")
            .replace('y', "data.s")
    });
    let one = prop_oneof![3 => outer, 2 => chained, 1 => plain];
    prop::collection::vec(one, 1..5).prop_map(|parts| parts.join(" || "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_costs_more_than_was_foreseen(expression in expression()) {
        thread_local!(static BODIES: Vec<String> = bodies());
        let mut places = Places::default();
        let Ok(filter) = Filter::compile(&expression, &mut places) else { return Ok(()) };
        BODIES.with(|bodies| {
            for body in bodies {
                let Some((steps, bytes)) = spent(&filter, &places, body) else { continue };
                let foreseen = filter.steps(&event(&places, body));
                assert!(steps <= foreseen, "{expression}: {steps} steps, {foreseen} foreseen");
                assert!(steps <= MAX_STEPS && bytes <= MAX_BYTES, "{expression}: {steps} steps, {bytes} bytes");
            }
        });
    }
}

/// Steps and bytes at the edges, for the attacks that were found by hand.
#[test]
fn what_an_attacker_tried_is_refused_or_bounded() {
    let clauses = vec!["x != y"; 200].join(" && ");
    assert!(refused(&format!("data.l.all(x, data.t.all(y, {clauses}))")).contains("may take"));
    let maps = format!("[data.s]{}.exists(x, x == '')", ".map(x, x + x + x + x + x + x + x + x + x + x + x)".repeat(5));
    assert!(refused(&maps).starts_with("costs too much: x + x"));
    assert!(
        refused(&format!("{} == ''", vec!["data.s"; 95].join(" + "))).starts_with("costs too much: data.s + data.s")
    );
    let mut places = Places::default();
    let regex = Filter::compile("data.l.exists(x, x.matches('(a|b|c){200}z'))", &mut places).unwrap();
    let keys: Vec<String> = (0..500_000).map(|n| format!("\"k{n}\":1")).collect();
    let keys = format!(r#"{{"l": ["a"], "x": {{{}}}}}"#, keys.join(","));
    for body in bodies().iter().chain([&keys]) {
        let Some((steps, bytes)) = spent(&regex, &places, body) else { continue };
        assert!(steps <= MAX_STEPS && bytes <= MAX_BYTES, "{steps} steps, {bytes} bytes");
    }
    assert!(spent(&regex, &places, &keys).unwrap().0 < 1000, "keys that no filter names cost it nothing");
}
