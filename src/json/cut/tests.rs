use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn cut(pointers: &[&str], json: &str) -> String {
    let cut = Cuts::compile(pointers).unwrap().apply(&Bytes::copy_from_slice(json.as_bytes())).unwrap();
    String::from_utf8(cut.to_vec()).unwrap()
}

#[test]
fn a_member_goes_with_its_comma_wherever_it_stands() {
    let secret: &[&str] = &["/secret"];
    for (json, rest) in [
        (r#"{"secret":1}"#, r#"{}"#),
        (r#"{ "secret" : "x" , "a" : 1.50 }"#, r#"{ "a" : 1.50 }"#),
        (r#"{"a":1, "secret":{"x":[1]} , "b":2}"#, r#"{"a":1 , "b":2}"#),
        (r#"{"a":1,"secret":1}"#, r#"{"a":1}"#),
        (r#"{"secret":1,"secret":2,"a":3,"secret":4,"\u0073ecret":5}"#, r#"{"a":3}"#),
        (r#"{"secret":1,"secret":2}"#, r#"{}"#),
    ] {
        assert_eq!(cut(secret, json), rest, "{json}");
    }
}

#[test]
fn members_inside_are_cut_and_the_rest_stays() {
    assert_eq!(
        cut(&["/a/b", "/l/1/t", "/l/0"], r#"{"a":{"b":1,"c":"\u0041"},"l":[{"t":1},{"t":2,"u":3}],"b":0}"#),
        r#"{"a":{"c":"\u0041"},"l":[{"u":3}],"b":0}"#
    );
    assert_eq!(cut(&["/a/b"], r#"{"a":{"b":1},"a":{"b":2}}"#), r#"{"a":{},"a":{}}"#);
}

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn every_item_and_every_level_loses_its_credentials() {
    for (paths, json, rest) in [
        (
            &["/l/*/key"][..],
            r#"{"l":[{"key":1},{"key":2,"a":3},{"o":{"key":4}}],"key":5}"#,
            r#"{"l":[{},{"a":3},{"o":{"key":4}}],"key":5}"#,
        ),
        (&["/*/key"], r#"{"a":{"key":1},"b":[{"key":2}],"key":3}"#, r#"{"a":{},"b":[{"key":2}],"key":3}"#),
        (
            &["/d/**/key"],
            r#"{"d":{"key":1,"x":[{"y":{"k\u0065y":{"key":2}}}]},"key":3}"#,
            r#"{"d":{"x":[{"y":{}}]},"key":3}"#,
        ),
        (
            &["/**/s3/secret"],
            r#"{"s3":{"secret":1,"secre":2},"a":[{"s3":{"secret":3}},{"s3":[{"secret":4}]}]}"#,
            r#"{"s3":{"secre":2},"a":[{"s3":{}},{"s3":[{"secret":4}]}]}"#,
        ),
        (
            &["/a/**/**/b/*/c"],
            r#"{"a":{"b":{"b":{"c":1}},"x":{"b":[{"c":2},3]}}}"#,
            r#"{"a":{"b":{"b":{}},"x":{"b":[{},3]}}}"#,
        ),
        (&["/**/a/b", "/**/b"], r#"[{"a":{"b":1},"b":[{"a":1}]},1e400,"\ud800"]"#, r#"[{"a":{}},1e400,"\ud800"]"#),
    ] {
        assert_eq!(cut(paths, json), rest, "{paths:?}");
    }
    for none in ["/a/*", "/**", "", "a", "/a/~2"] {
        assert!(Cuts::compile([none]).is_err(), "{none:?} names no member");
    }
    let nested = Bytes::from(format!(r#"{{"a":{}}}"#, deep(1000)));
    assert_eq!(Cuts::compile(["/b/**/key"]).unwrap().apply(&nested).unwrap(), nested, "no path leads into it");
    assert_eq!(Cuts::compile(["/a/**/key"]).unwrap().apply(&nested), Err(JsonError::Malformed));
}

#[test]
fn by_name_a_member_goes_wherever_it_stands() {
    let anywhere = |pointers: &[&str], json: &str| {
        let cut = Cuts::compile(pointers).unwrap().apply_anywhere(&Bytes::copy_from_slice(json.as_bytes()));
        cut.map(|rest| String::from_utf8(rest.to_vec()).unwrap())
    };
    let nested = r#"{"a":[{"l":[{"key":1,"b":1e400},{"\u006bey":"x"}]}],"key":2,"c":{"other":3,"key":{}}}"#;
    assert_eq!(anywhere(&["/o/key"], nested).unwrap(), r#"{"a":[{"l":[{"b":1e400},{}]}],"c":{"other":3}}"#);
    assert_eq!(anywhere(&["/key"], &deep(100)), Ok(deep(100)));
    assert_eq!(anywhere(&["/key"], &deep(100_000)), Err(JsonError::Malformed), "nobody can tell what stands there");
}

#[test]
fn nothing_to_cut_copies_nothing() {
    for json in [r#"{"a":{"secret":1}}"#, "[]", "1", "\"secret\"", " null "] {
        let bytes = Bytes::copy_from_slice(json.as_bytes());
        let same = Cuts::compile(["/secret"]).unwrap().apply(&bytes).unwrap();
        assert_eq!(same.as_ptr(), bytes.as_ptr());
    }
}

#[test]
fn what_is_no_json_is_malformed() {
    for json in ["{\"secret\":1", "{\"a\":1}{", "x", ""] {
        let cuts = Cuts::compile(["/secret"]).unwrap();
        assert_eq!(cuts.apply(&Bytes::copy_from_slice(json.as_bytes())), Err(JsonError::Malformed), "{json}");
    }
}

/// The oracle: the same pointers removed from a tree.
fn removed(mut value: Value, pointer: &[String]) -> Value {
    let Some((first, rest)) = pointer.split_first() else { return value };
    if first == "**" {
        value = removed(value, rest);
    }
    let inner: Vec<(String, &mut Value)> = match &mut value {
        Value::Object(map) if rest.is_empty() && first != "**" => {
            map.remove(first);
            Vec::new()
        }
        Value::Object(map) => map.iter_mut().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter_mut().map(|value| (String::new(), value)).collect(),
        _ => Vec::new(),
    };
    for (_, inner) in inner.into_iter().filter(|(name, _)| first.starts_with('*') || name == first) {
        *inner = removed(inner.take(), if first == "**" { pointer } else { rest });
    }
    value
}

fn objects() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<i32>().prop_map(Value::from), "[a-c\\\\\"é,{ ]{0,4}".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{1}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_rest_is_what_a_tree_keeps(
        document in objects(),
        paths in prop::collection::vec((prop::collection::vec("[a-c]|\\*|\\*\\*", 0..4), "[a-c]"), 1..4),
        pretty in any::<bool>(),
    ) {
        let paths: Vec<Vec<String>> = paths.into_iter().map(|(to, name)| [to, vec![name]].concat()).collect();
        let pointers: Vec<String> = paths.iter().map(|p| format!("/{}", p.join("/"))).collect();
        let json = if pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() };
        let cut = Cuts::compile(&pointers).unwrap().apply(&Bytes::from(json)).unwrap();
        let expected = paths.iter().fold(document, |value, path| removed(value, path));
        prop_assert_eq!(serde_json::from_slice::<Value>(&cut).unwrap(), expected);
    }
}
