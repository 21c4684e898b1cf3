//! What makes two deliveries one event, and items of one delivery two.

use super::*;
use crate::api::source::Deduplicate;

fn id(request: &Request, definition: &Extraction, deduplicate: Option<Deduplicate>) -> String {
    let batch = request.read_as(definition, deduplicate).unwrap();
    ids(&batch)[0].as_ref().unwrap().to_string()
}

#[test]
fn ids_join_their_parts_and_need_all_of_them() {
    let fields = "extract: {id: [{header: X-Id, else: {pointer: /id}}, {pointer: /n}], withoutId: Content}";
    let definition = definition(fields).unwrap();
    let id = |request: Request| request.event(&definition).id;
    assert_eq!(id(request(r#"{"n":90071992547409931}"#).header("x-id", "a")), "a:90071992547409931");
    assert_eq!(id(request(r#"{"id":"b","n":"1"}"#)), "b:1");
    let hash = id(request(r#"{ "id" : "b" }"#));
    assert!(hash.starts_with("sha256-"), "{hash}");
    assert_eq!(hash, id(request(r#"{"id":"b"}"#)));
    for none in ["1.5", "1e3", "true", "null", r#""""#, "[1]"] {
        let hash = id(request(format!(r#"{{"id":"b","n":{none}}}"#)));
        assert!(hash.starts_with("sha256-"), "{none}: {hash}");
    }
    assert_eq!(id(request(r#"{"n":1}"#).header("x-id", &"x".repeat(600))).len(), "sha256-".len() + 64);
}

#[test]
fn the_first_rule_that_holds_replaces_the_id() {
    let fields = "extract: {id: [{pointer: /doc}], withoutId: Reject, idRules: [{when: [{pointer: /type, equals: gone}], id: [{pointer: /none}]}, {when: [{pointer: /type}], id: [{pointer: /doc}, {pointer: /type}]}]}";
    let definition = definition(fields).unwrap();
    assert!(definition.has_id());
    let id = |body: &str| ids(&request(body).read(&definition).unwrap())[0].map(str::to_owned);
    assert_eq!(id(r#"{"doc":"d"}"#), Ok("d".to_owned()));
    assert_eq!(id(r#"{"doc":"d","type":"a"}"#), Ok("d:a".to_owned()));
    assert_eq!(id(r#"{"doc":"d","type":"gone"}"#), Err(BadItemReason::NoId));
    // A rule that looks at what is not proven makes the id unproven.
    let doc = || Coverage { pointers: ["/doc".to_owned()].into(), ..Coverage::default() };
    assert!(request(r#"{"doc":"d"}"#).covered(doc()).event(&definition).unsigned.id);
}

#[test]
fn without_an_id_each_request_is_an_event_of_its_own() {
    let definition = definition("extract: {}").unwrap();
    assert!(!definition.has_id());
    let new = |request: &Request| id(request, &definition, None);
    let same = request("{}");
    assert_ne!(new(&same), new(&same), "the clock stands still, and they are two");
    assert!(new(&same).len() > 32, "nobody guesses it");
    let list = self::definition("split: [{pointer: ''}]").unwrap();
    let batch = request("[{},{},{}]").read(&list).unwrap();
    let (first, numbered) = (ids(&batch)[0].unwrap(), ids(&batch));
    let stem = first.strip_suffix("#0").unwrap();
    assert_eq!(numbered, [Ok(first), Ok(&*format!("{stem}#1")), Ok(&*format!("{stem}#2"))]);
}

#[test]
fn content_is_one_event_however_often_it_comes() {
    let content = definition("extract: {withoutId: Content}").unwrap();
    let id = |body: &str| id(&request(body), &content, None);
    assert_eq!(id(r#"{"a": 1}"#), id(r#"{ "a":1 }"#));
    assert_ne!(id(r#"{"a": 1}"#), id(r#"{"a": 2}"#));
}

#[test]
fn a_source_decides_otherwise_but_lets_a_promised_id_be_missed() {
    let vendor = definition("extract: {id: [{pointer: /id}]}").unwrap();
    let sent = request(r#"{"id":"v"}"#);
    let (content, none) = (Some(Deduplicate::Content), Some(Deduplicate::None));
    assert_eq!(id(&sent, &vendor, Some(Deduplicate::Id)), "v");
    assert_eq!(id(&sent, &vendor, content), id(&sent, &vendor, content));
    assert!(id(&sent, &vendor, content).starts_with("sha256-"));
    assert_ne!(id(&sent, &vendor, none), id(&sent, &vendor, none));
    for written in ["None", "Content"] {
        let definition = definition(&format!("extract: {{withoutId: {written}}}")).unwrap();
        assert_eq!(id(&sent, &definition, content), id(&sent, &definition, content), "{written}");
        assert_ne!(id(&sent, &definition, none), id(&sent, &definition, none), "{written}");
    }
    let promised = definition("extract: {id: [{pointer: /id}], withoutId: Reject}").unwrap();
    for deduplicate in [None, Some(Deduplicate::Id), content, none] {
        let batch = request("{}").read_as(&promised, deduplicate).unwrap();
        assert_eq!(ids(&batch), [Err(BadItemReason::NoId)], "{deduplicate:?}");
    }
    assert!(id(&sent, &promised, content).starts_with("sha256-"));
}

#[test]
fn items_under_one_delivery_id_are_numbered() {
    let envelope = definition("split: [{pointer: /events}]\nextract: {id: [{envelope: /id}]}").unwrap();
    let batch = request(r#"{"id":"d","events":[{"a":1},{"a":1},{"a":2}]}"#).read(&envelope).unwrap();
    assert_eq!(ids(&batch), [Ok("d#0"), Ok("d#1"), Ok("d#2")]);
    let one = request(r#"{"id":"d","events":[{"a":1}]}"#).read(&envelope).unwrap();
    assert_eq!(ids(&one), [Ok("d")]);
}

#[test]
fn equal_items_are_one_event_and_one_id_over_other_bytes_is_rejected() {
    let split = definition("split: [{pointer: ''}]\nextract: {id: [{pointer: /id}]}").unwrap();
    let batch = request(r#"[{"id":1,"a":1},{ "id" : 1, "a": 1 },{"id":1,"a":2},{"id":2}]"#).read(&split).unwrap();
    assert_eq!(ids(&batch), [Ok("1"), Err(BadItemReason::SameId), Ok("2")]);
    assert_eq!(batch.received, 4);
    let bad = batch.items[1].as_ref().unwrap_err();
    assert_eq!((bad.index, bad.item.as_ref()), (Some(2), br#"{"id":1,"a":2}"#.as_ref()));
    assert_eq!(bad.id.as_deref(), Some("1"));
}
