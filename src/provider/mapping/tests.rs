use serde_json::{Value as Json, json};

use super::*;
use crate::provider::extraction::Extraction;

/// Maps an item by the fields of one mapping, through the whole extraction.
fn map(mapping: &str, item: &str) -> Json {
    serde_json::from_str(&written(mapping, item)).unwrap()
}

/// What is wrong with a mapping.
fn refused(mapping: &str) -> Vec<String> {
    let yaml = format!("displayName: Test\nmethods: []\nmap: [{{kind: call, {mapping}}}]");
    let errors = Extraction::compile(&serde_saphyr::from_str(&yaml).unwrap()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

fn written(mapping: &str, item: &str) -> String {
    use crate::provider::Coverage;
    use crate::provider::request::Head;
    use crate::provider::verify::Verified;
    let yaml = format!("displayName: Test\nmethods: []\nmap: [{{kind: call, {mapping}}}]");
    let extraction = Extraction::compile(&serde_saphyr::from_str(&yaml).unwrap()).unwrap();
    let verified = Verified::made_up(Bytes::copy_from_slice(item.as_bytes()), Coverage::default());
    let headers = http::HeaderMap::new();
    let head = Head {
        method: &http::Method::POST,
        path: "/",
        query: None,
        headers: &headers,
        received: jiff::Timestamp::UNIX_EPOCH,
    };
    let batch = extraction.read(&verified, &head, None).unwrap();
    let event = batch.items.into_iter().next().unwrap().unwrap();
    String::from_utf8(event.data.mapped.unwrap().to_vec()).unwrap()
}

#[test]
fn globs_take_any_run_of_characters() {
    for (glob, text, expected) in [
        ("*", "", true),
        ("a.*", "a.b.c", true),
        ("a.*", "a", false),
        ("*.c", "a.b.c", true),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abde", false),
        ("a", "A", false),
        ("a*a", "a", false),
        ("a*ab", "aab", true),
        ("**", "x", true),
        ("[a]?", "[a]?", true),
    ] {
        assert_eq!(crate::glob::matches(glob, text), expected, "{glob} {text}");
    }
}

#[test]
fn members_stand_in_the_order_of_the_schema_and_numbers_as_sent() {
    let mapping = "set: {analysis.score: {pointer: /s}, recording.sizeBytes: {pointer: /b}, id: {pointer: /id}, direction: {value: inbound}}";
    assert_eq!(
        written(mapping, r#"{"s":1.500,"b":"104857600","id":12345678901234567890}"#),
        r#"{"id":"12345678901234567890","kind":"call","direction":"inbound","recording":{"sizeBytes":104857600},"analysis":{"score":1.500}}"#
    );
}

#[test]
fn values_of_another_kind_set_nothing() {
    let mapping = "set: {id: {pointer: /v}, title: {pointer: /v}, metadata: {pointer: /v}, transcript.speakers: {pointer: /v}, recording.durationSeconds: {pointer: /v}, startedAt: {pointer: /v}, transcript.format: {pointer: /v}}";
    let none = json!({"kind": "call"});
    for value in ["null", "\"\""] {
        assert_eq!(map(mapping, &format!("{{\"v\":{value}}}")), none, "{value}");
    }
    assert_eq!(map(mapping, r#"{"v":true}"#), json!({"kind": "call", "title": "true"}));
    assert_eq!(map(mapping, r#"{"v":{"a":1}}"#), json!({"kind": "call", "metadata": {"a": 1}}));
    assert_eq!(map(mapping, r#"{"v":[1]}"#), json!({"kind": "call", "transcript": {"speakers": [1]}}));
    assert_eq!(
        map(mapping, r#"{"v":1.5}"#),
        json!({"kind": "call", "title": "1.5", "recording": {"durationSeconds": 1.5}})
    );
}

#[test]
fn the_second_place_counts_where_the_first_says_nothing() {
    let mapping = "set: {title: {pointer: /a, else: [{pointer: /b}]}}";
    for first in ["", r#""a":null,"#, r#""a":"","#] {
        assert_eq!(map(mapping, &format!("{{{first}\"b\":\"x\"}}"))["title"], "x");
    }
    assert_eq!(map(mapping, r#"{"a":"y","b":"x"}"#)["title"], "y");
}

#[test]
fn times_and_durations_are_normalised_by_their_unit() {
    let mapping = "set: {startedAt: {pointer: /t, unit: Milliseconds}, recording.durationSeconds: {pointer: /d, unit: Milliseconds}}";
    let mapped = map(mapping, r#"{"t":1700000000123,"d":90500}"#);
    assert_eq!(mapped["startedAt"], "2023-11-14T22:13:20.123Z");
    assert_eq!(mapped["recording"]["durationSeconds"], 90.5);
    let rfc = map("set: {startedAt: {pointer: /t}}", r#"{"t":"2026-01-01T01:00:00+01:00"}"#);
    assert_eq!(rfc["startedAt"], "2026-01-01T00:00:00Z");
    assert_eq!(map("set: {startedAt: {pointer: /t}}", r#"{"t":"2026-01-01T01:00:00"}"#).get("startedAt"), None);
}

#[test]
fn lists_of_texts_take_scalars_and_leave_out_what_is_no_text() {
    let mapping = "set: {tags: {pointer: /v}}";
    for (value, tags) in [
        (r#"["a","\u0062"]"#, json!(["a", "b"])),
        ("[]", json!([])),
        (r#""a""#, json!(["a"])),
        ("7", json!(["7"])),
        (r#"["a",7,null,"",{},true]"#, json!(["a", "7", "true"])),
    ] {
        assert_eq!(map(mapping, &format!("{{\"v\":{value}}}"))["tags"], tags, "{value}");
    }
    assert_eq!(map(mapping, r#"{"v":{}}"#).get("tags"), None);
}

#[test]
fn people_come_from_objects_lists_and_texts() {
    let mapping = "participants: [{from: /people, set: {role: {pointer: /kind, else: [{value: attendee}]}, name: {pointer: /n}, email: {pointer: /c/mail}, attributes: {pointer: ''}}}, {from: /host, set: {role: {value: host}, name: {pointer: ''}}}, {set: {side: {value: internal}, phoneNumber: {pointer: /phone}}}]";
    let item =
        r#"{"people":[{"n":"A","kind":"agent","c":{"mail":"a@x"},"z":1.0},{"n":"B"},{},null],"host":"H","phone":491}"#;
    assert_eq!(
        map(mapping, item)["participants"],
        json!([
            {"role": "agent", "name": "A", "email": "a@x", "attributes": {"c": {"mail": "a@x"}, "z": 1.0}},
            {"role": "attendee", "name": "B"},
            {"role": "host", "name": "H"},
            {"side": "internal", "phoneNumber": "491"},
        ])
    );
    assert_eq!(map(mapping, "{}").get("participants"), None);
}

#[test]
fn a_vendors_turns_become_segments() {
    let mapping = "set: {transcript.text: {pointer: /t}}, segments: [{from: /turns, set: {speaker: {pointer: /who}, text: {pointer: /said}}}]";
    let item = r#"{"t":"x","turns":[{"who":1,"said":"a"},{"said":"b"},{"who":"c"},5]}"#;
    assert_eq!(
        map(mapping, item)["transcript"],
        json!({"text": "x", "format": "diarized", "segments": [{"speaker": "1", "text": "a"}, {"text": "b"}]})
    );
    assert_eq!(map(mapping, r#"{"t":"x","turns":[]}"#)["transcript"], json!({"text": "x", "format": "plain"}));
}

#[test]
fn a_member_with_words_of_its_own_takes_the_vendors_by_a_table_and_no_others() {
    let mapping = "set: {direction: {pointer: /d, words: {incoming: inbound, 'true': outbound}}, voicemail: {pointer: /v}}, participants: [{set: {role: {pointer: /r, words: {incoming: callee}, else: [{pointer: /p}]}, name: {pointer: /n}}}, {set: {role: {pointer: /p}, email: {pointer: /n}}}]";
    for (said, direction) in
        [("\"incoming\"", "inbound"), ("true", "outbound"), ("\"Inbound\"", "inbound"), ("\"internal\"", "internal")]
    {
        assert_eq!(map(mapping, &format!("{{\"d\":{said}}}"))["direction"], direction);
    }
    assert_eq!(map(mapping, r#"{"d":"sideways","v":false,"r":"x"}"#), json!({"kind": "call"}));
    let people = |item| map(mapping, item)["participants"][0]["role"].clone();
    assert_eq!(people(r#"{"r":"incoming","n":"A"}"#), "callee");
    assert_eq!(people(r#"{"r":"HOST","n":"A"}"#), "host");
    assert_eq!(people(r#"{"r":"incoming","n":"A"}"#), "callee");
    assert_eq!(people(r#"{"r":"Observer","n":"A"}"#), Json::Null);
    assert_eq!(map(mapping, r#"{"p":"Observer","n":"A"}"#)["participants"][1]["role"], "Observer");
    assert_eq!(map(mapping, r#"{"v":true}"#)["voicemail"], true);
}

#[test]
fn a_second_choice_counts_where_the_first_is_of_another_kind_or_its_conditions_do_not_hold() {
    let mapping = "set: {startedAt: {pointer: /t, else: [{pointer: /t, unit: DateTime}]}, title: {pointer: /a, when: [{pointer: /k, matches: ['x*', y]}], else: [{pointer: /b}]}}";
    assert_eq!(map(mapping, r#"{"t":"2020-01-01 12:00:00"}"#)["startedAt"], "2020-01-01T12:00:00Z");
    for (kind, title) in [("xyz", "A"), ("y", "A"), ("z", "B"), ("yy", "B")] {
        assert_eq!(map(mapping, &format!(r#"{{"k":"{kind}","a":"A","b":"B"}}"#))["title"], title, "{kind}");
    }
}

#[test]
fn elements_of_lists_are_chosen_joined_and_gathered() {
    let item = r#"{"l":[{"k":1,"t":"a","s":{"w":["x","y"]}},{"k":2,"t":"b"},{"k":2,"t":"!","p":true},{"k":2}]}"#;
    let of = |value: &str| map(&format!("set: {{title: {value}}}"), item).get("title").cloned();
    assert_eq!(of("{from: /l, where: [{pointer: /k, equals: '2'}], pointer: /t}"), Some(json!("b")));
    assert_eq!(of("{from: /l, where: [{pointer: /k, equals: '3'}], pointer: /t}"), None);
    assert_eq!(of("{from: /l, pointer: /t, join: ', '}"), Some(json!("a, b, !")));
    assert_eq!(of("{from: /l, pointer: /t, join: ' ', attach: [{pointer: /p}]}"), Some(json!("a b!")));
    assert_eq!(of("{from: /l/0/s/w, pointer: '', join: ''}"), Some(json!("xy")));
    assert_eq!(map("set: {tags: {from: /l, pointer: /t}}", item)["tags"], json!(["a", "b", "!"]));
    let two = map("set: {links: {pointer: /a, and: [/b]}, title: {pointer: /a, and: [/b]}}", r#"{"a":"x","b":"y"}"#);
    assert_eq!((&two["links"], &two["title"]), (&json!(["x", "y"]), &json!("x y")));
    let time = "set: {startedAt: {pointer: /d, and: [/t], unit: DateTime}}";
    assert_eq!(map(time, r#"{"d":"2026-02-27","t":"14:30:00"}"#)["startedAt"], "2026-02-27T14:30:00Z");
    assert_eq!(map(time, r#"{"d":"2026-02-27"}"#).get("startedAt"), None);
}

#[test]
fn the_last_element_is_taken_where_that_is_wanted() {
    let item = r#"{"l":[{"k":1,"t":"a"},{"k":2,"t":"b"},{"k":1,"t":"c"},{"k":3}]}"#;
    let of = |value: &str| map(&format!("set: {{title: {value}}}"), item).get("title").cloned();
    assert_eq!(of("{from: /l, where: [{pointer: /k, equals: '1'}], last: true, pointer: /t}"), Some(json!("c")));
    assert_eq!(of("{from: /l, where: [{pointer: /k, equals: '1'}], pointer: /t}"), Some(json!("a")));
    assert_eq!(of("{from: /l, last: true, pointer: /t}"), None);
    assert_eq!(of("{from: /l, last: true, pointer: /t, else: [{from: /l, pointer: /t}]}"), Some(json!("a")));
    for wrong in [
        "set: {title: {pointer: /t, last: true}}",
        "set: {title: {from: /l, pointer: /t, last: true, join: ' '}}",
        "set: {tags: {from: /l, pointer: /t, last: true}}",
    ] {
        let errors = refused(wrong);
        assert!(errors.iter().any(|error| error.contains(".last")), "{wrong}: {errors:?}");
    }
}

#[test]
fn a_text_that_holds_json_is_read_where_elements_are_wanted() {
    let mapping = "set: {title: {from: /data, pointer: /t}}";
    assert_eq!(map(mapping, r#"{"data":"{\"t\":\"a\\n\"}"}"#)["title"], "a\n");
    for none in [r#"{"data":"{broken"}"#, r#"{"data":"plain"}"#, r#"{"data":""}"#] {
        assert_eq!(map(mapping, none).get("title"), None, "{none}");
    }
}

#[test]
fn one_file_is_the_recording_and_several_are_listed_with_it() {
    let mapping = "set: {recording.uri: {pointer: /mono}, recording.channel: {pointer: /c}}, recordings: [{from: /files, where: [{pointer: /kind, matches: [MP4, M4A]}], mixed: true, set: {uri: {pointer: /url}, mediaType: {pointer: /kind, words: {MP4: video/mp4}}}}, {from: /each, set: {uri: {pointer: ''}}}]";
    let files = |item: &str| {
        let mapped = map(mapping, item);
        (mapped.get("recording").cloned(), mapped.get("recordings").cloned())
    };
    assert_eq!(files("{}"), (None, None));
    assert_eq!(files(r#"{"c":"stereo"}"#), (None, None));
    assert_eq!(files(r#"{"mono":"m"}"#), (Some(json!({"uri": "m"})), None));
    let (a, b) = (json!({"uri": "a", "mediaType": "video/mp4"}), json!({"uri": "b"}));
    assert_eq!(files(r#"{"files":[{"kind":"CHAT","url":"c"},{"kind":"MP4","url":"a"}]}"#), (Some(a.clone()), None));
    let two = r#"{"files":[{"kind":"MP4","url":"a"}],"each":["b","b"]}"#;
    assert_eq!(files(two), (Some(a), Some(json!([{"uri": "a", "mediaType": "video/mp4"}, b]))));
    assert_eq!(files(r#"{"each":["b","c"]}"#), (None, Some(json!([{"uri": "b"}, {"uri": "c"}]))));
}

#[test]
fn a_media_type_is_one_or_is_left_out() {
    let mapping = "set: {recording.uri: {pointer: /u}, recording.mediaType: {pointer: /t, words: {M4A: audio/mp4}}}";
    for (said, expected) in [
        ("M4A", Some("audio/mp4")),
        ("audio/ogg; codecs=opus", Some("audio/ogg; codecs=opus")),
        ("MP4", None),
        ("audio", None),
        ("/", None),
    ] {
        let mapped = map(mapping, &format!(r#"{{"u":"a","t":"{said}"}}"#));
        assert_eq!(mapped["recording"].get("mediaType").and_then(Json::as_str), expected, "{said}");
    }
    let errors = refused("set: {recording.mediaType: {pointer: /t, words: {M4A: m4a}}}");
    assert!(errors.iter().any(|error| error.contains("no media type")), "{errors:?}");
}

#[test]
fn people_who_are_equal_are_one_and_one_of_whom_nothing_is_known_is_none() {
    let mapping = "participants: [{from: /parties, set: {role: {value: caller}, phoneNumber: {pointer: /from}}}, {from: /parties, set: {role: {value: callee}, name: {pointer: /to}}}]";
    let item = r#"{"parties":[{"from":"1","to":"A"},{"from":"1","to":"B"},{}]}"#;
    assert_eq!(
        map(mapping, item)["participants"],
        json!([{"role": "caller", "phoneNumber": "1"}, {"role": "callee", "name": "A"}, {"role": "callee", "name": "B"}])
    );
}

#[test]
fn people_of_two_lists_are_one_by_the_first_member_that_both_have() {
    let mapping = "participants: [{from: /owner, set: {role: {value: host}, name: {pointer: /name}, email: {pointer: /mail}}}, {from: /invited, sameBy: [email, name], set: {role: {value: attendee}, side: {pointer: /side}, name: {pointer: /name}, email: {pointer: /mail}}}, {from: /spoke, sameBy: [name], set: {id: {pointer: /id}, name: {pointer: /name}}}]";
    let item = r#"{"owner":{"name":"Ann","mail":"ann@x"},
        "invited":[{"name":"A.","mail":"ann@x","side":"internal"},{"name":"Ann","mail":"other@x"},{"name":"Bob"}],
        "spoke":[{"id":7,"name":"Bo\u0062"},{"id":8,"name":"Cy"},{"id":9}]}"#;
    assert_eq!(
        map(mapping, item)["participants"],
        json!([
            {"role": "host", "side": "internal", "name": "Ann", "email": "ann@x"},
            {"role": "attendee", "name": "Ann", "email": "other@x"},
            {"id": "7", "role": "attendee", "name": "Bob"},
            {"id": "8", "name": "Cy"},
            {"id": "9"},
        ])
    );
    let errors = refused("participants: [{sameBy: [email], set: {name: {pointer: /n}}}]");
    assert!(errors.iter().any(|error| error.contains("sameBy[0]") && error.contains("set it")), "{errors:?}");
}

#[test]
fn words_become_turns_with_their_times() {
    let mapping = "segments: [{from: /w, where: [{pointer: /k, matches: [word, punctuation]}], merge: ' ', attach: [{pointer: /k, equals: punctuation}], set: {speaker: {pointer: /s}, text: {pointer: /a/0/c}, startSeconds: {pointer: /b, unit: Milliseconds}, endSeconds: {pointer: /e, unit: Milliseconds}, confidence: {pointer: /a/0/p}}}]";
    let item = r#"{"w":[{"k":"word","s":"1","b":500,"e":900,"a":[{"c":"Hello","p":0.9}]},{"k":"punctuation","s":"1","b":900,"e":900,"a":[{"c":","}]},{"k":"word","s":"1","b":1000,"e":1250,"a":[{"c":"you","p":0.8}]},{"k":"noise","s":"1"},{"k":"word","s":"2","b":2000,"e":2500,"a":[{"c":"Hi","p":0.7}]}]}"#;
    assert_eq!(
        map(mapping, item)["transcript"],
        json!({"format": "diarized", "segments": [
            {"speaker": "1", "text": "Hello, you", "startSeconds": 0.5, "endSeconds": 1.25},
            {"speaker": "2", "text": "Hi", "startSeconds": 2, "endSeconds": 2.5, "confidence": 0.7},
        ]})
    );
}

#[test]
fn a_list_whose_turns_hold_lists_is_read_and_turns_without_speakers_are_plain() {
    let mapping = "segments: [{from: /p, set: {speaker: {pointer: /who}, text: {from: /s, pointer: /t, join: ' '}}}]";
    let item = r#"{"p":[{"who":"A","s":[{"t":"a"},{"t":"b"}]},{"who":"B","s":[]}]}"#;
    assert_eq!(
        map(mapping, item)["transcript"],
        json!({"format": "diarized", "segments": [{"speaker": "A", "text": "a b"}]})
    );
    assert_eq!(map(mapping, r#"{"p":[{"s":[{"t":"a"}]}]}"#)["transcript"]["format"], "plain");
}
