//! Where a vendor's key signs for all its customers, the proof says which of them is meant, before anything is done.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use hookgate::api::scheme::{BoundPart, KeyOf};
use hookgate::provider::catalogue::{built_in, built_ins};
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::{Given, Method, Refusal, Verifier};
use http::HeaderMap;
use jiff::Timestamp;

use super::provider_generic::{headers, key};

const URL: &str = "https://hooks.example.com/in";

fn given<'g>(method: &Method, parameters: &'g BTreeMap<String, String>) -> Given<'g> {
    let external_url = method.needs_url().then_some(URL);
    Given { keys: &[], other_purposes: &[], parameters, tolerance: None, external_url }
}

#[test]
fn no_method_that_proves_takes_a_source_with_neither_secret_nor_parameter() {
    let mut judged = 0;
    for built_in in built_ins() {
        let provider = built_in.provider().expect("compiles");
        for method in provider.methods.iter().filter(|method| !method.proves_nothing()) {
            let refused = Verifier::new(method, &given(method, &BTreeMap::new())).err();
            let problem = refused.unwrap_or_else(|| panic!("{} {} proves for everybody", built_in.id, method.name));
            let sentence = problem.to_string();
            assert!(sentence.contains("secretRef") || sentence.contains("parameters."), "{sentence}");
            judged += 1;
        }
    }
    assert!(judged > 200, "{judged}");
}

#[test]
fn what_names_the_customer_must_be_written_where_keys_are_shared() {
    for (provider, method, wanted) in [
        ("aws-sns", "signature", &["topicArn"][..]),
        ("azure-event-grid", "jwt", &["issuer", "audience"]),
        ("azure-event-grid-cloudevents", "jwt", &["issuer", "audience"]),
        ("gohighlevel", "signature", &["location"]),
        ("gohighlevel", "signature-company", &["company"]),
        ("gohighlevel", "signature-rsa", &["location"]),
        ("google-pubsub", "jwt", &["email", "audience"]),
        ("travis-ci", "signature", &["repository"]),
        ("truelayer", "signature", &["path"]),
        ("truelayer", "sandbox", &["path"]),
    ] {
        let provider = built_in(provider).expect("a built-in").provider().expect("compiles");
        let method = provider.method(Some(method)).expect("a method");
        let all: BTreeMap<String, String> = wanted.iter().map(|name| ((*name).to_owned(), "ours".to_owned())).collect();
        let pasted = [key(None, b"pasted")];
        let needed =
            Verifier::new(method, &given(method, &all)).err().is_some_and(|e| e.to_string().contains("secretRef"));
        let keys = if needed { &pasted[..] } else { &[] };
        assert!(Verifier::new(method, &Given { keys, ..given(method, &all) }).is_ok(), "{}", provider.name);
        for absent in wanted {
            let mut some = all.clone();
            some.remove(*absent);
            let problem =
                Verifier::new(method, &Given { keys, ..given(method, &some) }).expect_err("a problem").to_string();
            assert!(problem.contains(&format!("parameters.{absent}: is missing")), "{}: {problem}", provider.name);
        }
    }
}

#[test]
fn a_pasted_key_is_the_customers_own_or_its_scheme_names_the_customer() {
    let mut judged = 0;
    for built_in in built_ins() {
        let spec = built_in.spec().expect("reads");
        let schemes = spec.methods.iter().flat_map(|method| &method.any_of).flat_map(|proof| &proof.all_of);
        for scheme in schemes {
            let fetched = scheme.public_key.as_ref().is_some_and(|key| key.fetch.is_some())
                || scheme.jwt.as_ref().is_some_and(|jwt| jwt.fetch.is_some());
            if let Some(key) = scheme.public_key.as_ref().filter(|_| !fetched) {
                let of = key.key_of.unwrap_or_else(|| panic!("{}: write in keyOf whose key is pasted", built_in.id));
                let named = scheme.addressee.is_some();
                assert!(of == KeyOf::Customer || named, "{}: a key for everybody names nobody", built_in.id);
                judged += 1;
            }
            if let Some(jwt) = scheme.jwt.as_ref().filter(|_| !fetched) {
                let pasted = jwt.algorithms.iter().any(|algorithm| !format!("{algorithm:?}").starts_with("HS"));
                let named = jwt.bind.iter().any(|bind| bind.of == BoundPart::URL);
                let told = spec.notes.as_deref().is_some_and(|notes| notes.contains("parameters.audience"));
                assert!(!pasted || named || told, "{}: a key for everybody names nobody", built_in.id);
                judged += usize::from(pasted);
            }
        }
    }
    assert!(judged >= 9, "{judged}");
}

