use proptest::prelude::*;

use super::*;
use crate::subject::pattern::matches;

fn vars<'a>(event_type: &'a str, subject: Option<&'a str>) -> SubjectVars<'a> {
    SubjectVars { namespace: "sales", source: "calls.eu", provider: "xosum", event_type, subject }
}

fn render(template: &str, event_type: &str, subject: Option<&str>) -> String {
    SubjectTemplate::parse(template).unwrap().render(&vars(event_type, subject))
}

fn pattern(template: &str) -> String {
    SubjectTemplate::parse(template).unwrap().pattern("sales", "calls.eu", "xosum")
}

#[test]
fn values_become_tokens() {
    let subject = |event_type, subject| render("webhooks.{namespace}.{source}.{type}", event_type, subject);
    assert_eq!(subject("transcript.ready", None), "webhooks.sales.calls_eu.transcript.ready");
    assert_eq!(subject("a..b", None), "webhooks.sales.calls_eu.a._.b");
    assert_eq!(subject("", None), "webhooks.sales.calls_eu._");
    assert_eq!(subject(".", None), "webhooks.sales.calls_eu._._");
    assert_eq!(subject("Grüße *>\r\n", None), "webhooks.sales.calls_eu.Gr__e_____");
    assert_eq!(render("w.{subject}.{provider}-x", "t", Some("user@example.com")), "w.user_example_com.xosum-x");
    assert_eq!(render("w.{subject}", "t", None), "w._");
    assert_eq!(render("w.{subject}", "t", Some("")), "w._");
}

#[test]
fn long_values_are_cut_and_stay_apart() {
    let one = render("w.{subject}", "t", Some(&"x".repeat(500)));
    let other = render("w.{subject}", "t", Some(&format!("{}y", "x".repeat(499))));
    assert_eq!(one.len(), "w.".len() + 57);
    assert_eq!(one[..50], other[..50]);
    assert_ne!(one, other);
    let token = format!("issues.{}", "a".repeat(60));
    assert!(render("w.{type}", &token, None).starts_with(&format!("w.issues.{}_", "a".repeat(48))));
    let many = ["token"; 20].join(".");
    assert_eq!(render("w.{type}", &many, None).split('.').count(), 1 + 8, "at most eight tokens");
}

#[test]
fn a_pattern_stands_for_all_that_a_template_can_make() {
    assert_eq!(pattern("webhooks.{namespace}.{source}.{type}"), "webhooks.sales.calls_eu.>");
    assert_eq!(pattern("webhooks.{namespace}.dialogues.{source}"), "webhooks.sales.dialogues.calls_eu");
    assert_eq!(pattern("w.{subject}.x"), "w.*.x");
    assert_eq!(pattern("w.pre-{subject}-post.x"), "w.*.x");
    assert_eq!(pattern("{subject}"), "*");
    assert_eq!(pattern("w.pre-{type}.x"), "w.>");
    assert_eq!(pattern("{type}"), ">");
}

#[test]
fn templates_that_nats_could_not_take_are_refused() {
    let refused = [
        "",
        ".",
        "a..b",
        ".a",
        "a.",
        "a b",
        "a.*",
        "a.>",
        "$SYS.x",
        "$JS.API.x",
        "_INBOX.x",
        "_INBOXES",
        "a.{typo}",
        "a.{type",
        "a}",
        "ä",
        "a\r\nb",
        "{}",
    ];
    for template in refused {
        assert!(SubjectTemplate::parse(template).is_err(), "{template:?}");
    }
    assert!(SubjectTemplate::parse("a.{what}").unwrap_err().contains("{subject}"), "the error says what there is");
}

#[test]
fn a_template_that_could_become_too_long_is_refused() {
    let check = |template: &str, name: &str| SubjectTemplate::parse(template).unwrap().check_length(name, name, name);
    assert_eq!(check("webhooks.{namespace}.{source}.{type}", &"n".repeat(63)), Ok(()));
    assert!(check(&["{namespace}"; 9].join("."), &"n".repeat(63)).unwrap_err().contains("512"));
}

fn template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Za-z0-9_-]{1,5}",
        Just("{type}".to_owned()),
        Just("{subject}".to_owned()),
        Just("{source}".to_owned())
    ];
    let token = proptest::collection::vec(piece, 1..3).prop_map(|pieces| pieces.concat());
    proptest::collection::vec(token, 1..4).prop_map(|tokens| tokens.join("."))
}

proptest! {
    #[test]
    fn whatever_arrives_makes_a_valid_subject_within_its_pattern(
        template in template(),
        event_type in prop_oneof!["\\PC{0,200}", "[a-z.]{0,300}", "(?s).{0,40}"],
        entity in proptest::option::of(prop_oneof!["\\PC{0,600}", "(?s).{0,40}"]),
        source in "[a-z0-9.-]{1,63}",
    ) {
        let template = SubjectTemplate::parse(&template).unwrap();
        let vars = SubjectVars { namespace: "ns", source: &source, provider: "p", event_type: &event_type, subject: entity.as_deref() };
        let subject = template.render(&vars);
        prop_assert!(subject.split('.').all(|token| !token.is_empty() && token.chars().all(is_token_char)), "{}", subject);
        prop_assert!(async_nats::Subject::validated(subject.as_str()).is_ok());
        if template.check_length("ns", &source, "p").is_ok() {
            prop_assert!(subject.len() <= MAX_LENGTH);
        }
        let pattern = template.pattern("ns", &source, "p");
        prop_assert!(matches(&pattern, &subject), "{} does not match {}", pattern, subject);
    }
}
