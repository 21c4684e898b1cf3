use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn capture(pointers: &[&str], json: &str) -> Result<Vec<Option<String>>, JsonError> {
    let compiled = Pointers::compile(pointers).unwrap();
    let captured = compiled.capture(json.as_bytes())?;
    Ok((0..pointers.len()).map(|n| captured.get(n).map(|raw| raw.get().to_owned())).collect())
}

#[test]
fn every_place_is_found_as_sent() {
    let json = r#" {"a": {"b": [1.50, {"c~/": "\u0041"}]}, "d": 12345678901234567890123} "#;
    assert_eq!(
        capture(&["/a/b/0", "/a", "/a/b/1/c~0~1", "/d", "/x", "/d", "/a/b/7"], json).unwrap(),
        [
            Some("1.50".into()),
            Some(r#"{"b": [1.50, {"c~/": "\u0041"}]}"#.into()),
            Some(r#""\u0041""#.into()),
            Some("12345678901234567890123".into()),
            None,
            Some("12345678901234567890123".into()),
            None
        ]
    );
    assert_eq!(capture(&[""], " [1] ").unwrap(), [Some("[1]".into())]);
}

#[test]
fn a_scalar_where_a_pointer_leads_on_holds_nothing() {
    for scalar in ["1", "-1", "1.5", "\"x\"", "null", "true", "1e400", "-1E+999", r#""\ud83d""#] {
        assert_eq!(capture(&["/a/b", "/a"], &format!("{{\"a\":{scalar}}}")).unwrap(), [None, Some(scalar.into())]);
        assert_eq!(capture(&["/a/b"], &format!("{{\"a\":{scalar}}}")).unwrap(), [None]);
        assert_eq!(capture(&["/a/b"], &format!("{{\"a\" :\n {scalar} ,\"c\":1}}")).unwrap(), [None]);
        assert_eq!(capture(&["/0/b", "/1"], &format!("[{scalar},{scalar}]")).unwrap(), [None, Some(scalar.into())]);
        assert_eq!(capture(&["/b"], scalar).unwrap(), [None]);
    }
}

#[test]
fn a_doubled_name_that_is_read_is_refused_however_it_is_spelled() {
    for json in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"{"o":{},"a":{"b":1,"b":1}}"#] {
        assert!(matches!(capture(&["/a", "/a/b"], json), Err(JsonError::Duplicate(_))), "{json}");
    }
    let other = r#"{"a":1,"z":1,"z":2}"#;
    assert!(capture(&["/a"], other).is_ok());
    let compiled = Pointers::compile(["/a"]).unwrap();
    assert_eq!(compiled.capture_unique(other.as_bytes()).unwrap_err(), JsonError::Duplicate("z".into()));
    let not_read = r#"{"a":1,"o":{"z":1,"z":2}}"#;
    assert!(compiled.capture_unique(not_read.as_bytes()).is_ok());
}

#[test]
fn what_is_no_json_is_malformed() {
    for json in ["", "{", "{\"a\":1}}", "{\"a\":01}", "{'a':1}", "[1,]", "\"\u{1}\"", "{\"a\":1} x"] {
        assert_eq!(capture(&["/a"], json), Err(JsonError::Malformed), "{json}");
    }
    assert_eq!(Pointers::default().capture(b"{\"a\":\"\xff\"}").unwrap_err(), JsonError::Malformed);
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{{\"x\":{}{},\"a\":1}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(capture(&["/a"], &deep).unwrap(), [Some("1".into())]);
}

#[test]
fn names_beyond_sixty_four_are_read_and_refused_when_doubled() {
    let names: Vec<String> = (0..100).map(|n| format!("/k{n:03}")).collect();
    let compiled = Pointers::compile(&names).unwrap();
    let json: String = (0..100).map(|n| format!(",\"k{n:03}\":{n}")).collect();
    let whole = format!("{{{}}}", &json[1..]);
    assert_eq!(compiled.capture(whole.as_bytes()).unwrap().get(99).unwrap().get(), "99");
    let doubled = format!("{{{},\"k099\":1}}", &json[1..]);
    assert_eq!(compiled.capture(doubled.as_bytes()).unwrap_err(), JsonError::Duplicate("k099".into()));
}

#[test]
fn pointers_are_those_of_rfc_6901() {
    assert_eq!(parse_pointer("/a~1b/~0/").unwrap(), ["a/b", "~", ""]);
    for wrong in ["a", "/~", "/~2", "/a~"] {
        assert!(parse_pointer(wrong).is_err(), "{wrong}");
    }
    assert_eq!(join_pointer(["a/b", "~", ""]), "/a~1b/~0/");
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c\\\\\"é ]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c0-2/~\"]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn captured_is_what_a_tree_finds(
        document in documents(),
        paths in prop::collection::vec(prop::collection::vec("[a-c0-2/~\"]{1,2}", 0..4), 1..6),
        pretty in any::<bool>(),
    ) {
        let pointers: Vec<String> = paths.iter().map(|p| join_pointer(p.iter().map(String::as_str))).collect();
        let json = if pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() };
        let compiled = Pointers::compile(&pointers).unwrap();
        let captured = compiled.capture_unique(json.as_bytes()).unwrap();
        for (slot, pointer) in pointers.iter().enumerate() {
            let found = captured.get(slot).map(|raw| serde_json::from_str::<Value>(raw.get()).unwrap());
            prop_assert_eq!(found.as_ref(), document.pointer(pointer), "{}", pointer);
        }
    }

    #[test]
    fn no_input_panics(json in "[\\[\\]{}\",:\\\\a0-9eE.\\-tfn u]{0,40}") {
        let compiled = Pointers::compile(["/a", "/a/0", "/0", ""]).unwrap();
        let ours = compiled.capture(json.as_bytes());
        prop_assert_eq!(
            ours.is_ok() || matches!(ours, Err(JsonError::Duplicate(_))),
            serde_json::from_str::<IgnoredAny>(&json).is_ok()
        );
    }
}
