mod same;
mod worst;

use super::*;

fn judge(expression: &str, data: &str) -> Result<bool, FilterError> {
    let mut places = Places::default();
    let filter = Filter::compile(expression, &mut places).unwrap_or_else(|error| panic!("{expression}: {error}"));
    filter.holds(&event(&places, data))
}

fn event<'a>(places: &'a Places, data: &'a str) -> Variables<'a> {
    Variables {
        event_type: "call.completed",
        id: "1",
        subject: "c1",
        time: "2026-01-31T12:00:00Z".parse().unwrap(),
        source: "calls",
        namespace: "sales",
        provider: "acme",
        ..Variables::new(Data::new(places, data.as_bytes()))
    }
}

fn refused(expression: &str) -> String {
    match Filter::compile(expression, &mut Places::default()) {
        Err(sentence) => sentence,
        Ok(_) => panic!("{expression} is taken"),
    }
}

#[test]
fn an_expression_sees_the_event() {
    assert_eq!(judge("data.score > 80 && type == 'call.completed'", r#"{"score": 85}"#), Ok(true));
    assert_eq!(judge("data.score == 85", r#"{"score": 85}"#), Ok(true));
    assert_eq!(judge("data.tags.exists(t, t == 'vip')", r#"{"tags": ["a", "vip"]}"#), Ok(true));
    assert_eq!(judge("time < timestamp('2027-01-01T00:00:00Z')", "{}"), Ok(true));
    assert_eq!(judge("has(data.metadata) && data.metadata.agent != 'test'", "{}"), Ok(false));
    assert_eq!(
        judge("source + '/' + namespace + '/' + provider + '/' + id + '/' + subject == 'calls/sales/acme/1/c1'", ""),
        Ok(true)
    );
}

#[test]
fn a_failure_or_another_type_is_an_error() {
    assert_eq!(judge("data.missing == 1", "{}"), Err(FilterError::Failed));
    assert_eq!(judge("data.score", r#"{"score": 85}"#), Err(FilterError::Failed));
    assert_eq!(judge("has(data.a.b)", "{}"), Err(FilterError::Failed));
    assert_eq!(judge("has(data.a.b)", r#"{"a": 1}"#), Err(FilterError::Failed));
    assert_eq!(judge("has(data.a.b)", r#"{"a": {}}"#), Ok(false));
    assert_eq!(judge("data.a == 1", "<xml/>"), Err(FilterError::Failed));
    assert_eq!(judge("data == null", "<xml/>"), Ok(true));
}

#[test]
fn what_may_be_absent_is_asked_for() {
    for (present, expected) in
        [("{}", true), (r#"{"metadata": {}}"#, true), (r#"{"metadata": {"agent": "test"}}"#, false)]
    {
        assert_eq!(judge("data.?metadata.?agent.orValue('') != 'test'", present), Ok(expected), "{present}");
        assert_eq!(
            judge("!(has(data.metadata) && has(data.metadata.agent) && data.metadata.agent == 'test')", present),
            Ok(expected),
            "{present}"
        );
    }
    assert_eq!(judge("data.metadata.agent != 'test'", "{}"), Err(FilterError::Failed));
}

#[test]
fn half_a_pair_and_huge_numbers_read() {
    let data = r#"{"ref": "refs/heads/main", "commits": [{"message": "cut \ud83d"}], "n": 1e400, "u": 18446744073709551615, "m": 123456789012345678901234567890}"#;
    assert_eq!(judge("data.ref == 'refs/heads/main'", data), Ok(true));
    assert_eq!(judge(r"data.commits[0].message == 'cut \ufffd'", data), Ok(true));
    assert_eq!(judge("data.n > 1.0 && data.u == 18446744073709551615u && data.m > 1e29", data), Ok(true));
}

#[test]
fn only_the_list_that_is_walked_is_bounded() {
    let long = format!(r#"{{"a": [{}1], "b": [1]}}"#, "1,".repeat(1000));
    assert_eq!(judge("data.b.all(x, x == 1)", &long), Ok(true));
    assert_eq!(judge("data.a.all(x, x == 1)", &long), Err(FilterError::TooLarge));
    assert_eq!(judge("data.a.size() == 1001 && 1 in data.a", &long), Ok(true));
}

#[test]
fn what_is_named_is_bounded_and_nothing_else_is_looked_at() {
    let values = format!(r#"{{"few": 1, "many": [{}1], "text": "{}"}}"#, "1,".repeat(10_000), "x".repeat(1 << 20));
    assert_eq!(judge("data.few == 1", &values), Ok(true));
    assert_eq!(judge("data.many.size() > 1", &values), Err(FilterError::TooLarge));
    assert_eq!(judge("data.text.size() > 1", &values), Err(FilterError::TooLarge));
    assert_eq!(judge("has(data.text) && has(data.many)", &values), Ok(true));
    assert_eq!(judge("data.?few.orValue(0) == 1", &values), Ok(true));
    let deep = format!(r#"{{"a": {}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert_eq!(judge("data.a == []", &deep), Err(FilterError::TooLarge));
    assert_eq!(judge("!has(data.b)", &deep), Ok(true));
}

#[test]
fn no_bound_is_absorbed() {
    let long = format!(r#"{{"a": [{}1], "b": true}}"#, "1,".repeat(1000));
    assert_eq!(judge("data.missing || data.b", &long), Ok(true), "an error of CEL is");
    assert_eq!(judge("data.a.all(x, x == 1) || data.b", &long), Err(FilterError::TooLarge));
    assert_eq!(judge("!(data.a.all(x, x == 1) && !data.b)", &long), Err(FilterError::TooLarge));
}

#[test]
fn time_that_is_over_ends_it() {
    let mut places = Places::default();
    let filter = Filter::compile("data.a.exists(x, x == 2)", &mut places).unwrap();
    let mut event = event(&places, r#"{"a": [1, 2]}"#);
    event.deadline = Some(Instant::now());
    assert_eq!(filter.holds(&event), Err(FilterError::Late));
}

#[test]
fn what_cannot_be_right_is_refused_with_what_to_write() {
    for (expression, sentence) in [
        ("type.startWith('x')", "did you mean startsWith?"),
        ("foo(data)", "foo is no function"),
        ("headers['x'] == 'a'", "\"headers\" is no variable: they are type, id"),
        ("datta.x == 1", "did you mean data?"),
        ("'abc'", "'abc' is a string, neither true nor false"),
        ("data.n + 1", "data.n + 1 is an int, neither true nor false"),
        ("data.a + data.b", "neither true nor false"),
        ("type + 1 == 'a'", "in type + 1: + takes no string with an int"),
        ("size(3) == 1", "size takes a string or bytes or a list or a map, not an int"),
        ("type == 1", "a string never equals an int"),
        ("time > '2026-01-01T00:00:00Z'", "> takes no timestamp with a string"),
        ("true", "is true for every event"),
        ("1 == 1", "is the same for every event"),
        ("type == 'a' || true", "is true for every event"),
        ("type.matches('(')", "the regex is wrong: unclosed group"),
        ("type.matches(data.x)", "takes its regex as a text"),
        ("data.x.matches('(a{1000}){1000}')", "the regex is too large"),
        ("data.a.all(x, data.b.all(y, data.c.all(z, x == z)))", "nest at most once"),
        ("data.a.exists(x)", "write list.exists(x, …)"),
        ("has(data)", "write has(data.name)"),
        ("type.size", "a string has no members"),
        ("timestamp('yesterday') < time", "no time: write such as timestamp('2026-01-31T12:00:00Z')"),
        ("data.x = 1", "write \"==\""),
        ("data.x & data.y", "write \"&&\""),
        ("data.x ==", "the expression ends where a value is missing"),
        ("type && data.x", "&& takes a condition, not a string"),
        ("startsWith(type, 'x')", "write x.startsWith(…)"),
        ("type in 'abc'", "in looks into a list or a map"),
        ("time.getHours('Mars/Olympus') == 1", "no time zone"),
    ] {
        let said = refused(expression);
        assert!(said.contains(sentence) && !said.contains('\n') && said.len() < 400, "{expression}: {said}");
    }
}

#[test]
fn what_could_cost_too_much_is_refused_with_the_part() {
    let clauses = vec!["x != y"; 200].join(" && ");
    let doubled = "x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x";
    let maps = format!("[data.s]{}.exists(x, x == '')", format!(".map(x, {doubled})").repeat(5));
    let sums = format!("{} == ''", vec!["data.s"; 96].join(" + "));
    for (expression, part) in [
        (format!("data.a.all(x, data.b.all(y, {clauses}))"), "x != y && x != y"),
        ("data.a.all(x, data.b.exists(y, x == y))".to_owned(), "data.a.all(x, data.b.exists(y, x == y)) may take"),
        (maps, "x + x + x"),
        (sums, "data.s + data.s"),
        ("data.a.exists(x, x.matches(r'\\bfoo\\b'))".to_owned(), "matches("),
        ("data.a.exists(x, data.text.contains(x))".to_owned(), "data.a.exists(x, data.text.contains(x))"),
    ] {
        let said = refused(&expression);
        assert!(
            said.starts_with("costs too much: ") && said.contains(part) && said.len() < 600,
            "{expression}: {said}"
        );
    }
}

#[test]
fn what_people_write_is_taken() {
    for expression in [
        "data.commits.exists(c, c.modified.exists(f, f.startsWith('docs/') || f.endsWith('.md')))",
        "data.issue.labels.exists(l, l.name in ['bug', 'incident', 'security'])",
        "['a', 'b', 'c'].exists(k, data.labels.exists(l, l.name == k))",
        "data.pull_request.title.matches('(?i)^(feat|fix)(\\\\(.+\\\\))?: .*')",
        "type.matches(r'^[\\w.]+\\.(created|updated)$')",
        "!data.sender.login.endsWith('[bot]')",
        "data.amount > 100 && data.currency == 'usd' || has(data.metadata.vip)",
        "data.text.contains('refund') || data.text.contains('cancel') || data.text.contains('angry')",
        "data.items.filter(i, i.price > 10).size() > 3 && data.items.map(i, i.sku).exists(s, s == 'a')",
        "data == null || data.x.y[0].z['w'] != null",
        "time.getHours('+02:00') >= 8 && time - timestamp(data.created) < duration('1h')",
        "string(data.id) == subject",
    ] {
        Filter::compile(expression, &mut Places::default()).unwrap_or_else(|error| panic!("{expression}: {error}"));
    }
}

#[test]
fn no_expression_ends_the_stack() {
    for deep in [
        format!("data{} == 1", "[0]".repeat(1300)),
        format!("data{} == 1", ".a".repeat(2000)),
        format!("{}1 == 1", "1 + ".repeat(1000)),
        format!("{}true{}", "(".repeat(500), ")".repeat(500)),
        format!("{}data", "!(".repeat(1000)),
        format!("{}data", "-(".repeat(1000)),
        format!("{}data", "[".repeat(4000)),
        format!("{}data", "{1:".repeat(1300)),
        format!("{}data", "data.f(".repeat(500)),
        format!("{}data", "data ? data : ".repeat(290)),
        format!("data{} == 1", ".a".repeat(99)),
    ] {
        let error = refused(&deep);
        assert!(error.starts_with("is nested too deeply") && error.len() < 200, "{error}");
    }
    let at_most = format!("data{} == 1", ".a".repeat(97));
    let judged = std::thread::Builder::new().stack_size(1 << 20).spawn(move || judge(&at_most, "{}"));
    assert_eq!(judged.unwrap().join().unwrap(), Err(FilterError::Failed));
    let alternatives = vec!["type == 'call.completed'"; 100].join(" || ");
    assert_eq!(judge(&alternatives, "{}"), Ok(true), "chains of && and || are flat");
    assert!(refused(&"x".repeat(4097)).starts_with("has 4097 bytes"));
}