fn view<'r>(headers: &'r HeaderMap, body: &'r [u8]) -> RequestView<'r> {
    let received = Timestamp::UNIX_EPOCH;
    RequestView { head: Head { method: &http::Method::POST, path: "/in", query: None, headers, received }, body }
}

#[test]
fn nothing_is_fetched_for_what_is_meant_for_another_customer() {
    let now = Timestamp::UNIX_EPOCH;
    let sns = |topic: &str, kind: &str| {
        format!(
            r#"{{"Type":"{kind}","SignatureVersion":"1","TopicArn":"{topic}","Message":"m","MessageId":"1","Timestamp":"2026-01-01T00:00:00Z","Token":"t","SubscribeURL":"https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription","SigningCertURL":"https://sns.eu-central-1.amazonaws.com/a.pem","Signature":"AAAA"}}"#
        )
    };
    let travis = |owner: &str| {
        let payload = format!(r#"{{"repository":{{"owner_name":"{owner}","name":"site"}}}}"#);
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish()
    };
    let form = headers([("Content-Type", "application/x-www-form-urlencoded"), ("Signature", "AAAA")]);
    let json = headers([("Content-Type", "application/json")]);
    for (provider, parameter, ours, map, right, wrong) in [
        ("aws-sns", "topicArn", "ours", &json, sns("ours", "Notification"), sns("theirs", "Notification")),
        (
            "aws-sns",
            "topicArn",
            "ours",
            &json,
            sns("ours", "SubscriptionConfirmation"),
            sns("theirs", "SubscriptionConfirmation"),
        ),
        ("travis-ci", "repository", "us/site", &form, travis("us"), travis("them")),
    ] {
        let provider = built_in(provider).expect("a built-in").provider().expect("compiles");
        let method = provider.method(None).expect("a method");
        let parameters = BTreeMap::from([(parameter.to_owned(), ours.to_owned())]);
        let (verifier, _) = Verifier::new(method, &given(method, &parameters)).expect("a source");
        let (right, wrong) = (view(map, right.as_bytes()), view(map, wrong.as_bytes()));
        assert!(verifier.wanted(&right, now, &NothingFetched).is_some(), "{}", provider.name);
        assert_eq!(verifier.verify(&right, now).err(), Some(Refusal::NotFetched), "{}", provider.name);
        assert!(verifier.wanted(&wrong, now, &NothingFetched).is_none(), "{}", provider.name);
        assert_eq!(verifier.verify(&wrong, now).err(), Some(Refusal::Addressee), "{}", provider.name);
    }
}

#[test]
fn a_user_name_of_basic_holds_no_colon() {
    let provider = built_in("alertmanager").expect("a built-in").provider().expect("compiles");
    let method = provider.method(Some("basic")).expect("a method");
    let keys = [key(Some("username"), b"team:a"), key(Some("password"), b"b")];
    let none = BTreeMap::new();
    let (verifier, unfit) = Verifier::new(method, &Given { keys: &keys, ..given(method, &none) }).expect("a source");
    assert!(unfit.iter().any(|key| key.reason.contains("colon")), "{unfit:?}");
    assert!(!verifier.open(Timestamp::UNIX_EPOCH), "`team` with the password `a:b` would send the same");
}
